// The lab's tab "words": what happened at the step, as a numbered list.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  const item = (data) =>
    dx.el(
      "li",
      { style: data.colour ? `--dx-rule:var(--dx-${data.colour})` : null },
      dx.el(data.code ? "code" : "b", { class: "dx-words-label" }, data.label),
      " ",
      ...dx.sentence(data.pieces)
    );

  dx.labTabs.words = (body, sheet) => {
    const words = JSON.stringify(sheet);
    if (body.dataset.words === words && body.firstElementChild?.classList.contains("dx-words")) return;
    body.dataset.words = words;
    body.replaceChildren(
      dx.el("div", { class: "dx-words" }, dx.el("h3", {}, sheet.heading), dx.el("ol", {}, ...sheet.items.map(item))));
  };
})();
