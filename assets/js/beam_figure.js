// The beam tree as Plotly's data, axes and shapes, and in words: functions of what is looked at (beam_state.js), of
// the size in pixels and of the scheme's colours. Nothing here touches the page.
"use strict";
(() => {
  const FATE = ["kept", "pruned", "finished", "ended_outside", "beaten", "returned"];
  const SYMBOL = ["circle", "x-thin", "square", "triangle-down-open", "diamond-open", "star"];
  const SIZE = [8, 6, 9, 8, 9, 13];
  const RUN = 0.6; // the part of a column that a line stays level, with the token above it
  const WIDTHS = [[0.5, 5], [0.2, 3.6], [0.08, 2.5], [0.02, 1.6]], THINNEST = 0.9; // probability, pixels
  const LETTER = 6.8; // pixels
  const MARGIN = { l: 10, r: 10, t: 22, b: 2 };
  const { RETURNED, fateOf, textOf, nodeAt, columnWidth } = dx.beamState;

  /** @type {(text: string) => string} */
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  /** @type {Dx["beamFigure"]["filled"]} */
  const filled = (template, fields) => template.replace(/\{(\w+)\}/g, (whole, name) => String(fields[name] ?? whole));
  /** @type {(text: string) => string} */
  const minus = (text) => text.replace("-", "−");
  /** @type {(value?: number | null) => string} */
  const nats = (value) => {
    if (value === null || value === undefined) return "–";
    return value <= -1e8 ? "−10⁹" : minus(value.toFixed(2));
  };
  /** @type {(logprob: number | null) => string} */
  const percent = (logprob) => {
    const p = logprob === null ? 0 : Math.exp(Math.min(0, logprob));
    return p === 0 ? "0" : p < 0.0001 ? "<0.01%" : p < 0.001 ? `${(100 * p).toFixed(2)}%` : `${(100 * p).toFixed(1)}%`;
  };
  /** @type {(text: string, most: number) => string} */
  const clip = (text, most) => (text.length <= most ? text : most < 2 ? "" : `${text.slice(0, most - 1)}…`);

  /** @type {(item: BeamItem) => number} */
  const xOf = (item) => item.step + 1; // the prompt stands at 0
  /** @type {Dx["beamFigure"]["rows"]} */
  const rows = (picture) => picture.bottom - picture.top + 1.6;

  // --- traces: lines, marks, labels -----------------------------------------------------------------------------

  /**
   * Lines: one trace per width and per living or dead, with gaps between.
   * @type {(state: SeenTree, colours: BeamColours, gl: boolean) => object[]}
   */
  const lines = ({ tree, picture }, colours, gl) => {
    const traces = new Map();
    const { items, y } = picture;
    items.forEach((item, id) => {
      const alive = item.kind !== "crowd" && (tree.fate[item.node] === 0 || tree.fate[item.node] === 2);
      const p = Math.exp(tree.logprob[item.node] ?? -99);
      const width = (item.kind !== "crowd" && WIDTHS.find(([least]) => p >= least)?.[1]) || THINNEST;
      const key = `${alive ? 1 : 0}.${width}`;
      if (!traces.has(key)) traces.set(key, { alive, width, x: [], y: [] });
      const trace = traces.get(key);
      const x = xOf(item), above = item.parent < 0 ? 0 : y[item.parent];
      trace.x.push(x - 1 + RUN, x, item.leaf ? null : x + RUN);
      trace.y.push(above, y[id], item.leaf ? null : y[id]);
      if (!item.leaf) {
        trace.x.push(null);
        trace.y.push(null);
      }
    });
    return [...traces.values()]
      .sort((a, b) => a.alive - b.alive || a.width - b.width)
      .map(({ alive, width, x, y: ys }) => ({
        type: gl ? "scattergl" : "scatter", mode: "lines", x, y: ys, hoverinfo: "skip", connectgaps: false,
        line: { color: colours[alive ? "alive" : "removed"], width, simplify: false },
      }));
  };

  /**
   * A mark per item; `picture.shown` tells which item each of them is.
   * @type {(state: SeenTree, colours: BeamColours, gl: boolean) => object}
   */
  const marks = ({ tree, picture }, colours, gl) => {
    const shown = [], x = [], y = [], symbol = [], size = [], fill = [], edge = [];
    picture.items.forEach((item, id) => {
      if (item.kind === "run" && !item.head) return;
      const crowd = item.kind !== "node";
      const fate = fateOf(tree, item.node);
      shown.push(id);
      x.push(xOf(item));
      y.push(picture.y[id]);
      symbol.push(crowd ? "square-open" : SYMBOL[fate]);
      size.push(crowd ? 11 : SIZE[fate]);
      fill.push(crowd ? colours.muted : colours.fates[fate]);
      edge.push(fate === 1 || crowd ? 1.6 : fate >= 3 && fate < RETURNED ? 1.6 : 0);
    });
    picture.shown = shown;
    return {
      type: gl ? "scattergl" : "scatter", mode: "markers", x, y, hoverinfo: "none", cliponaxis: true,
      marker: { symbol, size, color: fill, opacity: 1, line: { width: edge, color: fill } },
    };
  };

  /**
   * An item's text in the chart, {dx, dy} away from it in columns and rows; null where there is no room for one.
   * @type {(state: SeenTree, id: number, colours: BeamColours, room: BeamRoom) => BeamLabel | null}
   */
  const labelOf = ({ tree, picture }, id, colours, { px, row, lift }) => {
    const item = picture.items[id];
    const roomy = px >= 40 && row >= 11;
    if (item.kind === "crowd") {
      if (row < 9 || px < 26) return null;
      return { dx: 7 / px, dy: 0, text: `+${item.hidden.length}`, position: "middle right", tint: colours.muted };
    }
    const place = tree.sparse.answer[item.node];
    const rank = place === undefined ? "" : `<b>#${place + 1}</b> `;
    if (!roomy && !rank) return null;
    if (item.kind === "run") {
      const text = clip(runText(tree, picture, id), Math.floor(((item.length - 0.2) * px) / LETTER) - 5);
      const counted = `${escaped(text)} <b>(${item.length})</b>`;
      return { dx: 6 / px, dy: -lift, text: counted, position: "top right", tint: colours.muted };
    }
    const fate = fateOf(tree, item.node);
    const dead = fate === 1 || fate === 3 || fate === 4;
    const most = Math.floor(((item.leaf ? 0.74 : 0.86) * px - (rank ? 20 : 0)) / LETTER);
    const text = rank + (roomy ? escaped(clip(textOf(tree, item.node), most)) : "");
    const tint = dead ? colours.faint : place === undefined ? colours.ink : colours.fates[RETURNED];
    return item.leaf
      ? { dx: 7 / px, dy: 0, text, position: "middle right", tint }
      : { dx: 4 / px, dy: -lift, text, position: "top right", tint };
  };
  /** Token texts of the columns in view, where there is room for them. @type {Dx["beamFigure"]["labels"]} */
  const labels = (state, colours, size) => {
    const { tree, picture, columns } = state;
    const out = /** @type {Record<string, any[]>} */ ({ x: [], y: [], text: [], position: [], tint: [] });
    const px = columnWidth(state, size.width), row = (size.height - MARGIN.t - MARGIN.b) / rows(picture);
    const room = { px, row, lift: 2 / row };
    const put = (x, y, text, position, tint) => {
      out.x.push(x);
      out.y.push(y);
      out.text.push(text);
      out.position.push(position);
      out.tint.push(tint);
    };
    if (columns.x0 <= 0.2 && px >= 40) put(0, -room.lift, escaped(tree.labels.root), "top right", colours.muted);
    const from = columns.x0 - 2, to = columns.x1 + 2;
    picture.items.forEach((item, id) => {
      const x = xOf(item);
      if (x < from || x > to || (item.kind === "run" && !item.head)) return;
      const label = labelOf(state, id, colours, room);
      if (label) put(x + label.dx, picture.y[id] + label.dy, label.text, label.position, label.tint);
    });
    return {
      type: "scatter", mode: "text", x: out.x, y: out.y, text: out.text, textposition: out.position,
      textfont: { size: 12, color: out.tint, family: "var(--dx-mono)" }, hoverinfo: "skip", cliponaxis: true,
    };
  };
  /** @type {(tree: BeamTree, picture: BeamPicture, head: number) => string} */
  const runText = (tree, { items }, head) => {
    const out = [];
    for (let id = head; id < items.length && out.length < items[head].length; id++)
      if (items[id].headItem === head) out.push(textOf(tree, items[id].node));
    return out.join("");
  };

  // --- axes and shapes --------------------------------------------------------------------------------------------

  /** Step numbers, as many as there is room for. @type {Dx["beamFigure"]["ticks"]} */
  const ticks = (state, width) => {
    const { columns, tree } = state, px = columnWidth(state, width);
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n * px >= 30) ?? 2000;
    const from = Math.max(1, Math.floor(columns.x0 - 1)), to = Math.min(tree.n_steps, Math.ceil(columns.x1 + 1));
    const tickvals = [];
    for (let k = every === 1 ? from : Math.ceil(from / every) * every; k <= to; k += every) tickvals.push(k);
    return { tickvals, ticktext: tickvals.map(String) };
  };

  /** @type {(state: SeenTree, colours: BeamColours) => object[]} */
  const groupNotes = ({ tree, picture }, colours) => {
    if (tree.n_groups < 2) return [];
    const heights = new Map();
    picture.items.forEach((item, id) => {
      if (item.step !== 0) return;
      const group = tree.group[item.node];
      if (!heights.has(group)) heights.set(group, []);
      heights.get(group).push(picture.y[id]);
    });
    return [...heights].map(([group, ys]) => ({
      x: 0.06, y: Math.min(...ys), xanchor: "left", yanchor: "middle", showarrow: false,
      text: escaped(filled(tree.labels.group, { n: group + 1 })), font: { size: 11, color: colours.muted },
    }));
  };

  /**
   * Band of the step, casing of the path, ring round the node: drawn as shapes, which are few.
   * @type {Dx["beamFigure"]["shapes"]}
   */
  const shapes = (state, colours) => {
    const { tree, picture, step } = state;
    const x = step + 1;
    /** @type {any[]} */
    const out = [{
      type: "rect", xref: "x", yref: "paper", x0: x - 0.22, x1: x + 0.78, y0: 0, y1: 1, layer: "below",
      line: { width: 0 }, fillcolor: colours["chosen-band"],
    }];
    const points = [`M0,0`, `L${RUN},0`];
    let before = -1;
    for (const node of state.path) {
      if (tree.step[node] > step) break;
      const id = picture.of[node];
      const item = picture.items[id];
      if (id === before) continue;
      before = id;
      points.push(`L${xOf(item)},${picture.y[id]}`);
      if (tree.step[node] < step) points.push(`L${xOf(item) + RUN},${picture.y[id]}`);
    }
    const casing = { color: colours["chosen-fill"], width: 8 };
    if (points.length > 2) out.push({ type: "path", path: points.join(""), layer: "below", line: casing });
    const id = picture.of[nodeAt(tree, step, state.rank)];
    out.push({
      type: "circle", xref: "x", yref: "y", xsizemode: "pixel", ysizemode: "pixel", xanchor: xOf(picture.items[id]),
      yanchor: picture.y[id], x0: -9, x1: 9, y0: -9, y1: 9, line: { color: colours.chosen, width: 2.5 },
    });
    return out;
  };

  /** The whole figure. `gl`: by WebGL, which draws many marks faster. @type {Dx["beamFigure"]["figure"]} */
  const figure = (state, size, colours, gl, fontFamily) => {
    const { columns, picture } = state;
    const layout = {
      template: "none", width: size.width, height: size.height, autosize: false, margin: MARGIN,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: "pan",
      hovermode: "closest", hoverdistance: 14, uirevision: state.tree.key,
      font: { family: fontFamily, size: 12, color: colours.ink },
      xaxis: {
        range: [columns.x0, columns.x1], side: "top", tickmode: "array", ...ticks(state, size.width),
        tickfont: { size: 11, color: colours.muted }, showgrid: false, zeroline: false, ticks: "", fixedrange: false,
        showline: false,
      },
      yaxis: { range: columns.y || [picture.bottom + 0.8, picture.top - 0.8], visible: false, fixedrange: false },
      shapes: shapes(state, colours), annotations: groupNotes(state, colours),
    };
    return { data: [...lines(state, colours, gl), marks(state, colours, gl), labels(state, colours, size)], layout };
  };

  // --- in words -----------------------------------------------------------------------------------------------------

  /** What the pointer is told of an item. @type {Dx["beamFigure"]["tipOf"]} */
  const tipOf = (tree, item) => {
    const l = tree.labels, i = item.node;
    if (item.kind === "crowd") {
      const names = item.hidden.slice(0, 6).map((kid) => textOf(tree, kid)).join("  ");
      return `${filled(l.crowd, { n: item.hidden.length })}\n${names}${item.hidden.length > 6 ? " …" : ""}`;
    }
    if (item.kind === "run") return filled(l.run, { n: item.length });
    const fields = {
      step: tree.step[i] + 1, rank: tree.rank[i] + 1, fate: tree.fate_labels[FATE[tree.fate[i]]],
      logprob: nats(tree.logprob[i]), p: percent(tree.logprob[i]), score: nats(tree.score[i]),
    };
    const out = [textOf(tree, i), filled(l.tip, fields)];
    if (tree.n_groups > 1) out.push(filled(l.group, { n: tree.group[i] + 1 }));
    if (tree.margin[i] !== null) {
      const margin = (tree.margin[i] > 0 ? "+" : "") + nats(tree.margin[i]);
      const rival = tree.rival[i] < 0 ? "" : textOf(tree, nodeAt(tree, tree.step[i], tree.rival[i]));
      out.push(filled(rival ? l["tip.rival"] : l["tip.margin"], { margin, rival }));
    }
    const { final_score, answer, evicted_at } = tree.sparse;
    if (i in final_score) out.push(filled(l["tip.final"], { final: nats(final_score[i]) }));
    if (i in answer) out.push(filled(l["tip.place"], { place: answer[i] + 1 }));
    if (i in evicted_at) out.push(filled(l["tip.evicted"], { step: evicted_at[i] + 1 }));
    return out.join("\n");
  };

  /** How many candidates there are, and how many of them are folded away. @type {Dx["beamFigure"]["countOf"]} */
  const countOf = (tree, picture, gl) => {
    const numbers = { all: tree.n.toLocaleString("en"), hidden: picture.hidden.toLocaleString("en") };
    const words = filled(tree.labels[picture.hidden ? "folded" : "counted"], numbers);
    return gl ? `${words} · ${tree.labels.gl}` : words;
  };

  dx.beamFigure = { FATE, MARGIN, rows, labels, ticks, shapes, figure, tipOf, countOf, filled };
})();
