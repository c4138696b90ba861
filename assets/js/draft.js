// A prompt that was typed and not run before another run came into the form: one click brings it back.
"use strict";
(() => {
  dx.draft = (element, props, watch, emit) => {
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    part("go").addEventListener("click", () => {
      document.querySelector("#dx-prompt textarea")?.focus(); // the button goes
      emit({});
    });
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      part("label").textContent = data.label;
      part("text").textContent = data.text;
      part("go").textContent = data.button;
      part("go").setAttribute("data-tip", data.tip);
    };
    watch(["data"], update);
    update();
  };
})();
