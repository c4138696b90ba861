// The lab's tab "orders": a lane per engine, one of them arranged by hand, and the tokens whose fate depends on it.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  const ORDER_KEYS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

  const chip = (data, own) => {
    const text = dx.el(
      "span",
      { class: "dx-sampler-text", "data-tip": data.tip, tabindex: own ? "0" : null },
      dx.el("b", {}, data.label),
      dx.el("span", { class: "dx-sampler-alive" }, data.alive)
    );
    const move = (by, sign, label) =>
      dx.el("button", { type: "button", class: "dx-sampler-move", "data-by": by, "aria-label": label }, sign);
    return dx.el(
      "li",
      {
        class: data.cuts ? "dx-sampler dx-cuts" : "dx-sampler", "data-key": data.key, draggable: own ? "true" : null,
        style: `--dx-rule:var(--dx-${data.colour})`,
      },
      own ? move(-1, "‹", data.earlier) : null,
      text,
      own ? move(1, "›", data.later) : null
    );
  };

  const lane = (data, own) =>
    dx.el(
      "section",
      { class: "dx-lane", "data-mark": data.mark, "data-own": String(data.own) },
      dx.el(
        "div",
        { class: "dx-lane-head" },
        dx.el("h3", {}, data.name),
        data.mark_text ? dx.el("span", { class: "dx-mark" }, data.mark_text) : null,
        dx.el("span", { class: "dx-lane-sum" }, dx.el("b", {}, data.survivors), " · ",
              dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": data.mass_tip }, data.mass)),
        dx.el("span", { class: data.how_tip ? "dx-lane-how dx-term" : "dx-lane-how", tabindex: data.how_tip ? "0" : null,
                        "data-tip": data.how_tip || null }, data.how)
      ),
      dx.el(
        "ol",
        { class: "dx-samplers" },
        dx.el("li", { class: "dx-sampler-start", "data-tip": data.start_tip }, data.start),
        ...data.chips.map((item) => chip(item, data.own)),
        data.left_out
          ? dx.el("li", { class: "dx-sampler-out", "data-tip": data.left_out.tip, tabindex: "0" },
                  data.left_out.label, ...data.left_out.samplers.flatMap((name) => [" ", dx.el("span", {}, name)]))
          : null
      ),
      data.own
        ? dx.el("p", { class: "dx-hint" }, `${own.hint} `, dx.el("button", { type: "button", class: "dx-link", "data-reset": "" }, own.reset))
        : null
    );

  const cell = (data) =>
    data.kept
      ? dx.el("td", {}, data.text)
      : dx.el("td", { class: "dx-gone" }, dx.el("span", { "data-tip": data.tip || null }, `✕ ${data.text}`));

  const table = (data) =>
    dx.el(
      "table",
      { class: "dx-table dx-fates" },
      dx.el("caption", {}, dx.el("span", {}, data.caption)),
      dx.el("thead", {}, dx.el("tr", {}, ...data.head.map((text) => dx.el("th", { scope: "col" }, text)))),
      ...data.groups.map((group) =>
        dx.el(
          "tbody",
          {},
          dx.el("tr", { class: "dx-why" },
                dx.el("th", { scope: "rowgroup", colspan: data.head.length },
                      dx.el("span", {}, dx.el("b", {}, group.count), " · ", group.why))),
          ...group.rows.map((row) =>
            dx.el("tr", { class: row.in_view ? "dx-marked" : null },
                  dx.el("th", { scope: "row" }, ...dx.token(row.token)), dx.el("td", {}, row.before), ...row.cells.map(cell)))
        )
      )
    );

  /** Where the engine that ran decides otherwise than transformers' arithmetic: in words, and the tokens between them. */
  const parting = (data) =>
    dx.el(
      "div",
      { class: "dx-parting" },
      dx.el("p", {}, data.words),
      dx.el(
        "div",
        { class: "dx-table-box", tabindex: "0", role: "group", "aria-label": data.caption },
        dx.el(
          "table",
          { class: "dx-table dx-parted" },
          dx.el("caption", {}, dx.el("span", {}, data.caption)),
          dx.el("thead", {}, dx.el("tr", {}, ...data.head.map((text) => dx.el("th", { scope: "col" }, text)))),
          dx.el(
            "tbody",
            {},
            ...data.rows.map((row) =>
              dx.el("tr", { class: row.in_view ? "dx-marked" : null },
                    dx.el("th", { scope: "row" }, ...dx.token(row.token)), dx.el("td", {}, row.before), ...row.cells.map(cell)))
          )
        )
      ),
      data.more ? dx.el("p", { class: "dx-hint" }, data.more) : null
    );

  const engine = (data) => [
    dx.el("h3", {}, data.title),
    data.same ? dx.el("p", {}, data.same) : null,
    ...data.partings.map(parting),
  ].filter(Boolean);

  /** The hand-arranged lane can be reordered: by dragging, by ‹ ›, by Alt and an arrow. */
  const arrange = (lanes, send) => {
    const list = () => lanes.querySelector('[data-own="true"] ol');
    const keys = () => [...list().querySelectorAll(".dx-sampler")].map((item) => item.dataset.key);
    const chipOf = (target) => (list()?.contains(target) ? target.closest(".dx-sampler") : null);
    const move = (item, by) => {
      const order = keys();
      const at = order.indexOf(item.dataset.key);
      const to = at + by;
      if (to < 0 || to >= order.length) return;
      [order[at], order[to]] = [order[to], order[at]];
      send(order);
    };
    lanes.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.by) move(button.closest(".dx-sampler"), Number(button.dataset.by));
      else if (button && "reset" in button.dataset) send([]);
    });
    lanes.addEventListener("keydown", (event) => {
      const item = event.altKey && event.key in ORDER_KEYS && chipOf(event.target);
      if (!item) return;
      event.preventDefault(); // Alt and an arrow would leave the page
      move(item, ORDER_KEYS[event.key]);
    });

    /** @type {HTMLElement | null} */
    let dragged = null;
    let before = "";
    lanes.addEventListener("dragstart", (event) => {
      dragged = chipOf(event.target);
      if (!dragged) return;
      before = keys().join();
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", dragged.dataset.key);
      dragged.classList.add("dx-dragged");
    });
    lanes.addEventListener("dragover", (event) => {
      if (!dragged || !list()?.contains(dragged)) return;
      event.preventDefault();
      const over = chipOf(event.target);
      if (!over || over === dragged) return;
      const box = over.getBoundingClientRect();
      over.parentElement.insertBefore(dragged, event.clientX < box.left + box.width / 2 ? over : over.nextSibling);
    });
    lanes.addEventListener("drop", (event) => dragged && event.preventDefault());
    lanes.addEventListener("dragend", () => {
      if (!dragged) return;
      dragged.classList.remove("dx-dragged");
      const changed = list()?.contains(dragged) && keys().join() !== before;
      dragged = null;
      if (changed) send(keys());
    });
  };

  /** The frame, made once for as long as the tab is open: what is announced must stay the same node. */
  const frame = (body, ask) => {
    const parts = {
      reading: dx.el("p", { class: "dx-reading", "aria-live": "polite" }),
      example: dx.el("p", { class: "dx-orders-example" }),
      caution: dx.el("p", { class: "dx-hint" }),
      lanes: dx.el("div", { class: "dx-lanes" }),
      table: dx.el("div", { class: "dx-table-box", tabindex: "0", role: "group" }),
      more: dx.el("p", { class: "dx-hint" }),
      engine: dx.el("section", { class: "dx-engine" }),
      summary: dx.el("summary", {}),
      notes: dx.el("ul", {}),
    };
    const notes = dx.el("details", { class: "dx-orders-notes" }, parts.summary, parts.notes);
    body.replaceChildren(
      dx.el("div", { class: "dx-orders" }, parts.example, parts.reading, parts.caution, parts.lanes, parts.table, parts.more,
            parts.engine, notes));
    arrange(parts.lanes, (order) => ask({ order }));
    return parts;
  };

  const place = (focused, lanes) => {
    const item = lanes.contains(focused) && focused.closest('[data-own="true"] .dx-sampler');
    return item ? { key: item.dataset.key, by: focused.dataset.by } : null;
  };

  const frames = new WeakMap();
  dx.labTabs.orders = (body, sheet, ask) => {
    const known = frames.get(body);
    const parts = known && body.contains(known.lanes) ? known : frame(body, ask);
    frames.set(body, parts);
    const at = place(document.activeElement, parts.lanes);
    const reset = document.activeElement?.matches?.("[data-reset]");
    const fill = (node, ...children) => {
      node.replaceChildren(...children);
      node.hidden = !children.length || !node.textContent;
    };
    // Said again only when it is another sentence.
    const words = sheet.reading.map((piece) => piece.text ?? piece).join("");
    if (parts.reading.textContent !== words) parts.reading.replaceChildren(...dx.sentence(sheet.reading));
    fill(parts.example, sheet.example);
    fill(parts.caution, sheet.caution);
    parts.lanes.replaceChildren(...sheet.lanes.map((data) => lane(data, sheet.own)));
    const top = parts.table.scrollTop;
    fill(parts.table, ...(sheet.table ? [table(sheet.table)] : []));
    parts.table.setAttribute("aria-label", sheet.table?.caption ?? "");
    parts.table.scrollTop = top;
    fill(parts.more, sheet.table?.more ?? "");
    fill(parts.engine, ...(sheet.engine ? engine(sheet.engine) : []));
    parts.summary.textContent = sheet.notes.summary;
    parts.notes.replaceChildren(...sheet.notes.items.map((text) => dx.el("li", {}, text)));
    const own = [...parts.lanes.querySelectorAll('[data-own="true"] .dx-sampler')];
    own[0]?.querySelector('[data-by="-1"]').setAttribute("aria-disabled", "true");
    own.at(-1)?.querySelector('[data-by="1"]').setAttribute("aria-disabled", "true");
    if (at) {
      const item = parts.lanes.querySelector(`[data-own=true] [data-key="${CSS.escape(at.key)}"]`);
      (item?.querySelector(at.by ? `[data-by="${at.by}"]` : ".dx-sampler-text"))?.focus({ preventScroll: true });
    } else if (reset) parts.lanes.querySelector("[data-reset]")?.focus({ preventScroll: true });
  };
})();
