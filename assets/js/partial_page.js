// A response as a page without a server: its answers are in the file.
"use strict";
(() => {
  const { read, keepScheme } = dx.offline;
  const node = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const sheets = read("dx-sheets");
  const show = (place) => {
    const sheet = sheets[place];
    if (sheet) dx.response(node("dx-response"), sheet, (name, data) => name === "look" && show(data.choice), null);
  };
  node("dx-scheme").addEventListener("click", () => {
    keepScheme();
    document.body.classList.toggle("dark");
  });
  show(0);
})();
