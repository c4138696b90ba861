// Which numbers the page itself sees to be impossible.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "whatif");
const open01 = { modes: ["sample"], low: 0, high: 1, low_open: true, high_open: false, whole: false, words: "in (0, 1]" };
const whole = { ...open01, high: null, low_open: false, whole: true, words: ">= 0" };
const outside = (given, mode = "sample") => dx.whatifOutside({ top_p: open01, top_k: whole }, { mode, given });

describe("impossible", () => {
  for (const p of [0, -1, 1.001]) test(`top_p ${p}`, () => assert.deepEqual(outside({ top_p: p }), ["top_p", p, "in (0, 1]"]));
  test("half a token", () => assert.deepEqual(outside({ top_k: 2.5 }), ["top_k", 2.5, ">= 0"]));
});

describe("possible", () => {
  for (const given of [{ top_p: 1 }, { top_p: 0.001 }, { top_k: 0 }, { top_k: 1e9 }, { words: "x" }, {}])
    test(JSON.stringify(given), () => assert.equal(outside(given), null));
  test("what does not act", () => assert.equal(outside({ top_p: 7 }, "greedy"), null));
});
