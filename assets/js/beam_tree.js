// The beam tree: all candidates of all steps. Topology comes once; folding, layout and stepping happen here.
// A step only moves the veil over the future and a few shapes, so it costs the same for 100 and for 10,000 nodes.
"use strict";
(() => {
  const FATE = ["kept", "pruned", "finished", "ended_outside", "beaten", "returned"];
  const SYMBOL = ["circle", "x-thin", "square", "triangle-down-open", "diamond-open", "star"];
  const SIGN = ["●", "×", "■", "▽", "◇", "★"];
  const SIZE = [8, 6, 9, 8, 9, 13];
  const RETURNED = 5;
  const RUN = 0.6; // the part of a column that a line stays level, with the token above it
  const PITCH = 80, TIGHT = 58; // pixels a column should have so that tokens can be read, and may have to fit in whole
  const LEAST_ROW = 19, MOST_HEIGHT = 410, LEAST_HEIGHT = 236;
  const SVG_MOST = 1000; // items; beyond, WebGL
  const UNFOLDED_MOST = 700; // nodes; a larger tree opens folded
  const WIDTHS = [[0.5, 5], [0.2, 3.6], [0.08, 2.5], [0.02, 1.6], [0, 0.9]]; // probability, pixels
  const PLAY = 850; // milliseconds a step
  const CONFIG = {
    displayModeBar: false, modeBarButtonsToRemove: ["sendChartToCloud"], displaylogo: false, doubleClick: false,
    scrollZoom: false, responsive: false,
  };

  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const filled = (template, fields) => template.replace(/\{(\w+)\}/g, (whole, name) => String(fields[name] ?? whole));
  const minus = (text) => text.replace("-", "−");
  const nats = (value) => (value === null || value === undefined ? "–" : value <= -1e8 ? "−10⁹" : minus(value.toFixed(2)));
  const percent = (logprob) => {
    const p = logprob === null ? 0 : Math.exp(Math.min(0, logprob));
    return p === 0 ? "0" : p < 0.0001 ? "<0.01%" : p < 0.001 ? `${(100 * p).toFixed(2)}%` : `${(100 * p).toFixed(1)}%`;
  };
  const clip = (text, most) => (text.length <= most ? text : most < 2 ? "" : `${text.slice(0, most - 1)}…`);
  const hasWebGL = () => {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  };

  dx.beamTree = (element, props, watch, emit) => {
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    const parts = {};
    for (const name of ["title", "prompts", "reading", "node", "steps", "tools", "scroll", "plot", "veil", "tip", "legend", "count"])
      parts[name] = part(name);
    let tree = null, picture = null;
    const now = { step: 0, rank: 0, path: [], folded: null, whole: false, opened: new Set(), playing: 0 };
    let columns = null; // {x0, x1} in view, in steps; null: choose anew

    // --- what is drawn ---------------------------------------------------------------------------------------

    const fateOf = (i) => (i in tree.sparse.answer ? RETURNED : tree.fate[i]);
    const textOf = (i) => tree.texts[tree.text[i]];
    /** The node of a rank; a step may lack some ranks (a beam group whose search is over has no candidates). */
    const nodeAt = (step, rank) => {
      const from = tree.first[step], to = tree.first[step + 1];
      for (let i = Math.min(from + rank, to - 1); i >= from; i--) if (tree.rank[i] <= rank) return i;
      return from;
    };
    const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--dx-${name}`).trim();
    const palette = () => {
      const out = { fates: FATE.map((fate) => colour(`fate-${fate.replace("_", "-")}`)) };
      for (const name of ["surface", "ink", "muted", "faint", "line", "alive", "removed", "chosen", "chosen-fill", "chosen-band", "raised"])
        out[name] = colour(name);
      return out;
    };

    /** Folding and layout: only when the tree, its folding or an opened crowd changes. */
    const arrange = () => {
      const { items, of } = dx.beamLayout.fold(tree, now.folded, now.opened);
      const y = dx.beamLayout.layout(tree, items);
      let top = 0, bottom = 0;
      for (const value of y) {
        if (value < top) top = value;
        if (value > bottom) bottom = value;
      }
      const hidden = items.reduce((sum, item) => sum + item.hidden.length, 0);
      const inRuns = items.reduce((sum, item) => sum + (item.kind === "run" && !item.head ? 1 : 0), 0);
      picture = { items, of, y, top, bottom, hidden: hidden + inRuns, gl: items.length > SVG_MOST && hasWebGL() };
    };

    const xOf = (item) => item.step + 1; // the prompt stands at 0
    const rows = () => picture.bottom - picture.top + 1.6;
    const pitch = () => (parts.scroll.clientWidth - 20) / (columns.x1 - columns.x0);

    /** Lines: one trace per width and per living or dead, with gaps between. */
    const lines = (colours) => {
      const traces = new Map();
      const { items, y } = picture;
      items.forEach((item, id) => {
        const alive = item.kind !== "crowd" && (tree.fate[item.node] === 0 || tree.fate[item.node] === 2);
        const p = Math.exp(tree.logprob[item.node] ?? -99);
        const width = item.kind === "crowd" ? 0.9 : WIDTHS.find(([least]) => p >= least)[1];
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
          type: picture.gl ? "scattergl" : "scatter", mode: "lines", x, y: ys, hoverinfo: "skip", connectgaps: false,
          line: { color: colours[alive ? "alive" : "removed"], width, simplify: false },
        }));
    };

    const marks = (colours) => {
      const shown = [], x = [], y = [], symbol = [], size = [], fill = [], edge = [];
      picture.items.forEach((item, id) => {
        if (item.kind === "run" && !item.head) return;
        const crowd = item.kind !== "node";
        const fate = fateOf(item.node);
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
        type: picture.gl ? "scattergl" : "scatter", mode: "markers", x, y, hoverinfo: "none", cliponaxis: true,
        marker: { symbol, size, color: fill, opacity: 1, line: { width: edge, color: fill } },
      };
    };

    /** Token texts of the columns in view, where there is room for them. */
    const labels = (colours) => {
      const out = { x: [], y: [], text: [], position: [], tint: [] };
      const px = pitch(), row = plotHeight() / rows(), lift = 2 / row;
      const roomy = px >= 40 && row >= 11;
      const put = (x, y, text, position, tint) => {
        out.x.push(x);
        out.y.push(y);
        out.text.push(text);
        out.position.push(position);
        out.tint.push(tint);
      };
      if (columns.x0 <= 0.2 && px >= 40) put(0, -lift, escaped(tree.labels.root), "top right", colours.muted);
      const from = columns.x0 - 2, to = columns.x1 + 2;
      picture.items.forEach((item, id) => {
        const x = xOf(item), y = picture.y[id];
        if (x < from || x > to || (item.kind === "run" && !item.head)) return;
        if (item.kind === "crowd") {
          if (row >= 9 && px >= 26) put(x + 7 / px, y, `+${item.hidden.length}`, "middle right", colours.muted);
          return;
        }
        const fate = fateOf(item.node), place = tree.sparse.answer[item.node];
        const rank = place === undefined ? "" : `<b>#${place + 1}</b> `;
        if (!roomy && !rank) return;
        if (item.kind === "run") {
          const most = Math.floor(((item.length - 0.2) * px) / 6.8) - 5;
          const text = clip(runText(id), most);
          put(x + 6 / px, y - lift, `${escaped(text)} <b>(${item.length})</b>`, "top right", colours.muted);
          return;
        }
        const dead = fate === 1 || fate === 3 || fate === 4;
        const text = roomy ? escaped(clip(textOf(item.node), Math.floor(((item.leaf ? 0.74 : 0.86) * px - (rank ? 20 : 0)) / 6.8))) : "";
        put(item.leaf ? x + 7 / px : x + 4 / px, item.leaf ? y : y - lift, rank + text, item.leaf ? "middle right" : "top right",
            dead ? colours.faint : place === undefined ? colours.ink : colours.fates[RETURNED]);
      });
      const font = { size: 12, color: out.tint, family: "var(--dx-mono)" };
      return {
        type: "scatter", mode: "text", x: out.x, y: out.y, text: out.text, textposition: out.position,
        textfont: font, hoverinfo: "skip", cliponaxis: true,
      };
    };
    const runText = (head) => {
      const out = [];
      for (let id = head; id < picture.items.length && out.length < picture.items[head].length; id++)
        if (picture.items[id].headItem === head) out.push(textOf(picture.items[id].node));
      return out.join("");
    };

    const plotHeight = () => parts.scroll.clientHeight - 24;
    /** Step numbers, as many as there is room for. */
    const ticks = () => {
      const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n * pitch() >= 30) ?? 2000;
      const from = Math.max(1, Math.floor(columns.x0 - 1)), to = Math.min(tree.n_steps, Math.ceil(columns.x1 + 1));
      const tickvals = [];
      for (let k = every === 1 ? from : Math.ceil(from / every) * every; k <= to; k += every) tickvals.push(k);
      return { tickmode: "array", tickvals, ticktext: tickvals.map(String) };
    };
    const axes = (colours) => {
      const x = {
        range: [columns.x0, columns.x1], side: "top", ...ticks(), tickfont: { size: 11, color: colours.muted }, showgrid: false,
        zeroline: false, ticks: "", fixedrange: false, showline: false,
      };
      const y = { range: columns.y || [picture.bottom + 0.8, picture.top - 0.8], visible: false, fixedrange: false };
      return { x, y };
    };
    const groupNotes = (colours) => {
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

    /** Everything anew: after a change of data, folding, size or colours. */
    const draw = () => {
      if (!tree || !parts.scroll.clientWidth) return;
      parts.scroll.style.height = `${Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, Math.round(rows() * LEAST_ROW) + 24))}px`;
      if (!columns) choose_columns();
      const colours = palette();
      const { x, y } = axes(colours);
      const layout = {
        template: "none", width: parts.scroll.clientWidth, height: parts.scroll.clientHeight, autosize: false,
        margin: { l: 10, r: 10, t: 22, b: 2 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        showlegend: false, dragmode: "pan", hovermode: "closest", hoverdistance: 14, uirevision: tree.key,
        font: { family: getComputedStyle(element).fontFamily, size: 12, color: colours.ink },
        xaxis: x, yaxis: y, shapes: shapes(colours), annotations: groupNotes(colours),
      };
      const data = [...lines(colours), marks(colours), labels(colours)];
      picture.labelled = [columns.x0, columns.x1];
      Plotly.react(parts.plot, data, layout, CONFIG);
      if (!parts.plot.dataset.wired) wirePlot();
      veil();
      showCount();
      done();
    };
    const done = () => {
      parts.plot.dataset.drawn = `${tree.key}.${now.step}.${now.rank}`;
      element.dispatchEvent(new CustomEvent("dx-drawn", { detail: parts.plot.dataset.drawn, bubbles: true }));
    };

    // --- the step in view --------------------------------------------------------------------------------------

    /** Band of the step, casing of the path, ring round the node: drawn as shapes, which are few. */
    const shapes = (colours) => {
      const x = now.step + 1;
      const band = {
        type: "rect", xref: "x", yref: "paper", x0: x - 0.22, x1: x + 0.78, y0: 0, y1: 1, layer: "below",
        line: { width: 0 }, fillcolor: colours["chosen-band"],
      };
      const out = [band];
      const points = [`M0,0`, `L${RUN},0`];
      let before = -1;
      for (const node of now.path) {
        if (tree.step[node] > now.step) break;
        const id = picture.of[node];
        const item = picture.items[id];
        if (id === before) continue;
        before = id;
        points.push(`L${xOf(item)},${picture.y[id]}`);
        if (tree.step[node] < now.step) points.push(`L${xOf(item) + RUN},${picture.y[id]}`);
      }
      if (points.length > 2)
        out.push({ type: "path", path: points.join(""), layer: "below", line: { color: colours["chosen-fill"], width: 8 } });
      const id = picture.of[nodeAt(now.step, now.rank)];
      out.push({
        type: "circle", xref: "x", yref: "y", xsizemode: "pixel", ysizemode: "pixel", xanchor: xOf(picture.items[id]),
        yanchor: picture.y[id], x0: -9, x1: 9, y0: -9, y1: 9, line: { color: colours.chosen, width: 2.5 },
      });
      return out;
    };

    /** The veil hides what has not happened yet. */
    const veil = () => {
      const axis = parts.plot._fullLayout?.xaxis;
      if (!axis) return;
      const left = axis._offset + axis.l2p(now.step + 1.79);
      const right = axis._offset + axis._length;
      parts.veil.hidden = now.step >= tree.n_steps - 1 || left >= right;
      parts.veil.style.left = `${Math.max(0, left)}px`;
      parts.veil.style.right = "0";
    };

    const choose_columns = () => {
      const room = parts.scroll.clientWidth - 20, all = tree.n_steps + 1.2;
      const fit = Math.max(3, Math.floor(room / PITCH));
      if (now.whole || room / (all + 0.2) >= TIGHT) columns = { x0: -0.2, x1: all };
      else {
        const x0 = Math.round(Math.min(Math.max(now.step + 2 - fit * 0.75, 0.2), all - fit)) - 0.2;
        columns = { x0, x1: x0 + fit };
      }
    };
    /** Moves the columns in view when the step has left them; the zoom stays. */
    const follow = () => {
      const x = now.step + 1, width = columns.x1 - columns.x0;
      if (x - 0.3 >= columns.x0 && x + 0.8 <= columns.x1) return false;
      const x0 = Math.min(Math.max(x - width * (x + 0.8 > columns.x1 ? 0.35 : 0.65), -0.15), Math.max(-0.15, tree.n_steps + 1.2 - width));
      columns = { ...columns, x0, x1: x0 + width, y: columns.y };
      return true;
    };

    const restep = () => {
      if (!picture || !parts.plot._fullLayout) return;
      const update = { shapes: shapes(palette()) };
      const moved = follow();
      if (moved) {
        const { tickvals, ticktext } = ticks();
        Object.assign(update, { "xaxis.range": [columns.x0, columns.x1], "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext });
      }
      if (moved) redraw(update); // labels and columns at once: each call would draw all anew
      else Plotly.relayout(parts.plot, update);
      veil();
      done();
    };
    let restepping = 0;
    const restepSoon = () => {
      restepping ||= requestAnimationFrame(() => {
        restepping = 0;
        restep();
      });
    };
    const redraw = (layout) => {
      picture.labelled = [columns.x0, columns.x1];
      const { x, y, text, textposition, textfont } = labels(palette());
      const changes = { x: [x], y: [y], text: [text], textposition: [textposition], "textfont.color": [textfont.color] };
      Plotly.update(parts.plot, changes, layout, [parts.plot.data.length - 1]);
    };
    let labelling = 0;
    const relabel = () => {
      if (labelling) return;
      labelling = requestAnimationFrame(() => {
        labelling = 0;
        const [x0, x1] = picture.labelled;
        if (x0 === columns.x0 && x1 === columns.x1) return;
        redraw({});
      });
    };

    // --- choosing ------------------------------------------------------------------------------------------------

    const send = () => {
      const { step, rank } = now;
      props.value = JSON.stringify({ run: tree.run, prompt: tree.prompt, step, rank });
      locate();
    };
    const locate = () => {
      const { step, rank } = now;
      const detail = { run: tree.run, row: tree.prompt, step, rank, streaming: tree.streaming };
      document.dispatchEvent(new CustomEvent("dx-at", { detail }));
    };
    const tell = () => document.dispatchEvent(new CustomEvent("dx-beam-shown", { detail: { step: now.step, rank: now.rank } }));

    /** A node comes into view: its path is drawn, its step opened. */
    const choose = (node, keepPath) => {
      if (!keepPath || !now.path.includes(node)) now.path = dx.beamLayout.lineage(tree, node);
      now.step = tree.step[node];
      now.rank = tree.rank[node];
      showSteps();
      restepSoon(); // in the next frame, while Python is already at work on the step
      send();
      tell();
      emit("node", { prompt: tree.prompt, step: now.step, rank: now.rank });
    };
    /** Another step: on the path in view while it lasts, else the best of that step. */
    const goTo = (step) => {
      step = Math.min(tree.n_steps - 1, Math.max(0, step));
      if (step === now.step) return;
      choose(now.path[step] ?? tree.first[step], true);
    };
    const play = (on) => {
      clearInterval(now.playing);
      now.playing = 0;
      if (on) {
        if (now.step >= tree.n_steps - 1) goTo(0);
        now.playing = setInterval(() => {
          goTo(now.step + 1);
          if (now.step >= tree.n_steps - 1) play(false);
        }, PLAY);
      }
      showSteps();
    };

    document.addEventListener("dx-beam-pick", (event) => {
      if (!tree || !element.isConnected) return;
      const { step, rank } = event.detail;
      if (step < tree.n_steps) choose(nodeAt(step, rank));
    });

    element.addEventListener("keydown", (event) => {
      if (!tree || event.altKey || event.ctrlKey || event.metaKey) return;
      const onButton = event.target.closest("button"), onSlider = event.target.matches('input[type="range"]');
      const from = tree.first[now.step], to = tree.first[now.step + 1], at = nodeAt(now.step, now.rank);
      const moves = {
        ArrowLeft: () => goTo(now.step - 1), ArrowRight: () => goTo(now.step + 1), Home: () => goTo(0),
        End: () => goTo(tree.n_steps - 1), ArrowUp: () => choose(Math.max(from, at - 1)),
        ArrowDown: () => choose(Math.min(to - 1, at + 1)),
        " ": () => play(!now.playing), "+": () => zoom(0.8), "-": () => zoom(1.25),
      };
      if (!(event.key in moves) || (event.key === " " && onButton)) return;
      if (onSlider && (event.key === "ArrowUp" || event.key === "ArrowDown")) return;
      event.preventDefault();
      if (event.key !== " ") play(false);
      moves[event.key]();
    });

    // --- controls ---------------------------------------------------------------------------------------------------

    const zoom = (factor, at) => {
      const width = Math.min((columns.x1 - columns.x0) * factor, tree.n_steps + 1.5);
      const centre = at ?? Math.min(Math.max(now.step + 1.3, columns.x0), columns.x1);
      const share = (centre - columns.x0) / (columns.x1 - columns.x0);
      setColumns(centre - share * Math.max(1.5, width), Math.max(1.5, width));
    };
    const setColumns = (x0, width) => {
      columns = { ...columns, x0, x1: x0 + width, mine: true };
      const { tickvals, ticktext } = ticks();
      redraw({ "xaxis.range": [columns.x0, columns.x1], "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext });
      veil();
    };
    const save = (format) => {
      const name = `beam-tree-step-${now.step + 1}`;
      Plotly.downloadImage(parts.plot, {
        format, filename: name, width: parts.scroll.clientWidth, height: parts.scroll.clientHeight, scale: format === "png" ? 2 : 1,
      });
    };

    const button = (name, label, on, more = {}) =>
      dx.el("button", { type: "button", class: "dx-tool", "data-tool": name, "aria-label": label, "data-tip": label, on: { click: on }, ...more },
            more.text ?? label);
    const buildControls = () => {
      const l = tree.labels;
      const slider = dx.el("input", { type: "range", min: 1, step: 1, class: "dx-range", "aria-label": l.slider, on: {
        input: () => { play(false); goTo(Number(slider.value) - 1); },
      } });
      parts.steps.replaceChildren(
        button("first", l.first, () => { play(false); goTo(0); }, { text: "|◀" }),
        button("back", l.back, () => { play(false); goTo(now.step - 1); }, { text: "◀" }),
        button("play", l.play, () => play(!now.playing), { text: "▶" }),
        button("forward", l.forward, () => { play(false); goTo(now.step + 1); }, { text: "▶" }),
        button("last", l.last, () => { play(false); goTo(tree.n_steps - 1); }, { text: "▶|" }),
        slider,
        dx.el("output", { "data-part": "at" })
      );
      parts.tools.replaceChildren(
        button("fold", l["fold.tip"], () => { now.folded = !now.folded; now.opened.clear(); rearrange(); }, { text: l.fold }),
        button("whole", l.whole, () => { now.whole = !now.whole; columns = null; draw(); showSteps(); }, { text: l.whole }),
        button("zoom-out", l.zoom_out, () => zoom(1.25), { text: "−" }),
        button("zoom-in", l.zoom_in, () => zoom(0.8), { text: "+" }),
        button("png", filled(l.export, { kind: "PNG" }), () => save("png"), { text: "PNG" }),
        button("svg", filled(l.export, { kind: "SVG" }), () => save("svg"), { text: "SVG" })
      );
      showSteps();
    };
    const showSteps = () => {
      const find = (name) => element.querySelector(`[data-tool="${name}"]`);
      const slider = parts.steps.querySelector("input");
      if (!slider || !tree) return;
      const l = tree.labels;
      slider.max = tree.n_steps;
      slider.value = now.step + 1;
      const at = filled(l.step, { n: now.step + 1, of: tree.n_steps });
      slider.setAttribute("aria-valuetext", at);
      parts.steps.querySelector("output").textContent = at;
      // Not `disabled`: a button that has the focus would lose it, and the arrow keys with it.
      const dim = (name, on) => find(name).setAttribute("aria-disabled", String(on));
      ["first", "back"].forEach((name) => dim(name, now.step === 0));
      ["last", "forward"].forEach((name) => dim(name, now.step >= tree.n_steps - 1));
      const playing = find("play");
      playing.textContent = now.playing ? "❚❚" : "▶︎ " + l.play;
      playing.setAttribute("aria-label", now.playing ? l.pause : l.play);
      playing.setAttribute("data-tip", now.playing ? l.pause : l.play);
      find("fold").setAttribute("aria-pressed", String(Boolean(now.folded)));
      find("whole").setAttribute("aria-pressed", String(now.whole));
    };
    const showLegend = () => {
      const present = new Set();
      for (let i = 0; i < tree.n; i++) present.add(fateOf(i));
      parts.legend.replaceChildren(
        ...FATE.flatMap((fate, i) =>
          present.has(i)
            ? [dx.el("span", { "data-tip": tree.fate_tips[fate], tabindex: "0", class: "dx-fate", "data-fate": fate },
                     dx.el("i", { "aria-hidden": "true" }, SIGN[i]), tree.fate_labels[fate])]
            : []
        )
      );
    };
    const showCount = () => {
      const key = picture.hidden ? "folded" : "counted";
      const words = filled(tree.labels[key], { all: tree.n.toLocaleString("en"), hidden: picture.hidden.toLocaleString("en") });
      parts.count.textContent = picture.gl ? `${words} · ${tree.labels.gl}` : words;
      parts.count.dataset.items = picture.items.length;
    };
    const showPrompts = () => {
      parts.prompts.hidden = tree.prompts.length < 2;
      parts.prompts.setAttribute("aria-label", tree.labels.prompts);
      parts.prompts.replaceChildren(
        ...tree.prompts.map((label, i) =>
          dx.el("button", { type: "button", class: "dx-tab", "aria-pressed": String(i === tree.prompt), "data-prompt": i, on: {
            click: () => {
              play(false);
              props.value = JSON.stringify({ run: tree.run, prompt: i, step: 0, rank: 0 });
              emit("node", { prompt: i, step: 0, rank: 0 });
            },
          } }, `${tree.labels.prompts} ${label}`)
        )
      );
    };
    const rearrange = () => {
      arrange();
      draw();
      showSteps();
    };

    // --- pointer --------------------------------------------------------------------------------------------------------

    const itemOf = (event) => {
      const point = event.points?.[0];
      return point && point.data.mode === "markers" ? picture.items[picture.shown[point.pointNumber]] : null;
    };
    const tipOf = (item) => {
      const l = tree.labels, i = item.node;
      if (item.kind === "crowd") {
        const names = item.hidden.slice(0, 6).map((kid) => textOf(kid)).join("  ");
        return `${filled(l.crowd, { n: item.hidden.length })}\n${names}${item.hidden.length > 6 ? " …" : ""}`;
      }
      if (item.kind === "run") return filled(l.run, { n: item.length });
      const fields = {
        step: tree.step[i] + 1, rank: tree.rank[i] + 1, fate: tree.fate_labels[FATE[tree.fate[i]]], logprob: nats(tree.logprob[i]),
        p: percent(tree.logprob[i]), score: nats(tree.score[i]),
      };
      const out = [textOf(i), filled(l.tip, fields)];
      if (tree.n_groups > 1) out.push(filled(l.group, { n: tree.group[i] + 1 }));
      if (tree.margin[i] !== null) {
        const margin = (tree.margin[i] > 0 ? "+" : "") + nats(tree.margin[i]);
        const rival = tree.rival[i] < 0 ? "" : textOf(nodeAt(tree.step[i], tree.rival[i]));
        out.push(filled(rival ? l["tip.rival"] : l["tip.margin"], { margin, rival }));
      }
      if (i in tree.sparse.final_score) out.push(filled(l["tip.final"], { final: nats(tree.sparse.final_score[i]) }));
      if (i in tree.sparse.answer) out.push(filled(l["tip.place"], { place: tree.sparse.answer[i] + 1 }));
      if (i in tree.sparse.evicted_at) out.push(filled(l["tip.evicted"], { step: tree.sparse.evicted_at[i] + 1 }));
      return out.join("\n");
    };
    const wirePlot = () => {
      parts.plot.dataset.wired = "yes";
      parts.plot.on("plotly_hover", (event) => {
        const item = itemOf(event);
        if (!item) return;
        const box = parts.scroll.getBoundingClientRect(), pointer = event.event;
        parts.tip.textContent = tipOf(item);
        parts.tip.hidden = false;
        const left = pointer.clientX - box.left, width = parts.tip.offsetWidth;
        parts.tip.style.left = `${Math.max(0, Math.min(left + 14, box.width - width))}px`;
        parts.tip.style.top = `${pointer.clientY - box.top + 16}px`;
      });
      parts.plot.on("plotly_unhover", () => (parts.tip.hidden = true));
      parts.plot.on("plotly_click", (event) => {
        const item = itemOf(event);
        if (!item) return;
        play(false);
        parts.tip.hidden = true;
        if (item.kind === "node") return choose(item.node);
        now.opened.add(item.kind === "run" ? item.node : item.above);
        rearrange();
      });
      const moved = () => {
        const { xaxis, yaxis } = parts.plot._fullLayout;
        columns = { x0: xaxis.range[0], x1: xaxis.range[1], y: yaxis.range.slice(), mine: true };
        veil();
      };
      parts.plot.on("plotly_relayouting", moved);
      parts.plot.on("plotly_relayout", (event) => {
        if (!Object.keys(event).some((key) => key.startsWith("xaxis.range[") || key.startsWith("yaxis.range["))) return;
        moved();
        relabel();
      });
      parts.scroll.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // as in a map: the wheel alone scrolls the page
        event.preventDefault();
        const axis = parts.plot._fullLayout.xaxis;
        const at = axis.p2l(event.clientX - parts.scroll.getBoundingClientRect().left - axis._offset);
        zoom(event.deltaY > 0 ? 1.15 : 0.87, at);
      }, { passive: false });
    };

    // --- what comes from Python ------------------------------------------------------------------------------------------

    const update = () => {
      const data = dx.parse(props.data, null);
      document.body.classList.toggle("dx-beams", Boolean(data));
      element.hidden = !data;
      if (!data) {
        tree = null;
        return play(false);
      }
      const known = tree && tree.key === data.key, last = tree ? tree.n_steps - 1 : 0;
      clearInterval(now.playing);
      now.playing = 0;
      tree = dx.beamLayout.grow(data);
      if (!known) {
        now.opened = new Set();
        now.folded = tree.n > UNFOLDED_MOST || tree.n / tree.n_steps > 26;
        now.whole = false;
        columns = null;
      }
      // While a run streams, a visitor who went back to look at a step stays there.
      const stays = known && data.streaming && now.step < last;
      now.step = stays ? now.step : data.at.step;
      const node = nodeAt(now.step, stays ? now.rank : data.at.rank);
      now.rank = tree.rank[node];
      now.path = dx.beamLayout.lineage(tree, node);
      element.setAttribute("aria-label", tree.labels.title);
      parts.title.textContent = tree.labels.title;
      parts.scroll.setAttribute("aria-label", tree.labels.label);
      showPrompts();
      buildControls();
      showLegend();
      arrange();
      if (columns && !columns.mine) columns = null;
      else if (known && columns) follow();
      draw();
      locate();
    };
    const say = () => {
      const words = dx.parse(props.words, null);
      if (!words) return;
      parts.reading.replaceChildren(...dx.sentence(words.reading));
      parts.node.replaceChildren(...dx.sentence(words.node));
    };

    watch(["data"], update);
    watch(["words"], say);
    dx.onScheme(() => requestAnimationFrame(draw));
    let drawnWidth = 0;
    new ResizeObserver(() => {
      if (!tree || parts.scroll.clientWidth === drawnWidth) return;
      drawnWidth = parts.scroll.clientWidth;
      if (columns && !columns.mine) columns = null;
      requestAnimationFrame(draw);
    }).observe(parts.scroll);
    update();
    say();
  };
})();
