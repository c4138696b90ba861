// What the next run will take: tokens, rows, scores, bytes, seconds. All of it from what Python knows of the model.
"use strict";
(() => {
  /** Several prompts are parted by a line that holds only `---`, as app/form.py reads them. */
  dx.promptsIn = (kind, prompt) =>
    kind === "chat" ? 1 : Math.max(1, prompt.split(/^\s*---\s*$/m).filter((text) => text.trim()).length);

  const whole = (value, otherwise) => (Number.isInteger(Number(value)) && Number(value) > 0 ? Number(value) : otherwise);
  /** Tokens, rows, bytes and seconds of a run under a form; seconds are null where there was no run to go by. */
  dx.runTakes = (known, form, prompts) => {
    const beams = form.mode.includes("beam");
    const given = { ...known.needs[form.mode], ...form.given };
    const each = whole(beams ? given.num_beams : form.mode === "sample" ? given.num_return_sequences : 1, 1);
    const rows = prompts * each;
    const tokens = whole(given.max_new_tokens, whole(given.max_length, known.new_tokens));
    const bytes = tokens * rows * known.vocab * known.bytes_per_score;
    const seconds = known.seconds_per_row === null ? null : tokens * rows * known.seconds_per_row;
    return { tokens, rows, bytes, kept: Math.min(bytes, known.in_memory), seconds };
  };

  const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);
  const time = (seconds) => {
    if (seconds >= 90) return `${Math.round(seconds / 60)} min`;
    return seconds >= 9.5 ? `${Math.round(seconds)} s` : `${seconds.toFixed(1)} s`;
  };
  const filled = (template, fields) => template.replace(/\{(\w+)\}/g, (_, name) => fields[name]);
  dx.estimateWords = (known, form, prompts) => {
    const { words } = known;
    if (known.vocab === null) return words.unknown;
    const takes = dx.runTakes(known, form, prompts);
    const many = (n) => n.toLocaleString("en-US");
    const rows = filled(takes.rows === 1 ? words.row : words.rows, { n: many(takes.rows) });
    const parts = [filled(words.takes, { tokens: many(takes.tokens), rows, vocab: many(known.vocab), size: size(takes.bytes) })];
    parts.push(takes.kept < takes.bytes ? filled(words.disk, { kept: size(takes.kept) }) : words.memory);
    if (takes.seconds !== null) parts.push(filled(words.time, { time: time(takes.seconds) }));
    return parts.join(" · ");
  };

  dx.estimate = (element, props, watch) => {
    const line = dx.partsOf(element)("text");
    const field = (selector) => /** @type {HTMLInputElement | null} */ (document.querySelector(selector))?.value ?? "";
    let frame = 0;
    const show = () => {
      frame = 0;
      const data = dx.parse(props.data, null);
      if (!data) return;
      const model = field("#dx-model textarea, #dx-model input").trim() || data.model;
      const known = model === data.model ? data : { ...data, vocab: null };
      const prompts = dx.promptsIn(field("#dx-ask input[type=radio]:checked"), field("#dx-prompt textarea"));
      line.textContent = dx.estimateWords(known, dx.knobForm || { mode: "sample", given: {} }, prompts);
      line.setAttribute("data-tip", data.words.tip);
    };
    const soon = () => (frame ||= requestAnimationFrame(show));
    document.addEventListener("dx-knobs", soon);
    document.addEventListener("input", (event) => dx.closest(event, "#dx-ask") && soon());
    watch(["data"], show);
    show();
  };
})();
