// The token row: what came out, as buttons. Arrow keys, Home and End walk through the steps.
"use strict";
(() => {
  const PLAY = 850; // milliseconds a step

  const shade = (cell, measure, scales) => {
    const scale = scales[measure];
    const value = cell[measure];
    if (!scale || value === null || value === undefined) return 0;
    const position = Math.min(1, Math.max(0, (value - scale.sure) / (scale.unsure - scale.sure)));
    return Math.round(position * 100);
  };

  /** Scrolls the row's own box only, never the page. */
  const reveal = (box, button) => {
    const [inner, outer] = [button.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 6;
    else if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top + 6;
  };
  /** The tokens of one character, under it. */
  const bracket = (joined, parts) =>
    dx.el(
      "span",
      { class: "dx-character", role: "group", "aria-label": joined },
      dx.el("span", { class: "dx-character-text", "aria-hidden": "true" }, ...dx.token(joined)),
      dx.el("span", { class: "dx-character-bytes" }, ...parts)
    );
  /** A token that was given, not chosen. */
  const still = (cell) =>
    dx.el(
      cell.taken === "by_hand" ? "mark" : "span",
      { class: "dx-prompt-token", "data-kind": cell.kind, "data-taken": cell.taken || null, "data-tip": cell.tip },
      ...dx.token(cell.text)
    );
  /** Given tokens as a text: a line breaks before a space, and after a line's end, but in no word. */
  const stills = (given) =>
    given.flatMap((cell, i) => {
      const ended = i > 0 && given[i - 1].text.endsWith("⏎");
      return cell.text.startsWith("␣") || ended ? [dx.el("wbr"), still(cell)] : [still(cell)];
    });
  /** The nearest token in the line above or below, as in a text. */
  const neighbour = (buttons, at, up) => {
    const here = buttons[at]?.getBoundingClientRect();
    if (!here) return null;
    let [best, least] = [/** @type {number | null} */ (null), Infinity];
    buttons.forEach((button, step) => {
      const box = button.getBoundingClientRect();
      if (up ? box.bottom > here.top + 2 : box.top < here.bottom - 2) return;
      const distance = 8 * Math.abs(box.top - here.top) + Math.abs(box.left - here.left);
      if (distance < least) [best, least] = [step, distance];
    });
    return best;
  };

  dx.tokenRow = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const [source, prompt, tokens, rowsBar, measures, legend, tail] = [
      "source", "prompt", "tokens", "rows", "measures", "legend", "tail",
    ].map(part);
    const box = part("scroll"), play = part("play");
    /** @type {any} */
    let frameData = null; // labels, prompt and rows: changes with the run
    let lines = ""; // one JSON line per generated token; grows while the run streams
    let cells = []; // of the row in view, by step
    let buttons = []; // one for each of them
    let chosen = { row: 0, step: 0 };
    let measure = "probability";
    let follow = true;
    /** @type {any} */
    let marks = null; // of a what-if

    const send = () => {
      const at = { run: frameData.run, row: chosen.row, step: chosen.step };
      props.value = JSON.stringify({ ...at, measure });
      document.dispatchEvent(new CustomEvent("dx-at", { detail: { ...at, streaming: frameData.streaming } }));
    };

    const paint = (button, cell) => {
      button.style.setProperty("--dx-shade", `${shade(cell, measure, frameData.scales)}%`);
    };

    const makeButton = (cell) => {
      const button = dx.el("button", { type: "button", class: "dx-token", tabindex: "-1", "aria-pressed": "false" });
      button.addEventListener("click", () => {
        player.stop();
        choose(cell.step, false);
      });
      return refresh(button, cell);
    };
    /** What other settings would make of a token: impossible ones are struck through, the parting is marked. */
    const restyle = (button, cell) => {
      const of = marks && marks.row === chosen.row && cell ? marks.p[cell.step] ?? undefined : undefined; // null: lost
      const gone = of === 0;
      button.classList.toggle("dx-if-cut", gone);
      button.classList.toggle("dx-if-parts", Boolean(cell) && of !== undefined && marks.diverges === cell.step);
      if (!cell) return;
      let tip = cell.tip;
      if (of !== undefined) tip += `\n${gone ? marks.gone : marks.tip.replace("{p}", dx.percent(of))}`;
      if (of !== undefined && marks.diverges === cell.step) tip += `\n${marks.parts}`;
      button.setAttribute("data-tip", tip);
    };
    const refresh = (button, cell) => {
      button.replaceChildren(...dx.token(cell.text));
      button.dataset.kind = cell.kind;
      button.classList.toggle("dx-barred", Boolean(cell.barred)); // a constraint forbade what the model wanted
      button.dataset.step = cell.step;
      button.setAttribute("data-tip", cell.tip);
      button.setAttribute("aria-label", `${frameData.labels.step} ${dx.stepNumber(cell.step, frameData)}: ${cell.name || cell.text}`);
      paint(button, cell);
      restyle(button, cell);
      return button;
    };

    const press = () => {
      for (const button of buttons) {
        const on = Number(button.dataset.step) === chosen.step;
        if (on !== (button.getAttribute("aria-pressed") === "true")) {
          button.setAttribute("aria-pressed", String(on));
          button.tabIndex = on ? 0 : -1;
        }
        if (on) requestAnimationFrame(() => setTimeout(reveal, 0, box, button)); // it measures: not before the charts
      }
    };

    const atEnd = () => chosen.step >= cells.length - 1;
    const showPlay = () => {
      const { labels } = frameData;
      const words = player.plays() ? labels.pause : labels.play;
      play.hidden = cells.length < 2;
      play.textContent = player.plays() ? "❚❚" : "▶︎";
      play.setAttribute("aria-label", words);
      play.setAttribute("data-tip", words);
    };
    const forward = () => {
      choose(atEnd() ? chosen.step : chosen.step + 1, false);
      return !atEnd();
    };
    const player = dx.player(forward, showPlay);
    play.addEventListener("click", () => {
      if (player.plays()) return player.stop();
      if (atEnd()) choose(0, false);
      player.start(PLAY);
    });

    /** Focus follows when the charts are painted: to be focused, a button has the page laid out. */
    const focusSoon = () => requestAnimationFrame(() => setTimeout(() => {
      if (tokens.contains(document.activeElement)) buttons[chosen.step]?.focus({ preventScroll: true });
    }));
    const choose = (step, focus) => {
      const last = cells.length - 1;
      if (last < 0) return;
      chosen.step = Math.min(last, Math.max(0, step));
      follow = false;
      press();
      send();
      if (focus) focusSoon();
      emit("step", { row: chosen.row, step: chosen.step });
    };

    const takeLines = (text) => {
      let regrouped = false;
      for (const line of text.split("\n")) {
        const cell = line && dx.parse(line, null);
        if (!cell || cell.row !== chosen.row) continue;
        const [old, before] = [buttons[cell.step], cells[cell.step]];
        cells[cell.step] = cell;
        regrouped ||= String(cell.group) !== String(before?.group);
        if (old) refresh(old, cell);
        else {
          buttons[cell.step] = makeButton(cell);
          tokens.append(buttons[cell.step]);
        }
      }
      if (regrouped) layOut();
    };
    /** The buttons in order, those of one character in a bracket under it. */
    const layOut = () => {
      const focused = dx.focused(tokens);
      const nodes = [];
      for (let step = 0; step < buttons.length; step++) {
        const { group, joined } = cells[step];
        if (!group) nodes.push(buttons[step]);
        else {
          nodes.push(bracket(joined, buttons.slice(step, group[1] + 1)));
          step = Math.max(step, group[1]);
        }
      }
      tokens.replaceChildren(...nodes);
      focused?.focus({ preventScroll: true });
    };
    const showSource = (read) => {
      source.hidden = !read;
      source.replaceChildren();
      if (!read) return;
      const label = (text, tip) => dx.el("span", { class: "dx-source-label", "data-tip": tip, tabindex: "0" }, text);
      source.append(label(read.label, read.tip), ...stills(read.tokens));
      prompt.prepend(label(read.decoder, read.decoder_tip));
    };

    const showRow = () => {
      const row = frameData.rows[chosen.row] || frameData.rows[0];
      [cells, buttons] = [[], []];
      tokens.replaceChildren();
      prompt.replaceChildren(...stills(row.prompt));
      showSource(row.source);
      takeLines(lines);
      tail.textContent = row.tail || "";
      press();
      showPlay();
    };

    const showBars = () => {
      const { labels, rows } = frameData;
      rowsBar.hidden = rows.length < 2;
      rowsBar.setAttribute("aria-label", labels.rows);
      const hadFocus = rowsBar.contains(document.activeElement);
      rowsBar.replaceChildren(
        ...rows.map((row, i) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-tab", "aria-pressed": String(i === chosen.row), "data-tip": row.tip,
              on: {
                click: () => {
                  chosen = { row: i, step: Math.min(chosen.step, row.length - 1) };
                  showBars();
                  showRow();
                  send();
                  emit("step", { row: chosen.row, step: chosen.step });
                },
              },
            },
            row.label
          )
        )
      );
      if (hadFocus) rowsBar.querySelector('[aria-pressed="true"]')?.focus();
      measures.setAttribute("aria-label", labels.colour);
      const measureFocus = measures.contains(document.activeElement);
      part("colour").textContent = labels.colour;
      measures.replaceChildren(
        ...Object.entries(frameData.scales).map(([name, scale]) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-tab", "aria-pressed": String(name === measure), "data-tip": scale.tip,
              "data-measure": name,
              on: {
                click: () => {
                  measure = name;
                  showBars();
                  buttons.forEach((button, i) => cells[i] && paint(button, cells[i]));
                  send();
                },
              },
            },
            scale.label
          )
        )
      );
      if (measureFocus) measures.querySelector('[aria-pressed="true"]')?.focus();
      const scale = frameData.scales[measure];
      legend.replaceChildren(scale.from, dx.el("i", { class: "dx-ramp", "aria-hidden": "true" }), scale.to);
    };

    const update = () => {
      const data = dx.parse(props.data, null);
      player.stop();
      if (!data) return;
      frameData = data;
      lines = props.lines || "";
      chosen = { row: Math.min(data.row, data.rows.length - 1), step: data.step };
      element.setAttribute("aria-label", data.labels.title);
      part("title").textContent = data.labels.title;
      part("hint").textContent = data.labels.hint;
      follow = Boolean(data.streaming);
      send();
      showBars();
      showRow();
      if (follow) box.scrollTop = box.scrollHeight;
    };
    // While a run streams, `lines` only grows: take the new ones. Anything else starts afresh.
    const grow = () => {
      const now = props.lines || "";
      if (!frameData || now === lines) return;
      const more = now.startsWith(lines) ? now.slice(lines.length) : null;
      lines = now;
      if (more === null) return showRow();
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      takeLines(more);
      if (follow) {
        chosen.step = Math.max(0, cells.length - 1);
        press();
        if (atEnd) box.scrollTop = box.scrollHeight;
      }
    };

    const KEYS = { ArrowLeft: -1, ArrowRight: 1 };
    tokens.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      /** @type {number | null} */
      let step = null;
      if (event.key in KEYS) step = chosen.step + KEYS[event.key];
      else if (event.key === "Home") step = 0;
      else if (event.key === "End") step = cells.length - 1;
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") step = neighbour(buttons, chosen.step, event.key === "ArrowUp");
      if (step === null) return;
      event.preventDefault();
      player.stop();
      choose(step, true);
    });

    /** Another step or row, as a click there would. */
    const goTo = (row, step) => {
      if (row !== chosen.row && frameData.rows[row]) {
        chosen = { row, step: chosen.step };
        showBars();
        showRow();
      }
      choose(step, false);
    };
    document.addEventListener("dx-go", (event) => {
      const { row, step } = event.detail;
      if (frameData && element.isConnected && Number.isInteger(row) && Number.isInteger(step)) goTo(row, step);
    });
    document.addEventListener("dx-marks", (event) => {
      marks = event.detail;
      buttons.forEach((button, step) => restyle(button, cells[step]));
    });
    watch(["data"], update);
    watch(["lines"], grow);
    update();
  };
})();
