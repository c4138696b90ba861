// What the heat map says of its cells.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "heat_window", "heat_drawing", "heat_words");

const labels = new Proxy({
  tip: "{token}|{step}|{rank}|{p}|{q}", "tip.removed": "{token}|{step}|{rank}|{p}|removed", "tip.left": "{n} left",
  "tip.entropy": "{own}>{h}", "tip.beam": "{token}|{step}|{beam}|{rank}|{p}", "tip.sum": "{sum}",
}, { get: (known, name) => known[name] ?? name });
const column = {
  ids: [7, 8], texts: ["{p}", "b"], p: [0.6, 0.3], q: [1, 0], left: 1, line: true, own: 1.5, final: 0,
  at: { id: 9, text: "far", rank: 1234, p: 0.001, q: 0 },
};
const state = (more) => ({ labels, columns: [column], beams: false, cuts: true, approximate: false, ranks: 12, step: 0, ...more });

describe("a cell's tip", () => {
  test("has its numbers, counts steps and ranks from one, and takes a token's braces as they are", () =>
    assert.equal(dx.heatWords.tip(state(), 0, 0), "{p}|1|1|60.0%|100.0%\n1 left\n1.50>0.00"));
  test("of a fork has the number that its step has in the run that it leaves", () =>
    assert.ok(dx.heatWords.tip(state({ first_step: 11 }), 0, 0).startsWith("{p}|12|")));
  test("says that a token was removed", () => assert.ok(dx.heatWords.tip(state(), 0, 1).startsWith("b|1|2|30.0%|removed")));
  test("beyond the last row is about the token that came", () =>
    assert.equal(dx.heatWords.tip(state(), 0, 2), "far|1|1,234|0.1%|removed\ntip.gone\n1 left\n1.50>0.00"));
  test("marks a count that is not exact", () => assert.ok(dx.heatWords.tip(state({ approximate: true }), 0, 0).includes("≈ 1 left")));
  test("of a lost step says so, and of a step that is still to come nothing", () => {
    assert.equal(dx.heatWords.tip(state({ columns: [{ ids: [], at: {} }] }), 0, 0), "tip.lost");
    assert.equal(dx.heatWords.tip(state(), 5, 0), "");
  });
  test("of a beam has its place, its sum, and what became of it", () => {
    const beams = { ids: [7], texts: ["a"], p: [null], ranks: [2], rows: [0], sums: [-1.5], ended: [true], best: 0 };
    const said = dx.heatWords.tip(state({ beams: true, columns: [beams] }), 0, 0);
    assert.equal(said, "a|1|1|3|tip.untold\n−1.50\ntip.ended\ntip.best");
  });
});

describe("the table", () => {
  test("has a line for each step, also for a lost one", () => {
    const table = dx.heatWords.table(state({ columns: [column, { ids: [], at: {} }] }));
    assert.deepEqual(table.rows[0], ["1", "far", "1,234", "0.1%", "1", "1.50", "0.00", "{p} 60.0% · b 30.0% ✕"]);
    assert.equal(table.rows[1][0], "2");
    assert.equal(table.rows[1].length, table.head.length);
  });
});
