// Truth tables of the page's arithmetic: probabilities in, parameters, probabilities out. Worked out by hand.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("arithmetic");
const HALVES = [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16];
const scores = (...values) => new Float32Array(values);
const of = (probabilities) => scores(...probabilities.map(Math.log));
const all = (out, n) => Array.from({ length: n }, (_, place) => out.probability(place));
const near = (actual, expected, within = 1e-6) =>
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < within, `${actual} is not ${expected}`));

describe("nothing set", () => {
  test("leaves the distribution as it is", () => {
    const out = dx.truncate(of(HALVES), {});
    assert.deepEqual([out.kept, out.mass, out.unsure], [5, 0, false]);
    near(all(out, 5), HALVES);
    near([out.entropy], [1.875 * Math.LN2]); // 1/2·1 + 1/4·2 + 1/8·3 + 2·1/16·4 bits
  });
  test("one token alone is certain", () => {
    const out = dx.truncate(scores(-3), { top_k: 1, top_p: 0.5, min_p: 1, temperature: 7 });
    assert.deepEqual([out.kept, out.mass, out.entropy, out.probability(0)], [1, 0, 0, 1]);
  });
});

describe("top_k", () => {
  for (const [top_k, kept, what] of [
    [0, 5, "0 is off"], [1, 1, "1 is greedy"], [2, 2, "2 of 5"], [4, 5, "the last two are equals: both stay"],
    [5, 5, "all of the vocabulary"], [6, 5, "more than there are"], [1e9, 5, "far more than there are"],
  ])
    test(`${top_k}: ${what}`, () => {
      const out = dx.truncate(of(HALVES), { top_k });
      assert.deepEqual([out.kept, out.unsure], [kept, false]);
      const sum = HALVES.slice(0, kept).reduce((a, b) => a + b, 0);
      near(all(out, 5), HALVES.map((p, i) => (i < kept ? p / sum : 0)));
      near([out.mass], [1 - sum]);
    });
  test("ties with the last place stay, however many", () => {
    assert.equal(dx.truncate(scores(2, 1, 1, 1, 0), { top_k: 2 }).kept, 4);
    assert.equal(dx.truncate(scores(1, 1, 1, 1), { top_k: 1 }).kept, 4);
  });
  test("min_keep is the least", () => assert.equal(dx.truncate(of(HALVES), { top_k: 1, min_keep: 3 }).kept, 3));
});

describe("top_p", () => {
  for (const [top_p, kept, what] of [
    [1, 5, "1 is off"], [0.95, 5, "the crossing token is one of two equals"], [0.9, 4, "crossed within the fourth"],
    [0.8, 3, "crossed within the third"], [0.7, 2, "crossed within the second"], [0.4, 1, "crossed within the first"],
    [1e-9, 1, "next to nothing: the likeliest stays"],
  ])
    test(`${top_p}: ${what}`, () => {
      const out = dx.truncate(of(HALVES), { top_p });
      assert.equal(out.kept, kept);
      assert.equal(out.unsure, kept === 4, "which of two equals goes, transformers' sort decides");
    });
  for (const [top_p, below, above] of [[0.5, 1, 2], [0.75, 2, 3]])
    test(`${top_p}, a step of the staircase, is left to Python`, () => {
      assert.ok(dx.truncate(of(HALVES), { top_p }).unsure);
      for (const [beside, kept] of [[top_p - 2e-5, below], [top_p + 2e-5, above]]) {
        const out = dx.truncate(of(HALVES), { top_p: beside });
        assert.deepEqual([out.kept, out.unsure], [kept, false]);
      }
    });
  test("min_keep is the least", () => assert.equal(dx.truncate(of(HALVES), { top_p: 0.01, min_keep: 2 }).kept, 2));
  test("comes after top_k, of what that left", () => {
    // 1/2 and 1/4 of 3/4 are 2/3 and 1/3: 0.6 is crossed by the first, while of all it would be by the second.
    assert.equal(dx.truncate(of(HALVES), { top_k: 2, top_p: 0.6 }).kept, 1);
    assert.equal(dx.truncate(of(HALVES), { top_p: 0.6 }).kept, 2);
  });
});

describe("min_p", () => {
  for (const [min_p, kept, what] of [
    [0, 5, "0 is off"], [0.1, 5, "below all"], [0.2, 3, "an eighth is a quarter of a half"],
    [0.3, 2, "a quarter is a half of it"], [0.6, 1, "the likeliest alone"], [1, 1, "1: none but the likeliest"],
  ])
    test(`${min_p}: ${what}`, () => {
      const out = dx.truncate(of(HALVES), { min_p });
      assert.deepEqual([out.kept, out.unsure], [kept, false]);
    });
  test("1 keeps all that are likeliest together", () =>
    assert.equal(dx.truncate(scores(1, 1, 0), { min_p: 1 }).kept, 2));
  test("a boundary that a token lies on is left to Python", () => {
    assert.ok(dx.truncate(of(HALVES), { min_p: 0.25 }).unsure);
    assert.ok(!dx.truncate(of(HALVES), { min_p: 0.25 + 1e-4 }).unsure);
  });
  test("min_keep is the least", () => assert.equal(dx.truncate(of(HALVES), { min_p: 0.9, min_keep: 3 }).kept, 3));
  test("which of equals is kept in spite of the rule is left to Python", () =>
    assert.ok(dx.truncate(of(HALVES), { min_p: 0.9, min_keep: 4 }).unsure));
  test("one that float32 takes for nothing is left to Python", () => {
    assert.ok(dx.truncate(scores(900, 0), { min_p: 1e-300 }).unsure);
    assert.ok(!dx.truncate(scores(900, 0), { min_p: 1e-30 }).unsure);
  });
});

describe("temperature", () => {
  test("2 takes the root, 1/2 squares", () => {
    near(all(dx.truncate(of([0.8, 0.2]), { temperature: 2 }), 2), [2 / 3, 1 / 3]);
    near(all(dx.truncate(of([0.8, 0.2]), { temperature: 0.5 }), 2), [16 / 17, 1 / 17]);
  });
  test("next to 0 only the likeliest is left, and all are still in the running", () => {
    const out = dx.truncate(scores(5, 4, 3), { temperature: 0.01 });
    assert.deepEqual([out.kept, out.unsure], [3, false]);
    near(all(out, 3), [1, 0, 0]);
    near([out.entropy], [0]);
  });
  test("very high, all are alike", () => {
    const out = dx.truncate(scores(5, 4, 3, 2), { temperature: 1e9 });
    near(all(out, 4), [0.25, 0.25, 0.25, 0.25]);
    near([out.entropy], [Math.log(4)]);
  });
  test("comes before top_p, which then keeps more or fewer", () => {
    const kept = (temperature) => dx.truncate(scores(4, 2, 0, -2), { temperature, top_p: 0.8 }).kept;
    assert.deepEqual([0.5, 1, 4].map(kept), [1, 1, 3]);
  });
  test("so small that float32 takes it for 0 is left to Python", () =>
    assert.ok(dx.truncate(scores(2, 1), { temperature: 1e-46 }).unsure));
  test("the divisor is float32's, as transformers' is", () => {
    const out = dx.truncate(scores(9, 0), { temperature: 0.7 });
    const weight = Math.exp(-Math.fround(9 / Math.fround(0.7)));
    assert.notEqual(Math.fround(9 / Math.fround(0.7)), Math.fround(9 / 0.7));
    near([out.probability(1)], [weight / (1 + weight)], 1e-15);
  });
});

describe("scores that no model should give are left to Python", () => {
  for (const [what, given] of [
    ["none at all", scores()], ["-Infinity everywhere", scores(-Infinity, -Infinity)],
    ["NaN everywhere", scores(NaN, NaN)],
    ["a NaN first", scores(NaN, 1)], ["a NaN last", scores(1, NaN)], ["+Infinity", scores(Infinity, 0)],
  ])
    for (const knobs of [{}, { top_k: 1 }, { top_p: 0.5 }, { min_p: 0.5 }, { temperature: 0.5 }])
      test(`${what} under ${JSON.stringify(knobs)}`, () => assert.ok(dx.truncate(given, knobs).unsure));
  test("numbers at the ends of float32 are none of them", () => {
    const out = dx.truncate(scores(3.4e38, -3.4e38), { top_p: 0.9 });
    assert.deepEqual([out.kept, out.unsure, out.probability(0)], [1, false, 1]);
  });
});

describe("laws", () => {
  // A fixed mixture: sharp head, long tail.
  const many = Float32Array.from({ length: 2000 }, (_, i) => 9 / (1 + i) - i / 900);
  const grid = [];
  for (const temperature of [0.2, 1, 3])
    for (const top_k of [0, 1, 7, 500]) for (const top_p of [0.03, 0.61, 0.97, 1]) for (const min_p of [0, 0.02, 0.77])
      grid.push({ temperature, top_k, top_p, min_p });
  test("what is left sums to 1 and falls; what was cut off and what was kept are all", () => {
    for (const knobs of grid) {
      const out = dx.truncate(many, knobs), p = all(out, many.length);
      assert.ok(Math.abs(p.reduce((a, b) => a + b, 0) - 1) < 1e-9);
      assert.ok(p.every((value, i) => (i ? value <= p[i - 1] : true) && value > 0 === i < out.kept));
      assert.ok(out.mass >= 0 && out.mass < 1 && (out.mass === 0 || out.kept < many.length));
      assert.ok(out.entropy >= 0 && out.entropy <= Math.log(out.kept) + 1e-9);
    }
  });
  test("a stricter setting never keeps more", () => {
    const kept = (knobs) => dx.truncate(many, knobs).kept;
    const falls = (values) => values.every((value, i) => !i || value <= values[i - 1]);
    for (const knobs of grid) {
      assert.ok(falls([1000, 100, 10, 1].map((top_k) => kept({ ...knobs, top_k }))));
      assert.ok(falls([1, 0.9, 0.5, 0.1, 0.001].map((top_p) => kept({ ...knobs, top_p }))));
      assert.ok(falls([0, 0.001, 0.1, 0.5, 1].map((min_p) => kept({ ...knobs, min_p }))));
    }
  });
});

test("base64 holds float32 values, little-endian", () => {
  assert.deepEqual([...dx.floats("AACAPwAAAMAAAIA/")], [1, -2, 1]);
  assert.equal(dx.floats("").length, 0);
  const bytes = Buffer.from(scores(3.4e38, -Infinity, NaN, 2 ** -149).buffer).toString("base64");
  assert.deepEqual([...dx.floats(bytes)], [Math.fround(3.4e38), -Infinity, NaN, 2 ** -149]);
});
