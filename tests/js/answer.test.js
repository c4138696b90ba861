// The plain text of a run, put together from the lines of a stream.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "answer");
const lines = (...pieces) => pieces.map((piece) => `${JSON.stringify(piece)}\n`).join("");

describe("lines of a stream", () => {
  test("each row keeps what it has and goes on", () => {
    const more = lines({ row: 0, keep: 0, text: "He" }, { row: 1, keep: 0, text: "She" }, { row: 0, keep: 2, text: " sat" });
    assert.deepEqual(dx.answerTexts(["", ""], more), ["He sat", "She"]);
  });
  test("bytes that make no character yet are taken back when they do", () => {
    const more = lines({ row: 0, keep: 1, text: "‹F0 9F›" }, { row: 0, keep: 1, text: "🐟" }, { row: 0, keep: 2, text: "!" });
    assert.deepEqual(dx.answerTexts(["a"], more), ["a🐟!"]);
  });
  test("a row that is not there, and what is no line, change nothing", () => {
    assert.deepEqual(dx.answerTexts(["a"], `${lines({ row: 7, keep: 0, text: "x" })}{"row":\n`), ["a"]);
  });
  test("text that looks like markup stays as it is", () => {
    assert.deepEqual(dx.answerTexts([""], lines({ row: 0, keep: 0, text: "<img onerror=x>" })), ["<img onerror=x>"]);
  });
});

describe("all of it as text", () => {
  const text = { parts: [{ who: "", text: "Once" }], goes_on: true };
  const chat = { parts: [{ who: "System", text: "Be brief." }, { who: "You", text: "Hi?" }], goes_on: false };
  test("one answer goes on from its prompt", () =>
    assert.equal(dx.answerAll({ prompts: [text], answers: [{ prompt: 0 }] }, [" upon"]), "Once upon"));
  test("several answers stand under their prompts", () => {
    const data = { prompts: [text, chat], answers: [{ prompt: 0 }, { prompt: 0 }, { prompt: 1 }] };
    assert.equal(
      dx.answerAll(data, [" upon", " more", "Yes."]),
      "Once\n\nupon\n\nmore\n\n---\n\nSystem: Be brief.\n\nYou: Hi?\n\nYes."
    );
  });
});
