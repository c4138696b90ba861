// Settings of another engine, taken over as if they had been set here.
"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "presets");
const before = { mode: "greedy", given: { max_new_tokens: 40, top_k: 3 } };

test("the settings read take the place of all others, but a length stays where they have none", () => {
  const form = { mode: "sample", given: { top_p: 0.9 } };
  assert.deepEqual(dx.presetForm(form, before), { mode: "sample", given: { top_p: 0.9, max_new_tokens: 40 } });
  assert.deepEqual(dx.presetForm(form, undefined), form);
  assert.deepEqual(dx.presetForm(form, { mode: "sample", given: {} }), form);
});

test("a length that was read counts", () => {
  for (const name of ["max_new_tokens", "max_length"]) {
    const form = { mode: "sample", given: { [name]: 5 } };
    assert.deepEqual(dx.presetForm(form, before), form);
  }
});

test("what is told of a key is text, whatever it holds", () => {
  const [group] = dx.toldList([
    { kind: "unknown", label: "Unknown", items: [{ name: "<img src=x>", value: "'${1}'", why: "no" }] },
  ]);
  const [name, , value] = group.children[1].children[0].children;
  assert.deepEqual([name.tag, name.children, value.children], ["code", ["<img src=x>"], ["'${1}'"]]);
});
