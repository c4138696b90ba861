// What is looked at in the beam tree: the node and its path, the folding, the columns in view. Plain functions of
// plain data; the drawing is a function of it (beam_figure.js), keys and pointer change it (beam_keys.js).
"use strict";
(() => {
  const RETURNED = 5; // index into the fates, behind those that Python sends
  const PITCH = 80, TIGHT = 58; // pixels a column should have so that tokens can be read, and may have to fit in whole
  const MARGIN = 20; // pixels left and right of the columns, together
  const UNFOLDED_MOST = 700; // nodes; a larger tree opens folded
  const NARROWEST = 1.5; // columns, zoomed in

  /** @returns {BeamState} */
  const empty = () => ({
    tree: null, picture: null, step: 0, rank: 0, path: [], folded: false, whole: false, opened: new Set(), playing: 0,
    columns: null,
  });

  /** @type {Dx["beamState"]["fateOf"]} */
  const fateOf = (tree, i) => (i in tree.sparse.answer ? RETURNED : tree.fate[i]);
  /** @type {Dx["beamState"]["textOf"]} */
  const textOf = (tree, i) => tree.texts[tree.text[i]];
  /**
   * The node of a rank; a step may lack some ranks (a beam group whose search is over has no candidates).
   * @type {Dx["beamState"]["nodeAt"]}
   */
  const nodeAt = (tree, step, rank) => {
    const from = tree.first[step], to = tree.first[step + 1];
    for (let i = Math.min(from + rank, to - 1); i >= from; i--) if (tree.rank[i] <= rank) return i;
    return from;
  };

  /**
   * Folding and layout: only when the tree, its folding or an opened crowd changes.
   * @type {Dx["beamState"]["arrange"]}
   */
  const arrange = (state) => {
    const { tree } = state;
    const { items, of } = dx.beamLayout.fold(tree, state.folded, state.opened);
    const y = dx.beamLayout.layout(tree, items);
    let top = 0, bottom = 0;
    for (const value of y) {
      if (value < top) top = value;
      if (value > bottom) bottom = value;
    }
    const hidden = items.reduce((sum, item) => sum + item.hidden.length, 0);
    const inRuns = items.reduce((sum, item) => sum + (item.kind === "run" && !item.head ? 1 : 0), 0);
    state.picture = { items, of, y, top, bottom, hidden: hidden + inRuns, shown: [], labelled: [0, 0] };
  };

  /**
   * A tree from Python. Of the tree in view, a step longer, what is looked at stays.
   * @type {Dx["beamState"]["take"]}
   */
  const take = (state, data) => {
    const known = state.tree && state.tree.key === data.key, last = state.tree ? state.tree.n_steps - 1 : 0;
    const tree = (state.tree = dx.beamLayout.grow(data));
    if (!known) {
      state.opened = new Set();
      state.folded = tree.n > UNFOLDED_MOST || tree.n / tree.n_steps > 26;
      state.whole = false;
      forgetColumns(state);
    }
    // While a run streams, a visitor who went back to look at a step stays there.
    const stays = known && data.streaming && state.step < last;
    state.step = stays ? state.step : data.at.step;
    const node = nodeAt(tree, state.step, stays ? state.rank : data.at.rank);
    state.rank = tree.rank[node];
    state.path = dx.beamLayout.lineage(tree, node);
    arrange(state);
    if (!state.columns?.mine) forgetColumns(state);
    else if (known) follow(state);
  };

  /**
   * The node in view: its path is another one, unless the one in view leads through it.
   * @type {Dx["beamState"]["look"]}
   */
  const look = (state, node, keepPath) => {
    if (!keepPath || !state.path.includes(node)) state.path = dx.beamLayout.lineage(state.tree, node);
    state.step = state.tree.step[node];
    state.rank = state.tree.rank[node];
  };

  // --- columns in view: {x0, x1} in steps, the prompt standing at 0; null: to be chosen anew --------------------

  /**
   * They are chosen anew with the next drawing.
   * @type {Dx["beamState"]["forgetColumns"]}
   */
  const forgetColumns = (state) => {
    /** @type {BeamState} */ (state).columns = null;
  };

  /** @type {Dx["beamState"]["columnWidth"]} */
  const columnWidth = (state, width) => (width - MARGIN) / (state.columns.x1 - state.columns.x0);

  /**
   * As many columns as can be read in `width` pixels; all of them where they fit or are wished for.
   * @type {Dx["beamState"]["chooseColumns"]}
   */
  const chooseColumns = (state, width) => {
    const room = width - MARGIN, all = state.tree.n_steps + 1.2;
    const fit = Math.max(3, Math.floor(room / PITCH));
    if (state.whole || room / (all + 0.2) >= TIGHT) state.columns = { x0: -0.2, x1: all };
    else {
      const x0 = Math.round(Math.min(Math.max(state.step + 2 - fit * 0.75, 0.2), all - fit)) - 0.2;
      state.columns = { x0, x1: x0 + fit };
    }
  };

  /**
   * Moves the columns in view when the step has left them; the zoom stays. True where they moved.
   * @type {Dx["beamState"]["follow"]}
   */
  const follow = (state) => {
    const { columns, tree } = state;
    const x = state.step + 1, width = columns.x1 - columns.x0;
    if (x - 0.3 >= columns.x0 && x + 0.8 <= columns.x1) return false;
    const wish = x - width * (x + 0.8 > columns.x1 ? 0.35 : 0.65);
    const x0 = Math.min(Math.max(wish, -0.15), Math.max(-0.15, tree.n_steps + 1.2 - width));
    state.columns = { ...columns, x0, x1: x0 + width };
    return true;
  };

  /** Zooms about a column, `at`, or about the step in view. @type {Dx["beamState"]["zoom"]} */
  const zoom = (state, factor, at) => {
    const { columns, tree } = state;
    const before = columns.x1 - columns.x0;
    const width = Math.max(NARROWEST, Math.min(before * factor, tree.n_steps + 1.5));
    const centre = at ?? Math.min(Math.max(state.step + 1.3, columns.x0), columns.x1);
    const x0 = centre - ((centre - columns.x0) / before) * width;
    state.columns = { ...columns, x0, x1: x0 + width, mine: true };
  };

  dx.beamState = {
    RETURNED, empty, fateOf, textOf, nodeAt, arrange, take, look, forgetColumns, columnWidth, chooseColumns, follow,
    zoom,
  };
})();
