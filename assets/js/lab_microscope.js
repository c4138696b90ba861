// The lab's tab "microscope": a stage's tensor operations one under another, each with the numbers that went through.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  const NARROW = matchMedia("(max-width: 760px)");
  const MARKS = { chosen: "▸", edge: "│", gap: "┊" };
  let inFull = false; // all digits; stays while one looks around

  const chip = (stage, sheet) =>
    dx.el(
      "button",
      {
        type: "button", class: stage.idle ? "dx-scope-chip dx-idle" : "dx-scope-chip", "data-stage": stage.number,
        "data-name": stage.name, "aria-pressed": String(stage.number === sheet.open), "data-tip": stage.tip,
      },
      stage.label
    );

  const chips = (sheet) =>
    dx.el(
      "div",
      { class: "dx-scope-chips", role: "group", "aria-label": sheet.labels.stages },
      ...sheet.stages.flatMap((stage, i) => [
        i ? dx.el("span", { class: "dx-scope-then", "aria-hidden": "true" }, "→") : null,
        chip(stage, sheet),
      ])
    );

  const source = (data) =>
    dx.el(
      "p",
      { class: "dx-hint dx-scope-source" },
      dx.el("code", {}, data.text),
      data.version ? ` · ${data.version}` : null,
      ...data.notes.map((note) => dx.el("span", { class: "dx-scope-note" }, note))
    );

  const verdict = (data) =>
    dx.el("p", { class: "dx-scope-verdict", "data-kind": data.kind }, ...dx.sentence(data.text));

  const legend = (sheet) =>
    dx.el(
      "p",
      { class: "dx-hint dx-scope-legend" },
      dx.el("span", {}, sheet.count),
      ...sheet.legend.map((item) =>
        dx.el("span", {}, dx.el("i", { "data-mark": item.mark }, MARKS[item.mark] || "abc"), ` ${item.text}`)),
      dx.el("span", {}, dx.el("i", { "data-mark": "changed" }, "1.0"), ` ${sheet.labels["legend.changed"]}`),
      dx.el(
        "button",
        { type: "button", class: "dx-plain dx-scope-digits", "aria-pressed": String(inFull), "data-tip": sheet.labels["digits.tip"] },
        sheet.labels["digits.all"]
      )
    );

  const functionName = (item) =>
    item.url
      ? dx.el(
          "a",
          { href: item.url, target: "_blank", rel: "noopener noreferrer", "aria-label": item.tip, "data-tip": item.tip },
          item.name
        )
      : dx.el("span", {}, item.name);

  const token = (column) =>
    dx.el(
      "span",
      { class: "dx-scope-token", "data-fate": column.fate, "data-tip": column.tip },
      column.chosen ? "▸" : null,
      ...dx.token(column.text)
    );

  /** A name of the source, which may break after an underscore, a dot or a bracket. */
  const name = (text) =>
    text.split(/(?<=[_.([])/).flatMap((piece, i) => (i ? [dx.el("wbr"), piece] : [piece]));

  const classes = (column) =>
    [column?.chosen && "dx-scope-chosen", column?.edge ? "dx-scope-edge" : column?.gap && "dx-scope-gap"].filter(Boolean).join(" ") || null;

  const header = (column, scope) =>
    dx.el(
      "th",
      { scope, class: classes(column) },
      token(column),
      column.beam ? dx.el("small", {}, column.beam) : null
    );

  const label = (line, scope) =>
    dx.el(
      "th",
      { scope, "data-role": line.role },
      line.role === "place" ? line.label : dx.el("code", { "data-tip": line.shape }, line.role === "out" ? "→\u00a0" : null, ...name(line.label))
    );

  const cell = (line, data, column, sheet, spans) => {
    const [text, full, state] = data;
    const shown = (inFull && full) || text;
    return dx.el(
      "td",
      {
        class: classes(column), "data-role": line.role, "data-state": state || null, ...spans,
        "data-tip": !inFull && full ? full : null,
      },
      shown || dx.el("span", { class: "dx-scope-absent", role: "img", "aria-label": sheet.labels.absent, "data-tip": sheet.labels.absent }, "·")
    );
  };

  const isOne = (line) => line.role !== "place" && line.cells.length === 1;

  /** Tokens as columns; a single number takes its whole line. */
  const wide = (op, sheet) =>
    dx.el(
      "table",
      { class: "dx-table dx-scope-table dx-scope-wide", style: `--dx-scope-n:${sheet.columns.length}` },
      dx.el("thead", {}, dx.el("tr", {}, dx.el("td", {}), ...sheet.columns.map((column) => header(column, "col")))),
      dx.el(
        "tbody",
        {},
        ...op.lines.map((line) =>
          dx.el(
            "tr",
            { "data-role": line.role },
            label(line, "row"),
            ...(isOne(line) && sheet.columns.length !== 1
              ? [cell(line, line.cells[0], null, sheet, { colspan: sheet.columns.length, class: "dx-scope-one" })]
              : line.cells.map((data, i) => cell(line, data, sheet.columns[i], sheet, {})))
          )
        )
      )
    );

  /** Tokens as rows, for a narrow screen; single numbers stand above the table. */
  const tall = (op, sheet) => {
    const many = op.lines.filter((line) => !isOne(line));
    return dx.el(
      "table",
      { class: "dx-table dx-scope-table dx-scope-tall" },
      dx.el("thead", {}, dx.el("tr", {}, dx.el("td", {}), ...many.map((line) => label(line, "col")))),
      dx.el(
        "tbody",
        {},
        ...sheet.columns.map((column, i) =>
          dx.el("tr", {}, header(column, "row"), ...many.map((line) => cell(line, line.cells[i], column, sheet, {}))))
      )
    );
  };

  const ones = (op) =>
    dx.el(
      "dl",
      { class: "dx-scope-ones" },
      ...op.lines.filter(isOne).map((line) =>
        dx.el("div", { "data-role": line.role },
              dx.el("dt", {}, dx.el("code", {}, line.role === "out" ? "→\u00a0" : null, ...name(line.label))),
              dx.el("dd", {}, (inFull && line.cells[0][1]) || line.cells[0][0])))
    );

  const table = (op, sheet) => {
    const onlyOnes = op.lines.every(isOne);
    if (onlyOnes) return ones(op);
    const box = dx.el("div", { class: "dx-table-box", tabindex: "0", role: "region", "aria-label": op.name },
                      NARROW.matches ? tall(op, sheet) : wide(op, sheet));
    return NARROW.matches && op.lines.some(isOne) ? dx.el("div", {}, ones(op), box) : box;
  };

  const operation = (op, sheet) =>
    dx.el(
      "li",
      { class: "dx-scope-op" },
      dx.el(
        "div",
        { class: "dx-scope-words" },
        dx.el("h3", {}, functionName(op.functions[0])),
        ...op.functions.slice(1).map((item) => dx.el("span", { class: "dx-scope-also" }, functionName(item))),
        dx.el("code", { class: "dx-scope-call" }, op.call),
        dx.el("code", { class: "dx-scope-shapes" }, `${op.takes} → ${op.gives}`),
        dx.el("p", {}, ...dx.sentence(op.note))
      ),
      table(op, sheet)
    );

  const content = (sheet) =>
    sheet.none
      ? [chips(sheet), dx.el("p", { class: "dx-reading" }, sheet.none)]
      : [
          chips(sheet), source(sheet.source), verdict(sheet.verdict), legend(sheet),
          dx.el("ol", { class: "dx-scope-ops" }, ...sheet.ops.map((op) => operation(op, sheet))),
        ];

  /** What had the focus, so that it can have it again: a chip by its number, or the digits' button. */
  const focused = (root) => {
    const node = dx.focused(root);
    if (!node) return null;
    if (node.dataset.stage) return `[data-stage="${node.dataset.stage}"]`;
    return node.classList.contains("dx-scope-digits") ? ".dx-scope-digits" : null;
  };

  dx.labTabs.microscope = (body, sheet, ask) => {
    let root = /** @type {any} */ (body.firstElementChild);
    if (!root || !root.classList.contains("dx-scope")) {
      root = dx.el("div", { class: "dx-scope" });
      body.replaceChildren(root);
      root.addEventListener("click", (event) => {
        const stage = dx.closest(event, "[data-stage]");
        if (stage) root.dxAsk({ stage: Number(stage.dataset.stage), name: stage.dataset.name });
        if (dx.closest(event, ".dx-scope-digits")) {
          inFull = !inFull;
          root.dxDraw();
        }
      });
      NARROW.addEventListener("change", () => root.isConnected && root.dxDraw());
    }
    root.dxAsk = ask;
    root.dxDraw = () => {
      const focus = focused(root);
      root.classList.toggle("dx-scope-full", inFull);
      root.style.setProperty("--dx-rule", `var(--dx-${sheet.colour})`);
      root.replaceChildren(...content(sheet));
      if (focus) root.querySelector(focus)?.focus();
    };
    root.dxDraw();
  };
})();
