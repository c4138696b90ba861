// The lab's tab "compare": two runs side by side, their tokens aligned, and each in numbers.
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};

  const joined = (cells) =>
    cells.flatMap(([text], i) => [...(i ? [dx.el("i", { class: "dx-cut" })] : []), ...dx.token(text)]);

  /** What the pointer is told of a token: chosen with which probability, or taken over by a fork. */
  const tip = (place, cells, tips) =>
    cells.map(([, p], i) => (p ? tips.token : tips.taken_over).replace("{place}", place + i).replace("{p}", p)).join("\n");

  const columns = (data) => {
    const cell = (side, place, cells) =>
      dx.el("span", { class: `dx-pair-${side}`, "data-tip": cells.length ? tip(place, cells, data.tips) : null }, ...joined(cells));
    const column = ([place, a, b, same], i) => {
      const parts = i === data.parting;
      return dx.el(
        "span",
        { class: `dx-pair${same ? " dx-same" : ""}${parts ? " dx-parts" : ""}` },
        parts ? dx.el("span", { class: "dx-parts-mark" }, data.mark) : null,
        cell("a", place, a),
        cell("b", place, b)
      );
    };
    const names = dx.el(
      "span", { class: "dx-pair dx-pair-names" }, dx.el("b", { class: "dx-side" }, "A"), dx.el("b", { class: "dx-side" }, "B"));
    return [
      names,
      data.before ? dx.el("span", { class: "dx-pair-more" }, data.before) : null,
      ...data.columns.map(column),
      data.after ? dx.el("span", { class: "dx-pair-more" }, data.after) : null,
    ].filter(Boolean);
  };

  const tokenTable = (data) => {
    const text = (cells) => cells.map(([word]) => word).join("·");
    const percent = (cells) => cells.map(([, p]) => p || "–").join(" · ");
    return dx.table({
      caption: data.label,
      head: data.head,
      rows: data.columns.map(([place, a, b]) => [String(place), text(a), percent(a), text(b), percent(b)]),
      marked: data.parting,
    });
  };

  const headed = (data, rows, className) =>
    dx.el(
      "table",
      { class: `dx-table ${className}` },
      dx.el("caption", {}, data.caption),
      dx.el("thead", {}, dx.el("tr", {}, ...data.head.map((text) => dx.el("th", { scope: "col" }, text)))),
      dx.el("tbody", {}, ...rows)
    );

  const differences = (data) => {
    if (!data.rows.length)
      return dx.el("div", {}, dx.el("p", { class: "dx-compare-head" }, data.caption), dx.el("p", { class: "dx-hint" }, data.none));
    const name = (row) =>
      dx.el(
        "th", { scope: "row" },
        dx.el(row.code ? "code" : "span", row.tip ? { class: "dx-term", tabindex: "0", "data-tip": row.tip } : {}, row.name));
    const rows = data.rows.map((row) => dx.el("tr", {}, name(row), dx.el("td", {}, row.a), dx.el("td", {}, row.b)));
    return headed(data, rows, "dx-given-table");
  };

  const statistics = (data) =>
    headed(
      data,
      data.rows.map((row) =>
        dx.el(
          "tr", {},
          dx.el("th", { scope: "row" }, ...dx.sentence(row.label)),
          ...row.values.map((value) => dx.el("td", {}, value)),
          dx.el("td", { class: "dx-unit" }, row.unit)
        )
      ),
      "dx-statistics"
    );

  /** The two selects: they stay the same nodes while their choices do, so that the keyboard keeps its place. */
  const picker = (side, change) => {
    const run = dx.el("select", { "data-pick": side, on: { change } });
    const row = dx.el("select", { "data-pick": `row_${side}`, on: { change } });
    const name = dx.el("b", { class: "dx-side" });
    const node = dx.el("div", { class: "dx-picked" }, name, run, row);
    const fill = (select, label, options, chosen) => {
      const wanted = JSON.stringify(options);
      if (select.dataset.options !== wanted) {
        select.replaceChildren(...options.map(([value, text]) => dx.el("option", { value: String(value) }, text)));
        select.dataset.options = wanted;
      }
      select.value = String(chosen);
      select.setAttribute("aria-label", label);
      select.hidden = !options.length;
    };
    const update = (data) => {
      name.textContent = data.name;
      fill(run, data.label, data.options.map((option) => [option.number, option.text]), data.chosen);
      fill(row, data.row_label, data.rows.map((text, i) => [i, text]), data.row);
    };
    const value = () => ({ run: Number(run.value), row: Number(row.value) || 0 });
    return { node, update, value };
  };

  /** Made once for as long as the tab is open. */
  const frame = (body, ask) => {
    let latest = 0;
    const send = (swapped) => {
      const [a, b] = swapped ? [two.value(), one.value()] : [one.value(), two.value()];
      ask({ a: a.run, b: b.run, row_a: a.row, row_b: b.row, latest });
    };
    const one = picker("a", () => send(false));
    const two = picker("b", () => send(false));
    const swap = dx.el("button", { type: "button", class: "dx-icon dx-swap", on: { click: () => send(true) } }, "⇄");
    const parts = {
      pick: dx.el("div", { class: "dx-pick" }, one.node, swap, two.node),
      reading: dx.el("p", { class: "dx-reading", "aria-live": "polite" }),
      notes: dx.el("div", { class: "dx-compare-notes" }),
      pairs: dx.el("div", { class: "dx-pairs", tabindex: "0", role: "group" }),
      summary: dx.el("summary", {}),
      table: dx.el("div", { class: "dx-table-box", tabindex: "0", role: "group" }),
      tables: dx.el("div", { class: "dx-compare-tables" }),
    };
    parts.details = dx.el("details", {}, parts.summary, parts.table);
    body.replaceChildren(
      dx.el("div", { class: "dx-compare" }, parts.pick, parts.reading, parts.notes, parts.pairs, parts.details, parts.tables));
    parts.choose = (pick) => {
      latest = pick.latest;
      one.update(pick.a);
      two.update(pick.b);
      swap.setAttribute("aria-label", pick.swap);
      swap.setAttribute("data-tip", pick.swap);
    };
    return parts;
  };

  const frames = new WeakMap();
  dx.labTabs.compare = (body, sheet, ask) => {
    const known = frames.get(body);
    const parts = known && body.contains(known.pairs) ? known : frame(body, ask);
    frames.set(body, parts);
    const drawn = JSON.stringify(sheet);
    if (parts.drawn === drawn) return; // another step of the same runs changes nothing here
    parts.drawn = drawn;
    const alone = !sheet.pick;
    for (const name of ["pick", "notes", "pairs", "details"]) parts[name].hidden = alone;
    if (!alone) parts.choose(sheet.pick);
    const words = sheet.reading.map((piece) => piece.text ?? piece).join("");
    if (parts.reading.textContent !== words) parts.reading.replaceChildren(...dx.sentence(sheet.reading));
    if (!alone) {
      parts.notes.replaceChildren(...sheet.notes.map((text) => dx.el("p", {}, text)));
      parts.notes.hidden = !sheet.notes.length;
      parts.pairs.replaceChildren(...columns(sheet.tokens));
      parts.pairs.setAttribute("aria-label", sheet.tokens.label);
      const mark = parts.pairs.querySelector(".dx-parts");
      parts.pairs.scrollTop = mark ? mark.offsetTop - parts.pairs.offsetTop - 60 : 0;
      parts.summary.textContent = sheet.tokens.table;
      parts.table.replaceChildren(tokenTable(sheet.tokens));
      parts.table.setAttribute("aria-label", sheet.tokens.table);
    }
    parts.tables.replaceChildren(
      ...[sheet.differences ? differences(sheet.differences) : null, sheet.statistics ? statistics(sheet.statistics) : null]
        .filter(Boolean)
        .map((table) => dx.el("div", { class: "dx-table-box" }, table))
    );
  };
})();
