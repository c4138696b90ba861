// The words and numbers of a sweep's report.
"use strict";
(() => {
  const written = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");

  /** A statistic's value as it is written on the page; "–" where there is none. */
  const number = (value, kind) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (kind === "share") return value < 0 ? `−${dx.percent(-value)}` : dx.percent(value);
    return written(value, kind === "count" ? (Number.isInteger(value) ? 0 : 1) : 2);
  };

  /** A text with its fields; what they hold is put in as it is. */
  const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (whole, name) => String(fields[name] ?? whole));

  /** An estimate with its interval: `[mean, low, high, prompts]`. */
  const estimate = (words, found, kind) => {
    if (!found) return words.no_value;
    const [mean, low, high, n] = found;
    const fields = { mean: number(mean, kind), low: number(low, kind), high: number(high, kind), n };
    return fill(low === null ? words.no_interval : words.interval, fields);
  };

  /** A place on some axes in words: `temperature 0.2, top_p 0.9`. */
  const place = (base, cell, axes) =>
    (axes ?? base.axes.map((_, i) => i)).map((i) => `${base.axes[i].name} ${base.axes[i].labels[base.cells[cell][i]]}`).join(", ");

  const unit = (statistic) => (statistic.unit ? `${statistic.label} (${statistic.unit})` : statistic.label);

  /** What the heat map shows in a sentence. */
  const ofMap = (words, base, statistic, cells) => {
    const found = cells.filter((cell) => base.values[statistic.name][cell]);
    if (!found.length) return words.map_empty;
    const mean = (cell) => base.values[statistic.name][cell][0];
    const sorted = [...found].sort((a, b) => mean(a) - mean(b) || a - b);
    const [least, most] = [sorted[0], sorted[sorted.length - 1]];
    const [low, high] = [least, most].map((cell) => number(mean(cell), statistic.kind));
    if (low === high) return fill(words.map_same, { low });
    return fill(words.map_reading, { low, high, at_low: place(base, least), at_high: place(base, most) });
  };

  /** What the curves show in a sentence: where each begins and ends, and what the bars are. */
  const ofCurves = (words, base, statistic, lines, axis, drawn) => {
    const told = lines.flatMap(({ label, cells }) => {
      const there = cells.filter((cell) => cell !== null && base.values[statistic.name][cell]);
      if (there.length < 2) return [];
      const [first, last] = [there[0], there[there.length - 1]];
      const value = (cell) => number(base.values[statistic.name][cell][0], statistic.kind);
      const at = (cell) => place(base, cell, [axis]);
      return [fill(words.curve_reading, { line: label || statistic.label, first: value(first), last: value(last), at_first: at(first), at_last: at(last) })];
    });
    const n = Math.max(0, ...lines.flatMap(({ cells }) => cells.map((cell) => (cell === null ? 0 : (base.values[statistic.name][cell]?.[3] ?? 0)))));
    const some = drawn < lines.length ? [fill(words.curve_some, { n: drawn, all: lines.length })] : [];
    return [...told.slice(0, 3), ...some, n > 1 ? fill(words.curve_bars, { n }) : words.curve_no_bars].join(" ");
  };

  dx.sweepWords = { number, fill, estimate, place, unit, ofMap, ofCurves };
})();
