// Which steps of the heat map are in its window, and where they stand: nothing but arithmetic.
"use strict";
(() => {
  const TEXT = 60; // pixels of a column in which a token can be read
  const LEAST = 4; // columns

  const within = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  const kept = (win) => {
    win.count = within(win.count, Math.min(LEAST, win.n), win.n);
    win.first = within(win.first, 0, win.n - win.count);
    return win;
  };

  dx.heatWindow = {
    /** As many columns as have room for their tokens. */
    open: (n, width) => kept({ n, first: 0, count: Math.max(LEAST, Math.floor(width / TEXT)) }),
    /** Wider columns for a factor above 1; the step `at` stays where it is. */
    zoom(win, factor, at = win.first + win.count / 2) {
      const share = (at - win.first) / win.count;
      win.count /= factor;
      kept(win);
      win.first = at - share * win.count;
      return kept(win);
    },
    pan(win, by) {
      win.first += by;
      return kept(win);
    },
    /** Brings a step into the window, with one beside it; whether it had to move. */
    follow(win, step) {
      const before = win.first;
      if (step < win.first + 1) win.first = step - 1;
      else if (step > win.first + win.count - 2) win.first = step - win.count + 2;
      kept(win);
      return win.first !== before;
    },
    /** The step in whose column x lies, of columns that take up `width` pixels; -1 beside them. */
    at(win, width, x) {
      const step = Math.floor(win.first + (x / width) * win.count);
      return x < 0 || x >= width || step < 0 || step >= win.n ? -1 : step;
    },
    /** Where a step's column begins, and how wide it is. */
    column: (win, width, step) => ({ x: ((step - win.first) / win.count) * width, w: width / win.count }),
    /** The steps of which something is to be seen: from the first to before the last. */
    seen: (win) => [Math.max(0, Math.floor(win.first)), Math.min(win.n, Math.ceil(win.first + win.count))],
  };
})();
