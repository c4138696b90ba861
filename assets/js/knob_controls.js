// The fields of the settings, one maker for each kind: it gives the controls and what shows a value in them.
"use strict";
(() => {
  const number = (knob, id, set) => {
    const field = dx.el("input", {
      id, type: "number", class: "dx-number", step: "any", placeholder: knob.placeholder, "data-tip-help": true,
      inputmode: "decimal", autocomplete: "off",
    });
    /** @type {HTMLInputElement | null} */
    let range = null;
    const rest = knob.neutral ?? knob.slider?.[0]; // where the slider stands while nothing is given
    const show = (value) => {
      field.value = value ?? "";
      if (range) range.value = value ?? rest;
    };
    field.addEventListener("input", () => {
      const value = field.value === "" ? null : Number(field.value);
      set(knob.name, value);
      if (range) range.value = value ?? rest;
    });
    const controls = [field];
    if (knob.slider) {
      const [low, high, step] = knob.slider;
      const slider = (range = dx.el("input", {
        type: "range", min: low, max: high, step, class: "dx-range", "aria-label": knob.name,
      }));
      slider.addEventListener("input", () => {
        field.value = slider.value;
        set(knob.name, Number(slider.value));
      });
      controls.unshift(slider);
    }
    return { controls, show };
  };
  const checkbox = (knob, id, set) => {
    const box = dx.el("input", { id, type: "checkbox", class: "dx-check", "data-tip-help": true });
    box.addEventListener("change", () => set(knob.name, box.checked ? true : null));
    return { controls: [box], show: (value) => (box.checked = Boolean(value)) };
  };
  const select = (knob, id, set) => {
    const list = dx.el(
      "select", { id, class: "dx-choice", "data-tip-help": true }, dx.el("option", { value: "" }, knob.placeholder),
      ...knob.choices.map(({ value, text }) => dx.el("option", { value: JSON.stringify(value) }, text))
    );
    list.addEventListener("change", () => set(knob.name, list.value ? JSON.parse(list.value) : null));
    /** A value may also be written as it is shown: links of earlier versions have it so. */
    const optionOf = (value) => knob.choices.find((choice) => choice.value === value || choice.text === value);
    const show = (value) => (list.value = optionOf(value) ? JSON.stringify(optionOf(value).value) : "");
    return { controls: [list], show };
  };
  const text = (knob, id, set) => {
    const field = dx.el("input", {
      id, type: "text", class: "dx-text", placeholder: knob.placeholder, maxlength: 2000, "data-tip-help": true,
      autocomplete: "off", spellcheck: "false",
    });
    field.addEventListener("input", () => set(knob.name, field.value));
    return { controls: [field], show: (value) => (field.value = value ?? "") };
  };
  dx.knobControls = Object.assign({}, dx.knobControls, { number, checkbox, select, text });
})();
