// The part of the beam tree that is in view: from x0 to x1 in columns, the prompt standing at 0, and from y0 to y1 in
// rows. Plain functions of what is looked at (beam_state.js) and of pixels.
"use strict";
(() => {
  const PITCH = 84, TIGHT = 58; // pixels a column should have so that tokens can be read, and may have to fit in whole
  const LEGIBLE = 13; // pixels of a column under which a slanted word can stand
  const LEAST_ROW = 18, MOST_ROW = 34; // pixels of a row
  const LEAST_HEIGHT = 120, MOST_HEIGHT = 390; // pixels of all rows in view
  const DENSE_ROW = 8; // and where a whole path is wanted
  const SIDES = 20; // pixels left and right of the columns, together
  const ABOVE = 1, BELOW = 0.8; // rows that are left free
  const NARROWEST = 1.5; // columns, zoomed in
  const FEWEST_ROWS = 3;
  const FIRST = -0.2; // the left edge of the tree; the last step has this much room for its texts:
  const LAST = 1.4;

  /** @type {(value: number, least: number, most: number) => number} */
  const within = (value, least, most) => Math.max(least, Math.min(value, most));
  /** @type {(state: SeenTree) => number} */
  const end = (state) => state.tree.n_steps + LAST;

  // --- columns ----------------------------------------------------------------------------------------------------

  /** @type {Dx["beamWindow"]["columnWidth"]} */
  const columnWidth = (state, width) => (width - SIDES) / (state.view.x1 - state.view.x0);

  /** They are chosen anew with the next drawing. @type {Dx["beamWindow"]["forget"]} */
  const forget = (state) => {
    /** @type {BeamState} */ (state).view = null;
  };

  /**
   * As many columns as can be read in `width` pixels; all of them where they fit or are wished for. A path is as long
   * as its hypothesis, and its words may stand slanted.
   * @type {Dx["beamWindow"]["choose"]}
   */
  const choose = (state, width) => {
    const { tree, fit, path } = state;
    const last = fit === "path" && path.length ? tree.step[path[path.length - 1]] + 1 + LAST : end(state);
    const room = width - SIDES, pitch = fit === "path" ? LEGIBLE : PITCH;
    const most = Math.max(3, Math.floor(room / pitch));
    let view = { x0: FIRST, x1: last };
    if (fit !== "whole" && room / (last - FIRST) < (fit === "path" ? LEGIBLE : TIGHT)) {
      const x0 = Math.round(within(state.step + 2 - most * 0.75, 0.2, last - most)) + FIRST;
      view = { x0, x1: x0 + most };
    }
    state.view = { ...view, y0: 0, y1: 1, mine: false, tall: false };
  };

  /**
   * Moves the columns in view when the step has left them; the zoom stays. True where they moved.
   * @type {Dx["beamWindow"]["follow"]}
   */
  const follow = (state) => {
    const { view } = state;
    const x = state.step + 1, width = view.x1 - view.x0;
    if (x - 0.3 >= view.x0 && x + 0.8 <= view.x1) return false;
    const wish = x - width * (x + 0.8 > view.x1 ? 0.35 : 0.65);
    const x0 = within(wish, FIRST, Math.max(FIRST, end(state) - width));
    state.view = { ...view, x0, x1: x0 + width };
    return true;
  };

  /** Zooms about a column, `at`, or about the step in view. @type {Dx["beamWindow"]["zoom"]} */
  const zoom = (state, factor, at) => {
    const { view } = state;
    const before = view.x1 - view.x0, all = end(state) - FIRST;
    const width = within(before * factor, NARROWEST, all);
    const centre = at ?? within(state.step + 1.3, view.x0, view.x1);
    const wish = centre - ((centre - view.x0) / before) * width;
    const x0 = within(wish, FIRST, Math.max(FIRST, end(state) - width));
    state.view = { ...view, x0, x1: x0 + width, mine: true };
  };

  /** Moves what is in view by columns and rows, as far as there are any. @type {Dx["beamWindow"]["pan"]} */
  const pan = (state, columns, rows) => {
    const { view, picture } = state;
    const width = view.x1 - view.x0, height = view.y1 - view.y0;
    const x0 = within(view.x0 + columns, FIRST, Math.max(FIRST, end(state) - width));
    const least = picture.top - ABOVE, most = picture.bottom + BELOW - height;
    const y0 = least < most ? within(view.y0 + rows, least, most) : view.y0;
    const tall = view.tall || (rows !== 0 && y0 !== view.y0);
    state.view = { x0, x1: x0 + width, y0, y1: y0 + height, mine: true, tall };
  };

  /** Another window, by its edges: what is dragged in the overview. @type {Dx["beamWindow"]["reach"]} */
  const reach = (state, edges) => {
    const { view, picture } = state;
    const wish = { ...view, ...edges };
    const x0 = within(wish.x0, FIRST, view.x1 - NARROWEST), x1 = within(wish.x1, view.x0 + NARROWEST, end(state));
    const least = picture.top - ABOVE, most = picture.bottom + BELOW;
    const y0 = within(wish.y0, Math.min(least, view.y0), view.y1 - FEWEST_ROWS);
    const y1 = within(wish.y1, view.y0 + FEWEST_ROWS, Math.max(most, view.y1));
    const tall = view.tall || "y0" in edges || "y1" in edges;
    state.view = { x0, x1, y0, y1, mine: true, tall };
  };

  /** Stretches the rows about the node in view. @type {Dx["beamWindow"]["stretch"]} */
  const stretch = (state, factor) => {
    const { view, picture } = state;
    const at = within(picture.y[dx.beamState.itemInView(state)], view.y0, view.y1), before = view.y1 - view.y0;
    const height = within(before * factor, FEWEST_ROWS, picture.bottom - picture.top + ABOVE + BELOW);
    const y0 = at - ((at - view.y0) / before) * height;
    state.view = { ...view, y0, y1: y0 + height, mine: true, tall: true };
  };

  // --- rows -------------------------------------------------------------------------------------------------------

  /**
   * The highest and lowest row of the columns in view; of a path that is fitted into a high tree, its own.
   * @type {(state: SeenTree) => {top: number, bottom: number}}
   */
  const extent = (state) => {
    const { view, picture } = state;
    const around = 2, onlyPath = state.fit === "path" && (picture.bottom - picture.top) * DENSE_ROW > MOST_HEIGHT;
    let top = Infinity, bottom = -Infinity;
    const take = (id) => {
      const x = picture.items[id].step + 1;
      if (x < view.x0 - 0.6 || x > view.x1 + 0.1) return;
      top = Math.min(top, picture.y[id]);
      bottom = Math.max(bottom, picture.y[id]);
    };
    if (onlyPath) for (const node of state.path) take(picture.of[node]);
    else picture.y.forEach((_, id) => take(id));
    if (top > bottom) return { top: 0, bottom: 0 };
    return onlyPath ? { top: top - around, bottom: bottom + around } : { top, bottom };
  };

  /** Pixels for the rows of the columns in view. @type {Dx["beamWindow"]["heightOf"]} */
  const heightOf = (state) => {
    const { top, bottom } = extent(state);
    return Math.round(within((bottom - top + ABOVE + BELOW) * LEAST_ROW, LEAST_HEIGHT, MOST_HEIGHT));
  };

  /**
   * Fits the rows into `height` pixels: all of the columns in view where each has its least height, else as many about
   * the path as can be read. What somebody has chosen stays.
   * @type {Dx["beamWindow"]["fitRows"]}
   */
  const fitRows = (state, height) => {
    const { view, picture } = state;
    if (view.tall) return;
    const { top, bottom } = extent(state);
    const least = top - ABOVE, most = bottom + BELOW;
    let rows = most - least, y0 = least;
    if (height / rows > MOST_ROW) {
      y0 -= (height / MOST_ROW - rows) / 2;
      rows = height / MOST_ROW;
    } else if (height / rows < LEAST_ROW && !state.fit) {
      rows = height / LEAST_ROW;
      const middle = within(state.step + 1, view.x0 + 0.5, view.x1 - 1);
      const node = state.path[Math.round(middle) - 1] ?? state.path[state.path.length - 1];
      y0 = within(picture.y[picture.of[node]] - rows / 2, least, most - rows);
    }
    state.view = { ...view, y0, y1: y0 + rows };
  };

  /** Whether all of the tree is in view. @type {Dx["beamWindow"]["isAll"]} */
  const isAll = (state) => {
    const { view, picture } = state;
    const wide = view.x0 <= FIRST + 0.01 && view.x1 >= end(state) - 0.01;
    return wide && view.y0 <= picture.top && view.y1 >= picture.bottom;
  };

  dx.beamWindow = {
    FIRST, LAST, SIDES, columnWidth, forget, choose, follow, zoom, pan, reach, stretch, heightOf, fitRows, isAll,
  };
})();
