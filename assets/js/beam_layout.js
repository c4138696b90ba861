// The beam tree without its drawing: what is shown (folding) and where (a tidy layout). Plain functions of plain data.
"use strict";
(() => {
  const KEPT = 0, FINISHED = 2; // indexes into the fates that Python sends
  const SHORTEST_RUN = 3; // tokens without a branch that are worth folding
  const SMALLEST_CROWD = 2;
  const CENTRING = 0.4; // how much of a step's distance from the middle is taken back: lines would drift away
  const KEPT_WEIGHT = 8; // how much more a running beam resists being pushed aside than a leaf

  /**
   * The tree with what is needed to walk it: children by index, and where each step begins.
   * @type {Dx["beamLayout"]["grow"]}
   */
  const grow = (data) => {
    const { step, rank, parent, group } = data.columns;
    const n = step.length;
    const first = new Int32Array(data.n_steps + 1).fill(n);
    for (let i = n - 1; i >= 0; i--) first[step[i]] = i;
    const counts = new Int32Array(n + 2);
    for (let i = 0; i < n; i++) counts[parent[i] + 2]++;
    const start = new Int32Array(n + 2); // children of node i: child[start[i + 1]] up to child[start[i + 2]]
    for (let i = 1; i < n + 2; i++) start[i] = start[i - 1] + counts[i];
    const fill = start.slice();
    const child = new Int32Array(n);
    for (let i = 0; i < n; i++) child[fill[parent[i] + 1]++] = i; // sorted by step and rank already
    const children = (i) => child.subarray(start[i + 1], start[i + 2]);
    if (group.length) {
      const roots = children(-1);
      roots.set(Array.from(roots).sort((a, b) => group[a] - group[b] || rank[a] - rank[b]));
    }
    return { ...data, n, first, children, ...data.columns };
  };

  /** @type {(tree: BeamTree, node: number) => boolean} */
  const goesOn = (tree, i) => tree.fate[i] === KEPT || tree.fate[i] === FINISHED;

  /**
   * What is drawn: items by step. An item is a node, or a crowd of dropped siblings, or an inner node of a run
   * (a stretch in which only one candidate goes on at each step), which only carries the line.
   * Returns {items, of}: `of[i]` is the item that stands for node i.
   * @type {Dx["beamLayout"]["fold"]}
   */
  const fold = (tree, folded, opened) => {
    const items = [];
    const of = new Int32Array(tree.n).fill(-1);
    const inRun = folded ? runs(tree, opened) : null;
    let level = [{ node: -1, item: -1 }];
    while (level.length) {
      const next = [];
      for (const { node, item } of level) {
        const kids = tree.children(node);
        const crowd = new Set();
        const hides = inRun && node >= 0 && inRun[node] > 0;
        for (const kid of kids) {
          const leaf = !goesOn(tree, kid) && !(kid in tree.sparse.answer);
          if (folded && leaf && (hides || !opened.has(node)) && tree.children(kid).length === 0) crowd.add(kid);
        }
        const together = hides || crowd.size >= SMALLEST_CROWD;
        let crowdItem = -1;
        for (const kid of kids) {
          if (together && crowd.has(kid)) {
            if (hides) {
              of[kid] = item;
              items[item].hidden.push(kid);
              continue;
            }
            if (crowdItem < 0) {
              crowdItem = items.length;
              items.push({ kind: "crowd", node: kid, parent: item, above: node, hidden: [], step: tree.step[kid], leaf: true });
            }
            items[crowdItem].hidden.push(kid);
            of[kid] = crowdItem;
            continue;
          }
          const id = items.length;
          const run = inRun ? inRun[kid] : 0;
          const item_ = {
            kind: run > 0 ? "run" : "node", node: kid, parent: item, above: node, hidden: [], step: tree.step[kid],
            leaf: tree.children(kid).length === 0, head: run === 1, length: 0,
          };
          if (run > 0) item_.headItem = run === 1 ? id : items[item].headItem;
          items.push(item_);
          if (run > 0) items[item_.headItem].length++;
          of[kid] = id;
          next.push({ node: kid, item: id });
        }
      }
      level = next;
    }
    return { items, of };
  };

  /**
   * For each node its place in a run that is folded, from 1; 0 outside of runs.
   * @type {(tree: BeamTree, opened: Set<number>) => Int32Array}
   */
  const runs = (tree, opened) => {
    const place = new Int32Array(tree.n);
    const only = new Int32Array(tree.n).fill(-1); // the one child that goes on
    for (let i = 0; i < tree.n; i++) {
      if (tree.fate[i] !== KEPT) continue;
      const on = Array.from(tree.children(i)).filter((kid) => goesOn(tree, kid));
      if (on.length === 1 && tree.fate[on[0]] === KEPT && !(i in tree.sparse.answer)) only[i] = on[0];
    }
    const seen = new Uint8Array(tree.n);
    for (let i = 0; i < tree.n; i++) {
      if (seen[i] || only[i] < 0) continue;
      const stretch = [];
      for (let at = i; at >= 0 && only[at] >= 0; at = only[at]) {
        seen[at] = 1;
        stretch.push(at);
      }
      if (stretch.length >= SHORTEST_RUN && !opened.has(stretch[0])) stretch.forEach((at, k) => (place[at] = k + 1));
    }
    return place;
  };

  /**
   * A y for every item, in rows. Within a step items keep the order of their parents and, among siblings, of
   * rank, so no lines cross; each wants to be level with its parent (running beams) or just below it (the rest),
   * and they give way to each other so that none is nearer than one row: isotonic regression, O(n). What comes
   * later never moves what came before, so the picture stands still while a run grows.
   * @type {Dx["beamLayout"]["layout"]}
   */
  const layout = (tree, items) => {
    const y = new Float64Array(items.length);
    const bySteps = Array.from({ length: tree.n_steps }, () => /** @type {number[]} */ ([]));
    items.forEach((item, id) => bySteps[item.step]?.push(id));
    /** @type {number[]} */
    let order = []; // items of the step before, from top to bottom
    for (const ids of bySteps) {
      const kids = new Map();
      for (const id of ids) {
        const above = items[id].parent;
        if (kids.has(above)) kids.get(above).push(id);
        else kids.set(above, [id]);
      }
      const sorted = [], wish = [], weight = [];
      for (const above of order.length ? order : [-1]) {
        const siblings = kids.get(above);
        if (!siblings) continue;
        const on = siblings.map((id) => items[id].kind !== "crowd" && goesOn(tree, items[id].node));
        const places = on.flatMap((yes, k) => (yes ? [k] : []));
        const middle = places.length ? (places[0] + places[places.length - 1]) / 2 : (siblings.length - 1) / 2;
        const level = above < 0 ? 0 : y[above];
        siblings.forEach((id, k) => {
          sorted.push(id);
          wish.push(level + k - middle);
          weight.push(on[k] ? KEPT_WEIGHT : 1);
        });
      }
      const placed = spread(wish, weight);
      const drift = CENTRING * (placed.reduce((sum, value, k) => sum + value * weight[k], 0) / weight.reduce((a, b) => a + b, 0) || 0);
      placed.forEach((value, k) => (y[sorted[k]] = value - drift));
      order = sorted;
    }
    return y;
  };

  /**
   * The nearest values to `wish` (by weighted squares) that rise by at least 1 from each to the next.
   * @type {Dx["beamLayout"]["spread"]}
   */
  const spread = (wish, weight) => {
    const mean = [], mass = [], size = [];
    wish.forEach((value, k) => {
      let m = value - k, w = weight[k], n = 1;
      while (mean.length && mean[mean.length - 1] >= m) {
        const w0 = mass.pop(), m0 = mean.pop();
        n += size.pop();
        m = (m * w + m0 * w0) / (w + w0);
        w += w0;
      }
      mean.push(m);
      mass.push(w);
      size.push(n);
    });
    const out = [];
    mean.forEach((m, block) => {
      for (let k = 0; k < size[block]; k++) out.push(m + out.length);
    });
    return out;
  };

  /**
   * The nodes from the first step through `node`, and on along the best of what came of it.
   * @type {Dx["beamLayout"]["lineage"]}
   */
  const lineage = (tree, node) => {
    const path = [];
    for (let at = node; at >= 0; at = tree.parent[at]) path.unshift(at);
    const best = bestEnd(tree);
    for (let at = node; ; ) {
      const kids = Array.from(tree.children(at)).filter((kid) => goesOn(tree, kid) || kid in tree.sparse.answer);
      if (!kids.length) break;
      at = kids.reduce((a, b) => (best[b] < best[a] ? b : a));
      path.push(at);
    }
    return path;
  };

  /**
   * For each node the best place that any of its descendants was returned in; else how far its line got, as a loss.
   * @type {(tree: BeamTree) => Float64Array}
   */
  const bestEnd = (tree) => {
    if (tree.bestEnd) return tree.bestEnd;
    const best = new Float64Array(tree.n).fill(Infinity);
    for (let i = tree.n - 1; i >= 0; i--) {
      const own = i in tree.sparse.answer ? tree.sparse.answer[i] : 1e6 - tree.step[i];
      best[i] = Math.min(best[i], own);
      const above = tree.parent[i];
      if (above >= 0) best[above] = Math.min(best[above], best[i]);
    }
    return (tree.bestEnd = best);
  };

  dx.beamLayout = { grow, fold, layout, lineage, spread };
})();
