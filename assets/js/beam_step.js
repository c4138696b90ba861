// Ledger, pool and sum of the beam step in view. Every row's button is a node of the tree, and the other way round.
"use strict";
(() => {
  dx.beamStep = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    /** @type {any} */
    let data = null;
    const pick = (step, rank) => document.dispatchEvent(new CustomEvent("dx-beam-pick", { detail: { step, rank } }));

    const head = (heads) =>
      dx.el("thead", {}, dx.el("tr", {}, ...heads.map((h) =>
        dx.el("th", { scope: "col" }, h.tip ? dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": h.tip }, h.text) : h.text))));
    const node = (step, rank, text, click = () => pick(step, rank)) =>
      dx.el("button", { type: "button", class: "dx-node", "data-step": step, "data-rank": rank, on: { click } },
            ...dx.token(text));

    /** A row of the ledger: its node comes into view, and its token's card, as at the node itself. */
    const ask = ({ rank, token_id }) => {
      pick(data.step, rank);
      return document.dispatchEvent(new CustomEvent("dx-candidate", { detail: { ...data.about, step: data.step, rank, token_id } }));
    };

    const ledger = ({ caption, heads, rows, tips, button, fate }) =>
      dx.el("table", { class: "dx-table dx-ledger" }, dx.el("caption", {}, caption), head(heads),
        dx.el("tbody", {}, ...rows.map((row) =>
          dx.el("tr", { "data-rank": row.rank, "data-fate": row.fate, on: { click: (event) => dx.closest(event, "button") || ask(row) } }, ...row.cells.map((cell, i) =>
            i === button
              ? dx.el("th", { scope: "row" }, node(data.step, row.rank, cell, () => ask(row)), row.answer ? dx.el("b", { class: "dx-place" }, `#${row.answer}`) : null)
              : i === fate
                ? dx.el("td", {}, dx.el("span", { class: "dx-fate", "data-fate": row.fate, "data-tip": tips[row.fate] }, cell))
                : dx.el("td", {}, cell))))));

    const pool = ({ caption, heads, rows, note }) => [
      dx.el("table", { class: "dx-table dx-pool" }, dx.el("caption", {}, caption), rows.length ? head(heads) : null,
        dx.el("tbody", {}, ...rows.map((row) =>
          dx.el("tr", { "data-change": row.change || null }, ...row.cells.map((cell, i) =>
            i ? dx.el("td", {}, cell) : dx.el("th", { scope: "row" }, node(row.step, row.rank, cell))))))),
      dx.el("p", { class: "dx-hint" }, note),
    ];

    const sum = (s) => {
      if (s.none) return [dx.el("p", { class: "dx-hint" }, s.none)];
      const places = dx.el("div", { class: "dx-tabs", role: "group", "aria-label": s.label }, ...s.places.map((p) =>
        dx.el("button", { type: "button", class: "dx-tab", "aria-pressed": String(p.place === s.place), "data-place": p.place,
                          on: { click: () => emit("table", { tab: "sum", place: p.place }) } }, `${p.label}  ${p.score}`)));
      const table = dx.el("table", { class: "dx-table dx-sum" }, dx.el("caption", {}, s.caption), head(s.heads),
        dx.el("tbody", {}, ...s.rows.map((row) =>
          dx.el("tr", {}, ...row.cells.map((cell, i) => (i ? dx.el("td", {}, cell) : dx.el("th", { scope: "row" }, node(row.step, row.rank, cell))))))),
        dx.el("tfoot", {}, ...s.feet.map(([label, value]) =>
          dx.el("tr", {}, dx.el("th", { scope: "row" }, label), dx.el("td", { colspan: s.heads.length - 1 }, value)))));
      return [places, table, dx.el("p", { class: "dx-hint" }, s.note)];
    };

    const mark = (step, rank) => {
      for (const row of element.querySelectorAll(".dx-ledger tbody tr")) {
        const chosen = data && step === data.step && Number(row.dataset.rank) === rank;
        row.classList.toggle("dx-marked", chosen);
        row.querySelector("button")?.setAttribute("aria-pressed", String(chosen));
      }
    };

    const update = () => {
      data = dx.parse(props.data, null);
      element.hidden = !data;
      if (!data) return;
      document.body.classList.toggle("dx-in-groups", data.n_groups > 1); // a column more
      const focused = dx.focused(element);
      const { rank, step, tab, place } = focused?.dataset || {};
      part("tabs").setAttribute("aria-label", data.label);
      part("tabs").replaceChildren(...data.tabs.map((t) =>
        dx.el("button", { type: "button", class: "dx-tab", "aria-pressed": String(t.id === data.tab), "data-tab": t.id, "data-tip": t.tip,
                          on: { click: () => emit("table", { tab: t.id, place: data.sum.place ?? 0 }) } }, t.label)));
      const box = part("table"), same = box.dataset.tab === data.tab;
      const shown = { ledger: () => [ledger(data.ledger), ...pool(data.pool)], pool: () => pool(data.pool), sum: () => sum(data.sum) }[data.tab];
      box.replaceChildren(...shown().filter(Boolean));
      box.dataset.tab = data.tab;
      box.dataset.step = data.step;
      if (!same) box.scrollTop = 0; // else it stays where it is, and is not asked: that would lay out the page twice
      mark(data.step, data.chosen);
      // The keyboard's place is kept: the same tab, or the node of the same rank.
      const again = tab ? `[data-tab="${tab}"]` : place ? `[data-place="${place}"]` : rank ? `.dx-node[data-rank="${rank}"]` : "";
      if (focused && again) (element.querySelector(data.tab === "ledger" ? again : `${again}${step ? `[data-step="${step}"]` : ""}`) || element.querySelector(again))?.focus({ preventScroll: true });
    };
    document.addEventListener("dx-beam-shown", (event) => data && mark(event.detail.step, event.detail.rank));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const all = [...element.querySelectorAll(".dx-node")];
      const focused = dx.focused(element);
      const at = focused ? all.indexOf(focused) : -1;
      if (at < 0) return;
      event.preventDefault();
      all[Math.min(all.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)))].focus();
    });
    // A table has the page laid out: the charts do not wait for it, but the keyboard's place in it does.
    dx.stepPanel(element, props, watch, update, { later: () => !dx.focused(element) });
    update();
  };
})();
