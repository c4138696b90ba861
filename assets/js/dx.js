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

  /** What people call a step; an index counts from 0 in its own run, and a fork's steps count on (`first_step`). */
  dx.stepNumber = (index, { first_step = 0 } = {}) => first_step + index + 1;

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

  /** Shows the page, which was kept from sight while its parts came: once they stand still. */
  dx.whole = () => {
    const STILL = 100, LONGEST = 6000; // ms
    const began = performance.now();
    let [before, since] = ["", began];
    const missing = () => document.querySelector(".html-container .dx:not([data-ready], [data-ready] .dx)"); // its script is on its way
    const places = () => [...document.querySelectorAll("#dx-header > *, #dx-main > *, #dx-left > *")].map((node) => node.getBoundingClientRect());
    const look = () => {
      const now = performance.now();
      const after = JSON.stringify(places());
      if (after !== before || missing()) [before, since] = [after, now];
      if (now - since < STILL && now - began < LONGEST) return requestAnimationFrame(look);
      document.documentElement.classList.remove("dx-opening");
      document.dispatchEvent(new CustomEvent("dx-whole"));
    };
    requestAnimationFrame(look);
  };

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

  // A click that Python answers is seen at once: its button waits until something of the page was sent anew.
  const LONGEST_WAIT = 4000; // ms; an answer may change nothing
  const ASK_PYTHON = "#dx-run, #dx-stop, #dx-verify-button"; // Gradio's own buttons
  /** @type {Set<Element>} */
  const waiting = new Set();
  /** @type {Element | null} */
  let clicked = null;
  const wait = (node) => {
    waiting.add(node);
    node.setAttribute("aria-busy", "true");
    setTimeout(() => served(node), LONGEST_WAIT);
  };
  const served = (node) => waiting.delete(node) && node.removeAttribute("aria-busy");
  document.addEventListener("click", (event) => {
    clicked = dx.closest(event, "button, summary, select");
    setTimeout(() => (clicked = null), 100);
    if (clicked?.matches(ASK_PYTHON)) wait(clicked);
  }, { capture: true });
  dx.asking = (trigger) => (name, data) => {
    if (clicked) wait(clicked);
    return trigger(name, data);
  };
  dx.answering = (watch) => (names, fn) =>
    watch(names, () => {
      waiting.forEach(served);
      fn();
      if (owner && !owner.isConnected) hide(); // it was drawn anew
    });

  /** A menu closes when something else is clicked, and with Escape. */
  dx.closing = (menu, summary) => {
    document.addEventListener("click", (event) => !menu.contains(/** @type {Node} */ (event.target)) && (menu.open = false));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      summary.focus();
    });
  };

  // One tooltip for the page. It describes what has the focus or the pointer, and Escape puts it away.
  const SOON = 220; // ms that the pointer rests on something before it is explained
  const MOVED = 8; // pixels after a click: what was just opened under the pointer is not covered
  const tip = dx.el("div", { id: "dx-tip", role: "tooltip", hidden: true });
  /** @type {HTMLElement | null} */
  let owner = null;
  let byPointer = false; // a click's focus, also on a button drawn anew, explains nothing: the hand is there already
  let soon = 0;
  /** @type {{x: number, y: number} | null} */
  let still = null; // where the last click was, until the pointer has left
  const hide = () => {
    clearTimeout(soon);
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  /** Above what it explains: what that opens, and what one reads next, is below. */
  const place = (box) => {
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), innerWidth - width - 8);
    const above = box.top - height - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above >= 4 ? above : Math.min(box.bottom + 8, innerHeight - height - 4)}px`;
  };
  /** Explains a node: in words at once, in sight as well unless that is to wait until what else changes is painted. */
  const show = (node, painted = false) => {
    if (node === owner) return;
    hide();
    if (!node.isConnected) return;
    owner = node;
    tip.textContent = node.getAttribute("data-tip");
    node.setAttribute("aria-describedby", "dx-tip");
    const appear = () => {
      if (owner !== node || !node.isConnected) return;
      tip.hidden = false;
      place(node.getBoundingClientRect());
    };
    if (painted) requestAnimationFrame(() => setTimeout(appear));
    else appear();
  };
  const target = (event) => dx.closest(event, "[data-tip]");
  const onPointerOver = (event) => {
    if (still && Math.hypot(event.clientX - still.x, event.clientY - still.y) < MOVED) return;
    still = null;
    const node = target(event);
    if (node && node === owner) return;
    clearTimeout(soon);
    if (node && event.pointerType !== "touch") {
      if (owner) hide();
      soon = setTimeout(() => show(node), SOON);
    } else if (!node && owner && owner !== document.activeElement) hide();
  };
  const onFocus = (event) => {
    const node = target(event);
    if (node && !byPointer && node.matches(":focus-visible, .dx-term")) show(node, true);
    else hide();
  };
  const onClick = (event) => {
    const node = target(event);
    if (node && node.classList.contains("dx-term")) return show(node);
    if (event.detail) still = { x: event.clientX, y: event.clientY };
    hide();
  };
  const start = () => {
    document.body.append(tip);
    watchScheme();
    document.addEventListener("pointerover", onPointerOver);
    document.addEventListener("focusin", onFocus);
    document.addEventListener("focusout", hide);
    document.addEventListener("pointerdown", () => (byPointer = true), { capture: true, passive: true });
    document.addEventListener("click", onClick);
    document.addEventListener("scroll", hide, { capture: true, passive: true });
    document.addEventListener("keydown", (event) => {
      byPointer = false;
      if (event.key === "Escape") hide();
    }, { capture: true });
  };
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
