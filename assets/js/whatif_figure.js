// The chart of a what-if as Plotly's data and layout: the step's tokens as bars, as recorded and as they are now.
"use strict";
(() => {
  const BAR_WIDTH = 54; // px a token needs
  const APART = 0.3; // of it, before the bar of the rest: its label, a count, is longer than a token's
  const EDGE = 0.6; // of it, before the first bar's middle and behind the last one's
  const MARGIN = { l: 36, r: 10, t: 18, b: 22 }; // px
  const LONGEST_LABEL = 7; // characters that fit under a bar
  const SCALES = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1]; // where the axis may end: it stands still as bars move

  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  /** The tokens drawn, by index: the likeliest that fit, and the chosen one. */
  const picked = (tokens, width) => {
    const n = Math.max(3, Math.min(16, Math.floor((width - MARGIN.l - MARGIN.r) / BAR_WIDTH - APART - 2 * EDGE)));
    const chosen = tokens.findIndex((token) => token.chosen);
    const out = tokens.map((_, i) => i).slice(0, n);
    if (chosen >= n) out[n - 1] = chosen;
    return out;
  };

  const nameOf = (token) => {
    const letters = [...token.text], fits = letters.length <= LONGEST_LABEL;
    const short = escaped(fits ? token.text : `${letters.slice(0, LONGEST_LABEL - 1).join("")}…`);
    return token.chosen ? `<b>${short}</b>` : short;
  };

  /** A bar for each token drawn, and one for the rest; the recorded ones alone where there is no answer. */
  const barsOf = (base, now, label, width, colour) => {
    const ids = picked(base.tokens, width), tokens = ids.map((i) => base.tokens[i]);
    const ghosts = tokens.map((token) => token.recorded);
    const bars = ids.map((i) => (now ? now.p[i] : 0));
    const [was, is] = [ghosts, bars].map((values) => Math.max(0, 1 - values.reduce((sum, p) => sum + p, 0)));
    const more = now ? Math.max(0, now.alive - bars.filter((p) => p > 0).length) : 0;
    const hoverOf = (token, recorded, left) =>
      label("hover", { token, was: dx.percent(recorded), now: now ? left : label("none") });
    const hover = tokens.map((token, i) =>
      hoverOf(escaped(token.text), token.recorded, bars[i] ? dx.percent(bars[i]) : label("gone")));
    return {
      x: [...ids.map((_, i) => i), ids.length + APART],
      ghost: [...ghosts, was],
      bar: [...bars, now ? is : 0],
      names: [...tokens.map(nameOf), more ? `<i>${label("more", { n: more.toLocaleString("en-US") })}</i>` : "…"],
      text: now ? [...bars.map((p) => (p ? dx.percent(p) : "✕")), is > 5e-7 ? dx.percent(is) : ""] : [],
      fill: [...tokens.map((token) => colour(token.chosen ? "chosen-fill" : "alive")), colour("removed")],
      hover: [...hover, hoverOf(label("rest"), was, dx.percent(is))],
    };
  };

  dx.whatifFigure = (base, now, label, size, colour, fontFamily) => {
    const bars = barsOf(base, now, label, size.width, colour);
    const ink = colour("ink");
    const tops = bars.x.map((_, i) => Math.max(bars.ghost[i], bars.bar[i]));
    const data = [
      {
        type: "bar", x: bars.x, y: bars.ghost, width: 0.86, hoverinfo: "skip",
        marker: { color: colour("raised"), line: { color: colour("muted"), width: 1 } },
      },
      {
        type: "bar", x: bars.x, y: bars.bar, width: 0.56, marker: { color: bars.fill, line: { width: 0 } },
        hovertext: bars.hover, hovertemplate: "%{hovertext}<extra></extra>",
      },
      {
        type: "scatter", mode: "text", x: bars.x, y: tops, text: bars.text, textposition: "top center",
        textfont: { size: 11, color: ink }, hoverinfo: "skip", cliponaxis: false,
      },
    ];
    const layout = {
      ...size, autosize: false, barmode: "overlay", showlegend: false, margin: MARGIN, paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)", font: { family: fontFamily, size: 11, color: ink },
      hoverlabel: { bgcolor: colour("surface"), font: { color: ink } },
      xaxis: {
        tickvals: bars.x, ticktext: bars.names, tickangle: 0, range: [-EDGE, bars.x.length - 1 + APART + EDGE],
        fixedrange: true, showgrid: false, zeroline: false,
      },
      yaxis: {
        range: [0, SCALES.find((top) => top >= Math.max(...tops) * 1.02) ?? 1], nticks: 3, tickformat: ".0~%",
        fixedrange: true, gridcolor: colour("line"), zeroline: false,
      },
    };
    return { data, layout };
  };
})();
