// What the heat map says of a cell, and its table.
"use strict";
(() => {
  const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (all, name) => (name in fields ? String(fields[name]) : all));
  const nats = (value) => (value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "−"));
  const count = (state, n) => `${state.approximate ? "≈ " : ""}${n.toLocaleString("en-US")}`;

  const tipOfBeam = (state, column, step, row) => {
    const { labels } = state;
    const lines = [fill(labels["tip.beam"], {
      token: column.texts[row], step: dx.stepNumber(step, state), beam: row + 1, rank: column.ranks[row] + 1,
      p: column.p[row] === null ? labels["tip.untold"] : dx.percent(column.p[row]),
    }), fill(labels["tip.sum"], { sum: nats(column.sums[row]) })];
    if (column.ended[row]) lines.push(labels["tip.ended"]);
    if (column.best === row) lines.push(labels["tip.best"]);
    return lines.join("\n");
  };
  /** What a cell says; of a row past the last one, what the token says that came. */
  const tip = (state, step, row) => {
    const { labels } = state;
    const column = state.columns[step];
    if (!column) return "";
    if (state.beams) return row < column.ids.length ? tipOfBeam(state, column, step, row) : "";
    if (!column.ids.length) return fill(labels["tip.lost"], { step: dx.stepNumber(step, state) });
    const at = row < column.ids.length
      ? { id: column.ids[row], text: column.texts[row], rank: row + 1, p: column.p[row], q: column.q[row] }
      : column.at;
    const fields = { token: at.text, step: dx.stepNumber(step, state), rank: at.rank.toLocaleString("en-US"), p: dx.percent(at.p), q: dx.percent(at.q) };
    const lines = [fill(labels[at.q === 0 ? "tip.removed" : "tip"], fields)];
    if (at.id === column.at.id) lines.push(labels[column.at.q === 0 ? "tip.gone" : "tip.chosen"]);
    if (state.cuts) lines.push(fill(labels["tip.left"], { n: count(state, column.left) }));
    lines.push(fill(labels["tip.entropy"], { own: nats(column.own), h: nats(column.final) }));
    return lines.join("\n");
  };

  const beamTable = (state) => {
    const { labels } = state;
    const n = dx.heatDrawing.rowsOf(state);
    const cell = (column, i) => i >= column.ids.length ? "" :
      `${column.best === i ? "▸ " : ""}${column.texts[i]} ${column.p[i] === null ? "–" : dx.percent(column.p[i])}${column.ended[i] ? " ■" : ""}`;
    return {
      caption: labels["caption.beams"],
      head: [labels.step, ...Array.from({ length: n }, (_, i) => `${labels.beam} ${i + 1}`)],
      rows: state.columns.map((column, step) => [String(dx.stepNumber(step, state)), ...Array.from({ length: n }, (_, i) => cell(column, i))]),
      marked: state.step,
    };
  };
  /** The map's numbers, a step a line. */
  const table = (state) => {
    if (state.beams) return beamTable(state);
    const { labels } = state;
    const head = ["step", "token", "rank", "p", "left", "entropy.own", "entropy.final", "likeliest"];
    const rows = state.columns.map((column, step) => {
      if (!column.ids.length) return [String(dx.stepNumber(step, state)), "–", "–", "–", "–", "–", "–", "–"];
      const likeliest = column.texts.slice(0, 4).map((text, i) => `${text} ${dx.percent(column.p[i])}${column.q[i] === 0 ? " ✕" : ""}`);
      return [
        String(dx.stepNumber(step, state)), column.at.text, column.at.rank.toLocaleString("en-US"), dx.percent(column.at.p), count(state, column.left),
        nats(column.own), nats(column.final), likeliest.join(" · "),
      ];
    });
    return { caption: labels.caption, head: head.map((name) => labels[name]), rows, marked: state.step };
  };

  const LEGEND = { legend: "ramp", "legend.removed": "gone", "legend.chosen": "chosen", "legend.line": "line", "legend.own": "own", "legend.final": "final" };
  /** What the colours and lines stand for. */
  const legend = (state) => {
    const entry = (name) => dx.el("span", { class: "dx-heat-key" }, dx.el("i", { "data-kind": LEGEND[name] ?? "chosen" }), state.labels[name]);
    if (state.beams) return ["legend", "legend.best"].map(entry);
    const cut = state.cuts ? ["legend.removed", "legend.line"] : [];
    return ["legend", ...cut, "legend.chosen", "legend.own", "legend.final"].map(entry);
  };

  dx.heatWords = { fill, tip, table, legend };
})();
