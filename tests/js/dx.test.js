// What the components share, as far as it only computes.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx");

describe("percent", () => {
  for (const [p, text] of [
    [null, "–"], [undefined, "–"], [NaN, "–"], [0, "0"], [1e-300, "<0.01%"], [0.0000999, "<0.01%"], [0.0001, "0.01%"],
    [0.00099, "0.10%"], [0.001, "0.1%"], [0.5, "50.0%"], [0.9994, "99.9%"], [0.9995, ">99.9%"],
    [1 - 1e-12, ">99.9%"], [1, "100.0%"],
  ])
    test(`${p} is ${text}`, () => assert.equal(dx.percent(p), text));
});

describe("parse", () => {
  for (const [json, value] of [
    ['{"a":1}', { a: 1 }], ["null", "else"], ["", "else"], ["{", "else"], [undefined, "else"], [null, "else"], ["0", 0],
    ['""', ""],
  ])
    test(`${json}`, () => assert.deepEqual(dx.parse(json, "else"), value));
});

describe("token", () => {
  const plain = (nodes) => nodes.map((node) => (typeof node === "string" ? node : `[${node.children.join("")}]`)).join("");
  for (const [text, parts] of [["cat", "cat"], ["␣cat", "[␣]cat"], ["a␣⏎b", "a[␣⏎]b"], ["<b>", "<b>"], ["", ""]])
    test(`${text} marks what stands for spaces and line breaks`, () => assert.equal(plain(dx.token(text)), parts));
});

test("a sentence's terms carry their explanation, its text stays text", () => {
  const [plain, term] = dx.sentence(["<i>so</i> ", { text: "nats", tip: "a unit" }]);
  assert.equal(plain, "<i>so</i> ");
  assert.deepEqual([term.tag, term.className, term.children], ["span", "dx-term", ["nats"]]);
  assert.equal(term.attributes["data-tip"], "a unit");
  assert.deepEqual(dx.sentence(null), []);
});

test("an element leaves out what it was not given", () => {
  const attributes = { title: null, hidden: false, lang: undefined, disabled: true, class: "x" };
  const node = dx.el("b", attributes, "a", null, undefined, "b");
  assert.deepEqual([node.attributes, node.className, node.children], [{ disabled: "" }, "x", ["a", "b"]]);
});

test("events are numbered in the order they were told", () => {
  const told = [];
  const emit = dx.numbered((data) => told.push(data));
  emit({ a: 1 });
  const between = dx.nextTurn();
  emit({ a: 2 });
  assert.deepEqual(told.map(({ a, turn }) => [a, turn - between]), [[1, -1], [2, 1]]);
});
