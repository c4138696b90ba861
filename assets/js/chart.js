// A chart with its title, its sentence in words and its table: one card, drawn from one JSON string.
"use strict";
(() => {
  const COLOUR = /color/i;
  const CONFIG = {
    displayModeBar: false,
    modeBarButtonsToRemove: ["sendChartToCloud"], // it would upload the chart to a third party
    displaylogo: false,
    doubleClick: false,
    scrollZoom: false,
    responsive: false,
  };

  /** The figure with the light palette's hex values replaced by the dark ones, in colour properties only. */
  const recoloured = (value, inColour, swap) => {
    if (typeof value === "string") return inColour ? (swap[value.toLowerCase()] ?? value) : value;
    if (Array.isArray(value)) return value.map((item) => recoloured(item, inColour, swap));
    if (value && typeof value === "object") {
      const out = {};
      for (const key of Object.keys(value)) out[key] = recoloured(value[key], COLOUR.test(key), swap);
      return out;
    }
    return value;
  };

  /** A figure made in Python, in the scheme's colours. */
  const inScheme = (figure) => (dx.dark() ? recoloured(figure, false, window.dxDark || {}) : figure);

  /** Draws a figure made in Python at this size in pixels. */
  dx.plot = (node, figure, width, height) => {
    const shown = inScheme(figure), layout = { ...shown.layout, width, height, autosize: false };
    const { data, words } = dx.plotWords.apart(shown);
    const drawn = Plotly.react(node, data, layout, CONFIG);
    dx.plotWords.draw(node, words, layout);
    return drawn;
  };

  dx.chart = (element, props, watch, emit) => {
    const part = dx.partsOf(element);
    const parts = {};
    for (const name of ["title", "tabs", "scroll", "plot", "reading", "summary", "table", "images"]) parts[name] = part(name);
    /** @type {any} */
    let payload = null;
    let frame = 0;
    /** @type {Size | null} */
    let room = null; // as it was laid out last: to ask for it after a change of the text would lay out the page again

    // Where the chart is wider than its card, what decides stays in view: the same figure once more, cut to that part.
    const pinned = dx.el("div", { class: "dx-pinned", "aria-hidden": "true" });
    const pin = (width, figure, room) => {
      const wanted = payload.pin && width > room.width + 1 && figure === payload.figure; // a lecture comes to it last
      if (wanted !== pinned.isConnected) wanted ? parts.scroll.append(pinned) : pinned.remove();
      if (!wanted) return;
      const across = payload.pin[1] - payload.pin[0];
      const layout = { ...figure.layout, xaxis: { ...figure.layout.xaxis, range: payload.pin } };
      pinned.style.width = `${across}px`;
      pinned.style.marginLeft = `${-across}px`;
      dx.plot(pinned, { ...figure, layout }, across, room.height);
    };

    const draw = () => {
      frame = 0;
      if (!payload || !payload.figure) return;
      room ??= { width: parts.scroll.clientWidth, height: parts.scroll.clientHeight };
      if (!room.width) return void (room = null);
      const width = Math.max(room.width, payload.min_width || 0);
      parts.plot.style.width = `${width}px`;
      const figure = dx.staged ? dx.staged(element, payload) : payload.figure;
      dx.plot(parts.plot, figure, width, room.height);
      pin(width, figure, room);
      const { told } = figure.layout.meta ?? {}; // what a lecture has come to is in view
      if (told !== undefined) parts.scroll.scrollLeft = told - figure.layout.xaxis.range[0] - room.width;
      parts.plot.dataset.drawn = payload.key || "";
      requestAnimationFrame(showMore); // it measures: once, when all of the page has been changed
    };
    // A faded edge says that there is more to the right; a part that is pinned there says so itself.
    const showMore = () => {
      const { scrollLeft, clientWidth, scrollWidth } = parts.scroll;
      parts.scroll.classList.toggle("dx-more", !pinned.isConnected && scrollLeft + clientWidth < scrollWidth - 4);
    };
    const schedule = () => {
      if (!frame) frame = requestAnimationFrame(draw);
    };

    const fillTable = () => {
      const open = document.querySelector("#dx-charts .dx-chart > details[open]");
      document.body.classList.toggle("dx-table-open", Boolean(open));
      if (parts.table.parentElement.open && payload) {
        const tables = [{ ...payload.table, pick: dx.candidate && pick }, ...(payload.extra_tables || [])];
        parts.table.replaceChildren(...tables.map(dx.table));
      }
    };
    const fillTabs = () => {
      const tabs = payload.tabs || [];
      parts.tabs.hidden = tabs.length < 2;
      const hadFocus = parts.tabs.contains(document.activeElement);
      parts.tabs.replaceChildren(
        ...tabs.map((tab) =>
          dx.el(
            "button",
            {
              type: "button",
              class: "dx-tab",
              "aria-pressed": String(tab.id === payload.tab),
              "data-tab": tab.id,
              "data-tip": tab.tip,
              style: `--dx-rule:var(--dx-${tab.colour.replaceAll("_", "-")})`,
              on: { click: () => emit({ tab: tab.id }) },
            },
            tab.label
          )
        )
      );
      if (hadFocus) parts.tabs.querySelector('[aria-pressed="true"]')?.focus();
    };
    const images = () =>
      Object.entries(payload.images || {}).map(([kind, tip]) =>
        dx.el(
          "button",
          {
            type: "button", class: "dx-link", "data-image": kind, "data-tip": tip,
            on: { click: () => Plotly.downloadImage(inScheme(payload.figure), { format: kind, filename: "decoding", ...size(), scale: 2 }) },
          },
          kind.toUpperCase()
        )
      );
    const size = () => ({ width: parts.plot.offsetWidth, height: parts.plot.offsetHeight });

    const update = () => {
      payload = dx.parse(props.data, null);
      element.hidden = !payload;
      if (!payload) return;
      document.dispatchEvent(new CustomEvent("dx-chart", { detail: { element, payload } }));
      parts.title.replaceChildren(...dx.sentence(payload.title));
      parts.reading.replaceChildren(...dx.sentence(payload.reading));
      parts.summary.textContent = payload.table_label;
      parts.images.replaceChildren(...images());
      parts.scroll.setAttribute("aria-label", payload.label);
      element.classList.toggle("dx-without-figure", !payload.figure);
      if (element.closest("#dx-cutoff")) document.body.classList.toggle("dx-no-cutoff", !payload.figure);
      fillTabs();
      fillTable();
      draw(); // at once: the browser paints when we return
    };

    const pick = dx.picking(element, { ...parts, pinned }, () => payload);
    parts.table.parentElement.addEventListener("toggle", fillTable);
    parts.scroll.addEventListener("scroll", showMore, { passive: true });
    dx.stepPanel(element, props, watch, update);
    dx.onScheme(schedule);
    document.addEventListener("dx-redraw", schedule);
    new ResizeObserver(() => {
      const now = { width: parts.scroll.clientWidth, height: parts.scroll.clientHeight };
      if (room && now.width === room.width && now.height === room.height) return;
      room = now;
      schedule();
    }).observe(parts.scroll);
    update();
  };
})();
