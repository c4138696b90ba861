// The beam tree on the page: its picture, the veil over the future, the legend and the count.
"use strict";
(() => {
  const SIGN = ["●", "×", "■", "▽", "◇", "★"];
  const { FATE, countOf } = dx.beamWords;
  const { around, scene } = dx.beamFigure;
  const { colour, palette } = dx.beamPicture;
  const { choose, heightOf, fitRows, follow } = dx.beamWindow;

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

  /** `overview`: told when the window has changed, and when all has. @type {Dx["beamDrawing"]} */
  dx.beamDrawing = (element, parts, state, overview) => {
    let colours = palette(), drawnWidth = 0;
    const fonts = () => ({ text: getComputedStyle(element).fontFamily, mono: colour("mono") });

    /** What is in the window, in the room that there is. */
    const redraw = () => {
      const { clientWidth: width, clientHeight: height } = parts.scroll;
      if (!state.tree || !state.view || !width) return;
      fitRows(state, height - around(state, width));
      const seen = scene(state, { width, height });
      parts.plot.scene = seen; // what the pointer is over is looked for in it
      dx.beamPicture.draw(parts.plot, seen, colours, fonts());
      parts.veil.hidden = seen.veil === null || seen.veil >= width;
      parts.veil.style.left = `${Math.max(0, seen.veil ?? 0)}px`;
      parts.veil.style.top = `${seen.head - 2}px`;
      overview.show();
      done();
    };
    const done = () => {
      parts.plot.dataset.drawn = `${state.tree.key}.${state.step}.${state.rank}`;
      element.dispatchEvent(new CustomEvent("dx-drawn", { detail: parts.plot.dataset.drawn, bubbles: true }));
    };
    /** Everything anew, in the height that the window wants: after a change of data, folding, size or colours. */
    const draw = () => {
      const { tree } = state, width = parts.scroll.clientWidth;
      if (!tree || !width) return;
      drawnWidth = width;
      colours = palette();
      if (!state.view) choose(state, width);
      const rows = heightOf(state);
      parts.scroll.style.height = `${rows + around(state, width)}px`;
      fitRows(state, rows);
      overview.build(colours);
      redraw();
      parts.count.textContent = countOf(tree, state.picture);
      parts.count.dataset.items = String(state.picture.items.length);
    };
    /** Another window: it may want more height; less would move what stands below at each turn. */
    const rewindow = () => {
      if (!state.tree || !state.view) return;
      const { clientWidth: width, clientHeight: height } = parts.scroll;
      const wish = heightOf(state) + around(state, width);
      if (wish > height) parts.scroll.style.height = `${wish}px`;
      if (parts.overview.hidden) overview.build(colours); // a tree that was all in view, and is no more
      redraw();
    };
    /** Another step or node in view. */
    const restep = () => {
      if (!state.tree || !state.view) return;
      follow(state);
      overview.build(colours);
      redraw();
    };

    new ResizeObserver(() => {
      if (!state.tree || parts.scroll.clientWidth === drawnWidth) return;
      if (!state.view?.mine) dx.beamWindow.forget(state);
      requestAnimationFrame(draw);
    }).observe(parts.scroll);
    dx.onScheme(() => requestAnimationFrame(draw));

    return {
      draw, redraw, restepSoon: inNextFrame(restep), redrawSoon: inNextFrame(redraw),
      rewindowSoon: inNextFrame(rewindow),
      showLegend: () => parts.legend.replaceChildren(...legendOf(state.tree)),
      save: (format, name) => dx.savePicture(parts.plot.firstElementChild, format, name, colours.surface),
    };
  };
})();
