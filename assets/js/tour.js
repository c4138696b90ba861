// The first half minute: three callouts beside what they are about. Any key and any click puts them away.
"use strict";
(() => {
  const SEEN = "dx-tour"; // in localStorage
  const WIDTH = 236;

  const box = (selector) => {
    const node = document.querySelector(selector);
    const found = node?.getBoundingClientRect();
    return found && found.width && found.height ? found : null;
  };
  /** Where each callout points: under the token in view, at the last column, at the line. */
  const POINTS = {
    tokens: () => {
      const at = box(".dx-token[aria-pressed=true]") ?? box(".dx-token");
      return at && { x: at.left + at.width / 2, y: at.bottom };
    },
    tree: () => {
      const at = box(".dx-beam-tree [data-part=scroll]");
      return at && { x: at.left + at.width / 2, y: at.top + at.height / 2 };
    },
    waterfall: () => {
      const at = box("#dx-waterfall [data-part=scroll]");
      return at && { x: at.left + at.width * 0.42, y: at.top + at.height * 0.3 };
    },
    cutoff: () => {
      const lines = [...document.querySelectorAll("#dx-cutoff :is(.shapelayer path, path.js-line)")];
      const line = lines.find((path) => /** @type {any} */ (path).style.strokeDasharray)?.getBoundingClientRect();
      const plot = box("#dx-cutoff [data-part=scroll]");
      if (!plot) return null;
      const x = line ? line.left + line.width / 2 : plot.left + plot.width / 2;
      return { x, y: plot.top + plot.height * 0.26 };
    },
  };
  /** The left edge of a callout that points at x, within the page; where its arrow is then. */
  dx.calloutAt = (x, width, page) => {
    const left = Math.min(Math.max(8, x - width / 2), Math.max(8, page - width - 8));
    return { left, arrow: Math.min(Math.max(14, x - left), width - 14) };
  };

  const seen = () => {
    try {
      return Boolean(localStorage.getItem(SEEN));
    } catch {
      return false; // a browser that keeps nothing
    }
  };
  const remember = () => {
    try {
      localStorage.setItem(SEEN, "1");
    } catch {
      // it is shown again next time
    }
  };

  dx.tour = (element, props, watch) => {
    /** @type {HTMLElement | null} */
    let shown = null;
    const away = () => {
      if (!shown) return;
      shown.remove();
      shown = null;
      remember();
      for (const event of ["keydown", "pointerdown"]) document.removeEventListener(event, away, true);
      removeEventListener("resize", place);
    };
    const place = () => {
      if (!shown) return;
      for (const card of /** @type {any} */ (shown.querySelectorAll("[data-of]"))) {
        const at = POINTS[card.dataset.of]();
        card.hidden = !at;
        if (!at) continue;
        const { left, arrow } = dx.calloutAt(at.x + scrollX, WIDTH, document.documentElement.clientWidth);
        const lowest = innerHeight - card.offsetHeight - 14;
        card.classList.toggle("dx-below", at.y + 10 > lowest); // it is further down: the arrow says so
        card.style.left = `${left}px`;
        card.style.top = `${Math.min(at.y + 10, lowest) + scrollY}px`;
        card.style.setProperty("--dx-arrow", `${arrow}px`);
      }
    };
    const show = () => {
      away();
      const data = dx.parse(props.data, null);
      if (!data) return;
      const cards = data.callouts.map(({ of, name, text }) =>
        dx.el("p", { class: "dx-callout", "data-of": of }, dx.el("b", {}, name), " ", text)
      );
      shown = dx.el("aside", { class: "dx dx-tour", "aria-label": data.label }, ...cards, dx.el("p", { class: "dx-tour-close" }, data.close));
      document.body.append(shown);
      place();
      for (const event of ["keydown", "pointerdown"]) document.addEventListener(event, away, true);
      addEventListener("resize", place);
    };
    document.addEventListener("dx-tour", () => setTimeout(show));
    document.addEventListener("dx-whole", () => seen() || dx.touched || show());
    watch(["data"], () => shown && show());
  };
})();
