// All of the beam tree in a strip, with the window to drag: by its middle, its edges, and by keys.
"use strict";
(() => {
  const INSET = 4; // pixels above and below the tree
  const SHARE = 0.25; // of the window that a key moves it by
  const CLOSER = 0.8, FARTHER = 1.25;
  const LEAST = 14; // pixels of the window, so that a hand finds it
  const EDGES = ["left", "right", "top", "bottom"];
  const { FIRST, LAST, isAll } = dx.beamWindow;

  /** From columns and rows to pixels of the strip, and back. */
  const scale = ({ tree, picture }, width, height) => {
    const columns = tree.n_steps + LAST - FIRST, rows = Math.max(1, picture.bottom - picture.top);
    const room = height - 2 * INSET;
    return {
      x: (at) => ((at - FIRST) / columns) * width,
      y: (at) => INSET + ((at - picture.top) / rows) * room,
      columns: (pixels) => (pixels / width) * columns,
      rows: (pixels) => (pixels / room) * rows,
    };
  };

  /** The lines of all items: the dead first, then the living, then the path; and what was found. */
  const paint = (canvas, state, colours, width, height) => {
    const { tree, picture } = state, { x, y } = scale(state, width, height), ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    const onPath = new Set(state.path.map((node) => picture.of[node]));
    const rank = picture.items.map((item, id) =>
      onPath.has(id) ? 2 : item.kind !== "crowd" && (tree.fate[item.node] === 0 || tree.fate[item.node] === 2) ? 1 : 0);
    const looks = [[colours.removed, 0.7], [colours.alive, 1.2], [colours.chosen, 2]];
    looks.forEach(([stroke, thick], which) => {
      pen.beginPath();
      picture.items.forEach((item, id) => {
        if (rank[id] !== which) return;
        pen.moveTo(x(item.step), y(item.parent < 0 ? 0 : picture.y[item.parent]));
        pen.lineTo(x(item.step + 1), y(picture.y[id]));
      });
      [pen.strokeStyle, pen.lineWidth] = [stroke, thick];
      pen.stroke();
    });
    pen.fillStyle = colours.accent;
    for (const node of state.found) pen.fillRect(x(tree.step[node] + 1) - 1, 0, 2, height);
  };

  /** @type {Dx["beamOverview"]} */
  dx.beamOverview = (parts, state, act) => {
    const { overview, window: frame } = parts, canvas = overview.querySelector("canvas");
    frame.append(...EDGES.map((edge) => dx.el("i", { "data-edge": edge, "aria-hidden": "true" })));
    const size = () => [overview.clientWidth, overview.clientHeight];

    /** The strip, if there is more than what is in view, or somebody moved it. */
    const build = (colours) => {
      overview.hidden = !state.view.mine && isAll(state);
      if (overview.hidden) return;
      const [width, height] = size();
      if (width) paint(canvas, state, colours, width, height);
      show();
    };
    /** Where the window is. */
    const show = () => {
      if (overview.hidden) return;
      const { view, tree } = state, { x, y } = scale(state, ...size());
      const [left, right] = [Math.max(0, x(view.x0)), Math.min(size()[0], x(view.x1))];
      const [top, bottom] = [Math.max(0, y(view.y0)), Math.min(size()[1], y(view.y1))];
      frame.style.left = `${left}px`;
      frame.style.top = `${top}px`;
      frame.style.width = `${Math.max(LEAST, right - left)}px`;
      frame.style.height = `${Math.max(LEAST, bottom - top)}px`;
      const from = Math.max(1, Math.ceil(view.x0)), to = Math.min(tree.n_steps, Math.floor(view.x1));
      const [first, last, of] = [from, to, tree.n_steps].map((column) => dx.stepNumber(column - 1, tree));
      const said = dx.beamWords.filled(tree.labels.window, { from: first, to: last, of });
      for (const [name, value] of Object.entries({ valuemin: 1, valuemax: tree.n_steps, valuenow: from, valuetext: said }))
        frame.setAttribute(`aria-${name}`, String(value));
    };

    // --- by hand ------------------------------------------------------------------------------------------------------

    overview.addEventListener("pointerdown", (event) => {
      if (event.button || !state.view) return;
      event.preventDefault();
      frame.focus({ preventScroll: true });
      const box = overview.getBoundingClientRect(), at = scale(state, box.width, box.height);
      const edge = event.target instanceof HTMLElement ? event.target.dataset.edge : undefined;
      const { view } = state;
      if (!edge && !frame.contains(event.target)) {
        const columns = at.columns(event.clientX - box.left) + FIRST - (view.x0 + view.x1) / 2;
        act.pan(columns, at.rows(event.clientY - box.top - INSET) + state.picture.top - (view.y0 + view.y1) / 2);
      }
      const start = { ...state.view };
      const move = (moved) => {
        const columns = at.columns(moved.clientX - event.clientX), rows = at.rows(moved.clientY - event.clientY);
        if (edge === "left") act.reach({ x0: start.x0 + columns });
        else if (edge === "right") act.reach({ x1: start.x1 + columns });
        else if (edge === "top") act.reach({ y0: start.y0 + rows });
        else if (edge === "bottom") act.reach({ y1: start.y1 + rows });
        else act.pan(start.x0 + columns - state.view.x0, start.y0 + rows - state.view.y0);
      };
      const stop = () => {
        removeEventListener("pointermove", move);
        removeEventListener("pointerup", stop);
        removeEventListener("pointercancel", stop);
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", stop);
      addEventListener("pointercancel", stop);
    });

    frame.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !state.view) return;
      const { x0, x1, y0, y1 } = state.view, columns = x1 - x0, rows = y1 - y0, all = state.tree.n_steps + 2;
      const moves = {
        ArrowLeft: () => act.pan(-SHARE * columns, 0), ArrowRight: () => act.pan(SHARE * columns, 0),
        ArrowUp: () => (event.shiftKey ? act.stretch(CLOSER) : act.pan(0, -SHARE * rows)),
        ArrowDown: () => (event.shiftKey ? act.stretch(FARTHER) : act.pan(0, SHARE * rows)),
        PageUp: () => act.pan(-columns, 0), PageDown: () => act.pan(columns, 0),
        Home: () => act.pan(-all, 0), End: () => act.pan(all, 0),
        "+": () => act.zoom(CLOSER), "-": () => act.zoom(FARTHER),
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      event.stopPropagation(); // in the tree these keys change the step
      moves[event.key]();
    });

    return { build, show };
  };
})();
