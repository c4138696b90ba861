// A response beside a recorded run: the tokens of both above each other, and what both know of the step in view.
"use strict";
(() => {
  const pair = (data, each, i) =>
    dx.el(
      "span",
      { class: `dx-pair${each.same ? " dx-same" : ""}${i === data.parts ? " dx-parts" : ""}${each.compared ? "" : " dx-partial-later"}` },
      dx.el("span", { class: "dx-pair-a" }, ...dx.token(each.a)),
      dx.el("span", { class: "dx-pair-b" }, ...dx.token(each.b)),
      i === data.parts ? dx.el("span", { class: "dx-parts-mark" }, data.parts_label) : null
    );
  const names = (data) =>
    dx.el("span", { class: "dx-pair dx-pair-names" }, ...data.names.map((name) => dx.el("span", {}, name)));

  /** The tokens known to both at a place of the answer. */
  dx.partialBesideStep = (box, data, place) => {
    const found = data.by_step[place];
    const compared = Object.keys(data.by_step).length > 0;
    if (!found) return box.replaceChildren(...(compared ? [dx.el("p", { class: "dx-hint" }, data.after)] : []));
    const table = dx.table({ caption: `${found.title}. ${data.caption}`, head: data.head, rows: found.rows });
    box.replaceChildren(dx.el("div", { class: "dx-table-box", tabindex: "0", role: "region", "aria-label": found.title }, table));
  };

  dx.partialBeside = (box, data, pick) => {
    const select = dx.el(
      "select", { "aria-label": data.run_label, on: { change: () => pick(Number(select.value)) } },
      ...data.runs.map((run) => dx.el("option", { value: run.number, selected: run.number === data.run }, run.label))
    );
    const here = dx.el("div", {});
    const steps = () =>
      dx.el("details", {}, dx.el("summary", {}, data.steps.caption),
        dx.el("div", { class: "dx-table-box", tabindex: "0", role: "region", "aria-label": data.steps.caption }, dx.table(data.steps)));
    box.replaceChildren(
      dx.el("div", { class: "dx-card-head" }, dx.el("h2", {}, data.title), dx.el("label", { class: "dx-picked" }, data.run_label, " ", select)),
      ...data.reading.map((said) => dx.el("p", { class: "dx-partial-said" }, ...dx.token(said))),
      dx.el("div", { class: "dx-pairs", tabindex: "0", role: "region", "aria-label": data.title }, names(data), ...data.pairs.map((each, i) => pair(data, each, i))),
      here, ...(data.steps.rows.length ? [steps()] : [])
    );
    return here;
  };
})();
