// What is seen of a beam tree.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState, beamWindow, beamFigure, beamLabels } = load(
  "dx", "beam_layout", "beam_state", "beam_window", "beam_words", "beam_labels", "beam_figure");
const LABELS = { root: "prompt", group: "group {n}" };
/** A tree as it is seen in a card of so many pixels. */
const seen = (data, changes = {}, width = 914) => {
  const state = beamState.empty();
  beamState.take(state, { ...data, labels: LABELS });
  Object.assign(state, changes);
  beamState.arrange(state);
  beamWindow.choose(state, width);
  const rows = beamWindow.heightOf(state);
  beamWindow.fitRows(state, rows);
  return { ...beamFigure.scene(state, { width, height: rows + beamFigure.around(state, width) }), state };
};
const two = beamData([
  [{ text: "a" }, { text: "b<" }, { text: "c", fate: 1, logprob: null }],
  [{ text: "d", parent: 1, logprob: -0.1 }, { text: "e", parent: 0, logprob: -5 }],
]);
const line = (n) => beamData([...Array(n)].map((_, i) => [{ parent: i ? 0 : undefined, text: `word${i}` }]));
/** Eight beams in 60 steps, each token with a word of its own. */
const eight = (() => {
  const data = grownData(8, 60);
  data.texts = data.columns.step.map((step, i) => `␣w${step}x${data.columns.rank[i]}`);
  data.columns.text = data.columns.step.map((_, i) => i);
  return { ...data, at: { step: 59, rank: 0 } };
})();

describe("marks", () => {
  test("stand at their step and row, each with its fate", () => {
    const { spots, state } = seen(two);
    assert.deepEqual(spots.map(({ step, fate }) => [step, fate]), [[0, 0], [0, 0], [0, 1], [1, 0], [1, 0]]);
    const ys = spots.map(({ id }) => state.picture.y[id]);
    assert.deepEqual([...spots].sort((a, b) => a.y - b.y).map(({ id }) => state.picture.y[id]), ys.sort((a, b) => a - b));
  });
  test("of crowds and runs are boxes with their numbers", () => {
    const crowd = seen(beamData([[{}, { fate: 1 }, { fate: 1 }, { fate: 1 }]]), { folded: true });
    assert.deepEqual(crowd.boxes.map(({ kind, text }) => [kind, text]), [["crowd", "+3"]]);
    const run = seen(line(8), { folded: true });
    assert.deepEqual(run.boxes.map(({ kind, text }) => [kind, text]), [["run", "7"]]);
    assert.deepEqual(run.spots.map(({ step }) => step), [7]);
  });
  test("are those in the window", () => {
    const { spots, state, width } = seen({ ...grownData(2, 200), at: { step: 100, rank: 0 } });
    assert.ok(spots.length < state.picture.items.length / 10);
    assert.ok(spots.every(({ x }) => x > -150 && x < width + 100));
  });
});

describe("lines", () => {
  test("are one for each width and for living and dead, the dead first, under the others", () => {
    const first = [{ text: "a" }, { text: "b", logprob: -3 }, { fate: 1, logprob: -0.1 }];
    const { lines } = seen(beamData([first, [{ parent: 0, logprob: null }]]));
    assert.deepEqual(lines.map(({ alive, width }) => [alive, width]), [[false, 5], [true, 0.9], [true, 1.6], [true, 3.6]]);
    assert.match(lines[0].d, /^M[\d.]+ [\d.]+L[\d.]+ [\d.]+$/); // a leaf has no level part behind it
    assert.match(lines[3].d, /H[\d.]+$/);
  });
  test("are cased along the path as far as the step", () => {
    const last = seen({ ...two, at: { step: 1, rank: 0 } });
    assert.equal(last.casing.match(/L/g).length, 2);
    const spot = last.spots.find(({ id }) => id === last.state.picture.of[3]);
    assert.deepEqual([last.ring.x, last.ring.y], [spot.x, spot.y]);
    const first = seen({ ...two, at: { step: 0, rank: 1 } });
    assert.equal(first.casing.match(/L/g).length, 1);
    assert.ok(first.veil > first.ring.x && last.veil === null);
  });
});

describe("texts", () => {
  const textsOf = (scene) => scene.texts.map(({ rank, text }) => rank + text);
  test("are the tokens as they are", () => assert.deepEqual(textsOf(seen(two)).sort(), ["a", "b<", "c", "d", "e"]));
  test("name the place of what was returned", () => {
    const scene = seen({ ...two, sparse: { answer: { 3: 0 }, final_score: {}, evicted_at: {} } });
    assert.ok(textsOf(scene).includes("#1 d"));
  });
  test("of 8 beams in 60 steps stand on every kept beam in view, 11 pixels or more, and none covers another", () => {
    const { texts, spots, state, width } = seen(eight, { folded: true });
    const kept = spots.filter(({ fate, x }) => fate === 0 && x > 0 && x < width - 30);
    assert.ok(kept.length > 40);
    const named = new Set(texts.map(({ id }) => id));
    assert.deepEqual(kept.filter(({ id }) => !named.has(id)).map(({ id }) => state.picture.items[id]), []);
    assert.ok(texts.every(({ size }) => size >= 11));
    for (const a of texts)
      for (const b of texts)
        assert.ok(a === b || a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0, `${a.text} covers ${b.text}`);
  });
  test("of a tree of 4 beams stand below its upper edge", () => {
    const { texts, head } = seen(grownData(4, 12));
    assert.ok(texts.length > 30);
    assert.ok(texts.every(({ y0 }) => y0 >= head - 8));
  });
  test("that are longer than their column end in an ellipsis where something follows", () => {
    const [text] = textsOf(seen(beamData([[{ text: "x".repeat(90) }], ...[...Array(20)].map(() => [{ parent: 0 }])])));
    assert.match(text, /^x+…$/);
    assert.ok(beamLabels.widthOf(text, 12) <= 170);
  });
  test("of a run begin with what is in view of it", () => {
    const scene = seen({ ...line(60), at: { step: 55, rank: 0 } }, { folded: true });
    assert.match(textsOf(scene)[0], /^word4\dword/);
  });
});

describe("a whole path", () => {
  const path = seen(eight, { folded: true, fit: "path" });
  test("of 60 steps can be read over its columns: every word, slanted, in order", () => {
    const words = path.state.path.map((node) => eight.texts[node].slice(1));
    assert.deepEqual(path.words.map(({ text }) => text), words);
    const between = path.words.slice(1).map(({ x }, i) => x - path.words[i].x);
    assert.ok(Math.min(...between) * Math.sin((52 * Math.PI) / 180) >= 9, "lines of 11 pixels do not touch");
    assert.deepEqual(path.words.filter(({ now }) => now).length, 1);
  });
  test("has no such words where tokens stand on their lines", () => assert.deepEqual(seen(eight).words, []));
});

describe("step numbers", () => {
  test("of a fork count on from the run that it leaves, by round numbers", () => {
    const { ticks } = seen({ ...grownData(1, 20), first_step: 11 }, { fit: "whole" }, 400);
    assert.deepEqual(ticks.map(({ text }) => text), ["12", "14", "16", "18", "20", "22", "24", "26", "28", "30"]);
  });
  for (const [n_steps, width, first] of [
    [5, 820, [1, 2, 3, 4, 5]], [100, 820, [5, 10, 15]], [100, 400, [10, 20, 30]], [900, 400, [100, 200, 300]],
  ])
    test(`of ${n_steps} steps in ${width} pixels`, () =>
      assert.deepEqual(
        seen(grownData(1, n_steps), { fit: "whole" }, width).ticks.slice(0, first.length).map(({ text }) => Number(text)), first));
});

test("groups are named at the height of their first beam", () => {
  const data = beamData([[{ group: 0 }, { group: 0 }, { group: 1 }, { group: 1 }]], { n_groups: 2 });
  const { notes } = seen(data);
  assert.deepEqual(notes.map(({ text }) => text), ["group 1", "group 2"]);
  assert.ok(notes[0].y < notes[1].y);
  assert.deepEqual(seen(two).notes.map(({ text }) => text), ["prompt"]);
});

test("what was found is ringed, in its crowd, too", () => {
  const data = beamData([[{ text: "a" }, { text: "b", fate: 1 }, { text: "b", fate: 1 }]]);
  const { hits, boxes } = seen(data, { folded: true, found: [1, 2] });
  assert.equal(hits.length, 1);
  assert.ok(Math.abs(hits[0].x - boxes[0].x) <= boxes[0].width);
});
