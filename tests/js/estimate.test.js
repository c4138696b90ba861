// What a run will take, as the line beside Run says it.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "estimate");
const words = {
  takes: "≤ {tokens} × {rows} × {vocab} ≈ {size}", row: "1 row", rows: "{n} rows", memory: "in memory",
  disk: "{kept} in memory, the rest on disk", time: "≈ {time}", unknown: "not known",
};
const known = {
  vocab: 50000, bytes_per_score: 4, seconds_per_row: null, in_memory: 400e6, new_tokens: 64,
  needs: { beam_search: { num_beams: 4 } }, words,
};
const takes = (mode, given, prompts = 1) => dx.runTakes(known, { mode, given }, prompts);

describe("rows and tokens", () => {
  for (const [name, mode, given, prompts, rows, tokens] of [
    ["nothing given", "sample", {}, 1, 1, 64],
    ["samples of two prompts", "sample", { num_return_sequences: 3, max_new_tokens: 10 }, 2, 6, 10],
    ["beams, which are the rows, not the answers", "beam_search", { num_beams: 8, num_return_sequences: 3 }, 1, 8, 64],
    ["beams that the mode cannot be without", "beam_search", {}, 1, 4, 64],
    ["what acts in another mode", "greedy", { num_beams: 8, num_return_sequences: 3 }, 1, 1, 64],
    ["a limit in all", "greedy", { max_length: 20 }, 1, 1, 20],
    ["what is no number", "sample", { max_new_tokens: -3, num_return_sequences: "x" }, 1, 1, 64],
  ])
    test(name, () => {
      const found = takes(mode, given, prompts);
      assert.deepEqual([found.rows, found.tokens], [rows, tokens]);
    });
});

test("bytes are tokens × rows × scores, and what is beyond the budget goes to disk", () => {
  assert.equal(takes("sample", { max_new_tokens: 10 }).bytes, 10 * 50000 * 4);
  assert.deepEqual(takes("sample", { max_new_tokens: 4000, num_return_sequences: 2 }).kept, 400e6);
});

describe("in words", () => {
  const say = (given, more = {}) => dx.estimateWords({ ...known, ...more }, { mode: "sample", given }, 1);
  test("a run that fits", () => assert.equal(say({ max_new_tokens: 10 }), "≤ 10 × 1 row × 50,000 ≈ 2.0 MB · in memory"));
  test("a run that does not, with its time", () =>
    assert.equal(
      say({ max_new_tokens: 8000 }, { seconds_per_row: 0.02 }),
      "≤ 8,000 × 1 row × 50,000 ≈ 1.6 GB · 400 MB in memory, the rest on disk · ≈ 3 min"
    ));
  test("a model that was not loaded", () => assert.equal(say({}, { vocab: null }), "not known"));
});

describe("prompts", () => {
  for (const [kind, prompt, n] of [
    ["text", "one", 1], ["text", "", 1], ["text", "one\n---\ntwo", 2], ["text", "one\n  ---  \n\n---\ntwo", 2],
    ["text", "a --- b", 1], ["chat", "one\n---\ntwo", 1],
  ])
    test(`${n} in ${kind} ${JSON.stringify(prompt)}`, () => assert.equal(dx.promptsIn(kind, prompt), n));
});
