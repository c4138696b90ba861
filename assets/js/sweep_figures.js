// The figures of a sweep's report: which settings lie on two axes, their heat map, and curves along one of them.
"use strict";
(() => {
  const MOST_LINES = 8;
  const LINES = ["alive_line", "chosen", "good", "bad", "muted", "unsure", "ink", "accent"];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down"];
  const MOST_WRITTEN = 12; // columns whose cells have room for their number

  /** Plotly reads a little HTML in its texts; ours have none. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  /** The settings on two axes, all others held: rows of the second, each the cells along the first; null for none. */
  const grid = (base, state) => {
    const { across, down, at } = state;
    const rows = (down === null ? [""] : base.axes[down].labels).map(() => base.axes[across].labels.map(() => /** @type {number | null} */ (null)));
    base.cells.forEach((place, cell) => {
      const held = place.every((value, axis) => axis === across || axis === down || value === (at[axis] ?? 0));
      if (held) rows[down === null ? 0 : place[down]][place[across]] = cell;
    });
    return rows;
  };

  /** The lines of the second axis: a label each, and the cells along the first. */
  const lines = (base, state) =>
    grid(base, state).map((cells, i) => ({
      label: state.down === null ? "" : `${base.axes[state.down].name} ${base.axes[state.down].labels[i]}`,
      cells,
    }));

  const ticks = (base, axis, words) => ({
    ...base.axis,
    title: words ? { ...base.axis_title, text: plain(words) } : undefined,
    tickvals: base.axes[axis].labels.map((_, i) => i),
    ticktext: base.axes[axis].labels.map(plain),
    showgrid: false,
  });
  const room = (labels) => 24 + 7 * Math.max(...labels.map((label) => Math.min(String(label).length, 24)));

  /** The heat map; `write` makes a text of a value. Its cells' numbers are in `customdata`. */
  const heat = (base, state, statistic, write, chosen) => {
    const rows = grid(base, state);
    const values = base.values[statistic.name];
    const value = (cell) => (cell === null || !values[cell] ? null : values[cell][0]);
    const [n_x, n_y] = [rows[0].length, rows.length];
    const x = [...Array(n_x).keys()], y = [...Array(n_y).keys()];
    const name = (cell) => (cell === null ? "" : plain(`${dx.sweepWords.place(base, cell)}: ${write(value(cell))}`));
    const colours = [[0, base.colours.surface], [1, base.colours.alive]];
    const map = {
      type: "heatmap", x, y, z: rows.map((row) => row.map(value)), customdata: rows, colorscale: colours, showscale: false,
      xgap: 1, ygap: 1, hoverongaps: false, text: rows.map((row) => row.map(name)), hovertemplate: "%{text}<extra></extra>",
    };
    const texts = n_x > MOST_WRITTEN ? [] : [{
      type: "scatter", mode: "text", hoverinfo: "skip", cliponaxis: false,
      x: y.flatMap(() => x), y: y.flatMap((i) => x.map(() => i)), text: rows.flatMap((row) => row.map((cell) => plain(write(value(cell))))),
      textfont: { size: 12, color: base.colours.ink },
    }];
    const at = rows.flatMap((row, i) => row.flatMap((cell, j) => (cell === chosen && cell !== null ? [[j, i]] : [])))[0];
    const mark = at && {
      type: "rect", x0: at[0] - 0.5, x1: at[0] + 0.5, y0: at[1] - 0.5, y1: at[1] + 0.5, line: { color: base.colours.chosen, width: 3 },
    };
    const labels = state.down === null ? [""] : base.axes[state.down].labels;
    const yaxis = state.down === null
      ? { ...base.axis, showticklabels: false, showgrid: false, range: [-0.5, 0.5] }
      : { ...ticks(base, state.down, base.axes[state.down].name), range: [-0.5, n_y - 0.5] };
    const layout = {
      ...base.layout, margin: { l: room(labels) + 20, r: 8, t: 8, b: 44 }, shapes: mark ? [mark] : [],
      xaxis: { ...ticks(base, state.across, base.axes[state.across].name), range: [-0.5, n_x - 0.5] }, yaxis,
    };
    return { data: [map, ...texts], layout };
  };

  /** Which of the lines are drawn: all, or some at even distances. */
  const drawn = (all) =>
    all.length <= MOST_LINES ? all.map((_, i) => i) : [...Array(MOST_LINES).keys()].map((i) => Math.round((i * (all.length - 1)) / (MOST_LINES - 1)));

  const line = (base, statistic, { label, cells }, x, i) => {
    const values = cells.map((cell) => (cell === null ? null : base.values[statistic.name][cell]));
    const apart = (which) => values.map((value) => (value && value[which] !== null ? Math.abs(value[which] - value[0]) : 0));
    const colour = base.colours[LINES[i % LINES.length]];
    return {
      type: "scatter", mode: "lines+markers", name: plain(label), x, y: values.map((value) => (value ? value[0] : null)), customdata: cells,
      line: { color: colour, width: 2 }, marker: { color: colour, size: 8, symbol: SYMBOLS[i % SYMBOLS.length] },
      error_y: { type: "data", symmetric: false, array: apart(2), arrayminus: apart(1), color: colour, thickness: 1.5, width: 4 },
      text: values.map((value, j) => (value ? plain(`${dx.sweepWords.place(base, cells[j])}: ${dx.sweepWords.number(value[0], statistic.kind)}`) : "")),
      hovertemplate: "%{text}<extra></extra>",
    };
  };

  /** The curves along the first axis, one for each value of the second. */
  const curves = (base, state, statistic) => {
    const all = lines(base, state), axis = base.axes[state.across];
    const numeric = axis.numbers && axis.numbers.every((number, i) => !i || number > axis.numbers[i - 1]);
    const x = numeric ? axis.numbers : axis.labels.map((_, i) => i);
    const shown = drawn(all).map((i) => all[i]);
    const yaxis = { ...base.axis, title: { ...base.axis_title, text: plain(dx.sweepWords.unit(statistic)) } };
    const xaxis = numeric
      ? { ...base.axis, title: { ...base.axis_title, text: plain(axis.name) } }
      : { ...ticks(base, state.across, axis.name), range: [-0.5, x.length - 0.5] };
    const legend = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11, color: base.colours.ink } };
    const layout = { ...base.layout, margin: { l: 62, r: 12, t: 8, b: 44 }, showlegend: shown.length > 1, legend, xaxis, yaxis };
    return { data: shown.map((each, i) => line(base, statistic, each, x, i)), layout };
  };

  dx.sweepFigures = { grid, lines, heat, curves, drawn };
})();
