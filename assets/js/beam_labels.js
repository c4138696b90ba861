// The beam tree's texts: how wide one is, and where each of them can stand so that none covers another.
"use strict";
(() => {
  const NARROW = 0.603, WIDE = 1.02; // of the size, in a monospaced font: a letter, a Chinese character
  const BAND = 16; // pixels: texts are looked for by bands of this height
  const IS_WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f000}-\u{3fffd}]/u;

  /** @type {(letter: string) => number} */
  const part = (letter) => (IS_WIDE.test(letter) ? WIDE : NARROW);
  /** Pixels that a text takes. @type {Dx["beamLabels"]["widthOf"]} */
  const widthOf = (text, size) => {
    let width = 0;
    for (const letter of text) width += part(letter);
    return width * size;
  };
  /** As much of a text as fits, with an ellipsis where something is missing. @type {Dx["beamLabels"]["clipped"]} */
  const clipped = (text, size, most) => {
    if (widthOf(text, size) <= most) return text;
    let out = "", width = NARROW * size;
    for (const letter of text) {
      width += part(letter) * size;
      if (width > most) break;
      out += letter;
    }
    return out ? `${out}…` : "";
  };

  /** What is taken, to be asked for quickly. */
  const taken = () => {
    const bands = new Map();
    const each = (box, fn) => {
      for (let band = Math.floor(box.y0 / BAND); band <= Math.floor(box.y1 / BAND); band++) if (fn(band)) return true;
      return false;
    };
    const meets = (a, b) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
    return {
      free: (box, but) =>
        !each(box, (band) => (bands.get(band) ?? []).some((other) => other !== but && meets(box, other))),
      take: (box) =>
        each(box, (band) => {
          if (!bands.has(band)) bands.set(band, []);
          bands.get(band).push(box);
          return false;
        }),
    };
  };

  /**
   * Of each wish, in order, the first of its places that is free: nothing covers another, nor an obstacle. What has
   * `wide` places, too, gets one of them where nobody's narrow place is lost. A wish without a free place is left out.
   * @type {Dx["beamLabels"]["place"]}
   */
  const place = (wishes, obstacles) => {
    const room = taken();
    obstacles.forEach(room.take);
    const found = wishes.map((places) => {
      const narrow = places.find((each) => !each.wide && room.free(each));
      if (narrow) room.take(narrow);
      return narrow;
    });
    return wishes.flatMap((places, i) => {
      const now = found[i], wide = places.find((each) => each.wide && room.free(each, now));
      if (wide) room.take(wide);
      return wide ?? now ?? [];
    });
  };

  dx.beamLabels = { widthOf, clipped, place };
})();
