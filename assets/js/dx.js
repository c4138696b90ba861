// What the page's components share: building DOM from text (never from markup), tooltips, the colour scheme.
"use strict";
(() => {
  if (window.dx) return;
  const dx = (window.dx = /** @type {Dx} */ ({})); // what is in it: dx.d.ts

  /** An element; string children become text nodes, so token text is never parsed as markup. */
  dx.el = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") node.className = value;
      else if (name === "on") for (const [event, fn] of Object.entries(value)) node.addEventListener(event, fn);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };

  /** The parts of a component's fixed markup, by name. */
  dx.partsOf = (element) => (name) => element.querySelector(`[data-part="${name}"]`);

  /** What the event happened in: the nearest element that fits, from its target upwards. */
  dx.closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);
  /** What has the focus, if it lies in `box`. */
  dx.focused = (box) => {
    const node = document.activeElement;
    return node instanceof HTMLElement && box.contains(node) ? node : null;
  };

  /** A sentence as Python sends it: pieces of text, some of them terms with an explanation. */
  dx.sentence = (pieces) =>
    (pieces || []).map((piece) =>
      typeof piece === "string"
        ? piece
        : dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": piece.tip }, piece.text)
    );

  /** A token's text with the marks for spaces and line breaks set back, all of it as text nodes. */
  dx.token = (text) =>
    text.split(/([␣⏎⇥␍]+)/).map((piece, i) => (i % 2 ? dx.el("span", { class: "dx-glyph" }, piece) : piece));

  dx.parse = (json, fallback) => {
    try {
      return JSON.parse(json ?? "null") ?? fallback;
    } catch {
      return fallback;
    }
  };

  /** A row's head; a button where its token, or its step, can be asked about. */
  const pickable = (data, i, cell) => {
    const picked = data.token_ids?.[i] ?? data.places?.[i];
    if (!data.pick || picked === null || picked === undefined) return cell;
    return dx.el("button", { type: "button", class: "dx-pick", on: { click: () => data.pick(picked) } }, cell);
  };

  /** A real table: the twin of a chart. `pick` is told a row's token, or its step and rank. */
  dx.table = (data) => {
    const head = dx.el("tr", {}, ...data.head.map((cell) => dx.el("th", { scope: "col" }, cell)));
    const body = data.rows.map((row, i) =>
      dx.el(
        "tr",
        { class: data.marked === i ? "dx-marked" : null },
        ...row.map((cell, j) => (j ? dx.el("td", {}, cell) : dx.el("th", { scope: "row" }, pickable(data, i, cell))))
      )
    );
    return dx.el(
      "table",
      { class: "dx-table" },
      dx.el("caption", {}, data.caption),
      dx.el("thead", {}, head),
      dx.el("tbody", {}, ...body)
    );
  };

  /** A probability as `app.views.numbers.percent` writes it. */
  dx.percent = (p) => {
    if (p === null || p === undefined || Number.isNaN(p)) return "–";
    if (p === 0) return "0";
    if (p < 0.0001) return "<0.01%";
    if (p < 0.001) return `${(100 * p).toFixed(2)}%`;
    if (p >= 0.9995 && p < 1) return ">99.9%";
    return `${(100 * p).toFixed(1)}%`;
  };

  /** Numbers the events of the page: of several that are quick, Python takes the last, however they arrive. */
  let turns = 0;
  dx.nextTurn = () => ++turns;
  dx.numbered = (emit) => (data) => emit({ ...data, turn: dx.nextTurn() });
  /** Events say what they are about: the step of the run that their panel shows, as Python told it. */
  dx.addressed = (props, emit) => (data) => emit({ ...data, about: dx.parse(props.data, {}).about });
  /** The step in view, for what has no panel of its own. */
  document.addEventListener("dx-at", (event) => (dx.about = event.detail));
  /** Whether somebody is there who has done something. */
  dx.touched = false;
  for (const event of ["pointerdown", "keydown"])
    document.addEventListener(event, () => (dx.touched = true), { capture: true, passive: true });

  dx.dark = () => document.body.classList.contains("dark");
  const schemeListeners = new Set();
  dx.onScheme = (fn) => schemeListeners.add(fn);
  const watchScheme = () => {
    let before = dx.dark();
    new MutationObserver(() => {
      if (dx.dark() === before) return;
      before = dx.dark();
      schemeListeners.forEach((fn) => fn());
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };

  // One tooltip for the page. It describes what has the focus or the pointer, and Escape puts it away.
  const tip = dx.el("div", { id: "dx-tip", role: "tooltip", hidden: true });
  /** @type {HTMLElement | null} */
  let owner = null;
  let byPointer = false; // a click's focus, also on a button drawn anew, explains nothing: the hand is there already
  const hide = () => {
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const show = (node) => {
    if (node === owner) return;
    hide();
    owner = node;
    tip.textContent = node.getAttribute("data-tip");
    tip.hidden = false;
    node.setAttribute("aria-describedby", "dx-tip");
    const box = node.getBoundingClientRect();
    const width = tip.offsetWidth;
    const height = tip.offsetHeight;
    const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), innerWidth - width - 8);
    const below = box.bottom + 8 + height < innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? box.bottom + 8 : Math.max(8, box.top - height - 8)}px`;
  };
  const target = (event) => dx.closest(event, "[data-tip]");
  const start = () => {
    document.body.append(tip);
    watchScheme();
    document.addEventListener("pointerover", (event) => {
      const node = target(event);
      if (node && event.pointerType !== "touch") show(node);
      else if (!node && owner && owner !== document.activeElement) hide();
    });
    document.addEventListener("focusin", (event) => {
      const node = target(event);
      if (node && !byPointer && node.matches(":focus-visible, .dx-term")) show(node);
      else hide();
    });
    document.addEventListener("focusout", hide);
    document.addEventListener("pointerdown", () => (byPointer = true), { capture: true, passive: true });
    document.addEventListener("click", (event) => {
      const node = target(event);
      if (node && node.classList.contains("dx-term")) show(node);
      else hide();
    });
    document.addEventListener("scroll", hide, { capture: true, passive: true });
    document.addEventListener("keydown", (event) => {
      byPointer = false;
      if (event.key === "Escape") hide();
    }, { capture: true });
  };
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
