// The beam tree on the page: the figure drawn by Plotly, the veil over the future, the legend and the count.
// A step only moves the veil and a few shapes, so it costs the same for 100 and for 10,000 nodes.
"use strict";
(() => {
  const SIGN = ["●", "×", "■", "▽", "◇", "★"];
  const LEAST_ROW = 19, MOST_HEIGHT = 410, LEAST_HEIGHT = 236; // pixels
  const SVG_MOST = 1000; // items; beyond, WebGL
  const CONFIG = {
    displayModeBar: false, modeBarButtonsToRemove: ["sendChartToCloud"], displaylogo: false, doubleClick: false,
    scrollZoom: false, responsive: false,
  };
  const COLOURS = [
    "surface", "ink", "muted", "faint", "line", "alive", "removed", "chosen", "chosen-fill", "chosen-band", "raised",
  ];
  const { FATE, MARGIN, rows, labels, ticks, shapes, figure, countOf } = dx.beamFigure;

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--dx-${name}`).trim();
  const palette = () => ({
    fates: FATE.map((fate) => colour(`fate-${fate.replace("_", "-")}`)),
    ...Object.fromEntries(COLOURS.map((name) => [name, colour(name)])),
  });
  /** @type {boolean | null} */
  let webGL = null; // asked once: a browser keeps few contexts, and closes a chart's for another question
  const hasContext = (kind) => Boolean(document.createElement("canvas").getContext(kind));
  const hasWebGL = () => (webGL ??= ["webgl2", "webgl"].some(hasContext));

  /** Runs `fn` in the next frame, once however often it was asked for. */
  const inNextFrame = (fn) => {
    let pending = 0;
    return () => {
      pending ||= requestAnimationFrame(() => {
        pending = 0;
        fn();
      });
    };
  };
  const legendOf = (tree) => {
    const present = new Set();
    for (let i = 0; i < tree.n; i++) present.add(dx.beamState.fateOf(tree, i));
    const entry = (fate, i) =>
      dx.el("span", { "data-tip": tree.fate_tips[fate], tabindex: "0", class: "dx-fate", "data-fate": fate },
            dx.el("i", { "aria-hidden": "true" }, SIGN[i]), tree.fate_labels[fate]);
    return FATE.flatMap((fate, i) => (present.has(i) ? [entry(fate, i)] : []));
  };

  /** `wire` is called once, when the plot can be listened to. */
  dx.beamDrawing = (element, parts, state, wire) => {
    const size = () => ({ width: parts.scroll.clientWidth, height: parts.scroll.clientHeight });
    const byWebGL = () => state.picture.items.length > SVG_MOST && hasWebGL();
    const heightOf = (picture) => Math.round(rows(picture) * LEAST_ROW) + MARGIN.t + MARGIN.b;

    /** Everything anew: after a change of data, folding, size or colours. */
    const draw = () => {
      const { tree, picture } = state;
      if (!tree || !parts.scroll.clientWidth) return;
      parts.scroll.style.height = `${Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, heightOf(picture)))}px`;
      const now = size(), gl = byWebGL();
      if (!state.columns) dx.beamState.chooseColumns(state, now.width);
      const { data, layout } = figure(state, now, palette(), gl, getComputedStyle(element).fontFamily);
      picture.labelled = [state.columns.x0, state.columns.x1];
      Plotly.react(parts.plot, data, layout, CONFIG);
      if (!parts.plot.dataset.wired) {
        parts.plot.dataset.wired = "yes";
        wire();
      }
      veil();
      parts.count.textContent = countOf(tree, picture, gl);
      parts.count.dataset.items = String(picture.items.length);
      done();
    };
    const done = () => {
      parts.plot.dataset.drawn = `${state.tree.key}.${state.step}.${state.rank}`;
      element.dispatchEvent(new CustomEvent("dx-drawn", { detail: parts.plot.dataset.drawn, bubbles: true }));
    };

    /** The veil hides what has not happened yet. */
    const veil = () => {
      const axis = parts.plot._fullLayout?.xaxis;
      if (!axis) return;
      const left = axis._offset + axis.l2p(state.step + 1.79);
      const right = axis._offset + axis._length;
      parts.veil.hidden = state.step >= state.tree.n_steps - 1 || left >= right;
      parts.veil.style.left = `${Math.max(0, left)}px`;
      parts.veil.style.right = "0";
    };

    /** Another step or node in view. */
    const restep = () => {
      if (!state.tree || !state.picture || !parts.plot._fullLayout) return;
      const update = { shapes: shapes(state, palette()) };
      if (dx.beamState.follow(state)) redraw({ ...update, ...columnsOf() }); // at once: each call would draw all anew
      else Plotly.relayout(parts.plot, update);
      veil();
      done();
    };
    const columnsOf = () => {
      const { tickvals, ticktext } = ticks(state, size().width), { x0, x1 } = state.columns;
      return { "xaxis.range": [x0, x1], "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext };
    };
    /** The texts of the columns in view, with a change of the layout. */
    const redraw = (layout) => {
      state.picture.labelled = [state.columns.x0, state.columns.x1];
      const { x, y, text, textposition, textfont } = labels(state, palette(), size());
      const changes = { x: [x], y: [y], text: [text], textposition: [textposition] };
      const last = parts.plot.data.length - 1; // of the traces
      Plotly.update(parts.plot, { ...changes, "textfont.color": [textfont.color] }, layout, [last]);
    };
    /** Other columns, of our own doing. */
    const recolumn = () => {
      redraw(columnsOf());
      veil();
    };

    const restepSoon = inNextFrame(restep);
    const relabelSoon = inNextFrame(() => {
      const { picture, columns } = state;
      if (picture.labelled[0] !== columns.x0 || picture.labelled[1] !== columns.x1) redraw({});
    });

    const showLegend = () => parts.legend.replaceChildren(...legendOf(state.tree));

    let drawnWidth = 0;
    new ResizeObserver(() => {
      if (!state.tree || parts.scroll.clientWidth === drawnWidth) return;
      drawnWidth = parts.scroll.clientWidth;
      if (!state.columns?.mine) dx.beamState.forgetColumns(state);
      requestAnimationFrame(draw);
    }).observe(parts.scroll);
    dx.onScheme(() => requestAnimationFrame(draw));

    return { draw, veil, restepSoon, recolumn, relabelSoon, showLegend };
  };
})();
