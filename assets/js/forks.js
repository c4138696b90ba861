// Forks: choose another token for the step in view.
"use strict";
(() => {
  dx.fork = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const [label, tokens, go] = ["label", "tokens", "go"].map(part);
    const id = `dx-fork-${Math.random().toString(36).slice(2)}`;
    tokens.id = id;
    label.htmlFor = id;
    go.addEventListener("click", () => {
      if (tokens.value !== "" && go.getAttribute("aria-disabled") !== "true") emit({ token_id: Number(tokens.value) });
    });
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data || !data.options.length;
      if (element.hidden) return;
      label.textContent = data.label;
      go.textContent = data.button;
      go.setAttribute("aria-disabled", String(data.disabled)); // still in reach: its tip says why
      go.setAttribute("data-tip", data.tip);
      tokens.replaceChildren(
        ...data.options.map((option) =>
          dx.el("option", { value: String(option.id), selected: option.chosen }, option.text)
        )
      );
    };
    dx.stepPanel(element, props, watch, update);
    update();
  };
})();
