// Answers for Python: a question a line, {scores: base64 of float32, knobs, places}, and a line for each answer.
"use strict";
const readline = require("node:readline");
const { load } = require("./page.js");

const dx = load("arithmetic");
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { scores, knobs, places } = JSON.parse(line);
  const out = dx.truncate(dx.floats(scores), knobs);
  process.stdout.write(`${JSON.stringify({ ...out, probability: places.map(out.probability) })}\n`);
});
