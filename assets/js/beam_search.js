// The field that looks for a token in the beam tree: what is found is ringed, Enter goes from one to the next.
"use strict";
(() => {
  const { filled, search } = dx.beamWords;

  /** @type {Dx["beamSearch"]} */
  dx.beamSearch = (state, act) => {
    const field = dx.el("input", { type: "search", class: "dx-find", "data-tool": "find", maxlength: 60 });
    const said = dx.el("output", { "data-part": "found", "aria-live": "polite" });
    let at = -1; // which of those found was gone to

    const say = () => {
      const { labels } = state.tree, of = state.found.length;
      said.textContent = !state.typed ? "" : of ? filled(labels["find.count"], { n: at + 1 || "–", of }) : labels["find.none"];
    };
    /** The next one, or the one before; at first the nearest from the step in view on. */
    const go = (by) => {
      const { found, tree, step } = state;
      if (!found.length) return;
      const next = found.findIndex((node) => tree.step[node] >= step);
      at = at < 0 ? Math.max(0, next) : (at + by + found.length) % found.length;
      act.reveal(found[at]);
      say();
    };
    field.addEventListener("input", () => {
      state.typed = field.value;
      state.found = search(state.tree, state.typed);
      at = -1;
      act.mark();
      say();
    });
    field.addEventListener("keydown", (event) => {
      event.stopPropagation(); // in the tree these keys change the step
      if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape" && field.value) {
        event.preventDefault();
        field.value = "";
        field.dispatchEvent(new Event("input"));
      } else return;
      event.preventDefault();
    });
    /** In the page's language, and as the tree is now. */
    const show = () => {
      const { labels } = state.tree;
      field.placeholder = labels.find;
      field.setAttribute("aria-label", labels.find);
      field.setAttribute("data-tip", labels["find.tip"]);
      at = Math.min(at, state.found.length - 1);
      say();
    };
    return { box: dx.el("span", { class: "dx-finder" }, field, said), show };
  };
})();
