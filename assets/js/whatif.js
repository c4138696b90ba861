// What if: the step in view under the settings of the panel, drawn from the page's own arithmetic as a slider moves,
// then as Python confirms it; the recorded run stays visible underneath.
"use strict";
(() => {
  const ASK_AFTER = 60; // ms without another movement
  const ASK_AT_LEAST = 150; // ms between questions while a slider keeps moving
  const PATIENCE = 5000; // ms until a question counts as lost
  const SETTLED_AFTER = 300; // ms that a new run's settings may come after its scores
  const IN_PAGE = ["temperature", "top_k", "top_p", "min_p"];
  const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, scrollZoom: false };

  const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--dx-${name}`).trim();
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  /** The settings that differ from the recorded ones, as [name, was, now]. */
  const differences = (frame, form) => {
    if (!frame || !form) return [];
    const out = [];
    if (form.mode !== frame.recorded.mode) out.push(["", frame.modes[frame.recorded.mode], frame.modes[form.mode]]);
    const names = new Set([...Object.keys(frame.recorded.given), ...Object.keys(form.given)]);
    for (const name of names) {
      if (frame.ignored.includes(name)) continue;
      const [was, now] = [frame.recorded.given[name], form.given[name]];
      if (!same(was, now)) out.push([name, was ?? frame.labels.unset, now ?? frame.labels.unset]);
    }
    return out;
  };

  const others = (form) => JSON.stringify(Object.entries(form.given).filter(([name]) => !IN_PAGE.includes(name)));

  /** The first number of the settings that cannot be, as [name, value, the range in words]; null where all can. */
  dx.whatifOutside = (ranges, form) => {
    for (const [name, value] of Object.entries(form.given)) {
      const range = ranges[name];
      if (!range || typeof value !== "number" || !range.modes.includes(form.mode)) continue;
      const { low, high } = range;
      const below = low !== null && (range.low_open ? value <= low : value < low);
      const above = high !== null && (range.high_open ? value >= high : value > high);
      if (below || above || Number.isNaN(value) || (range.whole && !Number.isInteger(value))) return [name, value, range.words];
    }
    return null;
  };

  /** What the page itself makes of the step: null where it cannot. */
  const computed = (base, form, frame) => {
    if (!base.scores.length || dx.whatifOutside(frame.ranges, form)) return null;
    const knobs = { min_keep: base.min_keep };
    if (base.sampling && form.mode === base.mode) {
      for (const name of IN_PAGE) knobs[name] = form.given[name] ?? frame.defaults[name];
    }
    const out = dx.truncate(base.scores, knobs);
    return {
      alive: out.kept, mass: out.mass, entropy: out.entropy, exact: false,
      unsure: out.unsure || !base.covered || form.mode !== base.mode || (base.others && others(form) !== base.others),
      p: base.tokens.map((token) => (token.place < 0 ? 0 : out.probability(token.place))),
    };
  };
  /** What Python makes of it. */
  const answered = (base, answer) => ({
    alive: answer.alive, mass: answer.mass, entropy: answer.entropy, exact: true, unsure: false,
    p: base.tokens.map((token) => answer.p[token.id] ?? 0),
  });

  const changeOf = ([name, was, now]) =>
    dx.el(
      "span", { class: "dx-if-change" },
      name ? dx.el("code", {}, name) : null, name ? " " : null, dx.el("s", {}, String(was)), " → ", dx.el("b", {}, String(now))
    );

  dx.whatif = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const [title, changes, state, reading, facts, plot, scroll, notes, ranks, onward, again, back] = [
      "title", "changes", "state", "reading", "facts", "plot", "scroll", "notes", "ranks", "onward", "again", "back",
    ].map(part);
    /** @type {any} */
    let frame = null; // labels, recorded settings
    /** @type {any} */
    let base = null; // the step's sorted scores
    /** @type {any} */
    let answer = null; // Python's
    /** @type {any} */
    let form = null; // the panel's value now
    let timer = 0;
    let asked = 0; // when
    let drawn = 0; // pending animation frame
    let waiting = 0; // for the answer to this turn
    let queued = false;
    let retry = 0;

    const label = (name, fields = {}) =>
      (frame.labels[name] || "").replace(/\{(\w+)\}/g, (all, field) => (field in fields ? fields[field] : all));

    /** Why these settings cannot be: in Python's words, or until it says so in the page's own; "" where they can. */
    const refused = () => {
      if (!frame || !form) return "";
      if (answer && answer.form === JSON.stringify(form)) return answer.error;
      const [name, value, range] = dx.whatifOutside(frame.ranges, form) || [];
      return name ? label("must", { name, value, range }) : "";
    };
    const confirmed = () => answer && !answer.error && answer.form === JSON.stringify(form) && base && answer.key === base.at;

    const row = (name, was, now, exact, tip) =>
      dx.el(
        "div", { "data-fact": name },
        dx.el("dt", {}, tip ? dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": tip }, label(name)) : label(name)),
        dx.el("dd", {}, dx.el(now === null ? "span" : "s", {}, was), " ", dx.el("b", {}, now === null ? "–" : `${exact ? "" : "≈ "}${now}`))
      );
    /** The recorded numbers, and what they are now; a dash where there is no answer. */
    const fillFacts = (now) => {
      const chosen = base.tokens.findIndex((token) => token.chosen);
      const count = (n) => n.toLocaleString("en-US");
      const of = (value) => (now ? value(now) : null);
      const line = (name, was, value, tip) => row(name, was, of(value), now?.exact, tip);
      const entropy = (state) => (state.entropy === null ? "–" : state.entropy.toFixed(2));
      const rows = [
        line("alive", count(base.alive), (state) => count(state.alive)),
        line("mass", dx.percent(base.mass), (state) => dx.percent(state.mass), label("mass_tip")),
        line("entropy", base.entropy.toFixed(2), entropy, label("entropy_tip")),
      ];
      if (chosen >= 0) {
        const name = dx.el("span", { class: "dx-if-token" }, ...dx.token(base.tokens[chosen].text));
        const probability = (state) => (state.p[chosen] ? dx.percent(state.p[chosen]) : label("gone"));
        const last = line("chosen", dx.percent(base.tokens[chosen].recorded), probability);
        last.firstElementChild?.replaceChildren(name); // the term
        last.classList.toggle("dx-if-gone", Boolean(now && !now.p[chosen]));
        rows.push(last);
      }
      facts.replaceChildren(...rows);
    };

    const showState = (name) => {
      element.dataset.state = name;
      state.textContent = label(name);
      state.setAttribute("data-tip", label(`${name}_tip`));
    };
    const draw = () => {
      drawn = 0;
      if (!frame || element.hidden || !base || !scroll.clientWidth) return;
      const wrong = refused();
      const now = wrong ? null : confirmed() ? answered(base, answer) : computed(base, form, frame);
      showState(wrong ? "wrong" : confirmed() ? "confirmed" : now && !now.unsure ? "computed" : "pending");
      fillFacts(now);
      const size = { width: scroll.clientWidth, height: scroll.clientHeight };
      const { data, layout } = dx.whatifFigure(base, now, label, size, colour, getComputedStyle(element).fontFamily);
      Plotly.react(plot, data, layout, CONFIG);
      plot.dataset.drawn = `${base.at}|${JSON.stringify(form)}|${element.dataset.state}`;
    };
    const schedule = () => {
      if (!drawn) drawn = requestAnimationFrame(draw);
    };

    const fillAnswer = () => {
      const wrong = refused();
      const fits = !wrong && confirmed();
      reading.classList.toggle("dx-stale", !fits && !wrong);
      notes.replaceChildren(...((fits && answer.notes) || []).map((note) => dx.el("li", {}, note)));
      if (wrong) {
        reading.replaceChildren(wrong);
        showState("wrong");
      } else if (fits) reading.replaceChildren(...dx.sentence(answer.reading));
      const replay = fits && answer.replay;
      ranks.replaceChildren(...(replay ? [dx.table(replay)] : []));
      const from = fits && answer.row ? answer.row.diverges : null;
      onward.hidden = !from; // at the first step it would be the same as from the prompt
      if (!onward.hidden) onward.textContent = label("onward", { step: dx.stepNumber(from, frame) });
      for (const button of [onward, again]) {
        button.setAttribute("aria-disabled", String(!frame.rerun || Boolean(wrong)));
        button.setAttribute("data-tip", frame.rerun ? label(button === onward ? "onward_tip" : "again_tip") : label("no_model"));
      }
      tell("dx-marks", fits && answer.row ? { ...answer.row, tip: frame.labels.tip, gone: frame.labels.tip_gone, parts: frame.labels.parts } : null);
    };

    const ask = (name = "ask") => {
      clearTimeout(timer);
      timer = 0;
      if (!frame) return; // there is no run to ask about any more, or not yet
      const turn = dx.nextTurn();
      if (name === "ask") {
        // One question at a time: those between the first and the last movement need no answer.
        if (waiting && performance.now() - asked < PATIENCE) {
          queued = true;
          return;
        }
        queued = false;
        waiting = turn;
        clearTimeout(retry);
        retry = setTimeout(() => !element.hidden && !confirmed() && !refused() && ((waiting = 0), ask()), PATIENCE);
      }
      asked = performance.now();
      emit(name, { form: JSON.stringify(form), have: base ? base.key : "", turn, about: frame.about });
    };
    const askSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, Math.max(0, Math.min(ASK_AFTER, asked + ASK_AT_LEAST - performance.now())));
    };

    /** The panel was moved: draw at once, let Python confirm. */
    const moved = (now, again = false) => {
      const before = form;
      form = now;
      if (!frame) return;
      const list = differences(frame, form);
      const active = list.length > 0;
      const was = !element.hidden;
      element.hidden = !active;
      if (active) {
        changes.replaceChildren(...list.map(changeOf));
        if (!confirmed()) reading.classList.add("dx-stale"); // it speaks of the settings before
        draw();
        if (again || JSON.stringify(before) !== JSON.stringify(form)) askSoon();
        if (!was || refused()) fillAnswer();
      } else {
        clearTimeout(timer);
        tell("dx-marks", null);
        if (was) ask();
      }
    };

    const takeFrame = () => {
      frame = dx.parse(props.data, null);
      answer = null;
      waiting = 0;
      queued = false;
      if (!frame) {
        element.hidden = true;
        tell("dx-marks", null);
        return;
      }
      element.setAttribute("aria-label", label("title"));
      title.textContent = label("title");
      again.textContent = label("again");
      onward.textContent = label("onward", { step: "…" });
      back.textContent = label("back");
      part("legend").replaceChildren(
        dx.el("i", { class: "dx-swatch dx-ghost" }), label("was"), dx.el("i", { class: "dx-swatch" }), label("now")
      );
      facts.setAttribute("aria-label", label("facts"));
      scroll.setAttribute("aria-label", label("chart"));
      reading.replaceChildren();
      element.hidden = true;
      tell("dx-marks", null);
      // The panel may be about to get this run's settings, too: ask only what still differs then.
      clearTimeout(timer);
      timer = setTimeout(() => form && frame && moved(form, true), SETTLED_AFTER);
    };
    const takeScores = () => {
      const data = dx.parse(props.scores, null);
      if (!data) return;
      base = { ...data, scores: dx.floats(data.scores), others: data.form && others(data.form) };
      draw();
    };
    const takeAnswer = () => {
      const said = dx.parse(props.answer, null);
      const now = said && !said.none ? said : null;
      const awaited = said && waiting && said.turn >= waiting;
      if (awaited) {
        waiting = 0;
        if (queued) ask();
      }
      if (confirmed() && now?.form !== answer.form) return; // late, to settings that were left again
      answer = now;
      if (!frame || !form) return;
      // While a slider keeps moving, only this panel follows: the large charts would hold up its next movement.
      if (awaited && !waiting && (now ? now.form === JSON.stringify(form) : element.hidden)) emit("settled", {});
      if (element.hidden) return;
      draw();
      fillAnswer();
    };

    const press = (button, name) =>
      button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && emit(name, { form: JSON.stringify(form), turn: dx.nextTurn(), about: (answer || frame)?.about }));
    press(onward, "onward");
    press(again, "again");
    back.addEventListener("click", () => tell("dx-set-knobs", frame.recorded));
    document.addEventListener("dx-knobs", (event) => moved(event.detail));
    // A hand near the sliders: fetch the step's scores before it moves one.
    const fetchSoon = () => frame && (!base || base.at !== props.at) && ask("need");
    document.addEventListener("dx-near-knobs", fetchSoon);
    // On a phone the sliders are a page away: the chart then floats over them.
    const panel = document.getElementById("dx-settings");
    const narrow = matchMedia("(max-width: 700px)");
    if (panel) new IntersectionObserver(([entry]) => {
      element.classList.toggle("dx-floating", narrow.matches && entry.isIntersecting);
      schedule();
    }, { rootMargin: "-30% 0px 0px 0px" }).observe(panel);
    dx.onScheme(schedule);
    new ResizeObserver(() => !element.hidden && schedule()).observe(scroll);
    watch(["data"], takeFrame);
    watch(["scores"], takeScores);
    watch(["answer"], takeAnswer);
    takeFrame();
    takeScores();
    takeAnswer();
    if (dx.knobForm) form = dx.knobForm;
  };
})();
