// The pointer in the beam tree: a tip for what it is over, a click to look or to unfold, dragging, Ctrl and the wheel.
"use strict";
(() => {
  const CLOSER = 0.87, FARTHER = 1.15; // zooms of the wheel, as factors
  const NEAR = 13, STILL = 4; // pixels: from a mark that is meant; that a click may move
  const { tipOf } = dx.beamWords;

  /**
   * What is at a place of the picture: an item's number, or the node of a word over its column.
   * @type {Dx["beamHit"]}
   */
  dx.beamHit = (scene, x, y) => {
    const inside = (box) => x >= box.x0 && x <= box.x1 && y >= box.y0 && y <= box.y1;
    const box = scene.boxes.find((b) => inside({ x0: b.x - 3, x1: b.x + b.width + 3, y0: b.y - 2, y1: b.y + b.height + 2 }));
    if (box) return { id: box.id };
    let least = Math.min(NEAR, Math.max(5, scene.column * 0.6)) ** 2;
    let found = -1;
    for (const spot of scene.spots) {
      const distance = (spot.x - x) ** 2 + (spot.y - y) ** 2;
      if (distance < least) [found, least] = [spot.id, distance];
    }
    if (found >= 0) return { id: found };
    const text = scene.texts.find(inside);
    if (text) return { id: text.id };
    if (y > scene.head) return null;
    const word = scene.words.find((each) => Math.abs(each.x + (scene.head - y) * 0.7 - x) < scene.column * 0.6);
    return word ? { node: word.node } : null;
  };

  /** @type {Dx["beamPointer"]} */
  dx.beamPointer = (parts, state, act) => {
    const { plot, scroll, tip } = parts;
    /** @type {{x: number, y: number, far: boolean, id: number} | null} */
    let drag = null;
    const placeOf = (event) => {
      const box = scroll.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width };
    };
    const hitAt = (event) => {
      const { x, y } = placeOf(event);
      return plot.scene ? dx.beamHit(plot.scene, x, y) : null;
    };

    const explain = (event) => {
      const hit = hitAt(event);
      scroll.style.cursor = hit ? "pointer" : "";
      tip.hidden = !hit || hit.id === undefined;
      if (!hit || hit.id === undefined) return;
      const item = state.picture.items[hit.id];
      if (item.kind === "node") {
        const detail = { step: state.tree.step[item.node], rank: state.tree.rank[item.node] };
        document.dispatchEvent(new CustomEvent("dx-near", { detail }));
      }
      tip.textContent = tipOf(state.tree, item);
      const { x, y, width } = placeOf(event);
      tip.style.left = `${Math.max(0, Math.min(x + 14, width - tip.offsetWidth))}px`;
      tip.style.top = `${y + 16}px`;
    };
    const click = (event) => {
      const hit = hitAt(event);
      if (!hit) return;
      act.play(false);
      tip.hidden = true;
      if (hit.id === undefined) return act.choose(/** @type {number} */ (hit.node), true);
      const item = state.picture.items[hit.id];
      if (item.kind === "node") act.pick(item.node);
      else act.unfold(item.kind === "run" ? state.picture.items[item.headItem ?? hit.id].node : item.above);
    };

    scroll.addEventListener("pointerdown", (event) => {
      if (event.button || !state.view) return;
      drag = { x: event.clientX, y: event.clientY, far: false, id: event.pointerId };
    });
    scroll.addEventListener("pointermove", (event) => {
      if (!drag) return event.pointerType === "touch" ? undefined : explain(event);
      const [right, down] = [event.clientX - drag.x, event.clientY - drag.y];
      if (!drag.far && Math.hypot(right, down) < STILL) return;
      if (!drag.far) scroll.setPointerCapture(drag.id);
      tip.hidden = true;
      drag = { ...drag, x: event.clientX, y: event.clientY, far: true };
      act.pan(-right / plot.scene.column, -down / plot.scene.row);
    });
    scroll.addEventListener("pointerup", (event) => {
      if (drag && !drag.far) click(event);
      drag = null;
    });
    scroll.addEventListener("pointercancel", () => (drag = null));
    scroll.addEventListener("pointerleave", () => (tip.hidden = true));
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // as in a map: the wheel alone scrolls the page
      event.preventDefault();
      act.zoom(event.deltaY > 0 ? FARTHER : CLOSER, plot.scene.columnAt(placeOf(event).x));
    }, { passive: false });
  };
})();
