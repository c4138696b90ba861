// The lab: tabs, and one tab's content, drawn by that tab's own script (dx.labTabs).
"use strict";
(() => {
  dx.lab = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const [title, tabs, body] = ["title", "tabs", "body"].map(part);
    /** @type {any} */
    let data = null;
    let drawn = null; // the tab whose content the body holds

    const ask = (wish) => emit({ tab: data.tab, ...wish });
    const button = (tab) =>
      dx.el(
        "button",
        {
          type: "button", class: "dx-tab", "aria-pressed": String(tab.id === data.tab), "data-tab": tab.id,
          "data-tip": tab.tip, on: { click: () => tab.id !== data.tab && emit({ tab: tab.id }) },
        },
        tab.label
      );

    const update = () => {
      data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      title.textContent = data.title;
      element.setAttribute("aria-label", data.label);
      element.classList.toggle("dx-if", data.whatif);
      tabs.setAttribute("aria-label", data.label);
      const hadFocus = tabs.contains(document.activeElement);
      tabs.replaceChildren(...data.tabs.map(button));
      if (hadFocus) tabs.querySelector('[aria-pressed="true"]')?.focus();
      if (drawn !== data.tab) body.replaceChildren();
      drawn = data.tab;
      body.dataset.tab = data.tab;
      dx.labTabs[data.tab](body, data.sheet, ask);
      body.dataset.drawn = `${data.tab}.${data.key}`;
    };
    watch(["data"], update);
    update();
  };
})();
