// The heat map on two canvases: the window with its cells, and the whole run in small below.
"use strict";
(() => {
  const [LEFT, RIGHT] = [52, 6];
  const [GAP, FOOT, AXIS] = [4, 14, 16];
  const TALL = { row: 16, strip: 30 }; // with the tokens in the cells
  const FLAT = { row: 5, strip: 20 }; // folded: the colours alone
  const SMALL = 24; // pixels of all rows in small, at least one each
  const ROOM = 27; // pixels between numbers below the map
  const SHADES = 64;

  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  /** How bright a colour is, from 0 to 1, as the contrast of texts is reckoned. */
  const brightness = (colour) => {
    const [r, g, b] = colour.map((c) => (c <= 10 ? c / 3295 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  /** Colours from one to another, as many as there are shades; and of some inks the one that is best read on each. */
  const ramp = (from, to, inks) => {
    const [a, b] = [rgb(from), rgb(to)];
    const shades = Array.from({ length: SHADES + 1 }, (_, i) => a.map((c, k) => Math.round(c + ((b[k] - c) * i) / SHADES)));
    const best = (shade) => inks.reduce((one, other) => {
      const [here, ...both] = [shade, rgb(one), rgb(other)].map(brightness);
      return contrast(here, both[1]) > contrast(here, both[0]) ? other : one;
    });
    return { fill: shades.map((shade) => `rgb(${shade.join(" ")})`), ink: shades.map(best) };
  };
  /** The root of a probability, so that small ones are seen, too; as a place in a ramp. */
  const shade = (p) => Math.round(Math.sqrt(Math.min(1, Math.max(0, p || 0))) * SHADES);

  const colours = (element) => {
    const style = getComputedStyle(element);
    const of = (name) => style.getPropertyValue(`--dx-${name}`).trim();
    const named = {};
    for (const name of ["surface", "ink", "muted", "faint", "line", "chosen", "accent"]) named[name] = of(name);
    const inks = [of("ink"), of("surface")];
    return { ...named, kept: ramp(of("raised"), of("alive-line"), inks), gone: ramp(of("raised"), of("faint"), inks), font: style.fontFamily };
  };

  const rowsOf = (state) => state.beams ? Math.max(state.ranks, ...state.columns.map((column) => column.ids.length)) : state.ranks;
  const sizes = (state) => (state.folded ? FLAT : TALL);
  const topOf = (state) => (state.beams ? 4 : sizes(state).strip + GAP);
  const bottomOf = (state) => topOf(state) + rowsOf(state) * sizes(state).row;
  const footOf = (state) => (state.cuts ? FOOT : 0);
  const height = (state) => bottomOf(state) + footOf(state) + AXIS;
  const smallRow = (state) => Math.max(1, Math.floor(SMALL / rowsOf(state)));
  const smallHeight = (state) => rowsOf(state) * smallRow(state) + 4;
  /** Whether a token's cell was cut off. */
  const isGone = (state, column, i) => !state.beams && column.q[i] === 0;
  /** The row of the token that came; past the last one where it is not shown. */
  const chosenRow = (state, column) => state.beams ? column.best : column.at.rank - 1;

  /** A canvas of this size in CSS pixels, sharp on the screen at hand. */
  const sized = (canvas, width, tall) => {
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(tall * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(tall * scale)];
      [canvas.style.width, canvas.style.height] = [`${width}px`, `${tall}px`];
    }
    const ctx = canvas.getContext("2d");
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, tall);
    return ctx;
  };

  /** As much of a text as has room. */
  const fitted = (ctx, text, room) => {
    if (ctx.measureText(text).width <= room) return text;
    let n = Math.max(0, Math.floor((text.length * room) / ctx.measureText(text).width) - 1);
    while (n > 0 && ctx.measureText(`${text.slice(0, n)}…`).width > room) n -= 1;
    return n ? `${text.slice(0, n)}…` : "";
  };

  const cells = (ctx, state, c, place, [from, to]) => {
    const [top, ROW] = [topOf(state), sizes(state).row];
    ctx.textBaseline = "middle";
    ctx.font = `11px ${c.font}`;
    for (let step = from; step < to; step++) {
      const column = state.columns[step];
      if (!column) continue;
      const { x, w } = place(step);
      const line = w > 6 ? 1 : 0;
      for (let i = 0; i < column.ids.length; i++) {
        const [y, at] = [top + i * ROW, shade(column.p[i])];
        const gone = isGone(state, column, i);
        const { fill, ink } = gone ? c.gone : c.kept;
        ctx.fillStyle = fill[at];
        ctx.fillRect(x, y, w - line, state.folded ? ROW : ROW - 1);
        if (w < 30 || state.folded) continue;
        ctx.fillStyle = gone && at < SHADES / 8 ? c.faint : ink[at];
        const words = fitted(ctx, `${column.texts[i]}${column.ended?.[i] ? " ■" : ""}`, w - 8);
        ctx.fillText(words, x + 4, y + ROW / 2);
      }
    }
  };

  /** The line below the tokens that were left, and how many they were where that is beyond the map. */
  const cutLine = (ctx, state, c, place, [from, to]) => {
    const [top, bottom, rows, ROW] = [topOf(state), bottomOf(state), rowsOf(state), sizes(state).row];
    let [pen, written] = [false, -Infinity];
    ctx.beginPath();
    for (let step = from; step < to; step++) {
      const column = state.columns[step];
      if (!column || !column.ids.length || !column.line) {
        pen = false;
        continue;
      }
      const { x, w } = place(step);
      const y = top + Math.min(column.left, rows) * ROW - 0.5;
      if (pen) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
      ctx.lineTo(x + w, y);
      pen = true;
    }
    for (const [colour, width] of state.folded ? [[c.ink, 1.25]] : [[c.surface, 4], [c.ink, 2]]) {
      [ctx.strokeStyle, ctx.lineWidth] = [colour, width];
      ctx.stroke();
    }
    [ctx.font, ctx.textBaseline, ctx.textAlign, ctx.fillStyle] = [`10px ${c.font}`, "middle", "center", c.muted];
    for (let step = from; step < to; step++) {
      const column = state.columns[step];
      if (!column?.ids.length) continue;
      const middle = place(step).x + place(step).w / 2;
      if (middle - written < ROOM) continue;
      written = middle;
      write(ctx, state, `${column.left > rows ? "↓" : ""}${short(column.left)}`, middle, bottom + FOOT / 2 + 1);
    }
    ctx.textAlign = "left";
  };
  /** A number around a place, within the map. */
  const write = (ctx, state, words, middle, y) => {
    const half = ctx.measureText(words).width / 2;
    ctx.fillText(words, Math.min(Math.max(middle, half), state.width - half), y);
  };
  const short = (n) => n < 1000 ? String(n) : n < 9950 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`;

  /** From one cell of the path to the next, where that is in another row. */
  const links = (ctx, state, c, place, [from, to]) => {
    const [top, rows, ROW] = [topOf(state), rowsOf(state), sizes(state).row];
    const middle = (row) => top + (Math.min(row, rows - 1) + 0.5) * ROW;
    ctx.beginPath();
    for (let step = Math.max(1, from); step < Math.min(state.columns.length, to + 1); step++) {
      const [before, row] = [step - 1, step].map((at) => chosenRow(state, state.columns[at]));
      if (before < 0 || row < 0 || Math.min(before, rows - 1) === Math.min(row, rows - 1)) continue;
      const { x, w } = place(step);
      ctx.moveTo(x - Math.min(12, w / 2), middle(before));
      ctx.lineTo(x + Math.min(8, w / 2), middle(row));
    }
    [ctx.strokeStyle, ctx.lineWidth, ctx.globalAlpha] = [c.chosen, 1.5, 0.55];
    ctx.stroke();
    ctx.globalAlpha = 1;
  };

  /** The path of what came: its cells outlined, and at the edge where it is beyond the map. */
  const path = (ctx, state, c, place, [from, to]) => {
    const [top, bottom, rows, ROW] = [topOf(state), bottomOf(state), rowsOf(state), sizes(state).row];
    if (state.beams && !state.folded) links(ctx, state, c, place, [from, to]);
    for (let step = from; step < to; step++) {
      const column = state.columns[step];
      const row = column ? chosenRow(state, column) : -1;
      if (row < 0) continue;
      const { x, w } = place(step);
      const gone = !state.beams && column.at.q === 0;
      [ctx.strokeStyle, ctx.fillStyle, ctx.lineWidth] = [c.chosen, c.chosen, w > 12 ? 2 : 1.5];
      if (state.folded) ctx.fillRect(x, top + Math.min(row, rows - 1) * ROW + 1, Math.max(1.5, w - 1), ROW - 2);
      else if (row < rows) {
        ctx.setLineDash(gone ? [3, 2] : []);
        ctx.strokeRect(x + 0.5, top + row * ROW - 0.5, Math.max(2, w - 2), ROW);
        ctx.setLineDash([]);
      } else {
        const middle = x + w / 2;
        ctx.beginPath();
        ctx.moveTo(middle - 4, bottom - 7);
        ctx.lineTo(middle + 4, bottom - 7);
        ctx.lineTo(middle, bottom - 1);
        ctx.fill();
      }
    }
  };

  /** Entropy above the map: what was left of it as an area, the model's own as a line. */
  const strip = (ctx, state, c, place, [from, to]) => {
    const most = Math.max(1, ...state.columns.map((column) => Math.max(column.own || 0, column.final || 0)));
    const STRIP = sizes(state).strip;
    const y = (value) => STRIP - (Math.max(0, value) / most) * (STRIP - 3);
    ctx.fillStyle = c.kept.fill[Math.round(SHADES * 0.42)];
    ctx.strokeStyle = c.muted;
    ctx.lineWidth = 1.25;
    ctx.beginPath();
    for (let step = from; step < to; step++) {
      const column = state.columns[step];
      if (!column?.ids.length || column.own === null) continue;
      const { x, w } = place(step);
      ctx.fillRect(x, y(column.final), w - (w > 6 ? 1 : 0), STRIP - y(column.final));
      ctx.moveTo(x, y(column.own));
      ctx.lineTo(x + w - (w > 6 ? 1 : 0), y(column.own));
    }
    ctx.stroke();
    ctx.fillStyle = c.line;
    ctx.fillRect(0, STRIP, state.width, 1);
    return most;
  };

  const labels = (ctx, state, c, most) => {
    const [top, rows, { row: ROW, strip: STRIP }] = [topOf(state), rowsOf(state), sizes(state)];
    const every = state.folded ? 11 : rows <= 8 ? 1 : 2;
    [ctx.font, ctx.textBaseline, ctx.textAlign, ctx.fillStyle] = [`10px ${c.font}`, "middle", "right", c.muted];
    for (let i = 0; i < rows; i++) if (i % every === 0 || (i === rows - 1 && rows > 3)) ctx.fillText(String(i + 1), LEFT - 6, top + (i + 0.5) * ROW);
    if (state.cuts) ctx.fillText(state.labels.left, LEFT - 6, bottomOf(state) + FOOT / 2 + 1);
    ctx.fillText(state.labels.step, LEFT - 6, height(state) - AXIS / 2 + 1);
    if (!state.beams) {
      ctx.fillText(state.labels.entropy, LEFT - 6, STRIP - 5);
      if (!state.folded) ctx.fillText(most.toFixed(1), LEFT - 6, 7);
    }
    ctx.textAlign = "left";
  };

  const axis = (ctx, state, c, place, [from, to]) => {
    let written = -Infinity;
    [ctx.font, ctx.textBaseline, ctx.textAlign] = [`10px ${c.font}`, "middle", "center"];
    const number = (step) => {
      const middle = place(step).x + place(step).w / 2;
      const here = step === state.step;
      ctx.fillStyle = here ? c.accent : c.muted;
      if (here) ctx.font = `bold 11px ${c.font}`;
      write(ctx, state, String(dx.stepNumber(step, state)), middle, height(state) - AXIS / 2 + 1);
      if (here) ctx.font = `10px ${c.font}`;
      return middle;
    };
    const own = state.step >= from && state.step < to ? number(state.step) : -Infinity;
    for (let step = from; step < to; step++) {
      const middle = place(step).x + place(step).w / 2;
      if (middle - written < ROOM || Math.abs(middle - own) < ROOM) continue;
      written = number(step);
    }
    ctx.textAlign = "left";
  };

  /** The step in view as a frame around its column, and the cell that the keys are at. */
  const frames = (ctx, state, c, place, [from, to]) => {
    if (state.step < from || state.step >= to) return;
    const [{ x, w }, top, ROW] = [place(state.step), topOf(state), sizes(state).row];
    [ctx.strokeStyle, ctx.lineWidth] = [c.accent, 1.5];
    ctx.strokeRect(x - 0.5, 1, Math.max(3, w), bottomOf(state) - 1);
    if (state.row < 0 || state.folded) return;
    ctx.lineWidth = 2.5;
    ctx.strokeRect(x + 1, top + state.row * ROW + 0.5, Math.max(3, w - 3), ROW - 2);
  };

  /** The window. */
  const paint = (ctx, state, c) => {
    const seen = dx.heatWindow.seen(state.win);
    const place = (step) => dx.heatWindow.column(state.win, state.width, step);
    let most = 0;
    ctx.save();
    ctx.translate(LEFT, 0);
    ctx.beginPath();
    ctx.rect(-1, 0, state.width + 2, height(state));
    ctx.clip();
    if (!state.beams) most = strip(ctx, state, c, place, seen);
    cells(ctx, state, c, place, seen);
    if (state.cuts) cutLine(ctx, state, c, place, seen);
    path(ctx, state, c, place, seen);
    axis(ctx, state, c, place, seen);
    frames(ctx, state, c, place, seen);
    ctx.restore();
    labels(ctx, state, c, most);
  };
  const draw = (canvas, state, c) => paint(sized(canvas, state.width + LEFT + RIGHT, height(state)), state, c);
  const picture = (state, c) => {
    const { node, ctx } = dx.svgContext(state.width + LEFT + RIGHT, height(state));
    paint(ctx, state, c);
    return node;
  };

  /** The whole run in small, the window framed. */
  const overview = (canvas, state, c) => {
    const [tall, high] = [smallHeight(state), smallRow(state)];
    const ctx = sized(canvas, state.width + LEFT + RIGHT, tall);
    ctx.translate(LEFT, 2);
    const w = state.width / state.win.n;
    state.columns.forEach((column, step) => {
      const x = step * w;
      for (let i = 0; i < column.ids.length; i++) {
        ctx.fillStyle = (isGone(state, column, i) ? c.gone : c.kept).fill[shade(column.p[i])];
        ctx.fillRect(x, i * high, Math.max(w, 0.75), high);
      }
      const row = chosenRow(state, column);
      if (row < 0) return;
      ctx.fillStyle = c.chosen;
      ctx.fillRect(x, Math.min(row, rowsOf(state) - 1) * high, Math.max(w - 0.5, 1), high);
    });
    ctx.fillStyle = c.accent;
    ctx.fillRect((state.step + 0.5) * w - 0.75, -2, 1.5, tall);
    const [x, wide] = [state.win.first * w, state.win.count * w];
    [ctx.fillStyle, ctx.globalAlpha] = [c.surface, 0.55];
    ctx.fillRect(0, -2, x, tall);
    ctx.fillRect(x + wide, -2, state.width - x - wide, tall);
    [ctx.globalAlpha, ctx.strokeStyle, ctx.lineWidth] = [1, c.accent, 2];
    ctx.strokeRect(x + 1, -1, wide - 2, tall - 2);
  };

  /** The row of cells at a height of the canvas; -1 above and below. */
  const rowAt = (state, y) => {
    const row = Math.floor((y - topOf(state)) / sizes(state).row);
    return row >= 0 && row < rowsOf(state) ? row : -1;
  };

  dx.heatDrawing = { LEFT, RIGHT, colours, draw, picture, overview, rowAt, rowsOf, chosenRow, isGone };
})();
