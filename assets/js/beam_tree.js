// The beam tree: all candidates of all steps. Topology comes once; folding, layout and stepping happen in the page.
// What is looked at is in beam_state.js and beam_window.js, the chart of it in beam_figure.js and beam_drawing.js, ways
// to move in beam_keys.js, beam_pointer.js and beam_overview.js; here they are put together, and Python is told.
"use strict";
(() => {
  const PLAY = 850; // milliseconds a step
  const PARTS = [
    "title", "prompts", "reading", "node", "steps", "tools", "paths", "words", "overview", "window", "scroll", "plot",
    "veil", "tip", "legend", "count",
  ];

  dx.beamTree = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const parts = Object.fromEntries(PARTS.map((name) => [name, part(name)]));
    const state = /** @type {SeenTree} */ (dx.beamState.empty());

    const send = () => {
      const { tree, step, rank } = state;
      props.value = JSON.stringify({ run: tree.run, prompt: tree.prompt, step, rank });
      locate();
    };
    const locate = () => {
      const { tree, step, rank } = state;
      const path = Array.from(tree.first, (best, i) => tree.rank[state.path[i] ?? best]); // where goTo leads
      const detail = { run: tree.run, row: tree.prompt, step, rank, streaming: tree.streaming, path };
      document.dispatchEvent(new CustomEvent("dx-at", { detail }));
    };

    // --- what can be done ---------------------------------------------------------------------------------------

    /** A node comes into view: its path is drawn, its step opened. */
    const choose = (node, keepPath = false) => {
      dx.beamState.look(state, node, keepPath);
      const { step, rank } = state;
      buttons.show();
      drawing.restepSoon(); // in the next frame, while Python is already at work on the step
      send();
      document.dispatchEvent(new CustomEvent("dx-beam-shown", { detail: { step, rank } }));
      emit("node", { prompt: state.tree.prompt, step, rank });
    };
    /** Another step: on the path in view while it lasts, else the best of that step. */
    const goTo = (wish) => {
      const step = Math.min(state.tree.n_steps - 1, Math.max(0, wish));
      if (step !== state.step) choose(state.path[step] ?? state.tree.first[step], true);
    };
    const stop = () => {
      clearInterval(state.playing);
      state.playing = 0;
    };
    const play = (on) => {
      stop();
      if (on) {
        if (state.step >= state.tree.n_steps - 1) goTo(0);
        state.playing = setInterval(() => {
          goTo(state.step + 1);
          if (state.step >= state.tree.n_steps - 1) play(false);
        }, PLAY);
      }
      buttons.show();
    };
    const rearrange = () => {
      dx.beamState.arrange(state);
      drawing.draw();
      buttons.show();
    };
    const fold = () => {
      state.folded = !state.folded;
      state.opened.clear();
      rearrange();
    };
    /** Opens the crowd below a node, or the run that begins with it. */
    const unfold = (node) => {
      state.opened.add(node);
      rearrange();
    };
    /** A click on a node: it comes into view, and what it is about is offered. */
    const pick = (node) => {
      choose(node);
      const { tree, step, rank } = state;
      const detail = { run: tree.run, row: tree.prompt, step, rank, token_id: tree.token[node] };
      document.dispatchEvent(new CustomEvent("dx-candidate", { detail }));
    };
    /** A node that was looked for, out of its crowd or run. */
    const reveal = (node) => {
      const item = state.picture.items[state.picture.of[node]];
      choose(node);
      if (item.kind === "node") return;
      state.opened.add(item.kind === "run" ? state.picture.items[item.headItem ?? -1].node : item.above);
      rearrange();
    };

    // --- the window ---------------------------------------------------------------------------------------------

    /** All of the tree, or a path, fitted into the room there is; "" for what can be read. */
    const fit = (what) => {
      state.fit = what;
      dx.beamWindow.forget(state);
      drawing.draw();
      buttons.show();
    };
    const whole = () => fit(state.fit === "whole" ? "" : "whole");
    const fitPath = (node) => {
      const last = state.path[state.path.length - 1];
      if (state.fit === "path" && last === node) return fit("");
      choose(node);
      fit("path");
    };
    const moved = (change) => {
      change();
      if (state.fit) {
        state.fit = "";
        buttons.show();
      }
      drawing.rewindowSoon();
    };
    const zoom = (factor, at) => moved(() => dx.beamWindow.zoom(state, factor, at));
    const pan = (columns, rows) => moved(() => dx.beamWindow.pan(state, columns, rows));
    const reach = (edges) => moved(() => dx.beamWindow.reach(state, edges));
    const stretch = (factor) => moved(() => dx.beamWindow.stretch(state, factor));
    /** What was looked for, ringed. */
    const mark = () => drawing.restepSoon();
    const prompt = (i) => {
      play(false);
      props.value = JSON.stringify({ run: state.tree.run, prompt: i, step: 0, rank: 0 });
      emit("node", { prompt: i, step: 0, rank: 0 });
    };
    const save = (format) => drawing.save(format, `beam-tree-step-${dx.stepNumber(state.step, state.tree)}.${format}`);

    const act = {
      choose, pick, goTo, play, fold, unfold, reveal, whole, fitPath, zoom, pan, reach, stretch, mark, prompt, save,
    };
    const drawing = dx.beamDrawing(element, parts, state, dx.beamOverview(parts, state, act));
    const buttons = dx.beamButtons(parts, state, act);
    dx.beamKeys(element, parts, state, act);
    dx.beamPointer(parts, state, act);
    document.addEventListener("dx-beam-pick", (event) => {
      if (!state.tree || !element.isConnected) return;
      const { step, rank } = event.detail;
      if (step < state.tree.n_steps) choose(dx.beamState.nodeAt(state.tree, step, rank));
    });

    // --- what comes from Python ---------------------------------------------------------------------------------

    const update = () => {
      const data = dx.parse(props.data, null);
      document.body.classList.toggle("dx-beams", Boolean(data));
      element.hidden = !data;
      stop();
      if (!data) {
        state.tree = /** @type {any} */ (null);
        return;
      }
      dx.beamState.take(state, data);
      const { labels } = state.tree;
      element.setAttribute("aria-label", labels.title);
      parts.title.textContent = labels.title;
      parts.scroll.setAttribute("aria-label", labels.label);
      buttons.build();
      drawing.showLegend();
      drawing.draw();
      locate();
    };
    const say = () => {
      const words = dx.parse(props.words, null);
      if (!words) return;
      parts.reading.replaceChildren(...dx.sentence(words.reading));
      parts.node.replaceChildren(...dx.sentence(words.node));
    };

    watch(["data"], update);
    dx.stepPanel(element, props, watch, say, { prop: "words" });
    update();
    say();
  };
})();
