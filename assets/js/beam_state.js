// What is looked at in the beam tree: the node and its path, the folding, what was found. Plain functions of plain
// data; which part of it is in view is in beam_window.js, the drawing is a function of both (beam_figure.js), keys and
// pointer change them (beam_keys.js).
"use strict";
(() => {
  const RETURNED = 5; // index into the fates, behind those that Python sends
  const UNFOLDED_MOST = 700; // nodes; a larger tree opens folded

  /** @returns {BeamState} */
  const empty = () => ({
    tree: null, picture: null, step: 0, rank: 0, path: [], folded: false, fit: "", opened: new Set(), playing: 0,
    view: null, typed: "", found: [],
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
    state.picture = { items, of, y, top, bottom, hidden: hidden + inRuns };
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
      state.fit = "";
      dx.beamWindow.forget(state);
    }
    // While a run streams, a visitor who went back to look at a step stays there.
    const stays = known && data.streaming && state.step < last;
    state.step = stays ? state.step : data.at.step;
    const node = nodeAt(tree, state.step, stays ? state.rank : data.at.rank);
    state.rank = tree.rank[node];
    state.path = dx.beamLayout.lineage(tree, node);
    arrange(state);
    state.found = dx.beamWords.search(tree, state.typed);
    if (!state.view?.mine) dx.beamWindow.forget(state);
    else if (known) dx.beamWindow.follow(state);
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

  /** The last nodes of what was returned, best first. @type {Dx["beamState"]["answers"]} */
  const answers = ({ sparse }) =>
    Object.keys(sparse.answer).map(Number).sort((a, b) => sparse.answer[a] - sparse.answer[b]);

  /** The item that stands for the node in view. @type {Dx["beamState"]["itemInView"]} */
  const itemInView = ({ tree, picture, step, rank }) => picture.of[nodeAt(tree, step, rank)];

  dx.beamState = { RETURNED, empty, fateOf, textOf, nodeAt, arrange, take, look, answers, itemInView };
})();
