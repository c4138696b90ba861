// The page's own arithmetic: temperature, top-k, top-p and min-p over a step's sorted scores, in transformers' order.
// Python confirms every answer; `unsure` says that a boundary lies closer than the arithmetic can tell.
"use strict";
(() => {
  const CLOSE = 1e-5; // of cumulative mass; float32 probabilities differ from float64 by less, where few tokens hold it
  // What one addition of transformers' float32 softmax may be off by, relative to the sum so far, shared out over the
  // fewest lanes that its vectors have (four): on flat distributions of 152,000 tokens these errors add up to 2e-4.
  const ADDITION = 2 ** -24 / 4;
  const NOTHING = 1e-36; // a probability that float32 may take for 0

  /** The scores that base64 text holds: float32, little-endian, likeliest first. */
  dx.floats = (text) => {
    const raw = atob(/** @type {string} */ (text));
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Float32Array(bytes.buffer);
  };

  /** How many of the first places are at least `least`, all places being sorted downwards. */
  const countFrom = (values, least, n) => {
    let [low, high] = [0, n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] >= least) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  /**
   * What is left of a distribution.
   *
   * @param scores Float32Array, downwards, none of them -Infinity: before temperature.
   * @param knobs temperature (> 0), top_k (0: off), top_p (1: off), min_p (0: off); min_keep: tokens that must stay.
   * @returns kept: how many of the first places survive; probability(place) of what is left; mass: of all
   *   probability, cut off; entropy in nats; unsure: true where Python's answer must be awaited.
   */
  dx.truncate = (scores, { temperature = 1, top_k = 0, top_p = 1, min_p = 0, min_keep = 1 }) => {
    const n = scores.length;
    const divisor = Math.fround(temperature);
    const scaled = temperature === 1 ? scores : new Float32Array(n);
    if (scaled !== scores) for (let i = 0; i < n; i++) scaled[i] = scores[i] / divisor;
    const weights = new Float64Array(n); // relative to the likeliest
    const top = scaled[0];
    let all = 0;
    for (let i = n - 1; i >= 0; i--) all += weights[i] = Math.exp(scaled[i] - top); // the small ones first
    let kept = n;
    let unsure = !Number.isFinite(top) || !Number.isFinite(all);

    const k = Math.max(top_k, min_keep);
    if (top_k > 0 && k < kept) kept = countFrom(scaled, scaled[k - 1], kept); // ties with the last one stay
    if (top_p < 1) {
      let [sum, sums] = [0, 0]; // and what all the sums on the way add up to
      for (let i = kept - 1; i >= 0; i--) sums += sum += weights[i];
      const limit = (1 - top_p) * sum;
      const close = Math.max(CLOSE * sum, ADDITION * sums);
      let tail = 0; // mass of a place and all behind it
      let place = kept;
      while (place > min_keep && tail + weights[place - 1] <= limit) tail += weights[--place];
      const next = place > min_keep ? tail + weights[place - 1] : Infinity;
      unsure ||= Math.abs(next - limit) < close || (place < kept && Math.abs(tail - limit) < close);
      unsure ||= place < kept && scaled[place] === scaled[place - 1]; // which of equals goes, the sort decides
      kept = place;
    }
    if (min_p > 0) {
      let place = kept;
      while (place > min_keep && weights[place - 1] < min_p) place--;
      const near = (i) => i > 0 && i < kept && Math.abs(weights[i] / min_p - 1) < CLOSE;
      unsure ||= near(place) || near(place - 1) || min_p < NOTHING;
      // Those kept in spite of the rule are the likeliest ones: which of equals, or of probabilities that are
      // all 0 in float32, transformers' topk decides.
      const forced = weights[place - 1] < min_p;
      unsure ||= forced && (weights[place - 1] < NOTHING || (place < kept && weights[place] === weights[place - 1]));
      kept = place;
    }

    let left = 0;
    for (let i = kept - 1; i >= 0; i--) left += weights[i];
    let entropy = 0;
    for (let i = kept - 1; i >= 0; i--) {
      const p = weights[i] / left;
      if (p > 0) entropy -= p * Math.log(p);
    }
    return {
      kept, unsure, entropy,
      mass: kept === n ? 0 : Math.max(0, 1 - left / all),
      probability: (place) => (place < kept ? weights[place] / left : 0),
    };
  };
})();
