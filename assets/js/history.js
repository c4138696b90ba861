// Back and Forward of the browser walk the runs: each that comes into view, recorded or chosen, is an entry. What else
// changes (a step, a slider) only rewrites the entry's address (share.js).
"use strict";
(() => {
  if (dx.walksRuns) return;
  dx.walksRuns = true;

  let page = Math.random().toString(36).slice(2); // whose runs the entries lead to
  const before = history.state?.dx; // of an entry that was in view before the page was loaded
  const asked = new Set(); // runs that Back or Forward led to, and that are still on their way
  let current = null;
  let index = 0; // of the entry in view
  let streaming = false;
  let returning = false;

  dx.visit = page;
  /** The runs are those of a page that was in this tab before: the entries made there lead to them, too. */
  dx.goOn = (those) => {
    if (!before || before.page !== those) return;
    page = dx.visit = those;
    index = before.index;
    if (current !== null) history.replaceState(entry(), "");
  };

  const entry = () => ({ ...history.state, dx: { page, run: current, index } });
  const arrive = (at) => {
    streaming = Boolean(at.streaming);
    if (!Number.isInteger(at.run) || at.run === current) return;
    const first = current === null;
    current = at.run;
    if (asked.has(current)) {
      if (history.state?.dx?.run === current) asked.clear();
      return;
    }
    asked.clear();
    // Nobody's history grows before they have done something: a link that runs by itself stays one entry.
    if (first || !dx.touched) return history.replaceState(entry(), "");
    index += 1;
    history.pushState(entry(), "");
  };
  document.addEventListener("dx-at", (event) => arrive(event.detail));
  if (dx.about) arrive(dx.about);

  window.addEventListener("popstate", (event) => {
    const to = event.state?.dx;
    if (returning || !to) return void (returning = false);
    if (to.page !== page) return location.reload(); // from before a reload: its address still has it
    if (streaming) {
      // Python says why: the run comes to its end first.
      returning = to.index !== index;
      if (returning) history.go(index - to.index);
    } else {
      index = to.index;
      if (to.run === current) return;
      asked.add(to.run);
    }
    document.dispatchEvent(new CustomEvent("dx-visit", { detail: { number: to.run } }));
  });
})();
