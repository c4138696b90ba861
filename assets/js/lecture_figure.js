// As much of a waterfall as a lecture has told: the columns of the stages so far, nothing that gives away the choice.
"use strict";
(() => {
  const MARKED = /^<b>▸ (.*)<\/b>$/s;

  /** A trace's points for which `keep` holds; what belongs to each of them is cut with them. */
  const points = (trace, keep) => {
    const at = trace.x.map((_, i) => i).filter(keep);
    const cut = (value) => (Array.isArray(value) && value.length === trace.x.length ? at.map((i) => value[i]) : value);
    const out = {};
    for (const [name, value] of Object.entries(trace)) out[name] = cut(value);
    if (trace.marker) out.marker = { ...trace.marker, color: cut(trace.marker.color) };
    if (trace.textfont) out.textfont = { ...trace.textfont, color: cut(trace.textfont.color) };
    return out;
  };

  /** Bars up to an edge; the one of the token that came looks like any other. */
  const bars = (trace, meta, edge) => {
    const { chosen, colours } = meta;
    const color = trace.marker.color.map((c, i) => (trace.y[i] === chosen && c !== colours.removed ? colours.alive : c));
    return points({ ...trace, marker: { ...trace.marker, color } }, (i) => trace.base[i] < edge);
  };

  /** The tokens' names: no mark, and grey only where a stage that was told removed them. */
  const labels = (trace, meta, stage) => ({
    ...trace,
    text: trace.text.map((text) => text.replace(MARKED, "$1")),
    textfont: {
      ...trace.textfont,
      color: meta.gone.map((by) => (by !== null && by <= stage ? meta.colours.faint : meta.colours.ink)),
    },
  });

  /** Of the waterfall's figure what is told up to a stage, from 0 for the model's scores; -1 for nothing. */
  dx.lectureFigure = (figure, stage) => {
    const { layout, data } = figure;
    const { meta } = layout;
    if (stage < 0) return { data: [], layout: { ...layout, shapes: [] } };
    if (!meta?.edges || stage >= meta.edges.length) return figure;
    const edge = meta.edges[stage];
    const [bar, label, ...texts] = data;
    return {
      data: [
        bars(bar, meta, edge), labels(label, meta, stage),
        ...texts.map((trace) => points(trace, (i) => trace.x[i] < edge)),
      ],
      layout: { ...layout, shapes: layout.shapes.filter((shape) => shape.type !== "rect"), meta: { ...meta, told: edge } },
    };
  };
})();
