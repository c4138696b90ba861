// The beam tree in words.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState, beamWords } = load("dx", "beam_layout", "beam_state", "beam_window", "beam_words");
const LABELS = {
  crowd: "{n} dropped", run: "{n} tokens", tip: "{step}.{rank} {fate} {logprob} {p} {score}",
  "tip.margin": "by {margin}", "tip.rival": "{margin} before {rival}", "tip.final": "final {final}",
  "tip.place": "no. {place}", "tip.evicted": "until {step}", counted: "{all}", folded: "{all}, {hidden} folded",
};
const opened = (data, changes = {}) => {
  const state = beamState.empty();
  beamState.take(state, { ...data, labels: LABELS, fate_labels: { kept: "kept", pruned: "pruned" } });
  Object.assign(state, changes);
  beamState.arrange(state);
  return state;
};
const two = beamData([
  [{ text: "a" }, { text: "b<" }, { text: "c", fate: 1, logprob: null }],
  [{ text: "d", parent: 1, logprob: -0.1 }, { text: "e", parent: 0, logprob: -5 }],
]);

describe("in words", () => {
  const tip = (state, node) => beamWords.tipOf(state.tree, state.picture.items[state.picture.of[node]]);
  test("of a fork's search the steps count on from the run that it leaves", () =>
    assert.ok(tip(opened({ ...two, first_step: 11 }), 3).startsWith("d\n13.1 kept")));
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
    assert.equal(beamWords.countOf(all.tree, all.picture), "3,200");
    assert.match(beamWords.countOf(folded.tree, folded.picture), /^3,200, [\d,]+ folded$/);
  });
  test("a crowd: how many, and the first of them", () => {
    const crowd = beamData([[{ text: "a" }, ...[..."bcdefgh"].map((text) => ({ text, fate: 1 }))]]);
    assert.equal(tip(opened(crowd, { folded: true }), 3), "7 dropped\nb  c  d  e  f  g …");
  });
  test("a run: its tokens from where it comes into view", () => {
    const line = beamData([...Array(8)].map((_, i) => [{ parent: i ? 0 : undefined, text: `${i}` }]));
    const { tree, picture } = opened(line, { folded: true });
    assert.equal(beamWords.runText(tree, picture, 0), "0123456");
    assert.equal(beamWords.runText(tree, picture, 4), "456");
  });
});

describe("what was looked for", () => {
  const { tree } = opened(beamData([[{ text: "␣The" }, { text: "⏎" }], [{ text: "the", parent: 0 }, { text: "a␣b", parent: 1 }]]));
  for (const [typed, nodes] of [["the", [0, 2]], ["THE", [0, 2]], [" the", [0]], ["␣the", [0]], ["a b", [3]], ["x", []], [" ", []], ["", []]])
    test(`by ${JSON.stringify(typed)}`, () => assert.deepEqual(beamWords.search(tree, typed), nodes));
});
