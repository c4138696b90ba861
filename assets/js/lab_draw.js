// The lab's tab "draw": the step's token drawn again, 10, 100 or 1,000 times.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  /** @type {any} */
  let open = null; // the frame in the page, and its sheet
  const plot = () => {
    const { parts, sheet } = open;
    const width = parts.plot.clientWidth;
    if (!sheet.figure || !width) return;
    parts.plot.style.height = `${sheet.height}px`;
    dx.plot(parts.plot, sheet.figure, width, sheet.height);
    open.width = width;
  };
  const shown = () => open && open.parts.plot.isConnected;
  let watching = false;
  const watch = () => {
    if (watching) return;
    watching = true;
    dx.onScheme(() => shown() && plot());
  };

  const key = (kind, words) => dx.el("span", { class: "dx-key", "data-kind": kind }, words);

  const frame = (body, ask) => {
    const parts = {
      note: dx.el("p", { class: "dx-draw-note" }),
      label: dx.el("span", { class: "dx-draw-label", id: "dx-draw-label" }),
      buttons: dx.el("span", { class: "dx-draw-buttons", role: "group", "aria-labelledby": "dx-draw-label" }),
      seed: dx.el("span", { class: "dx-term", tabindex: "0" }),
      reading: dx.el("p", { class: "dx-reading", "aria-live": "polite" }),
      caution: dx.el("p", { class: "dx-hint" }),
      legend: dx.el("div", { class: "dx-draw-legend" }),
      plot: dx.el("div", { class: "dx-draw-plot", role: "group" }),
      summary: dx.el("summary", {}),
      table: dx.el("div", { class: "dx-table-box", tabindex: "0" }),
    };
    parts.buttons.addEventListener("click", (event) => {
      const n = Number(dx.closest(event, "button")?.dataset.n);
      if (n) ask({ n, again: open.sheet.again + 1, at: open.sheet.at });
    });
    const details = dx.el("details", {}, parts.summary, parts.table);
    details.addEventListener("toggle", () => details.open && fillTable());
    parts.details = details;
    body.replaceChildren(
      dx.el("div", { class: "dx-draw" },
            parts.note, dx.el("div", { class: "dx-draw-bar" }, parts.label, parts.buttons, parts.seed),
            parts.reading, parts.caution, parts.legend, parts.plot, details));
    new ResizeObserver(() => shown() && parts.plot.clientWidth !== open.width && plot()).observe(parts.plot);
    return parts;
  };
  const fillTable = () => open.sheet.table && open.parts.table.replaceChildren(dx.table(open.sheet.table));

  const fill = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
    node.hidden = !text;
  };
  const button = (data) =>
    dx.el("button", { type: "button", "data-n": data.n, "aria-pressed": String(data.pressed), "data-tip": data.tip }, data.label);

  dx.labTabs.draw = (body, sheet, ask) => {
    watch();
    const parts = shown() && body.contains(open.parts.plot) ? open.parts : frame(body, ask);
    open = { parts, sheet, width: 0 };
    fill(parts.note, sheet.note || "");
    fill(parts.label, sheet.draw || "");
    // The same buttons stay: one drawn anew under the pointer would show its tip over the result.
    if (parts.buttons.children.length !== sheet.buttons.length) parts.buttons.replaceChildren(...sheet.buttons.map(button));
    sheet.buttons.forEach((data, i) => parts.buttons.children[i].setAttribute("aria-pressed", String(data.pressed)));
    fill(parts.seed, sheet.seed || "");
    parts.seed.setAttribute("data-tip", sheet.seed_tip || "");
    fill(parts.reading, sheet.reading);
    fill(parts.caution, sheet.caution || "");
    const kinds = ["p", "drawn", "range"];
    parts.legend.replaceChildren(...(sheet.legend || []).map((words, i) => key(kinds[i], words)));
    parts.plot.hidden = parts.details.hidden = !sheet.figure;
    parts.plot.setAttribute("aria-label", sheet.label || "");
    parts.summary.textContent = sheet.table_label || "";
    if (sheet.figure) plot();
    if (parts.details.open) fillTable();
  };
})();
