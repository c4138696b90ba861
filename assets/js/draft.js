// A prompt that was typed and not run before another run came into the form: one click brings it back.
"use strict";
(() => {
  dx.draft = (element, props, watch, emit) => {
    const bringBack = () => {
      document.querySelector("#dx-prompt textarea")?.focus(); // the button goes
      emit({});
    };
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return element.replaceChildren();
      const button = { type: "button", class: "dx-link", "data-tip": data.tip, on: { click: bringBack } };
      element.replaceChildren(
        dx.el("span", {}, data.label), " ", dx.el("q", {}, data.text), " ", dx.el("button", button, data.button)
      );
    };
    watch(["data"], update);
    update();
  };
})();
