// The runs beside each other, as text: look at one, name it, remove it.
"use strict";
(() => {
  const SHARED_SHOWN = 36; // letters of what a fork took over: where it leaves has to be in sight

  const text = (pieces) => dx.token(pieces.join(""));
  const end = (pieces) => {
    const letters = [...pieces.join("")];
    return dx.token(letters.length > SHARED_SHOWN ? `… ${letters.slice(-SHARED_SHOWN).join("")}` : letters.join(""));
  };

  dx.runs = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    let longest = 0; // characters of a name
    let drawing = false; // what is drawn anew loses the focus, which is nobody's doing
    /** @type {{number: number, name: string} | null} */
    let edited = null; // the run that is being named, and the name so far
    const focus = (number, act) =>
      (element.querySelector(`[data-number="${number}"][data-act=${act}]`) || element.querySelector(".dx-active [data-act=pick]"))?.focus();

    const field = (run) => {
      const input = dx.el("input", {
        type: "text", class: "dx-run-name", maxlength: longest, value: edited?.name, placeholder: run.label,
        "aria-label": run.words["name.label"], "data-number": run.number, "data-act": "name", autocomplete: "off",
      });
      const done = (save, stay) => {
        if (!edited) return;
        const { name } = edited;
        edited = null;
        if (save && name.trim() !== run.name) emit("rename", { number: run.number, name });
        update();
        if (stay) focus(run.number, "rename");
      };
      input.addEventListener("input", () => edited && (edited.name = input.value));
      input.addEventListener("keydown", (event) => {
        if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
        event.preventDefault();
        done(event.key === "Enter", true);
      });
      input.addEventListener("blur", () => !drawing && done(true, false));
      return input;
    };
    const tool = (run, act, sign, click) =>
      dx.el(
        "button",
        {
          type: "button", class: "dx-unset", "aria-label": run.words[act], "data-tip": run.words[act],
          "data-number": run.number, "data-act": act, on: { click },
        },
        sign
      );
    /** A run is gone for good: the first press asks, the second one does it. */
    const remover = (run) => {
      const button = tool(run, "remove", "×", () => {
        if (button.dataset.sure) return emit("remove", { number: run.number });
        button.dataset.sure = "yes";
        button.textContent = run.words["remove.sure"];
        button.setAttribute("aria-label", run.words["remove.sure_tip"]);
        button.setAttribute("data-tip", run.words["remove.sure_tip"]);
      });
      button.addEventListener("blur", () => button.dataset.sure && !drawing && button.replaceWith(remover(run)));
      return button;
    };
    const tools = (run) =>
      dx.el(
        "span",
        { class: "dx-run-tools" },
        tool(run, "rename", "✎", () => {
          edited = { number: run.number, name: run.name };
          update();
        }),
        remover(run)
      );

    const line = (run) =>
      dx.el(
        "li",
        { class: run.active ? "dx-run dx-active" : "dx-run" },
        edited?.number === run.number
          ? field(run)
          : dx.el(
              "button",
              {
                type: "button", class: "dx-tab", "aria-pressed": String(run.active), "data-number": run.number,
                "data-act": "pick", "data-tip": run.tip, on: { click: () => emit("pick", { number: run.number }) },
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
        ),
        tools(run)
      );
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data || data.runs.length < 2;
      if (element.hidden) return part("runs").replaceChildren();
      const { number, act } = dx.focused(element)?.dataset ?? {};
      longest = data.longest;
      part("title").textContent = data.title;
      part("hint").textContent = data.hint;
      drawing = true;
      part("runs").replaceChildren(...data.runs.map(line));
      drawing = false;
      const naming = element.querySelector("[data-act=name]");
      if (naming && act !== "remove") naming.focus();
      else if (number) focus(number, act === "name" ? "rename" : act);
      const list = part("runs");
      const active = list.querySelector(".dx-active");
      if (active) list.scrollTop = active.offsetTop - list.offsetTop - list.clientHeight / 2 + active.clientHeight / 2;
    };
    document.addEventListener("dx-visit", (event) => emit("pick", event.detail)); // Back or Forward of the browser
    watch(["data"], update);
    update();
  };
})();
