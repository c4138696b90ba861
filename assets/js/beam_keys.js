// Keys and buttons of the beam tree. What they do is in `act` (beam_tree.js).
"use strict";
(() => {
  const { nodeAt } = dx.beamState;
  const { filled } = dx.beamWords;
  const CLOSER = 0.8, FARTHER = 1.25; // zooms, as factors

  dx.beamKeys = (element, parts, state, act) => {
    element.addEventListener("keydown", (event) => {
      const { tree, step } = state;
      if (!tree || event.altKey || event.ctrlKey || event.metaKey) return;
      const onButton = dx.closest(event, "button, [role=button]"), onSlider = dx.closest(event, 'input[type="range"]');
      const from = tree.first[step], to = tree.first[step + 1], at = nodeAt(tree, step, state.rank);
      const moves = {
        ArrowLeft: () => act.goTo(step - 1), ArrowRight: () => act.goTo(step + 1), Home: () => act.goTo(0),
        End: () => act.goTo(tree.n_steps - 1), ArrowUp: () => act.choose(Math.max(from, at - 1)),
        ArrowDown: () => act.choose(Math.min(to - 1, at + 1)),
        " ": () => act.play(!state.playing), "+": () => act.zoom(CLOSER), "-": () => act.zoom(FARTHER),
        Enter: () => act.pick(at), "/": () => parts.tools.querySelector("input")?.focus(),
      };
      if (!(event.key in moves) || ((event.key === " " || event.key === "Enter") && onButton)) return;
      if (onSlider && (event.key === "ArrowUp" || event.key === "ArrowDown")) return;
      event.preventDefault();
      if (event.key !== " ") act.play(false);
      moves[event.key]();
    });
  };

  /** The buttons: for most keys, and to look for a token, to fold, to see all, to keep the chart as an image. */
  dx.beamButtons = (parts, state, act) => {
    const find = dx.beamSearch(state, act), path = dx.beamPath(parts, state, act);
    let built = ""; // the words that the buttons have

    const button = (name, label, click, text) =>
      dx.el(
        "button",
        { type: "button", class: "dx-tool", "data-tool": name, "aria-label": label, "data-tip": label, on: { click } },
        text
      );
    const stopAndGo = (step) => {
      act.play(false);
      act.goTo(step);
    };
    const tools = (l) => {
      const slider = dx.el("input", {
        type: "range", min: 1, step: 1, class: "dx-range", "aria-label": l.slider,
        on: { input: () => stopAndGo(Number(slider.value) - 1) },
      });
      parts.steps.replaceChildren(
        button("first", l.first, () => stopAndGo(0), "|◀"),
        button("back", l.back, () => stopAndGo(state.step - 1), "◀"),
        button("play", l.play, () => act.play(!state.playing), "▶"),
        button("forward", l.forward, () => stopAndGo(state.step + 1), "▶"),
        button("last", l.last, () => stopAndGo(state.tree.n_steps - 1), "▶|"),
        slider,
        dx.el("output", { "data-part": "at" })
      );
      parts.tools.replaceChildren(
        find.box,
        button("fold", l["fold.tip"], act.fold, l.fold),
        button("whole", l.whole, act.whole, l.whole),
        button("zoom-out", l.zoom_out, () => act.zoom(FARTHER), "−"),
        button("zoom-in", l.zoom_in, () => act.zoom(CLOSER), "+"),
        button("png", filled(l.export, { kind: "PNG" }), () => act.save("png"), "PNG"),
        button("svg", filled(l.export, { kind: "SVG" }), () => act.save("svg"), "SVG")
      );
      parts.window.setAttribute("aria-label", l.overview);
    };
    /** Made anew in another language only: while a run grows, what has the focus keeps it. */
    const build = () => {
      const words = JSON.stringify(state.tree.labels);
      if (words !== built) tools(state.tree.labels);
      built = words;
      find.show();
      buildPrompts();
      show();
    };
    const buildPrompts = () => {
      const { tree } = state;
      parts.prompts.hidden = tree.prompts.length < 2;
      parts.prompts.setAttribute("aria-label", tree.labels.prompts);
      const focused = dx.focused(parts.prompts)?.dataset.prompt;
      parts.prompts.replaceChildren(
        ...tree.prompts.map((label, i) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-tab", "aria-pressed": String(i === tree.prompt), "data-prompt": i,
              on: { click: () => act.prompt(i) },
            },
            `${tree.labels.prompts} ${label}`
          )
        )
      );
      parts.prompts.querySelector(`[data-prompt="${focused}"]`)?.focus();
    };

    /** The buttons as the step in view wants them. */
    const show = () => {
      const { tree, step, playing } = state;
      const slider = parts.steps.querySelector("input");
      if (!slider || !tree) return;
      const found = (name) =>
        [parts.steps, parts.tools].map((box) => box.querySelector(`[data-tool="${name}"]`)).find(Boolean);
      const l = tree.labels;
      slider.max = tree.n_steps;
      slider.value = step + 1;
      const at = filled(l.step, { n: dx.stepNumber(step, tree), of: dx.stepNumber(tree.n_steps - 1, tree) });
      slider.setAttribute("aria-valuetext", at);
      parts.steps.querySelector("output").textContent = at;
      // Not `disabled`: a button that has the focus would lose it, and the arrow keys with it.
      const dim = (name, on) => found(name).setAttribute("aria-disabled", String(on));
      ["first", "back"].forEach((name) => dim(name, step === 0));
      ["last", "forward"].forEach((name) => dim(name, step >= tree.n_steps - 1));
      const play = found("play");
      play.textContent = playing ? "❚❚" : "▶︎ " + l.play;
      play.setAttribute("aria-label", playing ? l.pause : l.play);
      play.setAttribute("data-tip", playing ? l.pause : l.play);
      found("fold").setAttribute("aria-pressed", String(Boolean(state.folded)));
      found("whole").setAttribute("aria-pressed", String(state.fit === "whole"));
      path.show();
    };
    return { build, show };
  };
})();
