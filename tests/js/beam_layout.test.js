// What is shown of a beam tree, and where.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamLayout } = load("beam_layout");
const { grow, fold, layout, lineage, spread } = beamLayout;
const NONE = new Set();
const KEPT = 0, PRUNED = 1;
const laidOut = (data, folded = false, opened = NONE) => {
  const tree = grow(data), { items, of } = fold(tree, folded, opened);
  return { tree, items, of, y: layout(tree, items) };
};
/** Items by step, from top to bottom. */
const steps = ({ tree, items, y }) => {
  const out = Array.from({ length: tree.n_steps }, () => []);
  items.forEach((item, id) => out[item.step].push(id));
  return out.map((ids) => ids.sort((a, b) => y[a] - y[b]));
};
const isTidy = (picture) => {
  const { items, y } = picture;
  for (const ids of steps(picture))
    for (let i = 1; i < ids.length; i++) {
      const [above, below] = [ids[i - 1], ids[i]];
      assert.ok(y[below] - y[above] >= 1 - 1e-9, "none is nearer to another than a row");
      const [parent, next] = [items[above].parent, items[below].parent];
      if (parent === next) assert.ok(above < below, "siblings keep their ranks' order");
      else assert.ok(y[parent] < y[next], "no lines cross");
    }
};

describe("grow", () => {
  test("knows where each step begins and whose children there are", () => {
    const tree = grow(beamData([[{}, {}], [{ parent: 1 }, { parent: 0 }, { parent: 1 }]]));
    assert.deepEqual([...tree.first], [0, 2, 5]);
    assert.deepEqual([[...tree.children(-1)], [...tree.children(0)], [...tree.children(1)]], [[0, 1], [3], [2, 4]]);
    assert.deepEqual([...tree.children(4)], []);
  });
  test("puts the groups of a diverse search one under another", () => {
    const tree = grow(beamData([[{ group: 1 }, { group: 0 }, { group: 1 }, { group: 0 }]]));
    assert.deepEqual([...tree.children(-1)], [1, 3, 0, 2]);
  });
});

describe("unfolded", () => {
  test("one node stands level with the prompt", () => {
    const { items, y } = laidOut(beamData([[{}]]));
    assert.deepEqual([items.length, [...y]], [1, [0]]);
  });
  test("a straight line stays straight", () => {
    assert.deepEqual([...laidOut(beamData([[{}], [{ parent: 0 }], [{ parent: 0 }]])).y], [0, 0, 0]);
  });
  test("two beams stand one row apart, about the prompt", () => {
    const [first, second] = laidOut(beamData([[{}, {}]])).y;
    assert.deepEqual([second - first, first + second], [1, 0]);
  });
  test("a beam goes on level, what was dropped stands below it", () => {
    const { y } = laidOut(beamData([[{}], [{ parent: 0 }, { parent: 0, fate: PRUNED }]]));
    assert.equal(y[2] - y[1], 1);
    assert.ok(Math.abs(y[1]) < Math.abs(y[2]));
  });
  test("what was dropped between two beams is pushed aside rather than they", () => {
    // Wishes −1/2, 1/2 and 1/2, weights 8, 1 and 8: one block about −33/34 (isotonic regression), of whose mean, 1/34,
    // four tenths are taken back.
    const { y } = laidOut(beamData([[{}, {}], [{ parent: 0 }, { parent: 1 }, { parent: 0, fate: PRUNED }]]));
    const drift = 0.4 / 34;
    for (const [id, at] of [[2, -33 / 34], [3, 1 / 34], [4, 35 / 34]])
      assert.ok(Math.abs(y[id] - (at - drift)) < 1e-12, `${y}`);
  });
  for (const [width, n_steps, seed] of [[1, 40, 1], [2, 30, 2], [5, 20, 3], [12, 12, 4], [3, 200, 5]])
    test(`${width} beams over ${n_steps} steps do not overlap`, () => {
      const picture = laidOut(grownData(width, n_steps, seed));
      assert.equal(picture.items.length, 2 * width * n_steps);
      assert.deepEqual([...picture.of], picture.items.map((_, i) => picture.items.findIndex((item) => item.node === i)));
      isTidy(picture);
    });
  test("10,000 nodes do not overlap, and take no second", () => {
    const data = grownData(20, 250);
    const began = performance.now();
    const picture = laidOut(data);
    const took = performance.now() - began;
    assert.equal(picture.items.length, 10_000);
    isTidy(picture);
    assert.ok(took < 1000, `${took} ms`); // about 10 on a fast machine
  });
  test("a step more moves nothing that was there", () => {
    const whole = grownData(4, 30, 7);
    const n = 2 * 4 * 20;
    const columns = Object.fromEntries(Object.entries(whole.columns).map(([name, values]) => [name, values.slice(0, n)]));
    const before = laidOut({ ...whole, n_steps: 20, columns });
    assert.deepEqual([...laidOut(whole).y].slice(0, n), [...before.y]);
  });
  test("ranks that a step lacks leave no hole", () => {
    isTidy(laidOut(beamData([[{}, {}], [{ rank: 0, parent: 0 }, { rank: 3, parent: 1 }], [{ parent: 3 }]])));
  });
});

describe("folded", () => {
  const dropped = { parent: 0, fate: PRUNED };
  const crowded = beamData([[{}], [{ parent: 0 }, { parent: 0 }, dropped, dropped]]);
  test("dropped siblings are one crowd", () => {
    const { items, of } = laidOut(crowded, true);
    const crowd = items.find((item) => item.kind === "crowd");
    assert.deepEqual([crowd.hidden, crowd.step, crowd.leaf], [[3, 4], 1, true]);
    assert.equal(of[3], of[4]);
    assert.equal(items[of[3]], crowd);
    assert.equal(items.length, 4);
  });
  test("one dropped token alone is none", () =>
    assert.ok(laidOut(beamData([[{}, {}, { fate: PRUNED }]]), true).items.every((item) => item.kind === "node")));
  test("a crowd that was opened is shown", () =>
    assert.equal(laidOut(crowded, true, new Set([0])).items.filter((item) => item.kind === "crowd").length, 0));
  test("what was returned is never hidden", () => {
    const data = { ...crowded, sparse: { ...crowded.sparse, answer: { 3: 0 } } };
    assert.equal(laidOut(data, true).items.filter((item) => item.kind === "crowd").length, 0);
  });

  const straight = beamData([...Array(6)].map((_, i) => [{ parent: i ? 0 : undefined }, { parent: 0, fate: PRUNED }]));
  test("a stretch without a branch is a run, with what was dropped beside it in it", () => {
    const { items } = laidOut(straight, true);
    const heads = items.filter((item) => item.head);
    assert.deepEqual(heads.map((item) => [item.kind, item.length]), [["run", 5]]);
    const inRun = items.filter((item) => item.kind === "run");
    assert.deepEqual(inRun.map((item) => item.headItem), Array(5).fill(items.indexOf(heads[0])));
  });
  test("a run that was opened is shown", () =>
    assert.ok(laidOut(straight, true, new Set([0])).items.every((item) => item.kind === "node")));
  for (const [width, n_steps] of [[2, 30], [20, 250]])
    test(`${width} beams over ${n_steps} steps do not overlap, and every node has its item`, () => {
      const picture = laidOut(grownData(width, n_steps), true);
      assert.ok(picture.items.length < 2 * width * n_steps);
      assert.ok(picture.of.every((id) => id >= 0 && id < picture.items.length));
      const shown = picture.items.reduce((sum, { kind, hidden }) => sum + hidden.length + (kind === "crowd" ? 0 : 1), 0);
      assert.equal(shown, 2 * width * n_steps);
      isTidy(picture);
    });
});

describe("spread", () => {
  for (const [what, wish, weight, expected] of [
    ["what is apart stays", [0, 1, 5], [1, 1, 1], [0, 1, 5]],
    ["equals give way to each other", [0, 0], [1, 1], [-0.5, 0.5]],
    ["three of them", [0, 0, 0], [1, 1, 1], [-1, 0, 1]],
    ["the heavier less", [0, 0], [3, 1], [-0.25, 0.75]],
    ["what comes in the wrong order keeps its order", [3, 0], [1, 1], [1, 2]],
    ["blocks that meet become one", [0, 0, 1], [1, 1, 1], [-2 / 3, 1 / 3, 4 / 3]],
    ["nothing", [], [], []],
  ])
    test(what, () => {
      const out = spread(wish, weight);
      assert.equal(out.length, expected.length);
      out.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-12, `${out}`));
    });
});

describe("lineage", () => {
  test("leads from the first step through a node, and on to the best that came of it", () => {
    const data = beamData([
      [{}, {}],
      [{ parent: 0 }, { parent: 0 }, { parent: 1, fate: KEPT }],
      [{ parent: 0 }, { parent: 1 }, { parent: 2 }],
    ]);
    data.sparse.answer = { 6: 0, 5: 1, 7: 2 }; // the node of rank 1 in the last step came first
    const tree = grow(data);
    assert.deepEqual(lineage(tree, 0), [0, 3, 6]);
    assert.deepEqual(lineage(tree, 1), [1, 4, 7]);
    assert.deepEqual(lineage(tree, 2), [0, 2, 5]);
  });
  test("ends where nothing went on", () => {
    const tree = grow(beamData([[{}, { fate: PRUNED }], [{ parent: 0 }]]));
    assert.deepEqual(lineage(tree, 1), [1]);
  });
});
