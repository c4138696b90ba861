// A study's page: its figures, and the runs behind a point that was clicked or chosen.
"use strict";
(() => {
  const { read, unpacked, run, keepScheme } = dx.offline;
  const node = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const COPIED_FOR = 1500; // ms
  const study = read("dx-study");

  /** A run that the page has no page of is opened by a command, from the folder that this file lies in. */
  const howToOpen = (one, step) => {
    const where = `${one.page ? "prompt" : "row"} ${one.row}${step ? `, step ${step}` : ""}`;
    if (one.page) return [dx.el("a", { href: one.page }, "open the run"), ` (${where})`];
    const command = study.again || `decoding-explorer open ${one.trace}`;
    const copy = dx.el("button", { type: "button", class: "dx-link", "aria-label": `copy: ${command}` }, "copy");
    copy.addEventListener("click", async () => {
      await dx.copyText(command);
      copy.textContent = "copied";
      setTimeout(() => (copy.textContent = "copy"), COPIED_FOR);
    });
    const trace = study.again ? `${one.trace} comes with` : dx.el("a", { href: one.trace, download: "" }, "trace");
    return [trace, study.again ? " " : ", ", dx.el("code", {}, command), " ", copy, ` (${where})`];
  };
  const line = ([number, value], step) => {
    const one = study.runs[number];
    return dx.el(
      "li",
      {},
      dx.el("strong", { class: "dx-study-value" }, value),
      dx.el("p", {}, dx.el("span", { class: "dx-asked" }, one.asked), " ", dx.el("span", { class: "dx-said" }, one.text)),
      dx.el("p", { class: "dx-hint dx-study-open" }, ...howToOpen(one, step))
    );
  };

  /** One figure; a click on a point shows what is behind it, and so does the list of points. */
  const figure = (panel, index) => {
    const card = node(`dx-figure-${index}`);
    const box = /** @type {HTMLElement} */ (document.querySelector(`[data-panel="${index}"]`));
    const part = dx.partsOf(box);
    const select = part("point");
    panel.curves.forEach((curve, i) => {
      const points = curve.points.map((point, j) => dx.el("option", { value: `${i}.${j}` }, point.name));
      select.append(dx.el("optgroup", { label: curve.name }, ...points));
    });
    const show = () => {
      const [i, j] = select.value.split(".").map(Number);
      const { name, runs, step } = panel.curves[i].points[j];
      part("said").textContent = `${panel.curves[i].name}, ${name}. ${runs.length} runs; in front of each: ${panel.value}.`;
      part("runs").replaceChildren(...runs.map((each) => line(each, step)));
    };
    select.addEventListener("change", show);
    dx.chart(/** @type {HTMLElement} */ (card.firstElementChild), { data: panel.sheet }, () => {}, () => {});
    const plot = /** @type {any} */ (card.querySelector("[data-part=plot]"));
    plot.on("plotly_click", (event) => {
      const picked = event.points.find((point) => point.customdata);
      if (!picked) return;
      select.value = picked.customdata.join(".");
      show();
      box.scrollIntoView({ block: "nearest" });
    });
    select.value = "0.0";
    show();
  };

  const open = async () => {
    if (!window.DecompressionStream) throw new Error("this browser is too old: it has no DecompressionStream");
    run(await unpacked(node("dx-plotly").textContent));
    study.panels.forEach(figure);
    node("dx-opening").hidden = true;
  };
  node("dx-scheme").addEventListener("click", () => {
    keepScheme();
    document.body.classList.toggle("dark");
  });
  open().catch((error) => (node("dx-opening").textContent = `The figures cannot be drawn: ${error.message}`));
})();
