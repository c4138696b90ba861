// A figure's words, drawn by the page itself: Plotly measures and styles every text twice, which took longer than all
// else of a step change. Only words on axes whose range is given: they do not move them.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const LINE = 1.3; // of the size, as Plotly sets its lines
  const ENTITY = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
  const ANCHOR = { left: "end", right: "start", center: "middle" };

  const plain = (text) => text.replace(/&(lt|gt|amp);/g, (entity) => ENTITY[entity]);
  const at = (value, i) => (Array.isArray(value) ? value[i] : value);
  /** The axis of a trace, by its short name (`x2`) or by default. */
  const axisOf = (layout, trace, letter) => layout[`${letter}axis${(trace[`${letter}axis`] || letter).slice(1)}`];
  const isGiven = (axis) => Array.isArray(axis?.range) && [undefined, "-", "linear", "log"].includes(axis.type);
  /** Where a value lies in the plot's area, as a part of it. */
  const placed = (axis, value) => {
    const [from, to] = axis.range, [low, high] = axis.domain || [0, 1];
    const v = axis.type === "log" ? Math.log10(value) : value;
    return low + (high - low) * ((v - from) / (to - from));
  };

  /** Splits a figure into what Plotly draws and the words that we do. */
  const apart = (figure) => {
    const ours = (trace) =>
      trace.type === "scatter" && trace.mode === "text" && trace.hoverinfo === "skip" && trace.visible !== false &&
      ["x", "y"].every((letter) => isGiven(axisOf(figure.layout, trace, letter)));
    return { data: figure.data.filter((trace) => !ours(trace)), words: figure.data.filter(ours) };
  };

  /** The lines of a text, each of them pieces with their style: its little HTML is `<b>`, `<i>` and `<br>`. */
  const lines = (text) => {
    const out = [/** @type {PlotPiece[]} */ ([])];
    let style = "";
    for (const piece of String(text ?? "").split(/(<br>|<\/?[bi]>)/)) {
      if (piece === "<br>") out.push([]);
      else if (/^<\/?[bi]>$/.test(piece)) style = piece[1] === "/" ? "" : piece[1];
      else if (piece) out[out.length - 1].push({ text: plain(piece), style });
    }
    return out;
  };

  /** The words of a trace with their places in pixels, as Plotly sets them. `area` is the plot's: { l, t, w, h }. */
  const set = (trace, layout, area) => {
    const [x, y] = ["x", "y"].map((letter) => axisOf(layout, trace, letter));
    const font = { ...layout.font, ...trace.textfont };
    return trace.text.map((text, i) => {
      const [up, side] = (at(trace.textposition, i) || "middle center").split(" ");
      const size = at(font.size, i), shown = lines(text);
      const above = { top: -2, middle: -1, bottom: 0 }[up] * (1 + (shown.length - 1) * LINE) / 2;
      return {
        x: area.l + area.w * placed(x, trace.x[i]), y: area.t + area.h * (1 - placed(y, trace.y[i])) + size * (0.75 + above),
        size, colour: at(font.color, i), anchor: ANCHOR[side] || "middle", lines: shown,
      };
    });
  };

  const write = (node, word) => {
    const x = word.x.toFixed(2);
    for (const [name, value] of [
      ["x", x], ["y", word.y.toFixed(2)], ["font-size", word.size], ["fill", word.colour], ["text-anchor", word.anchor],
    ]) if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
    const said = JSON.stringify(word.lines) + (word.lines.length > 1 ? x : "");
    if (node.dataset.said === said) return;
    node.dataset.said = said;
    if (word.lines.length === 1 && word.lines[0].every((piece) => !piece.style)) {
      node.textContent = word.lines[0].map((piece) => piece.text).join("");
      return;
    }
    node.replaceChildren(...word.lines.flatMap((pieces, line) =>
      pieces.map((piece, i) => {
        const span = document.createElementNS(SVG, "tspan");
        span.textContent = piece.text;
        if (piece.style === "b") span.setAttribute("font-weight", "bold");
        if (piece.style === "i") span.setAttribute("font-style", "italic");
        if (line && !i) {
          span.setAttribute("x", x);
          span.setAttribute("dy", `${LINE}em`);
        }
        return span;
      })
    ));
  };

  /** Draws the words over a plot that Plotly has drawn, with the texts that are there already where it can. */
  const draw = (node, words, layout) => {
    let layer = node.querySelector(".dx-plot-words");
    if (!words.length) return void layer?.remove();
    if (!layer) {
      layer = document.createElementNS(SVG, "g");
      layer.setAttribute("class", "dx-plot-words");
      layer.setAttribute("style", "pointer-events:none;white-space:pre");
      node.querySelector(".main-svg").append(layer); // below the tooltips, which have a picture of their own
    }
    layer.setAttribute("font-family", layout.font.family);
    const all = words.flatMap((trace) => set(trace, layout, node._fullLayout._size));
    while (layer.childNodes.length > all.length) layer.lastChild.remove();
    while (layer.childNodes.length < all.length) layer.append(document.createElementNS(SVG, "text"));
    all.forEach((word, i) => write(layer.childNodes[i], word));
  };

  dx.plotWords = { apart, draw, lines, set };
})();
