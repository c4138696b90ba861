// The whole run at a glance: steps from left to right, at each its likeliest tokens (of a beam run, its beams).
"use strict";
(() => {
  const PARTS = ["title", "legend", "tools", "reading", "scroll", "map", "overview", "tip", "said", "summary", "table", "images"];
  const FEW = 8; // rows that are never folded by themselves: the charts below stay in view all the same
  const SLIP = 5; // pixels that a hand may move within a click
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  /** @returns {HeatState} */
  const empty = () => ({
    key: "", run: -1, place: 0, n: 0, columns: [], whole: false, beams: false, cuts: false, approximate: false, ranks: 0,
    labels: {}, folded: false, step: 0, row: -1, rank: null, width: 0, win: { n: 0, first: 0, count: 0 },
  });

  dx.heatMap = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const parts = Object.fromEntries(PARTS.map((name) => [name, part(name)]));
    const state = empty();
    const { LEFT, RIGHT } = dx.heatDrawing;
    /** @type {any} */
    let colours = null;
    let got = 0; // columns that came of what is asked for now; those of before stay in view until then
    let frame = 0;
    let drawn = ""; // what the window was made for
    let chosen = false; // by hand, whether it is folded

    // --- drawing ------------------------------------------------------------------------------------------------

    const draw = () => {
      frame = 0;
      const width = parts.scroll.clientWidth - LEFT - RIGHT;
      if (element.hidden || !state.n || width <= 0) return;
      const shape = `${state.run}.${state.place}.${state.n}.${state.folded}`;
      if (drawn !== shape || Math.abs(width - state.width) > 1) {
        drawn = shape;
        state.width = width;
        state.win = state.folded ? { n: state.n, first: 0, count: state.n } : dx.heatWindow.open(state.n, width);
        dx.heatWindow.follow(state.win, state.step);
      }
      colours = colours || dx.heatDrawing.colours(element);
      const all = state.win.count >= state.n;
      parts.overview.hidden = all;
      dx.heatDrawing.draw(parts.map, state, colours);
      if (!parts.overview.hidden) dx.heatDrawing.overview(parts.overview, state, colours);
      buttons.all.setAttribute("aria-pressed", String(all));
      buttons.in.setAttribute("aria-disabled", String(state.win.count <= 4));
      buttons.out.setAttribute("aria-disabled", String(all));
      element.dataset.drawn = `${state.key}.${state.place}.${state.columns.length}`;
    };
    const drawSoon = () => {
      if (!frame) frame = requestAnimationFrame(draw);
    };
    const fillTable = () => {
      if (parts.table.parentElement.open && state.whole) parts.table.replaceChildren(dx.table(dx.heatWords.table(state)));
    };

    // --- moving -------------------------------------------------------------------------------------------------

    /** Of a beam run the place of the candidate in view among those of its step. */
    const rowOfRank = () => state.columns[state.step]?.ranks?.indexOf(state.rank) ?? -1;
    const go = (step) => {
      const to = Math.min(Math.max(step, 0), state.n - 1);
      if (to === state.step && !state.beams) return;
      if (state.beams) {
        const column = state.columns[to];
        if (!column?.ranks.length) return;
        const row = Math.min(Math.max(state.row, 0), column.ranks.length - 1);
        tell("dx-beam-pick", { step: to, rank: column.ranks[column.best >= 0 && state.row < 0 ? column.best : row] });
      } else tell("dx-go", { row: state.place, step: to });
    };
    /** The candidate of a cell, for whoever shows it. */
    const pick = (step, row) => {
      const column = state.columns[step];
      if (!column?.ids.length) return;
      const known = row >= 0 && row < column.ids.length;
      if (state.beams) {
        if (!known) return;
        tell("dx-beam-pick", { step, rank: column.ranks[row] });
        tell("dx-candidate", { run: state.run, row: column.rows[row], step, token_id: column.ids[row], rank: column.ranks[row] });
      } else tell("dx-candidate", { run: state.run, row: state.place, step, token_id: known ? column.ids[row] : column.at.id });
    };
    const say = () => {
      parts.said.textContent = dx.heatWords.tip(state, state.step, state.row).replaceAll("\n", ", ");
    };
    const climb = (by) => {
      const column = state.columns[state.step];
      if (!column?.ids.length) return;
      const from = state.row < 0 ? Math.min(dx.heatDrawing.chosenRow(state, column), column.ids.length) - (by > 0 ? 1 : 0) : state.row;
      state.row = Math.min(Math.max(from + by, 0), column.ids.length - 1);
      if (state.beams) tell("dx-beam-pick", { step: state.step, rank: column.ranks[state.row] });
      say();
      drawSoon();
    };
    const zoom = (factor, at = state.step + 0.5) => {
      if (state.folded) return;
      dx.heatWindow.zoom(state.win, factor, at);
      drawSoon();
    };
    const all = () => {
      if (state.folded) return;
      if (state.win.count >= state.n) state.win = dx.heatWindow.open(state.n, state.width);
      else state.win = { n: state.n, first: 0, count: state.n };
      dx.heatWindow.follow(state.win, state.step);
      drawSoon();
    };
    const showFolded = () => {
      buttons.fold.textContent = state.labels[state.folded ? "unfold" : "fold"];
      buttons.fold.setAttribute("aria-expanded", String(!state.folded));
      for (const name of ["out", "in", "all"]) buttons[name].hidden = state.folded;
    };
    const fold = () => {
      [state.folded, chosen] = [!state.folded, true];
      showFolded();
      draw();
    };

    /** What is in the window, as a file. */
    const save = (format) => colours && dx.savePicture(dx.heatDrawing.picture(state, colours), format, `heat-map.${format}`, colours.surface);

    const tool = (words, act) => {
      const button = dx.el("button", { type: "button", class: "dx-tool" }, words);
      button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && act());
      return button;
    };
    const buttons = {
      out: tool("−", () => zoom(1 / 1.6)), in: tool("+", () => zoom(1.6)), all: tool("", all), fold: tool("", fold),
    };
    parts.tools.append(...Object.values(buttons));
    const images = () =>
      ["png", "svg"].map((kind) => {
        const [name, click] = [kind.toUpperCase(), () => save(kind)];
        const tip = dx.heatWords.fill(state.labels.export, { kind: name });
        return dx.el("button", { type: "button", class: "dx-link", "data-image": kind, "data-tip": tip, on: { click } }, name);
      });

    // --- hands --------------------------------------------------------------------------------------------------

    const KEYS = {
      ArrowLeft: () => go(state.step - 1), ArrowRight: () => go(state.step + 1), ArrowUp: () => climb(-1), ArrowDown: () => climb(1),
      Home: () => go(0), End: () => go(state.n - 1), PageUp: () => go(state.step - Math.floor(state.win.count)),
      PageDown: () => go(state.step + Math.floor(state.win.count)), Enter: () => pick(state.step, state.row), " ": () => pick(state.step, state.row),
      "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: all,
    };
    parts.scroll.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in KEYS) || !state.n) return;
      event.preventDefault();
      KEYS[event.key]();
    });

    /** The cell below the pointer. */
    const cellAt = (event) => {
      const box = parts.map.getBoundingClientRect();
      const step = dx.heatWindow.at(state.win, state.width, event.clientX - box.left - LEFT);
      return { step, row: dx.heatDrawing.rowAt(state, event.clientY - box.top) };
    };
    const hideTip = () => (parts.tip.hidden = true);
    const showTip = (event) => {
      const { step, row } = cellAt(event);
      const column = state.columns[step];
      const words = !column ? "" : dx.heatWords.tip(state, step, row < 0 ? column.ids.length : row);
      parts.tip.hidden = !words;
      if (!words) return;
      parts.tip.textContent = words;
      const box = parts.scroll.getBoundingClientRect();
      const x = event.clientX - box.left + 14;
      const left = x + parts.tip.offsetWidth > box.width ? x - parts.tip.offsetWidth - 28 : x;
      parts.tip.style.left = `${Math.max(0, left)}px`;
      parts.tip.style.top = `${Math.max(0, event.clientY - box.top - parts.tip.offsetHeight - 8)}px`;
    };

    /** Drags what a canvas shows: `move(pixels)` from where it was; `click` where the hand stayed. */
    const drags = (canvas, begin, move, click) => {
      /** @type {{ x: number, y: number, moved: boolean } | null} */
      let from = null;
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        from = { x: event.clientX, y: event.clientY, moved: false };
        canvas.setPointerCapture(event.pointerId);
        begin(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!from) return;
        from.moved ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > SLIP;
        if (from.moved) move(event.clientX - from.x);
      });
      canvas.addEventListener("pointerup", (event) => {
        if (from && !from.moved) click(event);
        from = null;
      });
      canvas.addEventListener("pointercancel", () => (from = null));
    };
    let first = 0; // of the window when the hand came
    const panTo = (at) => {
      dx.heatWindow.pan(state.win, at - state.win.first);
      hideTip();
      drawSoon();
    };
    drags(parts.map, () => (first = state.win.first), (by) => panTo(first - (by / state.width) * state.win.count), (event) => {
      const { step, row } = cellAt(event);
      if (step < 0) return;
      state.row = row;
      if (!state.beams) tell("dx-go", { row: state.place, step });
      pick(step, row);
      parts.scroll.focus({ preventScroll: true });
      drawSoon();
    });
    const jump = (event) => {
      const share = (event.clientX - parts.overview.getBoundingClientRect().left - LEFT) / state.width;
      if (share * state.n < state.win.first || share * state.n > state.win.first + state.win.count) panTo(share * state.n - state.win.count / 2);
      first = state.win.first;
    };
    drags(parts.overview, jump, (by) => panTo(first + (by / state.width) * state.n), () => {});
    parts.map.addEventListener("pointermove", (event) => (event.buttons ? hideTip() : event.pointerType !== "touch" && showTip(event)));
    parts.map.addEventListener("pointerleave", hideTip);
    parts.map.addEventListener("wheel", (event) => {
      if (event.ctrlKey) zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, cellAt(event).step + 0.5);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) panTo(state.win.first + (event.deltaX / state.width) * state.win.count);
      else return;
      event.preventDefault();
    }, { passive: false });
    document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

    // --- what comes from Python ---------------------------------------------------------------------------------

    const ask = () => emit({ about: { run: state.run, row: state.place, step: 0 }, have: got });
    /** When the page has been painted: the charts come first. */
    const askSoon = () => requestAnimationFrame(() => setTimeout(ask));

    const restart = () => {
      got = 0;
      state.whole = false;
      askSoon();
    };
    const take = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return void (state.key = "");
      const { key, beams, labels, ranks, first_step, about } = data;
      if (state.run !== about.run || state.place !== data.place || state.beams !== beams) {
        Object.assign(state, { columns: [], n: data.n, row: -1, place: data.place, step: data.step });
        parts.reading.replaceChildren();
      }
      Object.assign(state, { key, beams, labels, ranks, first_step, run: about.run, cuts: data.cuts, approximate: data.approximate });
      if (beams) state.rank = about.rank;
      if (!chosen) state.folded = (innerHeight < 900 || innerWidth < 760) && ranks > FEW;
      element.setAttribute("aria-label", labels.title);
      element.classList.toggle("dx-if", data.if);
      parts.title.textContent = labels.title;
      parts.scroll.setAttribute("aria-label", labels[beams ? "label.beams" : "label"]);
      parts.overview.title = labels.overview;
      parts.summary.textContent = labels["row.table"];
      parts.legend.replaceChildren(...dx.heatWords.legend(state));
      for (const name of ["in", "out"]) {
        buttons[name].setAttribute("aria-label", labels[name]);
        buttons[name].setAttribute("data-tip", labels[name]);
      }
      parts.images.replaceChildren(...images());
      buttons.all.textContent = labels.whole;
      showFolded();
      draw(); // what is below stays where it is when the columns come
      restart();
    };
    const takeColumns = () => {
      const data = dx.parse(props.columns, null);
      if (!data || data.key !== state.key || data.place !== state.place || data.from !== got || state.whole) return;
      if (!got) state.columns = [];
      got += data.columns.length;
      state.columns.push(...data.columns);
      [state.n, state.whole] = [data.n, data.whole];
      if (state.beams) state.row = rowOfRank();
      parts.reading.replaceChildren(...(data.whole ? dx.sentence(data.reading) : [dx.heatWords.fill(state.labels.reading, { n: got, of: data.n })]));
      draw();
      fillTable();
      if (!data.whole) askSoon();
    };

    document.addEventListener("dx-at", (event) => {
      const { run, row, step, rank, streaming } = event.detail;
      if (element.hidden || streaming || run !== state.run) return;
      const other = row !== state.place;
      if (step !== state.step) state.row = -1;
      Object.assign(state, { step, place: row, rank: rank ?? null });
      if (other) {
        state.columns = [];
        restart();
      } else if (state.beams) state.row = rowOfRank();
      dx.heatWindow.follow(state.win, step);
      requestAnimationFrame(() => setTimeout(drawSoon)); // the step's charts come first
    });
    dx.onScheme(() => {
      colours = null;
      drawSoon();
    });
    parts.table.parentElement.addEventListener("toggle", fillTable);
    new ResizeObserver(drawSoon).observe(parts.scroll);
    watch(["data"], take);
    watch(["columns"], takeColumns);
    take();
  };
})();
