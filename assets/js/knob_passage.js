// The field of a setting that is a text of several lines: a schema, an expression, a grammar; with an example to begin from.
"use strict";
(() => {
  const passage = (knob, id, set) => {
    const field = dx.el("textarea", {
      id, class: "dx-passage", rows: 3, placeholder: knob.placeholder, maxlength: knob.longest, "data-tip-help": true,
      autocomplete: "off", spellcheck: "false", wrap: "soft",
    });
    const show = (value) => (field.value = value ?? "");
    const give = (value) => {
      show(value);
      set(knob.name, value);
    };
    field.addEventListener("input", () => set(knob.name, field.value));
    const example = dx.el(
      "button", { type: "button", class: "dx-link dx-example", on: { click: () => give(knob.example?.value) } },
      knob.example?.label ?? ""
    );
    return { controls: [field, example], show };
  };
  dx.knobControls.passage = passage;
})();
