// The page's scripts without a page: those that only compute, and a beam tree to try them on.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const FOLDER = path.join(__dirname, "..", "..", "assets", "js");

/** An element that remembers what it was made of. */
const element = (tag) => ({
  tag, className: "", attributes: {}, children: [], listeners: {},
  setAttribute(name, value) { this.attributes[name] = value; },
  addEventListener(name, fn) { this.listeners[name] = fn; },
  append(...children) { this.children.push(...children); },
});

/** Runs scripts in order, as the page does, and gives what they share. */
exports.load = (...names) => {
  globalThis.window = globalThis;
  globalThis.document = { addEventListener() {}, createElement: element, body: null };
  if (!names.includes("dx")) globalThis.dx = {};
  for (const name of names) {
    const file = path.join(FOLDER, `${name}.js`);
    vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
  }
  return globalThis.dx;
};

/** Python's JSON of a tree, from one list per step of its candidates by rank: {parent, fate, …}, parent by rank. */
exports.beamData = (steps, more = {}) => {
  const names = ["step", "rank", "parent", "group", "fate", "text", "logprob", "score", "margin", "rival"];
  const columns = Object.fromEntries(names.map((name) => [name, []]));
  const [indexes, texts] = [[], []];
  steps.forEach((candidates, step) => {
    indexes.push({});
    candidates.forEach(({ rank, parent, fate = 0, group, text = "x", logprob = -1, score = -1 }, i) => {
      const at = columns.step.length;
      indexes[step][rank ?? i] = at;
      if (!texts.includes(text)) texts.push(text);
      if (group !== undefined) columns.group.push(group);
      const node = {
        step, rank: rank ?? i, parent: step ? indexes[step - 1][parent] : -1, fate, text: texts.indexOf(text), logprob,
        score, margin: null, rival: -1,
      };
      for (const [name, value] of Object.entries(node)) columns[name].push(value);
    });
  });
  return {
    key: "tree", run: 1, prompt: 0, n_steps: steps.length, n_groups: 1, streaming: false, at: { step: 0, rank: 0 },
    texts, prompts: ["1"], labels: {}, fate_labels: {}, fate_tips: {}, sparse: { answer: {}, final_score: {}, evicted_at: {} },
    columns, ...more,
  };
};

/** A beam search's shape: of 2 · width candidates a step, `width` go on; the same for the same seed. */
exports.grownData = (width, n_steps, seed = 1) => {
  let at = seed;
  const below = (n) => (at = (at * 48271) % 2147483647) % n;
  const steps = Array.from({ length: n_steps }, () =>
    Array.from({ length: 2 * width }, (_, rank) => ({ parent: below(width), fate: rank < width ? 0 : 1 }))
  );
  return exports.beamData(steps);
};
