// The beam tree in words: numbers, what the pointer is told, what a path reads, which tokens are what was looked for.
"use strict";
(() => {
  const FATE = ["kept", "pruned", "finished", "ended_outside", "beaten", "returned"];
  const NAMED = 6; // of a crowd's tokens
  const { textOf, nodeAt } = dx.beamState;

  /** @type {Dx["beamWords"]["filled"]} */
  const filled = (template, fields) => template.replace(/\{(\w+)\}/g, (whole, name) => String(fields[name] ?? whole));
  /** @type {(text: string) => string} */
  const minus = (text) => text.replace("-", "−");
  /** @type {(value?: number | null) => string} */
  const nats = (value) => {
    if (value === null || value === undefined) return "–";
    return value <= -1e8 ? "−10⁹" : minus(value.toFixed(2));
  };
  /** @type {(logprob: number | null) => string} */
  const percent = (logprob) => {
    const p = logprob === null ? 0 : Math.exp(Math.min(0, logprob));
    return p === 0 ? "0" : p < 0.0001 ? "<0.01%" : p < 0.001 ? `${(100 * p).toFixed(2)}%` : `${(100 * p).toFixed(1)}%`;
  };
  /** A token as a word of a sentence, without the marks of spaces around it. @type {Dx["beamWords"]["plain"]} */
  const plain = (text) => text.replaceAll("␣", " ").trim() || text;

  /** The tokens of a run of items from `id` on, joined. @type {Dx["beamWords"]["runText"]} */
  const runText = (tree, { items }, id) => {
    const { headItem, step } = items[id], out = [];
    const last = items[headItem ?? id].step + items[headItem ?? id].length;
    for (let at = id; at < items.length && items[at].step < last; at++)
      if (items[at].headItem === headItem && items[at].step >= step) out.push(textOf(tree, items[at].node));
    return out.join("");
  };

  /** What the pointer is told of an item. @type {Dx["beamWords"]["tipOf"]} */
  const tipOf = (tree, item) => {
    const l = tree.labels, i = item.node;
    if (item.kind === "crowd") {
      const names = item.hidden.slice(0, NAMED).map((kid) => textOf(tree, kid)).join("  ");
      return `${filled(l.crowd, { n: item.hidden.length })}\n${names}${item.hidden.length > NAMED ? " …" : ""}`;
    }
    if (item.kind === "run") return filled(l.run, { n: item.length });
    const fields = {
      step: dx.stepNumber(tree.step[i], tree), rank: tree.rank[i] + 1, fate: tree.fate_labels[FATE[tree.fate[i]]],
      logprob: nats(tree.logprob[i]), p: percent(tree.logprob[i]), score: nats(tree.score[i]),
    };
    const out = [textOf(tree, i), filled(l.tip, fields)];
    if (tree.n_groups > 1) out.push(filled(l.group, { n: tree.group[i] + 1 }));
    if (tree.margin[i] !== null) {
      const margin = (tree.margin[i] > 0 ? "+" : "") + nats(tree.margin[i]);
      const rival = tree.rival[i] < 0 ? "" : textOf(tree, nodeAt(tree, tree.step[i], tree.rival[i]));
      out.push(filled(rival ? l["tip.rival"] : l["tip.margin"], { margin, rival }));
    }
    const { final_score, answer, evicted_at } = tree.sparse;
    if (i in final_score) out.push(filled(l["tip.final"], { final: nats(final_score[i]) }));
    if (i in answer) out.push(filled(l["tip.place"], { place: answer[i] + 1 }));
    if (i in evicted_at) out.push(filled(l["tip.evicted"], { step: dx.stepNumber(evicted_at[i], tree) }));
    return out.join("\n");
  };

  /** How many candidates there are, and how many of them are folded away. @type {Dx["beamWords"]["countOf"]} */
  const countOf = (tree, picture) => {
    const numbers = { all: tree.n.toLocaleString("en"), hidden: picture.hidden.toLocaleString("en") };
    return filled(tree.labels[picture.hidden ? "folded" : "counted"], numbers);
  };

  /**
   * The nodes whose token holds what was typed, by step; capital or small, with a space or with its mark.
   * @type {Dx["beamWords"]["search"]}
   */
  const search = (tree, typed) => {
    const wanted = typed.replaceAll("␣", " ").toLowerCase();
    if (!wanted.trim()) return [];
    const has = tree.texts.map((text) => text.replaceAll("␣", " ").toLowerCase().includes(wanted));
    return tree.text.flatMap((text, node) => (has[text] ? [node] : []));
  };

  dx.beamWords = { FATE, filled, plain, runText, tipOf, countOf, search };
})();
