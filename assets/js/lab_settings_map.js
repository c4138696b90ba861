// The lab's tab "settings_map": temperature × top_p as a table whose cells are coloured; a click tries a setting.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  const STRONGEST = 48; // per cent of the colour: the numbers on it stay readable, in the dark, too
  /** @type {any} */
  let open = null; // the frame in the page, and its sheet
  let at = { line: -1, column: -1 }; // the cell that the keys are at

  const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (all, name) => (name in fields ? String(fields[name]) : all));
  const count = (n, run) => (run && n < 100 ? n.toFixed(1) : Math.round(n).toLocaleString("en-US"));

  /** What is written in a cell, and how strongly it is coloured, from 0 to 1. */
  const cellOf = (grid, measure, line, column, most) => {
    if (measure === "survives") {
      const share = grid.n ? grid.survives[line][column] / grid.n : 0;
      return { words: grid.run ? `${Math.floor(100 * share)}%` : share ? "✓" : "✕", strength: share };
    }
    const value = grid[measure][line][column];
    // Tokens left go over five orders of magnitude: their number of digits is coloured.
    const strength = measure === "left" ? Math.log(Math.max(1, value)) / Math.log(Math.max(2, most)) : value / (most || 1);
    return { words: measure === "left" ? short(value, grid.run) : value.toFixed(value < 9.95 ? 2 : 1), strength };
  };
  const short = (n, run) => (n < 1000 ? count(n, run) : n < 9950 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`);

  const tipOf = (grid, line, column) => {
    const { tips, run, n } = grid;
    const lines = [
      fill(tips["tip.at"], { t: grid.temperatures[line], p: grid.top_ps[column] }),
      fill(tips[run ? "tip.mean_left" : "tip.left"], { n: count(grid.left[line][column], run) }),
      fill(tips[run ? "tip.mean_entropy" : "tip.entropy"], { h: grid.entropy[line][column].toFixed(2) }),
    ];
    const survive = grid.survives[line][column];
    if (!run) lines.push(tips[survive ? "tip.survives" : "tip.gone"]);
    else lines.push(fill(tips[survive === n ? "tip.all" : "tip.some"], { n: survive, of: n, step: dx.stepNumber(grid.parts[line][column], grid) }));
    return lines.join("\n");
  };

  const tryOut = (line, column) => {
    const { grid } = open.sheet;
    const given = { ...(dx.knobForm?.given ?? {}), temperature: grid.temperatures[line], top_p: grid.top_ps[column] };
    document.dispatchEvent(new CustomEvent("dx-set-knobs", { detail: { mode: "sample", given } }));
  };

  const button = (sheet, line, column) => {
    const node = dx.el("button", { type: "button", tabindex: "-1", "data-line": line, "data-column": column });
    return dx.el("td", {}, node);
  };
  /** The table's cells, made once; what they say changes with the sheet. */
  const build = (sheet) => {
    const { temperatures, top_ps } = sheet.grid;
    const head = dx.el("tr", {}, dx.el("th", { scope: "col" }, "temperature ↓ top_p →"), ...top_ps.map((p) => dx.el("th", { scope: "col" }, String(p))));
    const body = temperatures.map((t, line) =>
      dx.el("tr", {}, dx.el("th", { scope: "row" }, String(t)), ...top_ps.map((p, column) => button(sheet, line, column))));
    open.parts.table.replaceChildren(dx.el("thead", {}, head), dx.el("tbody", {}, ...body));
    open.cells = [...open.parts.table.querySelectorAll("td > button")];
  };
  const paint = () => {
    const { grid, wish, now, labels } = open.sheet;
    const width = grid.top_ps.length;
    const most = wish.measure === "survives" ? 1 : Math.max(...grid[wish.measure].flat());
    if (at.line < 0) at = now ? { line: now.line, column: now.column } : { line: 9, column: width - 1 };
    open.cells.forEach((node, i) => {
      const [line, column] = [Math.floor(i / width), i % width];
      const { words, strength } = cellOf(grid, wish.measure, line, column, most);
      const here = now && now.line === line && now.column === column;
      const tip = tipOf(grid, line, column) + (here ? `\n${labels[now.exact ? "now" : "near"]}` : "");
      node.textContent = words;
      node.style.setProperty("--dx-strength", `${Math.round(STRONGEST * strength)}%`);
      node.dataset.now = here ? (now.exact ? "exact" : "near") : "";
      node.setAttribute("aria-label", tip.replaceAll("\n", ", "));
      node.setAttribute("data-tip", tip);
      node.tabIndex = line === at.line && column === at.column ? 0 : -1;
    });
  };

  /** Where the map is wider than the page, the setting in force comes into view. */
  const reveal = (width) => {
    const { scroll } = open.parts;
    const cell = open.cells[at.line * width + at.column];
    if (scroll.scrollWidth > scroll.clientWidth) scroll.scrollLeft = cell.offsetLeft - scroll.clientWidth / 2;
  };

  const KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -99], End: [0, 99] };
  const walk = (event) => {
    const by = KEYS[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const { temperatures, top_ps } = open.sheet.grid;
    const kept = (value, n) => Math.min(Math.max(value, 0), n - 1);
    move(kept(at.line + by[0], temperatures.length), kept(at.column + by[1], top_ps.length));
    open.cells[at.line * top_ps.length + at.column].focus();
  };
  const move = (line, column) => {
    const width = open.sheet.grid.top_ps.length;
    open.cells[at.line * width + at.column].tabIndex = -1;
    at = { line, column };
    open.cells[line * width + column].tabIndex = 0;
  };

  const frame = (body, ask) => {
    const group = (name) => dx.el("span", { class: "dx-tabs", role: "group", "data-name": name });
    const parts = {
      scopes: group("scope"), measures: group("measure"), scopeLabel: dx.el("span", { class: "dx-map-label" }),
      measureLabel: dx.el("span", { class: "dx-map-label" }), reading: dx.el("p", { class: "dx-reading", "aria-live": "polite" }),
      progress: dx.el("progress", { max: "1" }), notes: dx.el("p", { class: "dx-hint" }),
      table: dx.el("table", { class: "dx-map-grid" }), scroll: dx.el("div", { class: "dx-map-scroll", role: "group" }),
    };
    parts.scroll.append(parts.table);
    body.replaceChildren(dx.el("div", { class: "dx-map" },
      dx.el("div", { class: "dx-map-bar" }, parts.scopeLabel, parts.scopes, parts.measureLabel, parts.measures, parts.progress),
      parts.reading, parts.scroll, parts.notes));
    for (const box of [parts.scopes, parts.measures])
      box.addEventListener("click", (event) => {
        const id = dx.closest(event, "button")?.dataset.id;
        if (id) ask({ ...open.sheet.wish, [box.dataset.name ?? ""]: id });
      });
    parts.table.addEventListener("keydown", walk);
    parts.table.addEventListener("click", (event) => {
      const node = dx.closest(event, "td > button");
      if (!node) return;
      move(Number(node.dataset.line), Number(node.dataset.column));
      tryOut(at.line, at.column);
    });
    return parts;
  };
  /** The same buttons stay while they say the same: the hand's focus is on one of them. */
  const fillButtons = (box, buttons, label) => {
    box.setAttribute("aria-label", label);
    if (box.children.length !== buttons.length)
      box.replaceChildren(...buttons.map((each) => dx.el("button", { type: "button", class: "dx-tab", "data-id": each.id })));
    buttons.forEach((each, i) => {
      const node = box.children[i];
      if (node.textContent !== each.label) node.textContent = each.label;
      node.setAttribute("aria-pressed", String(each.pressed));
      node.setAttribute("data-tip", each.tip);
    });
  };

  dx.labTabs.settings_map = (body, sheet, ask) => {
    const again = open && open.parts.table.isConnected && body.contains(open.parts.table);
    const parts = again ? open.parts : frame(body, ask);
    open = { parts, sheet, cells: again ? open.cells : [] };
    parts.scopeLabel.textContent = sheet.labels.scope;
    parts.measureLabel.textContent = sheet.labels.measure;
    fillButtons(parts.scopes, sheet.scopes, sheet.labels.scope);
    fillButtons(parts.measures, sheet.measures, sheet.labels.measure);
    if (sheet.reading.length) parts.reading.replaceChildren(...dx.sentence(sheet.reading));
    parts.scroll.hidden = parts.notes.hidden = !sheet.grid;
    parts.progress.hidden = !sheet.grid || sheet.whole;
    if (!sheet.grid) return;
    parts.progress.value = sheet.share;
    parts.progress.setAttribute("aria-label", sheet.labels.progress);
    parts.notes.textContent = sheet.notes;
    parts.table.setAttribute("aria-label", sheet.labels.grid);
    const first = !open.cells.length;
    if (first) build(sheet);
    paint();
    if (first) reveal(sheet.grid.top_ps.length);
    if (!sheet.whole) setTimeout(() => open?.sheet === sheet && body.contains(parts.table) && ask(sheet.wish));
  };
})();
