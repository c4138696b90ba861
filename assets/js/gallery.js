// What the page is, and recorded examples to start from, by the question that each answers.
"use strict";
(() => {
  dx.gallery = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    part("menu").open = !matchMedia("(max-width: 760px)").matches; // on a phone they would stand before the answer
    const update = () => {
      const data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      part("title").textContent = data.title;
      part("intro").replaceChildren(...dx.sentence(data.intro));
      part("items").setAttribute("aria-label", data.title);
      const focused = dx.focused(part("items"))?.dataset.item;
      part("items").replaceChildren(
        ...data.items.map((item) =>
          dx.el(
            "button",
            {
              type: "button", class: "dx-question", "data-item": item.id, "data-tip": item.tip,
              "aria-pressed": String(item.id === data.open),
              on: { click: () => emit({ id: item.id }) },
            },
            item.title
          )
        )
      );
      if (focused) part("items").querySelector(`[data-item="${CSS.escape(focused)}"]`)?.focus();
      part("studies_title").textContent = data.studies_title;
      part("studies_menu").hidden = !data.studies.length;
      part("studies").setAttribute("aria-label", data.studies_title);
      part("studies").replaceChildren(
        ...data.studies.map((study) =>
          dx.el("a", { class: "dx-question", href: study.href, target: "_blank", rel: "noopener", "data-tip": study.tip }, study.title)
        )
      );
      part("text").hidden = !data.looks.length;
      part("text").replaceChildren(...dx.sentence(data.looks));
    };
    dx.closing(part("studies_menu"), part("studies_title"));
    watch(["data"], update);
    update();
  };
})();
