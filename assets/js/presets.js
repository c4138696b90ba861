// Settings of another engine: pasted, read by Python, and taken over as if they had been set here.
"use strict";
(() => {
  const LONGEST = 20000; // characters, as decoding/presets/pasted.py takes them
  const SOON = 350; // ms after the last key

  /** What is told of each key, by its kind. */
  dx.toldList = (groups) =>
    groups.map((group) =>
      dx.el(
        "section", { class: "dx-told", "data-kind": group.kind },
        dx.el("h4", {}, group.label),
        dx.el(
          "ul", {},
          ...group.items.map((item) =>
            dx.el("li", {}, dx.el("code", {}, item.name), " ", dx.el("code", { class: "dx-told-value" }, item.value), ` ${item.why}`)
          )
        )
      )
    );

  /** A form with the settings read; the length that is set stays where they have none. */
  dx.presetForm = (form, before) => {
    const said = ["max_new_tokens", "max_length"].some((name) => name in form.given);
    const length = before?.given?.max_new_tokens;
    return said || length === undefined ? form : { ...form, given: { ...form.given, max_new_tokens: length } };
  };

  dx.presets = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    let timer = 0;
    /** @type {any} */
    let words = {};
    const field = dx.el("textarea", { rows: 6, maxlength: LONGEST, spellcheck: "false", autocomplete: "off", class: "dx-presets-text" });
    const engine = dx.el("select", { class: "dx-choice" });
    const defaults = dx.el("input", { type: "checkbox", class: "dx-check", checked: true });
    const button = dx.el("button", { type: "button", class: "dx-plain" });
    const text = dx.el("span", {}), ofEngine = dx.el("span", {}), ofDefaults = dx.el("span", { class: "dx-term" });
    part("form").replaceChildren(
      dx.el("label", {}, text, field),
      dx.el("label", {}, ofEngine, engine),
      dx.el("label", { class: "dx-presets-defaults" }, defaults, ofDefaults),
      button
    );

    const ask = () => {
      clearTimeout(timer);
      emit({ text: field.value, engine: engine.value, defaults: defaults.checked });
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, SOON);
    };
    field.addEventListener("input", soon);
    engine.addEventListener("change", ask);
    defaults.addEventListener("change", ask);
    button.addEventListener("click", ask);

    const use = (found) => {
      const take = dx.el("button", { type: "button", class: "dx-plain dx-presets-use", "data-tip": words["use.tip"] }, words.use);
      take.addEventListener("click", () => {
        const form = dx.presetForm(JSON.parse(found.form), dx.knobForm);
        document.dispatchEvent(new CustomEvent("dx-set-knobs", { detail: form }));
        take.textContent = words.used;
        setTimeout(() => (take.textContent = words.use), 1600);
      });
      return take;
    };
    const shown = (found) => [
      dx.el("p", { class: "dx-hint" }, found.whose),
      dx.el("h4", {}, words.settings),
      found.none
        ? dx.el("p", {}, found.none)
        : dx.el(
            "ul", { class: "dx-presets-settings" },
            ...found.settings.map(({ name, value }) => dx.el("li", {}, dx.el("code", {}, name), ` ${value}`))
          ),
      found.filled ? dx.el("p", { class: "dx-hint" }, found.filled) : null,
      found.none ? null : use(found),
      ...(found.exact ? [dx.el("p", { class: "dx-hint" }, found.exact)] : dx.toldList(found.told)),
    ];
    const answer = () => {
      const found = dx.parse(props.found, null);
      const nodes = !found ? [] : found.error ? [dx.el("p", { class: "dx-presets-error", role: "alert" }, found.error)] : shown(found);
      part("found").replaceChildren(...nodes.filter((node) => node !== null));
    };

    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      words = data.labels;
      part("title").textContent = words.title;
      part("hint").textContent = words.hint;
      text.textContent = words.text;
      ofEngine.textContent = words.engine;
      ofDefaults.textContent = words.defaults;
      ofDefaults.setAttribute("data-tip", words["defaults.tip"]);
      button.textContent = words.read;
      const chosen = engine.value;
      engine.replaceChildren(...data.engines.map(({ id, label }) => dx.el("option", { value: id }, label)));
      engine.value = chosen;
      if (field.value && props.found) ask(); // in the other language
      answer();
    };
    watch(["data"], update);
    watch(["found"], answer);
    update();
  };
})();
