// What would be drawn of a beam tree.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState, beamFigure } = load("beam_layout", "beam_state", "beam_figure");
const COLOURS = {
  fates: ["kept", "pruned", "finished", "ended", "beaten", "returned"], ink: "ink", muted: "muted", faint: "faint",
  alive: "alive", removed: "removed", chosen: "chosen", "chosen-fill": "fill", "chosen-band": "band",
};
const SIZE = { width: 820, height: 300 };
const LABELS = {
  root: "prompt", crowd: "{n} dropped", run: "{n} tokens", tip: "{step}.{rank} {fate} {logprob} {p} {score}",
  "tip.margin": "by {margin}", "tip.rival": "{margin} before {rival}", "tip.final": "final {final}",
  "tip.place": "no. {place}", "tip.evicted": "until {step}",
  group: "group {n}", counted: "{all}", folded: "{all}, {hidden} folded", gl: "by WebGL",
};
const opened = (data, changes = {}) => {
  const state = beamState.empty();
  beamState.take(state, { ...data, labels: LABELS, fate_labels: { kept: "kept", pruned: "pruned" } });
  Object.assign(state, changes);
  beamState.arrange(state);
  beamState.chooseColumns(state, SIZE.width);
  return state;
};
const figureOf = (state, gl = false) => beamFigure.figure(state, SIZE, COLOURS, gl, "serif");
const marksOf = (state) => figureOf(state).data.find((trace) => trace.mode === "markers");
const two = beamData([
  [{ text: "a" }, { text: "b<" }, { text: "c", fate: 1, logprob: null }],
  [{ text: "d", parent: 1, logprob: -0.1 }, { text: "e", parent: 0, logprob: -5 }],
]);

describe("marks", () => {
  test("stand at their step and row, in the fate's colour", () => {
    const state = opened(two), marks = marksOf(state);
    assert.deepEqual(marks.x, [1, 1, 1, 2, 2]);
    assert.deepEqual(marks.y, [...state.picture.y]);
    assert.deepEqual(marks.marker.color, ["kept", "kept", "pruned", "kept", "kept"]);
    assert.deepEqual(marks.marker.symbol, ["circle", "circle", "x-thin", "circle", "circle"]);
  });
  test("of a run are its first node's alone", () => {
    const line = beamData([...Array(8)].map((_, i) => [{ parent: i ? 0 : undefined, text: `${i}` }]));
    const state = opened(line, { folded: true });
    assert.deepEqual(state.picture.items.map((item) => item.kind), [...Array(7).fill("run"), "node"]);
    assert.deepEqual(marksOf(state).x, [1, 8]);
    assert.deepEqual(marksOf(state).marker.symbol, ["square-open", "circle"]);
    assert.deepEqual(state.picture.shown, [0, 7]);
  });
});

describe("lines", () => {
  test("lead from each node's parent, one trace for each width and for living and dead", () => {
    const first = [{ text: "a" }, { text: "b", logprob: -3 }, { fate: 1, logprob: -0.1 }];
    const state = opened(beamData([first, [{ parent: 0, logprob: null }]]));
    const lines = figureOf(state).data.filter((trace) => trace.mode === "lines");
    const points = lines.reduce((sum, line) => sum + line.x.filter((x) => x !== null).length, 0);
    assert.equal(points, 3 + 2 + 2 + 2); // a leaf has no level part behind it
    assert.deepEqual(lines.map((line) => [line.line.color, line.line.width]),
                     [["removed", 5], ["alive", 0.9], ["alive", 1.6], ["alive", 3.6]]); // dead ones first, under the others
  });
  test("are WebGL's where that is asked for", () =>
    assert.deepEqual([...new Set(figureOf(opened(two), true).data.map((trace) => trace.type))], ["scattergl", "scatter"]));
});

describe("labels", () => {
  const textsOf = (state, size = SIZE) => beamFigure.labels(state, COLOURS, size).text;
  test("are the tokens as text, not as markup", () =>
    assert.deepEqual(textsOf(opened(two)), ["prompt", "a", "b&lt;", "c", "e", "d"]));
  test("are left out where there is no room", () => {
    assert.deepEqual(textsOf(opened(two), { width: 100, height: 300 }), []);
    assert.deepEqual(textsOf(opened(two), { width: 820, height: 40 }), ["prompt"]);
  });
  test("name the place of what was returned, in whatever room", () => {
    const state = opened({ ...two, sparse: { answer: { 3: 0 }, final_score: {}, evicted_at: {} } });
    assert.deepEqual(textsOf(state).slice(-2), ["e", "<b>#1</b> d"]);
    assert.deepEqual(textsOf(state, { width: 100, height: 300 }), ["<b>#1</b> "]);
  });
  test("are cut where they are longer than their column", () => {
    const text = textsOf(opened(beamData([[{ text: "x".repeat(90) }], ...[...Array(20)].map(() => [{ parent: 0 }])])))[1];
    assert.match(text, /^x+…$/);
    assert.ok(text.length * 6.8 <= 80);
  });
  test("are those of the columns in view", () => {
    const state = opened(grownData(1, 100), { folded: false });
    assert.ok(textsOf(state).length < 50);
  });
});

describe("step numbers", () => {
  for (const [n_steps, width, first] of [
    [5, 820, [1, 2, 3, 4, 5]], [100, 820, [5, 10, 15]], [100, 400, [10, 20, 30]], [900, 400, [100, 200, 300]],
  ])
    test(`of ${n_steps} steps in ${width} pixels`, () => {
      const state = opened(grownData(1, n_steps), { whole: true });
      beamState.chooseColumns(state, width);
      const { tickvals, ticktext } = beamFigure.ticks(state, width);
      assert.deepEqual(tickvals.slice(0, first.length), first);
      assert.deepEqual(ticktext, tickvals.map(String));
    });
});

describe("shapes", () => {
  test("are the step's band, the path's casing as far as that step, and a ring round the node", () => {
    const state = opened({ ...two, at: { step: 1, rank: 0 } });
    const [band, casing, ring] = beamFigure.shapes(state, COLOURS);
    assert.deepEqual([band.x0, band.x1].map((x) => x.toFixed(2)), ["1.78", "2.78"]);
    const [b, d] = [1, 3].map((node) => state.picture.y[state.picture.of[node]]);
    assert.equal(casing.path, `M0,0L0.6,0L1,${b}L1.6,${b}L2,${d}`);
    assert.deepEqual([ring.xanchor, ring.yanchor], [2, d]);
    beamState.look(state, 1, true);
    assert.equal(beamFigure.shapes(state, COLOURS)[1].path, `M0,0L0.6,0L1,${b}`);
  });
  test("groups are named at the height of their first beam", () => {
    const data = beamData([[{ group: 0 }, { group: 0 }, { group: 1 }, { group: 1 }]], { n_groups: 2 });
    const { layout } = figureOf(opened(data));
    assert.deepEqual(layout.annotations.map((note) => note.text), ["group 1", "group 2"]);
    assert.ok(layout.annotations[0].y < layout.annotations[1].y);
    assert.deepEqual(figureOf(opened(two)).layout.annotations, []);
  });
});

describe("in words", () => {
  const tip = (state, node) => beamFigure.tipOf(state.tree, state.picture.items[state.picture.of[node]]);
  test("a node: its token, where, with which probability and score", () => {
    assert.equal(tip(opened(two), 3), "d\n2.1 kept −0.10 90.5% −1.00");
    assert.equal(tip(opened(two), 2), "c\n1.3 pruned – 0 −1.00");
  });
  test("a node: by how much it came through, its place, its end", () => {
    const state = opened({ ...two, sparse: { answer: { 3: 1 }, final_score: { 3: -1e9 }, evicted_at: { 3: 4 } } });
    [state.tree.margin[3], state.tree.rival[3]] = [0.5, 1];
    assert.deepEqual(tip(state, 3).split("\n").slice(2), ["+0.50 before e", "final −10⁹", "no. 2", "until 5"]);
  });
  test("how many there are, and how many are folded away", () => {
    const data = grownData(8, 200);
    const folded = opened(data, { folded: true }), all = opened(data, { folded: false });
    assert.equal(beamFigure.countOf(all.tree, all.picture, false), "3,200");
    assert.equal(beamFigure.countOf(all.tree, all.picture, true), "3,200 · by WebGL");
    assert.match(beamFigure.countOf(folded.tree, folded.picture, false), /^3,200, [\d,]+ folded$/);
  });
});
