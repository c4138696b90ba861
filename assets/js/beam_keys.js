// Every way to move in the beam tree: keys, buttons, pointer. What they do is in `act` (beam_tree.js).
"use strict";
(() => {
  const { nodeAt } = dx.beamState;
  const { filled, tipOf } = dx.beamFigure;
  const CLOSER = 0.8, FARTHER = 1.25, WHEEL_CLOSER = 0.87, WHEEL_FARTHER = 1.15; // zooms, as factors

  dx.beamKeys = (element, state, act) => {
    element.addEventListener("keydown", (event) => {
      const { tree, step } = state;
      if (!tree || event.altKey || event.ctrlKey || event.metaKey) return;
      const onButton = dx.closest(event, "button"), onSlider = dx.closest(event, 'input[type="range"]');
      const from = tree.first[step], to = tree.first[step + 1], at = nodeAt(tree, step, state.rank);
      const moves = {
        ArrowLeft: () => act.goTo(step - 1), ArrowRight: () => act.goTo(step + 1), Home: () => act.goTo(0),
        End: () => act.goTo(tree.n_steps - 1), ArrowUp: () => act.choose(Math.max(from, at - 1)),
        ArrowDown: () => act.choose(Math.min(to - 1, at + 1)),
        " ": () => act.play(!state.playing), "+": () => act.zoom(CLOSER), "-": () => act.zoom(FARTHER),
      };
      if (!(event.key in moves) || (event.key === " " && onButton)) return;
      if (onSlider && (event.key === "ArrowUp" || event.key === "ArrowDown")) return;
      event.preventDefault();
      if (event.key !== " ") act.play(false);
      moves[event.key]();
    });
  };

  /** The buttons: for most keys, and to fold, to see all, to keep the chart as an image. */
  dx.beamButtons = (parts, state, act) => {
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
    const build = () => {
      const l = state.tree.labels;
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
        button("fold", l["fold.tip"], act.fold, l.fold),
        button("whole", l.whole, act.whole, l.whole),
        button("zoom-out", l.zoom_out, () => act.zoom(FARTHER), "−"),
        button("zoom-in", l.zoom_in, () => act.zoom(CLOSER), "+"),
        button("png", filled(l.export, { kind: "PNG" }), () => act.save("png"), "PNG"),
        button("svg", filled(l.export, { kind: "SVG" }), () => act.save("svg"), "SVG")
      );
      buildPrompts();
      show();
    };
    const buildPrompts = () => {
      const { tree } = state;
      parts.prompts.hidden = tree.prompts.length < 2;
      parts.prompts.setAttribute("aria-label", tree.labels.prompts);
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
    };

    /** The buttons as the step in view wants them. */
    const show = () => {
      const { tree, step, playing } = state;
      const slider = parts.steps.querySelector("input");
      if (!slider || !tree) return;
      const find = (name) =>
        [parts.steps, parts.tools].map((box) => box.querySelector(`[data-tool="${name}"]`)).find(Boolean);
      const l = tree.labels;
      slider.max = tree.n_steps;
      slider.value = step + 1;
      const at = filled(l.step, { n: step + 1, of: tree.n_steps });
      slider.setAttribute("aria-valuetext", at);
      parts.steps.querySelector("output").textContent = at;
      // Not `disabled`: a button that has the focus would lose it, and the arrow keys with it.
      const dim = (name, on) => find(name).setAttribute("aria-disabled", String(on));
      ["first", "back"].forEach((name) => dim(name, step === 0));
      ["last", "forward"].forEach((name) => dim(name, step >= tree.n_steps - 1));
      const play = find("play");
      play.textContent = playing ? "❚❚" : "▶︎ " + l.play;
      play.setAttribute("aria-label", playing ? l.pause : l.play);
      play.setAttribute("data-tip", playing ? l.pause : l.play);
      find("fold").setAttribute("aria-pressed", String(Boolean(state.folded)));
      find("whole").setAttribute("aria-pressed", String(state.whole));
    };
    return { build, show };
  };

  /** The pointer in the plot: a tip for what it is over, a click to look or to unfold, dragging, Ctrl and the wheel. */
  dx.beamPointer = (parts, state, act, drawing) => {
    const { plot, scroll, tip } = parts;
    const itemOf = (event) => {
      const point = event.points?.[0];
      const { items, shown } = state.picture;
      return point && point.data.mode === "markers" ? items[shown[point.pointNumber]] : null;
    };
    plot.on("plotly_hover", (event) => {
      const item = itemOf(event);
      if (!item) return;
      if (item.kind === "node") {
        const detail = { step: state.tree.step[item.node], rank: state.tree.rank[item.node] };
        document.dispatchEvent(new CustomEvent("dx-near", { detail }));
      }
      const box = scroll.getBoundingClientRect(), pointer = event.event;
      tip.textContent = tipOf(state.tree, item);
      tip.hidden = false;
      const left = pointer.clientX - box.left, width = tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(left + 14, box.width - width))}px`;
      tip.style.top = `${pointer.clientY - box.top + 16}px`;
    });
    plot.on("plotly_unhover", () => (tip.hidden = true));
    plot.on("plotly_click", (event) => {
      const item = itemOf(event);
      if (!item) return;
      act.play(false);
      tip.hidden = true;
      if (item.kind === "node") act.choose(item.node);
      else act.unfold(item.kind === "run" ? item.node : item.above);
    });
    const moved = () => {
      const { xaxis, yaxis } = plot._fullLayout;
      state.columns = { x0: xaxis.range[0], x1: xaxis.range[1], y: yaxis.range.slice(), mine: true };
      drawing.veil();
    };
    plot.on("plotly_relayouting", moved);
    plot.on("plotly_relayout", (event) => {
      if (!Object.keys(event).some((key) => key.startsWith("xaxis.range[") || key.startsWith("yaxis.range["))) return;
      moved();
      drawing.relabelSoon();
    });
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // as in a map: the wheel alone scrolls the page
      event.preventDefault();
      const axis = plot._fullLayout.xaxis;
      const at = axis.p2l(event.clientX - scroll.getBoundingClientRect().left - axis._offset);
      act.zoom(event.deltaY > 0 ? WHEEL_FARTHER : WHEEL_CLOSER, at);
    }, { passive: false });
  };
})();
