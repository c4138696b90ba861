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

  dx.labTabs.code = (body, sheet) => {
    if (sheet.none) return body.replaceChildren(dx.el("p", { class: "dx-hint" }, sheet.none));
    body.replaceChildren(
      dx.el("p", { class: "dx-reading" }, sheet.reading),
      ...sheet.forms.map((form) =>
        dx.el(
          "figure", { class: "dx-code" },
          dx.el("figcaption", {}, form.label, copyButton(sheet, form)),
          dx.el("p", { class: "dx-hint" }, form.note),
          dx.el("pre", { tabindex: "0" }, dx.el("code", {}, form.code))
        )
      )
    );
  };
})();
