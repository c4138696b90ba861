// Which steps of the heat map are in its window.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const { heatWindow } = load("heat_window");

describe("a window", () => {
  test("shows as many columns as have room for words, and all of a short run", () => {
    assert.equal(heatWindow.open(200, 900).count, 15);
    assert.deepEqual(heatWindow.open(3, 900), { n: 3, first: 0, count: 3 });
    assert.equal(heatWindow.open(200, 100).count, 4);
  });
  test("stays within the run however it is moved", () => {
    const win = heatWindow.open(200, 900);
    assert.equal(heatWindow.pan(win, 1e9).first, 185);
    assert.equal(heatWindow.pan(win, -1e9).first, 0);
  });
  test("zooms around a step, down to four columns and up to all", () => {
    const win = heatWindow.pan(heatWindow.open(200, 900), 100);
    const place = () => (110.5 - win.first) / win.count;
    const before = place();
    heatWindow.zoom(win, 1.6, 110.5);
    assert.ok(Math.abs(place() - before) < 1e-9);
    for (let i = 0; i < 20; i++) heatWindow.zoom(win, 1.6);
    assert.equal(win.count, 4);
    for (let i = 0; i < 40; i++) heatWindow.zoom(win, 1 / 1.6);
    assert.deepEqual(win, { n: 200, first: 0, count: 200 });
  });
  test("follows a step with one beside it, and moves only where it must", () => {
    const win = heatWindow.open(200, 900);
    assert.equal(heatWindow.follow(win, 5), false);
    assert.equal(heatWindow.follow(win, 60), true);
    assert.ok(win.first <= 59 && win.first + win.count >= 62);
    heatWindow.follow(win, 0);
    assert.equal(win.first, 0);
    heatWindow.follow(win, 199);
    assert.equal(win.first, 185);
  });
  test("tells the step at a place, and none beside the columns", () => {
    const win = { n: 10, first: 2, count: 5 };
    assert.deepEqual([0, 19, 20, 99].map((x) => heatWindow.at(win, 100, x)), [2, 2, 3, 6]);
    assert.deepEqual([-1, 100].map((x) => heatWindow.at(win, 100, x)), [-1, -1]);
    assert.deepEqual(heatWindow.column(win, 100, 3), { x: 20, w: 20 });
  });
  test("of a run without steps shows nothing", () => {
    const win = heatWindow.open(0, 900);
    assert.deepEqual(heatWindow.seen(win), [0, 0]);
    assert.equal(heatWindow.at(win, 900, 10), -1);
  });
});
