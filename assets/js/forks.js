// Forks: choose another token for the step in view, and see the runs beside each other.
"use strict";
(() => {
  if (window.dx.fork) return;

  const SHARED_SHOWN = 36; // letters of what a fork took over: where it leaves has to be in sight

  dx.fork = (element, props, watch, emit) => {
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
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
    watch(["data"], update);
    update();
  };

  const text = (pieces) => dx.token(pieces.join(""));
  const end = (pieces) => {
    const letters = [...pieces.join("")];
    return dx.token(letters.length > SHARED_SHOWN ? `… ${letters.slice(-SHARED_SHOWN).join("")}` : letters.join(""));
  };

  dx.runs = (element, props, watch, emit) => {
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    const line = (run) =>
      dx.el(
        "li",
        { class: run.active ? "dx-run dx-active" : "dx-run" },
        dx.el(
          "button",
          {
            type: "button", class: "dx-tab", "aria-pressed": String(run.active), "data-number": run.number,
            "data-tip": run.tip, on: { click: () => emit({ number: run.number }) },
          },
          run.label
        ),
        dx.el("span", { class: "dx-run-detail" }, run.detail),
        dx.el(
          "span",
          { class: "dx-run-text" },
          dx.el("span", { class: "dx-shared" }, ...end(run.shared)),
          run.forked ? dx.el("mark", { class: "dx-forked" }, ...dx.token(run.forked)) : null,
          dx.el("span", { class: "dx-fresh" }, ...text(run.fresh)),
          run.more || null
        )
      );
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data || data.runs.length < 2;
      if (element.hidden) return;
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.number : null;
      part("title").textContent = data.title;
      part("hint").textContent = data.hint;
      part("runs").replaceChildren(...data.runs.map(line));
      if (focused) element.querySelector(`[data-number="${CSS.escape(focused)}"]`)?.focus();
      const list = part("runs");
      const active = list.querySelector(".dx-active");
      if (active) list.scrollTop = active.offsetTop - list.offsetTop - list.clientHeight / 2 + active.clientHeight / 2;
    };
    watch(["data"], update);
    update();
  };
})();
