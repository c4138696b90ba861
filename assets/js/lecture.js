// Lecture mode: one chart on the whole screen, the step told stage by stage, large, by keys alone.
"use strict";
(() => {
  const CHARTS = { waterfall: "dx-waterfall", cutoff: "dx-cutoff", heat_map: "dx-heat-map", beam_tree: "dx-beam-tree" };
  const PACE = 1800; // milliseconds a stage
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  const READABLE = 800; // pixels across which a page is laid out, and then drawn as large as the screen
  const LARGEST = 2.2;

  dx.lecture = (element, props, watch) => {
    const part = dx.partsOf(element);
    const names = [
      "open", "bar", "before", "token", "sentence", "stages", "at", "steps", "predict", "charts", "close", "summary", "keys",
    ];
    const parts = Object.fromEntries(names.map((name) => [name, part(name)]));
    /** @type {any} */
    let data = null;
    // `stage` is -1 while the step is to be guessed; `whole`: the next step is shown as a whole, too.
    const state = { on: false, stage: 0, whole: false, predict: false, speed: 2, chart: "waterfall", waits: false };

    const last = () => data.stages.length - 1;
    const block = (name) => document.getElementById(CHARTS[name]);
    const there = () =>
      Object.keys(CHARTS).filter((name) => {
        const card = block(name)?.querySelector(".dx-card");
        return card && !card.hasAttribute("hidden") && !card.classList.contains("dx-without-figure");
      });
    const beams = () => data.about.rank !== null;
    const atEnd = () => data.about.step >= data.n_steps - 1;
    const withStages = () => state.chart === "waterfall";
    const told = () => (withStages() ? state.stage : state.stage < 0 ? -1 : last());

    // --- what is on the screen ----------------------------------------------------------------------------------

    const button = (act, label, words, more = {}) =>
      dx.el("button", {
        type: "button", class: "dx-plain", "aria-label": words, "data-tip": words, "data-act": act,
        on: { click: () => acts[act]() }, ...more,
      }, label);
    const showStages = () => {
      parts.stages.hidden = !withStages();
      parts.stages.setAttribute("aria-label", data.words.stages);
      const hadFocus = dx.focused(parts.stages);
      parts.stages.replaceChildren(
        ...data.stages.map(({ name }, i) =>
          dx.el("button", {
            type: "button", class: "dx-stage", "aria-pressed": String(i === state.stage), "data-told": i <= state.stage,
            on: { click: () => reach(i) },
          }, name)
        )
      );
      if (hadFocus) parts.stages.querySelector('[aria-pressed="true"]')?.focus();
    };
    const showSteps = () => {
      const { words } = data, hadFocus = dx.focused(parts.steps)?.dataset.act;
      const pace = words.speed.replace("{n}", SPEEDS[state.speed]);
      parts.steps.replaceChildren(
        button("back", "←", words.back), button("play", player.plays() ? "❚❚" : "▶︎", player.plays() ? words.pause : words.play),
        button("forward", "→", words.forward), button("slower", "−", words.slower),
        dx.el("span", { class: "dx-hint" }, pace), button("faster", "+", words.faster)
      );
      if (hadFocus) parts.steps.querySelector(`[data-act="${hadFocus}"]`)?.focus();
    };
    const showCharts = () => {
      parts.charts.setAttribute("aria-label", data.words.charts);
      parts.charts.replaceChildren(
        ...there().map((name, i) =>
          dx.el("button", {
            type: "button", class: "dx-tab", "aria-pressed": String(name === state.chart), "data-chart": name,
            on: { click: () => choose(name) },
          }, `${i + 1} ${data.names[name]}`)
        )
      );
    };
    const show = () => {
      if (!state.on) return;
      const stage = told(), { words } = data;
      parts.before.replaceChildren(...dx.token(data.before));
      const known = stage >= last();
      parts.token.replaceChildren(...(known ? dx.token(data.token) : [" ? "]));
      parts.token.setAttribute("aria-label", known ? data.token : words.hidden);
      parts.sentence.replaceChildren(...(stage < 0 ? [words.question] : dx.sentence(data.stages[stage].sentence)));
      parts.at.textContent = data.at;
      parts.predict.textContent = words.predict;
      parts.predict.setAttribute("aria-pressed", String(state.predict));
      parts.predict.setAttribute("data-tip", words["predict.tip"]);
      parts.close.textContent = "×";
      parts.close.setAttribute("aria-label", words.close);
      parts.close.setAttribute("data-tip", words.close);
      document.body.dataset.dxTold = stage < 0 ? "nothing" : known ? "all" : "some";
      showStages();
      showSteps();
      showCharts();
      document.dispatchEvent(new CustomEvent("dx-redraw"));
    };
    /** As large as the screen is wide; the chart above the bar. */
    const fit = () => {
      const scale = Math.min(LARGEST, Math.max(1, innerWidth / READABLE));
      document.body.style.setProperty("--dx-lecture-scale", String(scale));
      document.body.style.setProperty("--dx-lecture-bar", `${parts.bar.offsetHeight}px`);
    };
    const choose = (name) => {
      block(state.chart)?.classList.remove("dx-on-stage");
      state.chart = name;
      block(name)?.classList.add("dx-on-stage");
      show();
      if (name === "beam_tree") block(name)?.querySelector("[data-part=scroll]")?.focus({ preventScroll: true });
      else parts.bar.focus({ preventScroll: true });
    };

    // --- what can be done ---------------------------------------------------------------------------------------

    const reach = (stage) => {
      state.stage = Math.min(last(), Math.max(state.predict ? -1 : 0, stage));
      state.whole = false;
      show();
    };
    /** Another step; whether there is one. */
    const step = (by) => {
      const to = data.about.step + by;
      if (state.waits || to < 0 || to >= data.n_steps) return false;
      state.waits = true;
      setTimeout(() => (state.waits = false), 3000); // an answer that never came
      if (beams()) document.querySelector(`#dx-beam-tree [data-tool="${by > 0 ? "forward" : "back"}"]`)?.click();
      else document.dispatchEvent(new CustomEvent("dx-go", { detail: { row: data.about.row, step: to } }));
      return true;
    };
    const onward = () => {
      if (state.waits) return true;
      if (told() < last()) reach(withStages() ? state.stage + 1 : last());
      else step(1);
      return told() < last() || !atEnd();
    };
    const player = dx.player(onward, () => showSteps());
    const pace = () => PACE / SPEEDS[state.speed];
    const hurry = (by) => {
      state.speed = Math.min(SPEEDS.length - 1, Math.max(0, state.speed + by));
      if (player.plays()) player.start(pace());
      showSteps();
    };
    const rule = (by) => {
      const tabs = [...(block("cutoff")?.querySelectorAll("[data-part=tabs] button") || [])];
      const at = tabs.findIndex((tab) => tab.getAttribute("aria-pressed") === "true");
      tabs[at + by]?.click();
    };
    const climb = (by) => (state.chart === "cutoff" && state.stage >= 0 ? rule(by) : reach(told() + by));
    const acts = {
      open() {
        if (!data || state.on) return;
        state.on = true;
        Object.assign(state, { stage: state.predict ? -1 : 0, whole: false });
        document.body.classList.add("dx-lecturing");
        parts.bar.hidden = false;
        const shown = there();
        choose(shown.includes(state.chart) ? state.chart : shown[0]);
        fit();
      },
      leave() {
        player.stop();
        state.on = false;
        document.body.classList.remove("dx-lecturing");
        block(state.chart)?.classList.remove("dx-on-stage");
        delete document.body.dataset.dxTold;
        parts.bar.hidden = true;
        document.dispatchEvent(new CustomEvent("dx-redraw"));
        parts.open.focus({ preventScroll: true });
      },
      back: () => (player.stop(), step(-1)),
      forward: () => (player.stop(), step(1)),
      up: () => climb(-1),
      down: () => climb(1),
      first: () => reach(state.predict ? -1 : 0),
      all: () => (reach(last()), (state.whole = true)),
      play: () => (player.plays() ? player.stop() : player.start(pace())),
      faster: () => hurry(1),
      slower: () => hurry(-1),
      predict() {
        state.predict = !state.predict;
        reach(state.predict ? -1 : Math.max(0, state.stage));
      },
      reveal: () => reach(told() < 0 && !withStages() ? last() : told() + 1),
    };

    // --- keys, buttons, and what comes from Python --------------------------------------------------------------

    document.addEventListener("keydown", (event) => {
      const act = element.isConnected && data ? dx.lectureAct(event, state.on) : null;
      if (act === null) return;
      if (state.chart === "beam_tree" && (act === "up" || act === "down")) return; // the tree's own
      event.preventDefault();
      event.stopPropagation();
      if (typeof act === "number") there()[act] && choose(there()[act]);
      else acts[act]();
    }, { capture: true });
    parts.open.addEventListener("click", () => acts.open());
    parts.predict.addEventListener("click", () => acts.predict());
    parts.close.addEventListener("click", () => acts.leave());
    addEventListener("resize", () => state.on && fit());
    new ResizeObserver(() => state.on && fit()).observe(parts.bar);

    /** What is drawn of a chart: of the one on the screen as much as was told. */
    dx.staged = (card, payload) => {
      if (!state.on || !block("waterfall")?.contains(card) || !withStages()) return payload.figure;
      const same = payload.about.place === data.about.place; // else the words are on their way
      return dx.lectureFigure(payload.figure, same ? state.stage : -1);
    };

    const update = () => {
      const before = data?.about;
      data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return state.on ? acts.leave() : undefined;
      parts.open.textContent = data.words.open;
      parts.open.setAttribute("data-tip", data.words["open.tip"]);
      parts.bar.setAttribute("aria-label", data.words.title);
      parts.summary.textContent = data.words.keys;
      parts.keys.replaceChildren(
        ...data.keys.map(([key, what]) => dx.el("div", {}, dx.el("dt", {}, key), dx.el("dd", {}, what)))
      );
      state.waits = false;
      if (before?.place !== data.about.place || before?.run !== data.about.run)
        state.stage = state.predict ? -1 : state.whole ? last() : 0;
      state.stage = Math.min(state.stage, last());
      show();
    };
    dx.stepPanel(element, props, watch, update, { later: () => !state.on });
    update();
  };
})();
