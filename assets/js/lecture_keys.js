// The keys of lecture mode, which work wherever the focus is, but not while somebody types.
"use strict";
(() => {
  const ACTS = {
    ArrowLeft: "back", ArrowRight: "forward", ArrowUp: "up", ArrowDown: "down", Home: "first", End: "all", " ": "play",
    "+": "faster", "=": "faster", "-": "slower", "_": "slower", "−": "slower", p: "predict", Enter: "reveal",
    l: "leave", Escape: "leave",
  };
  const FIELDS = "input, textarea, select, [contenteditable]:not([contenteditable=false])";

  /** Whether a key belongs to a field, to a button that has the focus, or to the browser. */
  const theirs = (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return true;
    if (dx.closest(event, FIELDS)) return true;
    return (event.key === "Enter" || event.key === " ") && Boolean(dx.closest(event, "button, summary, a"));
  };

  /** What a key does in lecture mode, a chart's number for the digits; null for nothing. */
  dx.lectureAct = (event, on) => {
    if (theirs(event)) return null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!on) return key === "l" ? "open" : null;
    if (/^[1-9]$/.test(key)) return Number(key) - 1;
    return ACTS[key] ?? null;
  };
})();
