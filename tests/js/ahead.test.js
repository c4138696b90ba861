// The steps that are there before they are asked for: which are kept, which are asked for, which answers come too late.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { store, around } = require("./page.js").load("dx", "ahead").ahead;

const nothing = () => false;
const of = (place, terms = "t") => ({ place, terms });

test("a step is drawn from what is kept only under the terms in view", () => {
  const kept = store();
  kept.put("t", "0.1.", { waterfall: "one" });
  assert.equal(kept.at("0.1."), null);
  kept.take(of("0.0."), "waterfall", "nought");
  assert.deepEqual(kept.at("0.1."), { waterfall: "one" });
  kept.take(of("0.0.", "other"), "waterfall", "nought");
  assert.equal(kept.at("0.1."), null);
  kept.take(of("0.0."), "waterfall", "nought");
  kept.doubt();
  assert.equal(kept.at("0.1."), null);
});

test("an answer about a step that was left meanwhile is not drawn, and the one about the step in view is", () => {
  const kept = store();
  kept.take(of("0.0."), "waterfall", "nought");
  kept.go("0.1.");
  kept.go("0.2.");
  assert.equal(kept.take(of("0.1."), "waterfall", "one"), false);
  assert.equal(kept.take(of("0.2."), "waterfall", "two"), true);
  assert.equal(kept.take(of("0.1."), "cutoff", "Python went there"), true);
});

test("another run, another language and a run that goes on are drawn however late", () => {
  const kept = store();
  kept.take(of("0.0."), "waterfall", "nought");
  kept.go("0.1.");
  assert.equal(kept.take(of("0.0.", "other"), "waterfall", "x"), true);
  kept.go("0.5.");
  assert.equal(kept.take(of("0.9.", ""), "waterfall", "it grows"), true);
  assert.equal(kept.terms, null);
});

test("only so many steps are kept, and those looked at last", () => {
  const kept = store(2);
  kept.take(of("0.0."), "waterfall", "nought");
  kept.put("t", "0.1.", { waterfall: "one" });
  kept.put("t", "0.0.", { cutoff: "again" });
  kept.put("t", "0.2.", { waterfall: "two" });
  assert.equal(kept.at("0.1."), null);
  assert.deepEqual(kept.at("0.0."), { waterfall: "nought", cutoff: "again" });
});

test("the nearest steps are asked for first, and none that is there", () => {
  const at = { run: 3, row: 1, step: 1 };
  assert.deepEqual(around(at, nothing, 2).map(({ step }) => step), [2, 0, 3]);
  assert.deepEqual(around(at, (place) => place === "1.2.", 1), [{ run: 3, row: 1, step: 0, rank: undefined }]);
});

test("in a beam run the path in view is walked ahead, to its end", () => {
  const at = { run: 0, row: 0, step: 1, rank: 2, path: [0, 2, 1] };
  assert.deepEqual(around(at, nothing).map(({ step, rank }) => [step, rank]), [[2, 1], [0, 0]]);
});
