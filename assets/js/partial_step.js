// One step of a response: what is known of it as bars, the unknown tail as one more, its entropy between two bounds.
"use strict";
(() => {
  const NATS = (value) => (value === null ? "–" : value.toFixed(2));

  const bar = (width, kind, words) =>
    dx.el("span", { class: "dx-partial-bar", "data-kind": kind, style: `--dx-width:${width}%` }, words);

  const row = (token, words) =>
    dx.el(
      "tr",
      { class: token.chosen ? "dx-marked" : null },
      dx.el("th", { scope: "row", "data-tip": token.listed ? null : words.not_listed, tabindex: token.listed ? null : "0" },
        ...dx.token(token.text), token.listed ? null : " *"),
      dx.el("td", { class: "dx-partial-cell" }, bar(token.width, token.chosen ? "chosen" : "known", token.p)),
      dx.el("td", {}, token.logprob),
      dx.el("td", {}, token.sum),
      dx.el("td", {}, token.rank)
    );
  const tailRow = (tail, words) =>
    dx.el(
      "tr",
      { class: "dx-partial-tail" },
      dx.el("th", { scope: "row" }, dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": tail.tip }, words.tail)),
      dx.el("td", { class: "dx-partial-cell" }, bar(tail.width, "tail", tail.p)),
      dx.el("td", {}, "–"), dx.el("td", {}, "100.0%"), dx.el("td", {}, "–")
    );

  /** The greatest entropy: the tail spread evenly over all other tokens; `decoding.partial.measures` has the same sum. */
  dx.partialMost = (step, vocab) => {
    const [tail, known] = [step.tail_p, step.known];
    if (tail === null) return null;
    if (tail === 0) return known;
    const others = vocab - step.n_known;
    return Number.isFinite(others) && others > 0 ? known - tail * Math.log(tail) + tail * Math.log(others) : null;
  };

  /** The entropy in words, with a vocabulary of that size or without (NaN). */
  dx.partialEntropy = (step, vocab, words) => {
    const say = (name, fields) => Object.entries(fields).reduce((said, [key, value]) => said.replace(`{${key}}`, value), words[name]);
    if (step.least === null) return words["entropy.none"];
    const most = dx.partialMost(step, vocab);
    const [low, high] = [NATS(step.least), NATS(most)];
    const range = most === null ? say("entropy.least", { low }) : low === high ? say("entropy.exact", { low }) : say("entropy.range", { low, high });
    return step.tail_p ? `${range} (${say("entropy.known", { value: NATS(step.known) })})` : range;
  };

  dx.partialStep = (box, step, vocab, words) => {
    const term = (name) => dx.el("span", { class: "dx-term", tabindex: "0", "data-tip": words[`${name}.tip`] }, words[name]);
    const head = ["token", "probability", "logprob", "sum", "rank"].map((name) =>
      dx.el("th", { scope: "col" }, words[`column.${name}`]));
    const table = dx.el(
      "table",
      { class: "dx-table dx-partial-table" },
      dx.el("caption", {}, words.caption),
      dx.el("thead", {}, dx.el("tr", {}, ...head)),
      dx.el("tbody", {}, ...step.rows.map((token) => row(token, words)), step.tail ? tailRow(step.tail, words) : null)
    );
    box.replaceChildren(
      dx.el("h3", {}, step.title),
      dx.el("p", { class: "dx-reading" }, ...dx.token(step.reading)),
      dx.el("p", { class: "dx-partial-numbers" },
        term("surprisal"), ` ${step.surprisal} · `, term("entropy"), ` ${dx.partialEntropy(step, vocab, words)}`),
      ...step.notes.map((note) => dx.el("p", { class: "dx-hint dx-partial-mark" }, ...dx.token(note))),
      dx.el("div", { class: "dx-table-box", tabindex: "0", role: "region", "aria-label": words.caption }, table)
    );
  };
})();
