// Answers are handed on in the order in which Python made them, and none waits for one that cannot come any more.
"use strict";
const test = require("node:test");
const assert = require("node:assert");

const questions = []; // how each that was asked is answered, in order
const plain = (url) =>
  String(url).includes("/run/predict")
    ? new Promise((answer, fail) => questions.push({ answer, fail }))
    : Promise.resolve(new Response("plain"));

const settle = () => new Promise((done) => setTimeout(done, 30));
const made = (number) => new Response(`answer ${number}`, { status: 200, headers: number ? { "DX-Answer": number } : {} });

/** A page that is opened anew, and n questions of it. */
const asked = async (n) => {
  globalThis.fetch = plain;
  require("./page.js").load("answer_order");
  questions.length = 0;
  const told = [];
  for (let i = 0; i < n; i++)
    fetch("http://here/gradio_api/run/predict", { method: "POST" })
      .then((answer) => answer.text()).then((text) => told.push(text), () => told.push("failed"));
  return told;
};

test("answers that came in their order are handed on at once", async () => {
  const told = await asked(2);
  questions[0].answer(made(1));
  await settle();
  assert.deepEqual(told, ["answer 1"]);
  questions[1].answer(made(2));
  await settle();
  assert.deepEqual(told, ["answer 1", "answer 2"]);
});

test("one that overtook others waits for all of them", async () => {
  const told = await asked(3);
  questions[0].answer(made(3));
  questions[2].answer(made(2));
  await settle();
  assert.deepEqual(told, []);
  questions[1].answer(made(1));
  await settle();
  assert.deepEqual(told, ["answer 1", "answer 2", "answer 3"]);
});

test("a long answer has come when all of it has", async () => {
  const told = await asked(2), { readable, writable } = new TransformStream(), writer = writable.getWriter();
  questions[0].answer(new Response(readable, { headers: { "DX-Answer": "1" } }));
  questions[1].answer(made(2));
  writer.write(new TextEncoder().encode("answer "));
  await settle();
  assert.deepEqual(told, []);
  writer.write(new TextEncoder().encode("1"));
  writer.close();
  await settle();
  assert.deepEqual(told, ["answer 1", "answer 2"]);
});

test("an answer without a number waits for nothing", async () => {
  const told = await asked(2);
  questions[1].answer(made(0));
  await settle();
  assert.deepEqual(told, ["answer 0"]);
});

for (const [what, lost] of [
  ["was lost", (question) => question.fail(new TypeError("network"))],
  ["came without its number", (question) => question.answer(made(0))],
])
  test(`one that ${what} is waited for no longer`, async () => {
    const told = await asked(3);
    questions[1].answer(made(2));
    await settle();
    assert.deepEqual(told, []);
    lost(questions[0]);
    await settle();
    assert.equal(told.length, 1); // the third question may have been answered before the second
    questions[2].answer(made(3));
    await settle();
    assert.deepEqual(told.slice(1), ["answer 2", "answer 3"]);
  });

test("what is asked later is not waited for", async () => {
  const told = await asked(2);
  questions[0].answer(made(2)); // the first was lost before
  questions[1].fail(new TypeError("network"));
  await settle();
  fetch("http://here/gradio_api/run/predict", { method: "POST" }).catch(() => {});
  await settle();
  assert.deepEqual(told.sort(), ["answer 2", "failed"]);
});

test("a server that was started again counts from the beginning", async () => {
  const told = await asked(4);
  questions[0].answer(made(1));
  questions[1].answer(made(2));
  await settle();
  questions[2].answer(made(1));
  questions[3].answer(made(2));
  await settle();
  assert.equal(told.length, 4);
});

test("an answer of a server that is no longer there does not wait for ever", async () => {
  const told = await asked(3);
  questions[0].answer(made(3)); // waits for the second question, which the server took with it
  await settle();
  questions[2].answer(made(3));
  await settle();
  questions[1].fail(new TypeError("network"));
  await settle();
  assert.deepEqual(told.sort(), ["answer 3", "answer 3", "failed"]);
});

test("all else is the browser's own", async () => {
  await asked(0);
  assert.equal(await (await fetch("http://here/dx/js/x.js")).text(), "plain");
});
