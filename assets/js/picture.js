// Pictures as SVG: their elements, what a canvas would have drawn as such elements, and the file that one is kept in.
"use strict";
(() => {
  dx.svg = (tag, attributes, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    node.append(...children);
    return node;
  };

  const ANCHOR = { left: "start", center: "middle", right: "end" };

  /** What the heat map asks of a canvas's context, drawn as SVG; texts become text nodes, whatever they hold. */
  dx.svgContext = (width, height) => {
    const node = dx.svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const ruler = /** @type {CanvasRenderingContext2D} */ (dx.el("canvas").getContext("2d"));
    const outer = [];
    let [box, path, dash] = [/** @type {SVGElement} */ (node), "", ""];
    const into = (tag, attributes) => {
      const group = dx.svg(tag, attributes);
      box.append(group);
      box = group;
    };
    const add = (tag, attributes, ...children) => box.append(dx.svg(tag, { opacity: ctx.globalAlpha, ...attributes }, ...children));
    const line = () => ({ fill: "none", stroke: ctx.strokeStyle, "stroke-width": ctx.lineWidth, "stroke-dasharray": dash });
    const ctx = {
      fillStyle: "", strokeStyle: "", lineWidth: 1, globalAlpha: 1, font: "", textAlign: "left", textBaseline: "middle",
      save: () => outer.push(box),
      restore: () => (box = outer.pop() ?? node),
      translate: (x, y) => into("g", { transform: `translate(${x} ${y})` }),
      clip() {
        box.append(dx.svg("clipPath", { id: "dx-picture-clip" }, dx.svg("path", { d: path })));
        into("g", { "clip-path": "url(#dx-picture-clip)" });
      },
      beginPath: () => (path = ""),
      moveTo: (x, y) => (path += `M${x} ${y}`),
      lineTo: (x, y) => (path += `L${x} ${y}`),
      rect: (x, y, w, h) => (path += `M${x} ${y}h${w}v${h}h${-w}z`),
      stroke: () => add("path", { d: path, ...line() }),
      fill: () => add("path", { d: path, fill: ctx.fillStyle }),
      fillRect: (x, y, w, h) => add("rect", { x, y, width: Math.max(0, w), height: Math.max(0, h), fill: ctx.fillStyle }),
      strokeRect: (x, y, w, h) => add("rect", { x, y, width: w, height: h, ...line() }),
      setLineDash: (lengths) => (dash = lengths.join(" ")),
      fillText: (text, x, y) =>
        add("text", { x, y, fill: ctx.fillStyle, style: `font:${ctx.font}`, "text-anchor": ANCHOR[ctx.textAlign], "dominant-baseline": "central" }, text),
      measureText(text) {
        ruler.font = ctx.font;
        return ruler.measureText(text);
      },
    };
    return { node, ctx };
  };

  const asFile = (blob, name) => {
    const url = URL.createObjectURL(blob);
    dx.el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 5000);
  };
  /** Saves a picture as it stands: SVG, or PNG of twice its size. */
  dx.savePicture = (drawn, format, name, surface) => {
    const copy = /** @type {SVGElement} */ (drawn.cloneNode(true));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.prepend(dx.svg("rect", { width: "100%", height: "100%", fill: surface }));
    const blob = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
    if (format === "svg") return asFile(blob, name);
    const image = new Image(), url = URL.createObjectURL(blob);
    image.onload = () => {
      const canvas = dx.el("canvas", { width: 2 * image.width, height: 2 * image.height });
      canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(url);
      canvas.toBlob((png) => png && asFile(png, name));
    };
    image.src = url;
  };
})();
