// The greatest entropy of a step of a response, and how the bounds are said.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "partial_step");
const entropy = (p) => -p.reduce((sum, x) => sum + x * Math.log(x), 0);
const step = { tail_p: 0.2, known: entropy([0.5, 0.3]), least: entropy([0.5, 0.3, 0.2]), n_known: 2 };
const words = {
  "entropy.range": "between {low} and {high} nats", "entropy.least": "at least {low}", "entropy.exact": "{low} nats",
  "entropy.known": "known part {value}", "entropy.none": "not known",
};

describe("the tail is spread evenly over all other tokens", () => {
  for (const others of [1, 2, 40])
    test(`${others}`, () => {
      const even = [0.5, 0.3, ...Array(others).fill(0.2 / others)];
      assert.ok(Math.abs(dx.partialMost(step, 2 + others) - entropy(even)) < 1e-12);
    });
  test("no tail", () => assert.equal(dx.partialMost({ ...step, tail_p: 0 }, NaN), step.known));
});

describe("nothing is said", () => {
  for (const vocab of [NaN, 0, 2, -1, Infinity]) test(`with ${vocab} tokens`, () => assert.equal(dx.partialMost(step, vocab), null));
  test("of a sum above 1", () => assert.equal(dx.partialMost({ ...step, tail_p: null }, 10), null));
});

describe("in words", () => {
  test("between", () => assert.equal(dx.partialEntropy(step, 102, words), "between 1.03 and 1.95 nats (known part 0.71)"));
  test("without a vocabulary", () => assert.equal(dx.partialEntropy(step, NaN, words), "at least 1.03 (known part 0.71)"));
  test("whole", () => assert.equal(dx.partialEntropy({ ...step, tail_p: 0, least: step.known }, NaN, words), "0.71 nats"));
  test("contradicting", () => assert.equal(dx.partialEntropy({ ...step, least: null }, 9, words), "not known"));
});
