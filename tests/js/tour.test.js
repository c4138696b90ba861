// Where a callout stands.
"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "tour");

test("a callout is centred on what it points at, and stays on the page with its arrow", () => {
  assert.deepEqual(dx.calloutAt(600, 236, 1280), { left: 482, arrow: 118 });
  assert.deepEqual(dx.calloutAt(20, 236, 1280), { left: 8, arrow: 14 });
  assert.deepEqual(dx.calloutAt(1275, 236, 1280), { left: 1036, arrow: 222 });
});
