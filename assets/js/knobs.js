// The settings: every row is made from the KNOBS table that Python sends; the value holds only what was given.
"use strict";
(() => {
  dx.knobs = (element, props, watch, emit) => {
    /** @type {any} */
    let spec = null;
    let form = { mode: "sample", given: {} };
    const open = {}; // groups that the visitor opened or closed; the others are open where something in them acts

    const part = dx.partsOf(element);
    // On a phone the settings are one line that says what was given; elsewhere they are always open.
    const narrow = matchMedia("(max-width: 760px)");
    const alone = document.body.classList.contains("dx-standalone"); // a page of four sliders
    const fold = () => (part("fold").open = alone || !narrow.matches);
    narrow.addEventListener("change", fold);
    fold();
    const brief = () => {
      const mode = spec.modes.find((one) => one.id === form.mode)?.label ?? form.mode;
      const given = Object.entries(form.given).map(([name, value]) => `${name} ${String(value).slice(0, 40)}`);
      part("brief").replaceChildren(dx.el("b", {}, spec.labels.title), ` ${[mode, ...given].join(" · ")}`);
    };

    const send = () => {
      props.value = JSON.stringify(form);
      dx.knobForm = JSON.parse(props.value); // for what if, which may be set up later
      document.dispatchEvent(new CustomEvent("dx-knobs", { detail: dx.knobForm }));
    };
    const set = (name, value) => {
      if (value === null || value === "" || value === undefined) delete form.given[name];
      else {
        form.given[name] = value;
        for (const row of rowsOf()) if (row.knob.name === name) makeWay(row.knob.instead_of ?? []);
      }
      send();
      mark();
    };
    /** Takes back settings that another one takes the place of. */
    const makeWay = (names) => {
      for (const row of rowsOf()) {
        if (!names.includes(row.knob.name) || !(row.knob.name in form.given)) continue;
        delete form.given[row.knob.name];
        row.show(null);
      }
    };

    /** The rows of the settings, each with its knob and with what shows a value. @returns {Row[]} */
    const rowsOf = () => /** @type {any} */ ([...element.querySelectorAll(".dx-knob")]);
    /** The groups of rows, each with what Python said of it. @returns {Group[]} */
    const groupsOf = () => /** @type {any} */ ([...element.querySelectorAll(".dx-group")]);

    /** Enables what acts in the mode, marks what was given, explains temperature 0. */
    const mark = () => {
      brief();
      for (const row of rowsOf()) {
        const knob = row.knob;
        const acts = knob.modes.includes(form.mode);
        row.classList.toggle("dx-given", knob.name in form.given);
        row.classList.toggle("dx-off", !acts);
        for (const control of row.querySelectorAll("input, select, textarea")) control.toggleAttribute("disabled", !acts);
        const tip = acts ? knob.help : `${knob.help} ${knob.not_here}`;
        row.querySelectorAll("[data-tip-help]").forEach((node) => node.setAttribute("data-tip", tip));
        const unset = row.querySelector(".dx-unset");
        unset?.toggleAttribute("hidden", !(knob.name in form.given));
        row.querySelector(".dx-zero")?.toggleAttribute("hidden", !(acts && Number(form.given[knob.name]) === 0));
      }
      for (const radio of element.querySelectorAll("input")) if (radio.type === "radio") radio.checked = radio.value === form.mode;
    };

    const unfold = () => {
      for (const box of groupsOf()) {
        const { id, open: offered, knobs } = box.group;
        box.open = box.expected = open[id] ?? (offered && knobs.some((knob) => knob.modes.includes(form.mode)));
      }
    };

    const knobRow = (knob) => {
      const id = `dx-knob-${knob.name}`;
      const { controls, show } = dx.knobControls[knob.control](knob, id, set);
      const unset = dx.el(
        "button",
        {
          type: "button", class: "dx-unset", hidden: true, "aria-label": `${spec.labels.unset}: ${knob.name}`,
          "data-tip": spec.labels.unset,
          on: {
            click: () => {
              show(null);
              set(knob.name, null);
              row.querySelector("input, select, textarea")?.focus();
            },
          },
        },
        "×"
      );
      const words = knob.name.split(/(?<=_)/).flatMap((word) => [word, dx.el("wbr")]); // a name breaks after a line, never in a word
      const label = dx.el("label", { for: id, "data-tip-help": true }, ...words);
      const box = dx.el("div", { class: `dx-knob dx-${knob.control}${knob.slider ? " dx-with-range" : ""}` });
      box.append(dx.el("span", { class: "dx-knob-name" }, label, unset), ...controls);
      const row = Object.assign(box, { knob, show });
      if (knob.name === "temperature") row.append(zeroNote(row));
      show(form.given[knob.name]);
      return row;
    };

    const zeroNote = (row) =>
      dx.el(
        "p", { class: "dx-zero", hidden: true, role: "status" }, spec.labels.zero + " ",
        dx.el(
          "button",
          {
            type: "button", class: "dx-link",
            on: {
              click: () => {
                delete form.given.temperature;
                row.show(null);
                form.mode = "greedy";
                send();
                mark();
                unfold();
              },
            },
          },
          spec.labels.use_greedy
        )
      );

    // What the mode cannot be without is filled in, and taken back with the mode unless it was changed meanwhile.
    let filled = {};
    const fillIn = (needs) => {
      const show = (name) => rowsOf().forEach((row) => row.knob.name === name && row.show(form.given[name]));
      for (const [name, value] of Object.entries(filled)) {
        if (form.given[name] === value && !(name in needs)) delete form.given[name];
        show(name);
      }
      filled = {};
      for (const [name, value] of Object.entries(needs)) {
        if (name in form.given) continue;
        filled[name] = form.given[name] = value;
        show(name);
      }
    };

    const modeChoice = () =>
      dx.el(
        "fieldset", { class: "dx-modes" },
        dx.el("legend", {}, spec.labels.mode),
        ...spec.modes.map((mode) =>
          dx.el(
            "label", { "data-tip": mode.help },
            dx.el("input", {
              type: "radio", name: "dx-mode", value: mode.id,
              on: {
                change: () => {
                  form.mode = mode.id;
                  fillIn(mode.needs || {});
                  send();
                  mark();
                  unfold();
                },
              },
            }),
            dx.el("span", {}, mode.label)
          )
        )
      );

    const update = () => {
      spec = dx.parse(props.data, null);
      if (!spec) return;
      form = dx.parse(props.value, null) || form;
      form.given = form.given || {};
      const groups = spec.groups.map((group) => {
        const details = dx.el(
          "details", { class: "dx-group" },
          dx.el("summary", {}, group.label),
          ...group.knobs.map(knobRow)
        );
        const box = Object.assign(details, { group, expected: false });
        box.addEventListener("toggle", () => box.open !== box.expected && (open[group.id] = box.expected = box.open));
        return box;
      });
      part("form").replaceChildren(modeChoice(), ...groups);
      mark();
      unfold();
      send();
    };
    /** Other settings, from Python or from another part of the page. */
    const take = (other) => {
      if (!spec || !other || JSON.stringify(other) === JSON.stringify(form)) return;
      form = { mode: other.mode, given: { ...other.given } };
      filled = {};
      for (const row of rowsOf()) row.show(form.given[row.knob.name]);
      send();
      mark();
      unfold();
    };
    document.addEventListener("dx-set-knobs", (event) => take(event.detail));
    const near = () => document.dispatchEvent(new CustomEvent("dx-near-knobs"));
    for (const event of ["pointerenter", "focusin"]) element.addEventListener(event, near);
    watch(["data"], update);
    watch(["value"], () => take(dx.parse(props.value, null)));
    update();
  };
})();
