// A reload brings the tab's runs back. The tab keeps, in a storage that is its own and ends with it, a key to them and
// what each was asked for; `app/page/wiring.py` sends it when the page is loaded. What the server has no longer is
// offered here, to be asked again.
"use strict";
(() => {
  const keep = (name, value) => {
    try {
      sessionStorage.setItem(name, value);
    } catch {
      /* no storage, or no room in it: a reload begins anew */
    }
  };
  const kept = (name) => {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  };

  /** Remembers which link is the tab's own: one that was followed here says something else. */
  dx.keepAddress = () => keep("dx-address", new URLSearchParams(location.search).get("c") ?? "");

  dx.reload = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    let first = true;

    const store = (data) => {
      if (first && data.goes_on) dx.goOn?.(dx.parse(kept("dx-runs"), {}).page);
      first = false;
      keep("dx-runs", JSON.stringify({ ...data.kept, page: dx.visit }));
      dx.keepAddress();
    };
    const offer = ({ number, label, text }, tip) => {
      const ask = () => {
        document.querySelector("#dx-prompt textarea")?.focus(); // the button goes
        document.dispatchEvent(new CustomEvent("dx-visit", { detail: { number } }));
      };
      const button = dx.el("button", { type: "button", class: "dx-link", "data-tip": tip, on: { click: ask } }, label);
      return dx.el("li", {}, button, " ", dx.el("q", {}, text));
    };
    const update = () => {
      const data = dx.parse(props.data, null);
      if (!data) return;
      store(data);
      element.hidden = !data.lost.length;
      part("label").textContent = data.words.label;
      part("runs").replaceChildren(...data.lost.map((run) => offer(run, data.words.tip)));
      part("forget").textContent = data.words.forget;
      part("forget").setAttribute("data-tip", data.words.forget_tip);
    };
    part("forget").addEventListener("click", () => {
      document.querySelector("#dx-prompt textarea")?.focus();
      emit({});
    });
    watch(["data"], update);
    update();
  };
})();
