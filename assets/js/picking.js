// What a chart's rows and columns are: a row is a token, which can be asked about, a column a step, to go to.
// By pointer anywhere in the row, by arrow keys and Enter, and by the buttons of the chart's table.
"use strict";
(() => {
  const FARTHEST = 0.75; // of a row or column: what is clicked between two of them is the nearer one's

  /** The index of the nearest of the places, or -1 where none is near. */
  const nearest = (places, at) => {
    let [best, least] = [-1, FARTHEST];
    places.forEach((place, i) => {
      const distance = Math.abs(place[0] - at);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  };

  /** What a figure says of its rows, or of its columns: a step's stands at its number. */
  const placesOf = (payload) => {
    const { rows, columns } = payload?.figure?.layout?.meta || {};
    return { places: rows || columns || [], upright: !rows && Boolean(columns) };
  };

  /** Tells the page what was picked: a token's id, or a step with the rank of its candidate. */
  const tell = (payload, picked) => {
    const { about } = payload;
    if (!about) return;
    if (typeof picked === "number") {
      const detail = { ...about, token_id: picked };
      document.dispatchEvent(new CustomEvent("dx-candidate", { detail }));
      return;
    }
    const [step, rank] = picked;
    if (about.rank === null) document.dispatchEvent(new CustomEvent("dx-go", { detail: { row: about.row, step } }));
    else if (rank !== null) document.dispatchEvent(new CustomEvent("dx-beam-pick", { detail: { step, rank } }));
  };

  dx.pickingPlaces = { nearest, placesOf };

  dx.picking = (element, parts, payloadOf) => {
    const { scroll, plot, pinned } = parts; // `pinned`: the part that stays in view is a figure of its own
    const mark = dx.el("div", { class: "dx-pick-mark", hidden: true });
    const said = dx.el("span", { class: "dx-sr", "aria-live": "polite" });
    scroll.append(mark, said);
    let at = -1;

    const axes = (figure = plot) => figure._fullLayout && { x: figure._fullLayout.xaxis, y: figure._fullLayout.yaxis };
    const pickedAt = (i) => {
      const { places, upright } = placesOf(payloadOf());
      const place = places[i];
      return place && (upright ? [place[1], place[2]] : place[1]);
    };
    const pick = (picked) => tell(payloadOf(), picked);
    const forget = () => {
      at = -1;
      mark.hidden = true;
      said.textContent = "";
    };
    /** The mark of the arrow keys, around a row or a column. */
    const show = () => {
      const { places, upright } = placesOf(payloadOf());
      const { x, y } = axes();
      const [from, to] = [places[at][0] - 0.48, places[at][0] + 0.48].map((p) => (upright ? x : y).l2p(p));
      const [start, size] = [Math.min(from, to), Math.max(6, Math.abs(to - from))];
      const box = upright
        ? { left: x._offset + start, top: y._offset, width: size, height: y._length }
        : { left: 1, top: y._offset + start, width: plot.clientWidth - 2, height: size };
      for (const [name, value] of Object.entries(box)) mark.style[name] = `${value}px`;
      mark.hidden = false;
      const words = payloadOf().picks?.[upright ? "step" : "token"] || "";
      said.textContent = words.replace("{step}", places[at][0]).replace("{token}", () => places[at][2]);
    };

    const pickIn = (figure) => (event) => {
      const { places, upright } = placesOf(payloadOf());
      const found = axes(figure);
      if (!places.length || !found || !dx.candidate) return;
      // The page may be drawn larger than it is laid out (lecture mode).
      const box = figure.getBoundingClientRect(), scale = box.width / figure.offsetWidth || 1;
      const pixel = upright ? (event.clientX - box.left) / scale - found.x._offset
        : (event.clientY - box.top) / scale - found.y._offset;
      const i = nearest(places, (upright ? found.x : found.y).p2l(pixel));
      if (i >= 0) pick(pickedAt(i));
    };
    for (const figure of [plot, pinned]) figure.addEventListener("click", pickIn(figure), { capture: true });
    scroll.addEventListener("keydown", (event) => {
      const { places, upright } = placesOf(payloadOf());
      if (!places.length || !dx.candidate || event.altKey || event.ctrlKey || event.metaKey) return;
      const [back, on] = upright ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
      if (event.key === back || event.key === on) {
        const first = at < 0 ? placesOfView(places, upright, payloadOf()) : at;
        at = at < 0 ? first : Math.min(places.length - 1, Math.max(0, at + (event.key === on ? 1 : -1)));
        show();
      } else if ((event.key === "Enter" || event.key === " ") && at >= 0) pick(pickedAt(at));
      else if (event.key === "Escape" && at >= 0) forget();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    scroll.addEventListener("blur", forget);
    document.addEventListener("dx-chart", (event) => {
      if (event.detail.element !== element) return;
      forget();
      element.classList.toggle("dx-pickable", Boolean(dx.candidate) && placesOf(event.detail.payload).places.length > 0);
    });
    return pick;
  };

  /** Where the arrow keys begin: at the first row, at the step in view. */
  const placesOfView = (places, upright, payload) =>
    upright ? Math.max(0, places.findIndex((place) => place[1] === payload.about?.step)) : 0;
})();
