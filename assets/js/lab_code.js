// The lab's tab "code": snippets to copy.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  const copyButton = (sheet, form) => {
    const button = dx.el("button", { type: "button", class: "dx-plain" }, sheet.copy);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(form.code);
        button.textContent = sheet.copied;
        setTimeout(() => (button.textContent = sheet.copy), 1600);
      } catch {
        const range = document.createRange(); // no clipboard without a secure address: select it instead
        range.selectNodeContents(button.closest("figure")?.querySelector("code") ?? button);
        getSelection()?.removeAllRanges();
        getSelection()?.addRange(range);
      }
    });
    return button;
  };

  const figure = (sheet, form) =>
    dx.el(
      "figure", { class: "dx-code" },
      dx.el("figcaption", {}, form.label, copyButton(sheet, form)),
      form.note ? dx.el("p", { class: "dx-hint" }, form.note) : null,
      dx.el("pre", { tabindex: "0" }, dx.el("code", {}, form.code)),
      ...dx.toldList(form.told ?? [])
    );
  let open = false; // the other engines' part, also when the tab is drawn anew
  const engines = (sheet) => {
    const box = dx.el(
      "details", { class: "dx-code-engines", open },
      dx.el("summary", {}, sheet.engines_title),
      dx.el("p", { class: "dx-hint" }, sheet.engines_reading),
      ...sheet.engines.map((form) => figure(sheet, form))
    );
    box.addEventListener("toggle", () => (open = box.open));
    return box;
  };

  dx.labTabs.code = (body, sheet) =>
    body.replaceChildren(
      dx.el("p", { class: sheet.none ? "dx-hint" : "dx-reading" }, sheet.none || sheet.reading),
      ...sheet.forms.map((form) => figure(sheet, form)),
      engines(sheet)
    );
})();
