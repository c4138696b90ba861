// The beam tree as SVG: what beam_figure.js computes, in the scheme's colours. Some hundred elements, made anew whenever
// something changes, in a few milliseconds: Plotly took up to 1,500, since it measures each text.
"use strict";
(() => {
  const COLOURS = [
    "surface", "ink", "muted", "faint", "line", "accent", "alive", "removed", "chosen", "chosen-fill", "chosen-band",
  ];
  const { FATE } = dx.beamWords;
  const { RETURNED, HEAD } = dx.beamFigure;
  const { svg } = dx;

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--dx-${name}`).trim();
  /** @returns {BeamColours} */
  const palette = () => ({
    fates: FATE.map((fate) => colour(`fate-${fate.replace("_", "-")}`)),
    ...Object.fromEntries(COLOURS.map((name) => [name, colour(name)])),
  });
  // --- marks: half a mark is `r` pixels -----------------------------------------------------------------------------

  const star = (x, y, r) =>
    [...Array(10).keys()].map((k) => {
      const far = r * (k % 2 ? 0.62 : 1.5), turn = (k * Math.PI) / 5;
      return `${k ? "L" : "M"}${(x + far * Math.sin(turn)).toFixed(1)} ${(y - far * Math.cos(turn)).toFixed(1)}`;
    }).join("") + "z";
  const SHAPE = [
    (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    (x, y, r) => `M${x - 0.75 * r} ${y - 0.75 * r}l${1.5 * r} ${1.5 * r}m0 ${-1.5 * r}l${-1.5 * r} ${1.5 * r}`,
    (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    (x, y, r) => `M${x - r} ${y - 0.8 * r}h${2 * r}l${-r} ${1.8 * r}z`,
    (x, y, r) => `M${x} ${y - 1.2 * r}l${1.2 * r} ${1.2 * r}l${-1.2 * r} ${1.2 * r}l${-1.2 * r} ${-1.2 * r}z`,
    star,
  ];
  const OPEN = [false, true, false, true, true, false]; // drawn by its edge
  const round = (value) => Math.round(value * 10) / 10;

  /** One path for all marks of a fate. */
  const marks = ({ spots, column, row }, { fates, surface }) => {
    const r = round(Math.max(1.5, Math.min(4, column / 4, row / 3)));
    return SHAPE.flatMap((shape, fate) => {
      const d = spots.filter((spot) => spot.fate === fate).map(({ x, y }) => shape(round(x), round(y), r)).join("");
      if (!d) return [];
      const look = OPEN[fate]
        ? { fill: fate === 1 ? "none" : surface, stroke: fates[fate], "stroke-width": 1.6 }
        : { fill: fates[fate] };
      return [svg("path", { d, ...look, "data-fate": FATE[fate] })];
    });
  };
  const boxes = ({ boxes: all }, { muted, surface }) =>
    all.flatMap(({ x, y, width, height, text }) => {
      const edge = { x, y, width, height, rx: text ? 3 : 1, fill: surface, stroke: muted, "stroke-width": 1.2 };
      const number = { x: x + width / 2, y: y + 10.5, "text-anchor": "middle", fill: muted, "font-size": 11 };
      return [svg("rect", edge), ...(text ? [svg("text", number, text)] : [])];
    });
  const texts = (seen, colours) => {
    const tints = { ...colours, returned: colours.fates[RETURNED] };
    return seen.texts.map(({ x, y, text, rank, size, tint }) => {
      const node = svg("text", { x, y, fill: tints[tint], "font-size": size }, text);
      if (rank) node.prepend(svg("tspan", { "font-weight": 700 }, rank));
      return node;
    });
  };
  const heads = ({ ticks, words, head }, { ink, muted, faint, chosen }) => [
    ...ticks.map(({ x, text, now }) =>
      svg("text", {
        x, y: 13, "text-anchor": "middle", fill: now ? chosen : muted, "font-size": 11, "font-weight": now ? 700 : 400,
      }, text)),
    ...words.map(({ x, text, now, later }) =>
      svg("text", {
        transform: `translate(${round(x + 2)} ${head - 6}) rotate(-52)`, fill: now ? chosen : later ? faint : ink,
        "font-size": 11, "font-weight": now ? 700 : 400,
      }, text)),
  ];
  const ring = ({ x, y }, stroke, r, width) =>
    svg("circle", { cx: x, cy: y, r, fill: "none", stroke, "stroke-width": width });

  /** The picture of a scene; texts become text nodes, whatever they hold. */
  const picture = (seen, colours, fonts) => {
    const { width, height, head, band, hits } = seen;
    const clip = svg("clipPath", { id: "dx-beam-rows" }, svg("rect", { x: 0, y: head - 8, width, height: height - head + 8 }));
    const rows = svg(
      "g", { "clip-path": "url(#dx-beam-rows)", fill: "none" },
      svg("path", { d: seen.casing, stroke: colours["chosen-fill"], "stroke-width": 8, "stroke-linejoin": "round" }),
      ...seen.lines.map(({ d, alive, width: thick }) =>
        svg("path", { d, stroke: colours[alive ? "alive" : "removed"], "stroke-width": thick })),
      ...marks(seen, colours), ...boxes(seen, colours),
      ...hits.map((at) => ring(at, colours.accent, 7, 2)), ring(seen.ring, colours.chosen, 9, 2.5),
      svg(
        "g", { class: "dx-halo", stroke: colours.surface, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke" },
        ...seen.notes.map(({ x, y, text }) => svg("text", { x, y, fill: colours.muted, "font-size": 11, "font-family": fonts.text }, text)),
        ...texts(seen, colours)));
    const bandOf = { x: band.x, y: HEAD - 4, width: band.width, height, fill: colours["chosen-band"] };
    return svg(
      "svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", "font-family": fonts.mono },
      svg("defs", {}, clip), svg("rect", bandOf), rows, ...heads(seen, colours));
  };

  /** Draws a scene in place of the one before. @type {Dx["beamPicture"]["draw"]} */
  const draw = (node, seen, colours, fonts) => node.replaceChildren(picture(seen, colours, fonts));

  dx.beamPicture = { colour, palette, draw };
})();
