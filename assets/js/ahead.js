// The steps next to the one in view: while nobody does anything, Python is asked for what they would show, and a step
// change draws that at once. Python's own answer comes afterwards, the same to the letter, and is not drawn again.
"use strict";
(() => {
  if (dx.ahead) return; // several components bring this script
  const AFTER = 120; // ms without a movement
  const PATIENCE = 3000; // ms until a question counts as lost
  const REACH = 8; // steps to either side that are fetched when there is time
  const AT_ONCE = 4; // steps of one question, as the server takes them
  const ON_THEIR_WAY = 2; // questions
  const MOST = 64; // steps that are kept

  /** @param {number} most steps that are kept; the one looked at longest ago makes room */
  const store = (most = MOST) => {
    const kept = new Map(); // by terms and place: { part: JSON }
    /** @type {string | null} */
    let terms = null; // that the panels in view were made under, as Python last said; null where that is in doubt
    let aim = ""; // where the visitor went, while Python's answer is on its way
    let doubts = 0; // how often settings were moved
    const key = (under, place) => `${under}|${place}`;
    const put = (under, place, panels) => {
      const name = key(under, place), all = { ...kept.get(name), ...panels };
      kept.delete(name);
      kept.set(name, all);
      if (kept.size > most) kept.delete(kept.keys().next().value);
    };
    return {
      put,
      /** What is kept of a place under the terms in view, or null. */
      at: (place) => (terms ? kept.get(key(terms, place)) ?? null : null),
      /** The visitor goes to a place. */
      go: (place) => void (aim = terms ? place : ""),
      /** Python sent a panel: false where it is about a place that the visitor has left meanwhile. */
      take(about, part, json) {
        if (!about?.terms) {
          terms = null; // the run goes on: every answer is another one
          aim = "";
          return true;
        }
        if (aim && about.terms === terms && about.place !== aim) return put(about.terms, about.place, { [part]: json }), false;
        terms = about.terms;
        if (aim === about.place) aim = "";
        put(about.terms, about.place, { [part]: json });
        return true;
      },
      /** Settings were moved: what is kept may no longer be what they make of a step. */
      doubt: () => ((terms = null), (aim = ""), doubts++),
      trust: (said) => void (terms = said || null),
      get terms() { return terms; },
      get doubts() { return doubts; },
    };
  };

  /** The places around the one in view, the nearest first, without those that `has` knows. */
  const around = (at, has, reach = REACH) => {
    const out = [];
    const add = (step, rank) => {
      const place = { run: at.run, row: at.row, step, rank };
      if (step >= 0 && !has(placeOf(place))) out.push(place);
    };
    for (let away = 1; away <= reach; away++)
      for (const step of [at.step + away, at.step - away]) if (at.path) step in at.path && add(step, at.path[step]); else add(step);
    return out;
  };
  const placeOf = ({ row, step, rank }) => `${row}.${step}.${rank ?? ""}`;
  /** What a panel's JSON says that it is about; it comes first. */
  const aboutOf = (json) => dx.parse(/^\{"about":(\{[^{}]*\})/.exec(json ?? "")?.[1], null);

  const known = store();
  const panels = new Map(); // what draws a part of the page, by its name

  /**
   * Draws a panel of the step in view: what Python sends, unless the visitor has gone on meanwhile, and what was there
   * ahead. `prop` is the property that holds it; `later` says that what is drawn ahead may come a frame after the charts.
   */
  dx.stepPanel = (element, props, watch, draw, { prop = "data", later = () => false } = {}) => {
    const part = (element.closest("[id^=dx-]")?.id ?? "").slice(3).replaceAll("-", "_");
    let shown = props[prop];
    if (!part) return watch([prop], draw);
    panels.set(part, (json) => {
      if (json === shown) return;
      props[prop] = shown = json; // its events say what they are about
      if (!later()) return draw();
      requestAnimationFrame(() => setTimeout(() => shown === json && draw()));
    });
    watch([prop], () => {
      const json = props[prop];
      if (json === shown) return;
      if (aboutOf(json) && !known.take(aboutOf(json), part, json)) return void (props[prop] = shown);
      shown = json;
      draw();
    });
    const about = aboutOf(shown);
    if (about) known.take(about, part, shown);
  };

  let drawn = false; // what is in view was drawn ahead
  /** Tells Python of a step: after it is painted where it was drawn ahead, since nobody waits for the answer. */
  dx.unhurried = (emit) => {
    /** @type {[string, any] | null} */
    let last = null;
    const tell = () => {
      const now = last;
      last = null;
      if (now) emit(...now);
    };
    return (name, data) => {
      if (!drawn && !last) return emit(name, data);
      if (!last) requestAnimationFrame(() => setTimeout(tell));
      last = [name, data];
    };
  };

  dx.goAhead = (element, props, watch, emit) => {
    /** @type {any} */
    let at = null; // the place in view
    let timer = 0;
    const asked = new Map(); // questions on their way by turn: the places that each asks for, and the doubts when it did
    let hopeless = new Set(); // places that Python had nothing for
    /** @type {any} */
    let hint = null; // what the pointer or the focus is at
    let form = "";

    /** @type {string[]} */
    let parts = []; // of a step, as Python last sent one

    const whole = (kept) => Boolean(kept) && parts.length > 0 && parts.every((part) => part in kept);
    const has = (place) => whole(known.at(place)) || hopeless.has(`${known.terms}|${place}`);
    const go = (event) => {
      const before = at;
      at = event.detail;
      drawn = false;
      if (before?.run !== at.run) hopeless = new Set();
      if (at.streaming) known.doubt();
      else if (before && before.run === at.run && placeOf(before) !== placeOf(at)) draw(placeOf(at));
      soon();
    };
    const draw = (place) => {
      known.go(place);
      const kept = known.at(place);
      drawn = whole(kept);
      if (drawn) for (const [part, json] of Object.entries(kept)) panels.get(part)?.(json);
    };
    const soon = (after = AFTER) => {
      clearTimeout(timer);
      timer = setTimeout(() => (window.requestIdleCallback ?? setTimeout)(ask), after);
    };
    const ask = () => {
      if (!at || at.streaming || document.hidden) return;
      if (!dx.touched && parts.length) return; // who only came by needs no more than the first
      const coming = new Set([...asked.values()].flatMap(({ places }) => places));
      const missing = (place) => !has(placeOf(place)) && !coming.has(placeOf(place));
      const hinted = hint && missing(hint) ? [hint] : [];
      // What the hand is about to take does not wait for the answer about the steps around.
      if (asked.size) return void (asked.size < ON_THEIR_WAY && hinted.length && send(hinted));
      const wanted = [...hinted, ...around(at, has)];
      if (known.terms && !wanted.length) return;
      send(wanted.slice(0, AT_ONCE));
    };
    const send = (wanted) => {
      const turn = dx.nextTurn();
      setTimeout(() => asked.delete(turn), PATIENCE);
      asked.set(turn, { places: wanted.map(placeOf), doubts: known.doubts });
      emit({ wanted, about: { run: at.run, row: at.row, step: at.step }, turn });
    };
    const answered = () => {
      const data = dx.parse(props.data, null);
      const pending = data && asked.get(data.turn);
      if (!pending) return;
      asked.delete(data.turn);
      // Else something was chosen or moved meanwhile, and what is in view may be under other terms.
      const inTime = data.in_view && pending.doubts === known.doubts;
      if (inTime) known.trust(data.terms);
      for (const { place, panels } of data.steps) {
        known.put(data.terms, place, panels);
        parts = Object.keys(panels);
      }
      const came = new Set(data.steps.map(({ place }) => place));
      element.dataset.steps = [...came].join(" ");
      if (came.size) for (const place of pending.places) came.has(place) || hopeless.add(`${data.terms}|${place}`);
      // Else there was other work, or nothing that could be used: after the next movement.
      if (came.size && (!inTime || pending.places.some(has))) soon();
    };
    const near = (event) => {
      const node = dx.closest(event, ".dx-token, .dx-node");
      if (!node || !at) return;
      point(Number(node.dataset.step), node.dataset.rank === undefined ? undefined : Number(node.dataset.rank));
    };
    const point = (step, rank) => {
      hint = { run: at.run, row: at.row, step, rank };
      if (!has(placeOf(hint))) soon(0);
    };

    document.addEventListener("dx-at", go);
    document.addEventListener("dx-near", (event) => at && point(event.detail.step, event.detail.rank));
    document.addEventListener("pointerover", near, { passive: true });
    document.addEventListener("focusin", near);
    document.addEventListener("dx-knobs", (event) => {
      const now = JSON.stringify(event.detail);
      if (now !== form) known.doubt();
      form = now;
    });
    watch(["data"], answered);
    if (dx.about) go({ detail: dx.about });
  };
  dx.ahead = { store, around };
})();
