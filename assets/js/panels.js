// The small panels: header with the model's state, messages, facts of the run, notes and the verdict.
"use strict";
(() => {
  dx.header = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      part("name").textContent = data.name;
      part("tagline").textContent = data.tagline;
      document.title = `${data.name} · ${data.tagline}`;
      document.documentElement.lang = data.lang;
      part("languages").setAttribute("aria-label", data.language_label);
      part("languages").replaceChildren(
        ...data.languages.map((language) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-tab", lang: language.id, "aria-pressed": String(language.id === data.lang),
              on: { click: () => emit("language", { lang: language.id }) },
            },
            language.label
          )
        )
      );
      document.querySelector("#dx-verify-button")?.setAttribute("data-tip", data.verify_tip);
      // Sixty controls stand before the run: the keyboard may pass them by.
      part("skip").textContent = data.skip;
      part("skip").onclick = (event) => {
        event.preventDefault();
        document.querySelector(document.body.classList.contains("dx-beams") ? ".dx-beam-tree [data-part=scroll]" : ".dx-token[tabindex='0']")?.focus();
      };
      const scheme = part("scheme");
      scheme.setAttribute("aria-label", data.scheme_label);
      scheme.setAttribute("data-tip", data.scheme_label);
      scheme.textContent = "◐";
      scheme.onclick = () => document.body.classList.toggle("dark");
    };
    watch(["data"], update);
    update();
  };

  dx.status = (element, props, watch) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      element.dataset.state = data.state;
      const text = part("text");
      if (text.textContent !== data.text) text.textContent = data.text;
      part("chip").setAttribute("data-tip", data.tip);
      const bar = /** @type {HTMLProgressElement} */ (element.querySelector("progress"));
      bar.hidden = !data.busy;
      bar.setAttribute("aria-label", data.text);
      if (data.fraction === null) bar.removeAttribute("value");
      else bar.value = data.fraction;
    };
    watch(["data"], update);
    update();
  };

  dx.message = (element, props, watch) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      const box = part("box");
      box.hidden = !data || !data.text;
      if (box.hidden) return box.replaceChildren();
      box.dataset.kind = data.kind;
      box.replaceChildren(
        dx.el("p", {}, data.text),
        dx.el(
          "button",
          { type: "button", class: "dx-unset", "aria-label": data.close, on: { click: () => (box.hidden = true) } },
          "×"
        )
      );
    };
    watch(["data"], update);
    update();
  };

  const term = (item) => dx.el("dt", item.tip ? { class: "dx-term", tabindex: "0", "data-tip": item.tip } : {}, item.label);

  dx.facts = (element, props, watch) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      const list = part("list");
      list.replaceChildren(
        ...data.facts.map((fact) => dx.el("div", {}, term(fact), dx.el("dd", { title: fact.value }, fact.value)))
      );
    };
    watch(["data"], update);
    update();
  };

  dx.notes = (element, props, watch) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      const sections = data.sections.map((section) =>
        dx.el(
          "section", { class: "dx-note", "data-kind": section.kind },
          dx.el("h3", {}, ...dx.sentence(section.title)),
          section.items.length
            ? dx.el(
                "ul", {},
                ...section.items.map((item) =>
                  dx.el("li", {}, item.name ? dx.el("code", {}, item.name) : null, item.name ? " " : null, item.text)
                )
              )
            : dx.el("p", {}, section.empty)
        )
      );
      part("sections").replaceChildren(...sections);
    };
    watch(["data"], update);
    update();
  };

  dx.verdict = (element, props, watch) => {
    const part = dx.partsOf(element);
    const update = () => {
      const data = dx.parse(props.data, null);
      const box = part("box");
      box.hidden = !data || !data.text;
      if (box.hidden) return;
      box.dataset.kind = data.kind;
      box.replaceChildren(
        dx.el("p", { class: "dx-verdict" }, data.text),
        data.table ? dx.el("details", {}, dx.el("summary", {}, data.table_label), dx.table(data.table)) : ""
      );
    };
    watch(["data"], update);
    update();
  };
})();
