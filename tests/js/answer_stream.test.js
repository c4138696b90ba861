// The stream of answers: what is asked in the moment in which the server ends it is heard of all the same.
"use strict";
const test = require("node:test");
const assert = require("node:assert");

const streams = []; // what each that was asked for is sent by, in order
const joins = []; // the numbers of events, as the server gives them
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const line = (said) => `data: ${JSON.stringify(said)}\n\n`;

globalThis.fetch = async (url) => {
  if (String(url).includes("/queue/join")) return Response.json({ event_id: await joins.shift() });
  if (!String(url).includes("/queue/data")) return new Response("plain");
  if (String(url).includes("nobody")) return new Response("gone", { status: 404 });
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  streams.push({
    say: (...parts) => parts.forEach((part) =>
      writer.write(part instanceof Uint8Array ? part : new TextEncoder().encode(line(part)))),
    end: () => writer.close(),
    break: () => writer.abort(new Error("cut")),
  });
  return new Response(readable, { headers: { "content-type": "text/event-stream" } });
};
require("./page.js").load("answer_stream");

const done = (event_id) => ({ msg: "process_completed", event_id, output: {} });
const CLOSE = { msg: "close_stream", event_id: null };

/** A stream as Gradio's script hears it: `heard` grows, `over` settles with its end. */
const listen = async () => {
  const heard = [], answer = await fetch("/queue/data?session_hash=a");
  const over = (async () => {
    for await (const part of answer.body.pipeThrough(new TextDecoderStream()))
      heard.push(...part.split("\n\n").filter(Boolean).map((text) => JSON.parse(text.slice(5))));
  })();
  over.catch(() => {});
  const says = () => heard.map(({ msg, event_id }) => [msg, event_id].filter(Boolean).join(" "));
  return { heard, over, answer, says, server: streams.at(-1) };
};
const ask = async (event_id) => {
  joins.push(event_id);
  return (await (await fetch("/queue/join", { method: "POST" })).json()).event_id;
};

test("a stream that ends with its last answer ends", async () => {
  assert.equal(await ask("a"), "a");
  const { server, over, says, answer } = await listen();
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  server.say({ msg: "process_starts", event_id: "a" }, done("a"), CLOSE);
  server.end();
  await over;
  assert.deepEqual(says(), ["process_starts a", "process_completed a", "close_stream"]);
});

test("a stream goes on where an answer is still awaited", async () => {
  await ask("a");
  const n = streams.length, { server, over, says } = await listen();
  server.say(done("a"));
  await ask("b");
  server.say(CLOSE);
  server.end();
  await wait(5);
  assert.equal(streams.length, n + 2);
  streams.at(-1).say(done("b"), CLOSE);
  streams.at(-1).end();
  await over;
  assert.deepEqual(says(), ["process_completed a", "process_completed b", "close_stream"]);
});

test("what is asked while a stream ends is told after that end", async () => {
  await ask("a");
  let tell;
  joins.push(new Promise((done) => (tell = done)));
  let wasTold = false;
  const told = fetch("/queue/join", { method: "POST" }).then(() => (wasTold = true));
  const { body } = await fetch("/queue/data?session_hash=a"), reader = body.getReader();
  streams.at(-1).say(done("a"), CLOSE);
  streams.at(-1).end();
  for (let text = ""; !text.includes("close_stream"); ) text += new TextDecoder().decode((await reader.read()).value);
  tell("b");
  await new Promise(setImmediate); // Gradio's script takes it in
  assert.equal(wasTold, false);
  await told;
  const next = await listen(); // as Gradio's script does now
  next.server.say(done("b"), CLOSE);
  next.server.end();
  await next.over;
  assert.deepEqual(next.says(), ["process_completed b", "close_stream"]);
});

test("an answer that comes before the number of its event is not waited for", async () => {
  await ask("a");
  const n = streams.length, { server, over } = await listen();
  server.say(done("b"));
  await wait(5);
  await ask("b");
  server.say(done("a"), CLOSE);
  server.end();
  await over;
  assert.equal(streams.length, n + 1);
});

test("messages come whole however they were cut, and their text is not touched", async () => {
  const said = line({ msg: "process_generating", event_id: "a", output: "中文 \\n close_stream \u2028" });
  const { server, over, heard } = await listen();
  const bytes = new TextEncoder().encode(said + line(CLOSE));
  for (let at = 0; at < bytes.length; at += 7) { // also within a character
    server.say(bytes.slice(at, at + 7));
    await wait(0);
  }
  server.end();
  await over;
  assert.deepEqual(heard, [JSON.parse(said.slice(5)), CLOSE]);
});

test("a stream that breaks, and one that there is not, are told as they are", async () => {
  const { server, over } = await listen();
  await ask("a"); // of which nothing will be heard
  server.break();
  await assert.rejects(over);
  await ask("b");
  const n = streams.length, next = await listen();
  next.server.say(done("b"), CLOSE);
  next.server.end();
  await next.over;
  assert.equal(streams.length, n + 1);
  joins.push(Promise.resolve(null)); // refused: it has no number
  assert.equal((await fetch("/queue/join", { method: "POST" })).status, 200);
  assert.equal((await fetch("/queue/data?session_hash=nobody")).status, 404);
  assert.equal(await (await fetch("/theme.css")).text(), "plain");
  assert.equal(await (await fetch(new URL("http://h/theme.css"))).text(), "plain");
});
