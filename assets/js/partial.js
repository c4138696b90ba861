// Responses of other engines: pasting one, and looking at it step by step. All of it is here; Python is asked for
// another response, answer or run alone.
"use strict";
(() => {
  const shade = (p) => (p === null ? 100 : Math.round(100 * (1 - p)));

  const facts = (list) =>
    dx.el("div", { class: "dx-facts" }, dx.el("dl", {}, ...list.map((fact) =>
      dx.el("div", {},
        dx.el("dt", fact.tip ? { class: "dx-term", tabindex: "0", "data-tip": fact.tip } : {}, fact.label),
        dx.el("dd", { title: fact.value }, ...dx.token(fact.value))))));

  const tabs = (label, items, click) =>
    dx.el("div", { class: "dx-tabs", role: "group", "aria-label": label }, ...items.map((item) =>
      dx.el("button", { type: "button", class: "dx-tab", "aria-pressed": String(item.active), on: { click: () => click(item) } }, item.label)));

  const head = (data, emit) => {
    const { words } = data;
    const save = (kind) =>
      dx.el("button", {
        type: "button", class: "dx-plain", "data-tip": words["save.tip"],
        on: { click: () => emit("export", { number: data.number, choice: data.choice, kind }) },
      }, words[`save.${kind}`]);
    return dx.el(
      "div", { class: "dx-card-head" },
      dx.el("h2", {}, data.title),
      dx.el("span", { class: "dx-term dx-partial-badge", tabindex: "0", "data-tip": words["badge.tip"] }, words.badge),
      dx.el("span", { class: "dx-hint dx-partial-name" }, data.name),
      data.choices.length > 1
        ? tabs(words.choices, data.choices, (item) => emit("look", { number: data.number, choice: item.place }))
        : null,
      dx.el("span", { class: "dx-spacer" }),
      ...(data.saves.length
        ? [
            dx.el("span", { class: "dx-hint" }, words.save), ...data.saves.map(save),
            dx.el("button", { type: "button", class: "dx-plain", on: { click: () => emit("leave", {}) } }, words.back),
            dx.el("button", { type: "button", class: "dx-unset", "aria-label": words.close, "data-tip": words.close, on: { click: () => emit("close", { number: data.number }) } }, "×"),
          ]
        : [])
    );
  };

  const cannot = (data) =>
    dx.el(
      "section", { class: "dx-card dx-partial-cannot" },
      dx.el("h2", {}, data.title), dx.el("p", {}, data.intro),
      dx.el("ul", {}, ...data.items.map((item) => dx.el("li", {}, item))), dx.el("p", { class: "dx-hint" }, data.remedy)
    );

  const allSteps = (data) => {
    const { words } = data;
    const rows = data.steps.flatMap((step, i) =>
      step.number === null ? [] : [[String(step.number), data.cells[i].left_out + data.cells[i].text, step.p, step.surprisal, step.least_said, step.tail_said]]);
    const columns = ["table.step", "column.token", "column.probability", "table.surprisal", "table.least", "table.tail"];
    const details = dx.el("details", { class: "dx-partial-steps" }, dx.el("summary", {}, words.table));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const table = dx.table({ caption: words["table.caption"], head: columns.map((name) => words[name]), rows });
      details.append(dx.el("div", { class: "dx-table-box", tabindex: "0", role: "region", "aria-label": words["table.caption"] }, table));
    });
    return details;
  };

  const asText = (data) =>
    dx.el("details", { class: "dx-partial-text" }, dx.el("summary", {}, data.words.text),
      dx.el("pre", { tabindex: "0", role: "region", "aria-label": data.words.text }, data.said));

  /** The tokens as buttons: arrow keys, Home and End walk through them. */
  const tokenRow = (data, choose) => {
    const buttons = data.cells.map((cell, place) => {
      const button = dx.el(
        "button",
        {
          type: "button", class: `dx-token${cell.prompt ? " dx-partial-prompt" : ""}${cell.marked ? " dx-partial-marked" : ""}`,
          "data-kind": cell.kind || null, "data-tip": cell.tip, "aria-label": cell.name, "aria-pressed": "false", tabindex: "-1",
          style: `--dx-shade:${cell.prompt ? 0 : shade(cell.p)}%`, on: { click: () => choose(place, false) },
        },
        cell.left_out ? dx.el("span", { class: "dx-partial-left-out" }, ...dx.token(cell.left_out)) : null,
        ...dx.token(cell.text)
      );
      return button;
    });
    const box = dx.el("div", { class: "dx-partial-tokens", role: "group", "aria-label": data.words.row }, ...buttons, data.more ? dx.el("span", { class: "dx-tail" }, data.more) : null);
    box.addEventListener("keydown", (event) => {
      const at = buttons.findIndex((button) => button === document.activeElement);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(Math.min(buttons.length - 1, Math.max(0, to)), true);
    });
    return { box, buttons };
  };

  /** Draws a response into a box. `before` is what it gave the last time: the step stays, and what was typed. */
  dx.response = (box, data, emit, before) => {
    const { words } = data;
    const same = before !== null && before.key === data.key;
    let place = same ? before.place : data.first;
    let vocab = before?.typed ?? data.vocab ?? NaN;
    const state = { key: data.key, place, typed: before?.typed ?? null };
    const step = dx.el("section", { class: "dx-card dx-partial-step" });
    const beside = dx.el("section", { class: "dx-card dx-partial-beside" });
    const field = dx.el("input", { type: "number", min: "1", max: "100000000", step: "1", "aria-label": words.vocab, "data-tip": words["vocab.tip"], value: Number.isNaN(vocab) ? null : vocab });
    const here = data.beside ? dx.partialBeside(beside, data.beside, (against) => emit("look", { number: data.number, choice: data.choice, against })) : null;
    const choose = (next, focus) => {
      if (!data.steps.length) return;
      place = state.place = next;
      row.buttons.forEach((button, i) => {
        button.setAttribute("aria-pressed", String(i === place));
        button.tabIndex = i === place ? 0 : -1;
      });
      if (focus) row.buttons[place].focus();
      dx.partialStep(step, data.steps[place], vocab, words);
      if (here) dx.partialBesideStep(here, data.beside, place);
    };
    field.addEventListener("input", () => {
      vocab = field.value === "" ? NaN : Number(field.value);
      state.typed = field.value === "" ? null : vocab;
      if (data.steps.length) dx.partialStep(step, data.steps[place], vocab, words);
    });
    const row = tokenRow(data, choose);
    box.replaceChildren(
      dx.el("section", { class: "dx-card" }, head(data, emit), facts(data.facts), ...data.notes.map((note) => dx.el("p", { class: "dx-hint" }, note))),
      dx.el("section", { class: "dx-card" },
        dx.el("div", { class: "dx-card-head" }, dx.el("h2", {}, words.row), dx.el("span", { class: "dx-hint" }, words["row.hint"]), dx.el("span", { class: "dx-spacer" }),
          dx.el("label", { class: "dx-partial-vocab dx-hint" }, words.vocab, " ", field)),
        row.box),
      step, ...(here ? [beside] : []), dx.el("section", { class: "dx-card" }, allSteps(data), asText(data)), cannot(data.cannot)
    );
    choose(place, false);
    return state;
  };

  /** What was pasted becomes a file, and takes the way of every file that is opened. */
  const openAsFile = (text) => {
    const button = document.querySelector("#dx-open"); // Gradio sets the field beside it
    const input = /** @type {HTMLInputElement | null | undefined} */ (
      button?.querySelector("input[type=file]") ?? button?.parentElement?.querySelector(":scope > input[type=file]"));
    if (!input) return;
    const files = new DataTransfer();
    files.items.add(new File([text], "response.json", { type: "application/json" }));
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  dx.partial = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    /** @type {any} */
    let state = null;
    let drawn = "";
    part("read").addEventListener("click", () => part("text").value.trim() && openAsFile(part("text").value));
    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      const { paste, list, response } = data;
      part("open").textContent = paste.paste;
      part("open").setAttribute("data-tip", paste["paste.tip"]);
      part("hint").textContent = paste["paste.hint"];
      part("text").setAttribute("aria-label", paste["paste.label"]);
      part("read").textContent = paste["paste.open"];
      const tabsBox = part("list");
      tabsBox.hidden = !list.length;
      tabsBox.setAttribute("aria-label", data.list_label);
      tabsBox.replaceChildren(...list.map((item) =>
        dx.el("button", { type: "button", class: "dx-tab", "aria-pressed": String(item.active), on: { click: () => emit("look", { number: item.number }) } }, item.label)));
      const box = part("response");
      box.hidden = !response;
      document.body.classList.toggle("dx-partial-open", Boolean(response));
      if (!response) {
        drawn = "";
        return box.replaceChildren();
      }
      const written = JSON.stringify(response);
      if (written === drawn) return;
      if (state?.key !== response.key) [part("paste").open, part("text").value] = [false, ""];
      drawn = written;
      state = dx.response(box, response, emit, state);
    };
    watch(["data"], update);
    update();
  };
})();
