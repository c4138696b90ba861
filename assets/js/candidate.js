// The candidate's card: choose another token of the step in view or type a word, see what became of it, decode on.
"use strict";
(() => {
  const AROUND = 160; // px that stay in view above what was pressed
  dx.candidate = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const names = ["label", "tokens", "go", "form", "word_label", "word", "look", "none", "card"];
    const parts = Object.fromEntries(names.map((name) => [name, part(name)]));
    const id = `dx-candidate-${Math.random().toString(36).slice(2)}`;
    parts.tokens.id = `${id}-token`;
    parts.label.htmlFor = parts.tokens.id;
    parts.word.id = `${id}-word`;
    parts.word_label.htmlFor = parts.word.id;
    /** @type {any} */
    let data = null;
    let shown = ""; // the token whose card is open, and where
    let asked = false; // by hand: the card comes into view when it opens

    const tell = (name, more) => emit(name, { ...more, about: data?.about });
    const pick = (token_id) => {
      asked = token_id !== null;
      tell("pick", { token_id });
    };
    parts.tokens.addEventListener("change", () => pick(Number(parts.tokens.value)));
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      asked = true;
      tell("word", { word: parts.word.value });
    });
    parts.go.addEventListener("click", () => {
      if (parts.tokens.value === "" || parts.go.getAttribute("aria-disabled") === "true") return;
      tell("take", { token_id: Number(parts.tokens.value) });
    });
    parts.card.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    const close = () => {
      pick(null);
      parts.tokens.focus({ preventScroll: true });
    };
    // A token that was clicked in a chart, perhaps of another step than the one in view: that comes into view, too,
    // unless the chart has gone there itself. The page knows where it is before Python has told this card.
    /** @type {{ row?: number, step: number, rank?: number } | null} */
    let at = null;
    document.addEventListener("dx-at", (event) => (at = event.detail));
    document.addEventListener("dx-beam-shown", (event) => (at = event.detail));
    document.addEventListener("dx-candidate", (event) => {
      const { run, row, step, rank, token_id } = event.detail;
      if (!element.isConnected || !data || run !== data.about.run || !Number.isInteger(token_id)) return;
      const now = at ?? data.about;
      if (data.about.rank === null && (row !== now.row || step !== now.step))
        document.dispatchEvent(new CustomEvent("dx-go", { detail: { row, step } }));
      else if (Number.isInteger(rank) && (rank !== now.rank || step !== now.step))
        document.dispatchEvent(new CustomEvent("dx-beam-pick", { detail: { step, rank } }));
      requestAnimationFrame(() => setTimeout(pick, 0, token_id)); // the step is painted first
    });

    /** @type {number | null} */
    let hand = null; // where on the screen the pointer was pressed last; null where a key was since
    document.addEventListener("pointerdown", (event) => (hand = event.clientY), { capture: true, passive: true });
    document.addEventListener("keydown", () => (hand = null), { capture: true, passive: true });
    /** Brings the card into view; where it is below, no further than what was pressed stays in view. */
    const reveal = () => {
      const { top, bottom } = element.getBoundingClientRect(), below = Math.min(bottom - innerHeight, top);
      if (hand === null || below <= 0) return element.scrollIntoView({ block: "nearest" });
      scrollBy(0, Math.max(0, Math.min(below, hand - AROUND)));
    };

    const stages = (table) =>
      dx.el(
        "div", { class: "dx-table-box", tabindex: "0", role: "group", "aria-label": table.caption },
        dx.table(table)
      );
    const spellings = ({ spellings, spellings_label }) =>
      spellings.length < 2 ? null : dx.el(
        "div", { class: "dx-tabs", role: "group", "aria-label": spellings_label },
        ...spellings.map((way) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-tab", "aria-pressed": String(way.pressed), "data-token": way.id,
              on: { click: () => pick(way.id) },
            },
            ...dx.token(way.text)
          )
        )
      );
    const fill = (token) => {
      const refocus = dx.focused(parts.card)?.dataset.token;
      parts.card.replaceChildren(
        dx.el(
          "div", { class: "dx-card-head" },
          dx.el("h2", {}, dx.el("span", { class: "dx-candidate-token" }, ...dx.token(token.text))),
          dx.el("span", { class: "dx-hint" }, token.id_words), spellings(token), dx.el("span", { class: "dx-spacer" }),
          dx.el("button", {
            type: "button", class: "dx-plain dx-candidate-close", "aria-label": data.close, "data-tip": data.close,
            on: { click: close },
          }, "×")
        ),
        dx.el("p", { class: "dx-candidate-reading", "aria-live": "polite" }, ...dx.sentence(token.reading)),
        ...(token.note ? [dx.el("p", { class: "dx-hint" }, token.note)] : []),
        stages(token.stages)
      );
      if (refocus) parts.card.querySelector(`[data-token="${refocus}"]`)?.focus();
    };
    const showLine = () => {
      const { label, options, word, go, none } = data;
      parts.label.textContent = label;
      parts.tokens.replaceChildren(
        ...options.map((option) =>
          dx.el("option", { value: String(option.id), selected: option.chosen }, option.text)
        )
      );
      parts.go.hidden = !go;
      if (go) {
        parts.go.textContent = go.text;
        parts.go.setAttribute("aria-disabled", String(go.disabled)); // still in reach: its tip says why
        parts.go.setAttribute("data-tip", go.tip);
      }
      parts.word_label.textContent = word.label;
      parts.word.maxLength = word.longest;
      parts.word.setAttribute("data-tip", word.tip);
      if (document.activeElement !== parts.word) parts.word.value = word.value;
      parts.look.textContent = word.button;
      parts.none.textContent = none;
      parts.none.hidden = !none;
    };
    const update = () => {
      data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      showLine();
      const token = data.token;
      parts.card.hidden = !token;
      document.body.classList.toggle("dx-card-open", Boolean(token));
      if (token) fill(token);
      const now = token ? String(token.id) : "";
      if (asked && now && now !== shown) reveal();
      [shown, asked] = [now, false];
    };
    dx.stepPanel(element, props, watch, update, { later: () => !data?.token });
    update();
  };
})();
