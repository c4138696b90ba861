// The report of a sweep: what is chosen in its menus, its charts with their tables, and the runs of a setting.
"use strict";
(() => {
  /** What is in the file for certain. */
  const node = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const { read, unpacked, run } = dx.offline;
  const { number, fill, estimate, place, unit, ofMap, ofCurves } = dx.sweepWords;
  const { grid, lines, heat, curves, drawn } = dx.sweepFigures;
  const TRACE = /^traces\/\d+\.trace$/; // nothing else becomes a link
  const words = read("dx-words");
  /** @type {any} */
  let base = null;
  /** @type {any} */
  let state = null; // {statistic, across, down, at, cell}

  const statistic = () => base.statistics.find(({ name }) => name === state.statistic);
  const write = (value) => number(value, statistic().kind);
  const parts = (id) => dx.partsOf(node(id));

  // --- menus -----------------------------------------------------------------------------------------------------

  const menu = (label, options, value, choose) => {
    const select = dx.el("select", { on: { change: () => choose(select.value) } }, ...options.map(([id, text]) => dx.el("option", { value: id }, text)));
    select.value = String(value);
    return dx.el("label", {}, dx.el("span", {}, label), select);
  };
  const axisMenu = (label, value, other, set) => {
    const options = base.axes.map((axis, i) => [String(i), axis.name]).filter(([i]) => Number(i) !== other);
    return menu(label, options, value, (chosen) => set(Number(chosen)));
  };
  const heldMenus = () =>
    base.axes.flatMap((axis, i) => {
      if (i === state.across || i === state.down) return [];
      const options = axis.labels.map((text, j) => [String(j), text]);
      return [menu(fill(words.at, { axis: axis.name }), options, state.at[i] ?? 0, (chosen) => change({ at: { ...state.at, [i]: Number(chosen) } }))];
    });
  const fillMenus = () => {
    const box = node("dx-choices");
    const focused = [...box.querySelectorAll("select")].indexOf(/** @type {any} */ (dx.focused(box)));
    const statistics = base.statistics.map((each) => [each.name, unit(each)]);
    box.replaceChildren(
      menu(words.statistic, statistics, state.statistic, (chosen) => change({ statistic: chosen })),
      ...(base.axes.length < 2 ? [] : [
        axisMenu(words.across, state.across, state.down, (across) => change({ across })),
        axisMenu(words.down, state.down, state.across, (down) => change({ down })),
      ]),
      ...heldMenus()
    );
    if (focused >= 0) box.querySelectorAll("select")[focused]?.focus();
  };

  // --- charts ----------------------------------------------------------------------------------------------------

  const draw = (id, figure, height) => {
    const part = parts(id);
    part("scroll").style.height = `${height}px`;
    const width = part("scroll").clientWidth;
    if (width) dx.plot(part("plot"), figure, width, height);
  };
  const onClick = (id) => {
    const plot = parts(id)("plot");
    plot.on("plotly_click", ({ points }) => {
      const { customdata, pointNumber, data } = points[0];
      const cell = Array.isArray(pointNumber) ? data.customdata[pointNumber[0]][pointNumber[1]] : customdata;
      if (typeof cell === "number") choose(cell);
    });
  };
  const drawCharts = () => {
    const rows = grid(base, state).length;
    draw("dx-map", heat(base, state, statistic(), write, state.cell), 70 + Math.min(640, Math.max(56, rows * 36)));
    draw("dx-curve", curves(base, state, statistic()), 360);
  };

  // --- their words and tables --------------------------------------------------------------------------------------

  const axes = () => [state.across, state.down].filter((i) => i !== null).map((i) => base.axes[i].name);
  /** A number that shows its runs. */
  const button = (cell, text) =>
    dx.el("button", { type: "button", class: "dx-pick", "aria-pressed": String(cell === state.cell), "aria-label": `${place(base, cell)}: ${text}`, on: { click: () => choose(cell) } }, text);
  const table = (caption, head, rows) =>
    dx.el("table", { class: "dx-table" }, dx.el("caption", {}, caption),
      dx.el("thead", {}, dx.el("tr", {}, ...head.map((text) => dx.el("th", { scope: "col" }, text)))),
      dx.el("tbody", {}, ...rows.map(([first, ...others]) => dx.el("tr", {}, dx.el("th", { scope: "row" }, first), ...others.map((cell) => dx.el("td", {}, cell))))));
  const mapTable = () => {
    const values = base.values[state.statistic];
    const label = (i) => (state.down === null ? "" : base.axes[state.down].labels[i]);
    const rows = grid(base, state).map((cells, i) => [label(i), ...cells.map((cell) => (cell === null ? words.no_value : button(cell, write(values[cell]?.[0]))))]);
    return table(unit(statistic()), [axes().reverse().join(" \\ "), ...base.axes[state.across].labels], rows);
  };
  const curveTable = () => {
    const all = lines(base, state);
    const cell = (at) => (at === null ? words.no_value : estimate(words, base.values[state.statistic][at], statistic().kind));
    const rows = base.axes[state.across].labels.map((text, j) => [text, ...all.map(({ cells }) => cell(cells[j]))]);
    return table(words.caption, [base.axes[state.across].name, ...all.map(({ label }) => label || unit(statistic()))], rows);
  };
  const tell = () => {
    const map = parts("dx-map"), curve = parts("dx-curve"), all = lines(base, state);
    const cells = grid(base, state).flat().filter((cell) => cell !== null);
    map("title").textContent = fill(words.map, { statistic: unit(statistic()), axes: axes().join(" × ") });
    map("reading").textContent = ofMap(words, base, statistic(), cells);
    map("table").replaceChildren(mapTable());
    curve("title").textContent = fill(words.curve, { statistic: statistic().label, axis: base.axes[state.across].name });
    curve("reading").textContent = ofCurves(words, base, statistic(), all, state.across, drawn(all).length);
    curve("table").replaceChildren(curveTable());
  };

  // --- runs --------------------------------------------------------------------------------------------------------

  const command = (trace, row) => `decoding-explorer open ${trace} --row ${row + 1}`;
  const copy = (text) => {
    const copied = dx.el("button", { type: "button", class: "dx-link", on: { click: async () => {
      await navigator.clipboard?.writeText(text).then(() => (copied.textContent = words.copied), () => {});
    } } }, words.copy);
    return copied;
  };
  const opens = (trace, row) =>
    TRACE.test(trace)
      ? dx.el("p", { class: "dx-opens" }, `${words.open} `, dx.el("code", {}, command(trace, row)), " ", copy(command(trace, row)), " · ", dx.el("a", { href: trace, download: true }, words.trace))
      : null;
  const told = ([prompt, sample, text, error, trace, row, numbers]) =>
    dx.el("li", {},
      dx.el("h3", {}, fill(words.run, { prompt: prompt + 1, sample: sample + 1 })),
      dx.el("p", { class: "dx-said", dir: "auto" }, dx.el("bdi", { class: "dx-asked" }, base.prompts[prompt] ?? ""), error === null ? dx.el("bdi", {}, text) : dx.el("em", {}, ` ${fill(words.no_run, { error })}`)),
      error === null ? dx.el("p", { class: "dx-hint" }, base.of_a_run.map((each, i) => (numbers[i] === null ? null : `${each.label} ${number(numbers[i], each.kind)}`)).filter(Boolean).join(" · ")) : null,
      opens(trace, row));
  const showRuns = () => {
    const part = parts("dx-runs"), runs = base.runs[state.cell], [all] = base.counts[state.cell];
    part("title").textContent = fill(words.runs, { cell: place(base, state.cell) });
    part("reading").textContent = fill(runs.length === all ? words.runs_all : runs.length ? words.runs_some : words.runs_none, { n: runs.length, all });
    part("list").replaceChildren(...runs.map(told));
  };
  const showFailures = () => {
    const part = parts("dx-failures"), [, n_failed] = base.n_all;
    node("dx-failures").hidden = !n_failed;
    if (!n_failed) return;
    part("title").textContent = words.failures;
    part("reading").textContent = base.failures.length < n_failed ? fill(words.failures_some, { n: base.failures.length, all: n_failed }) : words.failures_all;
    const rows = base.failures.map(([cell, prompt, sample, why]) => [cell < base.cells.length ? place(base, cell) : String(cell + 1), `${prompt + 1}`, `${sample + 1}`, why]);
    part("table").replaceChildren(table(words.failures, [words.setting, words.prompt, words.sample, words.why], rows));
  };

  // --- what changes ------------------------------------------------------------------------------------------------

  const show = () => {
    tell();
    showRuns();
    drawCharts();
    document.body.dataset.at = `${state.statistic} ${state.across} ${state.down} ${state.cell}`;
  };
  const change = (more) => {
    state = { ...state, ...more };
    fillMenus();
    show();
  };
  const choose = (cell) => {
    state = { ...state, cell };
    show();
    node("dx-runs").focus();
  };
  const lead = () => {
    const [rows, failed, cells] = base.n_all, grouped = (n) => n.toLocaleString("en-US");
    const told = failed ? fill(words.some_failed, { n: grouped(failed) }) : words.all_well;
    const some = base.cells.length < cells ? ` ${fill(words.cells_some, { n: grouped(base.cells.length), all: grouped(cells) })}` : "";
    node("dx-lead").textContent = fill(words.lead, { ...base.plan, rows: grouped(rows), prompts: grouped(base.plan.prompts), cells: grouped(cells), failed: told }) + some;
    node("dx-depends").textContent = fill(words.depends, base.plan);
  };

  const open = async () => {
    base = JSON.parse(await unpacked(node("dx-base").textContent));
    run(await unpacked(node("dx-plotly").textContent));
    state = { statistic: base.first, across: 0, down: base.axes.length > 1 ? 1 : null, at: {}, cell: 0 };
    node("dx-choices").addEventListener("submit", (event) => event.preventDefault());
    node("dx-main").classList.add("dx-open"); // before the charts, which need their width
    lead();
    showFailures();
    if (base.statistics.length) {
      fillMenus();
      show();
      onClick("dx-map");
      onClick("dx-curve");
      dx.onScheme(drawCharts);
      new ResizeObserver(drawCharts).observe(node("dx-main"));
    } else for (const id of ["dx-choices", "dx-map", "dx-curve", "dx-runs"]) node(id).hidden = true; // every row failed
    node("dx-opening").hidden = true;
  };
  const broken = read("dx-broken");
  open().catch((error) => (node("dx-opening").textContent = window.DecompressionStream ? broken.broken.replace("{why}", () => String(error)) : broken.old_browser));
})();
