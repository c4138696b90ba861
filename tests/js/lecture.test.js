// What a lecture shows of a waterfall, and which keys it takes.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "lecture_figure", "lecture_keys", "playing", "picking");

const COLOURS = { alive: "#a", removed: "#r", ink: "#i", faint: "#f" };
/** Two tokens, two stages; the second token came, the first was removed by the second stage. */
const figure = () => ({
  data: [
    { x: [5, 0, 2, 9], y: [0, 0, 1, 1], base: [0, 10, 0, 10], marker: { color: ["#a", "#r", "#c", "#c"] } },
    { x: [-8, -8], y: [0, 1], text: ["one", "<b>▸ two</b>"], textfont: { color: ["#f", "#c"] } },
    { x: [4, 13, 4, 14], y: [0, 0, 1, 1], text: ["50%", "✕ top_k", "20%", "100%"], textfont: { color: ["#i", "#k", "#i", "#i"] } },
    { x: [-100, 2, 12], y: [-1, -1, -1], text: ["alive", "2", "1"], textfont: { color: ["#m", "#i", "#i"] } },
  ],
  layout: {
    shapes: [{ type: "line" }, { type: "rect" }],
    meta: { edges: [10, 20], gone: [1, null], chosen: 1, colours: COLOURS, rows: [[0, 7, "one"], [1, 9, "two"]] },
  },
});

test("of the first stage nothing of the second is shown, and nothing tells the token that came", () => {
  const shown = dx.lectureFigure(figure(), 0);
  const [bars, labels, cells, heads] = shown.data;
  assert.deepEqual(bars.x, [5, 2]);
  assert.deepEqual(bars.marker.color, ["#a", "#a"]);
  assert.deepEqual(labels.text, ["one", "two"]);
  assert.deepEqual(labels.textfont.color, ["#i", "#i"]);
  assert.deepEqual(cells.text, ["50%", "20%"]);
  assert.deepEqual(heads.text, ["alive", "2"]);
  assert.deepEqual(shown.layout.shapes, [{ type: "line" }]);
});

test("a stage that was told greys what it removed, and the choice shows the figure as it is", () => {
  const whole = figure();
  assert.deepEqual(dx.lectureFigure(whole, 1).data[1].textfont.color, ["#f", "#i"]);
  assert.deepEqual(dx.lectureFigure(whole, 1).data[0].marker.color, ["#a", "#r", "#a", "#a"]);
  assert.equal(dx.lectureFigure(whole, 2), whole);
  assert.deepEqual(whole, figure());
});

test("what is to be guessed has no bars, names or numbers", () => {
  assert.deepEqual(dx.lectureFigure(figure(), -1).data, []);
});

/** A key pressed with the focus on an element that fits these selectors. */
const key = (name, { on = [], ...more } = {}) => {
  const target = Object.assign(new globalThis.Element(), {
    closest: (selector) => (on.some((kind) => selector.split(/, ?/).includes(kind)) ? {} : null),
  });
  return { key: name, target, ...more };
};
globalThis.Element = class {};

test("lecture mode takes no key of somebody who types, of a shortcut or of a button that has the focus", () => {
  assert.equal(dx.lectureAct(key("l"), false), "open");
  assert.equal(dx.lectureAct(key("L"), true), "leave");
  assert.equal(dx.lectureAct(key("l", { on: ["input"] }), false), null);
  assert.equal(dx.lectureAct(key("ArrowRight", { on: ["select"] }), true), null);
  assert.equal(dx.lectureAct(key("l", { ctrlKey: true }), false), null);
  assert.equal(dx.lectureAct(key("l", { isComposing: true }), false), null);
  assert.equal(dx.lectureAct(key(" ", { on: ["button"] }), true), null);
  assert.equal(dx.lectureAct(key(" "), true), "play");
  assert.equal(dx.lectureAct(key("ArrowRight", { on: ["button"] }), true), "forward");
});

test("without lecture mode every key but L is the page's, and digits choose a chart in it", () => {
  for (const name of ["ArrowRight", " ", "Enter", "p", "1", "Escape"]) assert.equal(dx.lectureAct(key(name), false), null);
  assert.equal(dx.lectureAct(key("3"), true), 2);
});

test("what plays goes on until nothing is left, and says so", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const said = [];
  let left = 3;
  const player = dx.player(() => --left > 0, (plays) => said.push(plays));
  player.start(100);
  t.mock.timers.tick(50);
  player.start(50); // faster: still the same play
  assert.ok(player.plays());
  t.mock.timers.tick(1000);
  assert.equal(left, 0);
  assert.deepEqual(said, [true, false]);
});

test("a click between rows is the nearer row's, and one far from all of them nobody's", () => {
  const { nearest, placesOf } = dx.pickingPlaces;
  assert.equal(nearest([[0, 7], [1, 9], [3, 4]], 0.6), 1);
  assert.equal(nearest([[0, 7], [1, 9], [3, 4]], 2), -1);
  assert.deepEqual(placesOf({ figure: figure() }), { places: [[0, 7, "one"], [1, 9, "two"]], upright: false });
  assert.deepEqual(placesOf({ figure: null }), { places: [], upright: false });
});
