// A page without a server: the page's own components, fed from the data in this file instead of by Python.
"use strict";
(() => {
  /** What is in the file for certain. */
  const node = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const { read, unpacked, run, keepScheme } = dx.offline;
  const unpackedJson = async (base64) => JSON.parse(await unpacked(base64));
  const words = read("dx-words");
  const say = (text) => {
    const box = node("dx-opening");
    box.textContent = text;
    box.hidden = !text;
  };

  // --- scores: the likeliest exactly, the others as counted in fine bins ----------------------------------------------

  const fromBits = new DataView(new ArrayBuffer(4));
  const float = (key) => {
    fromBits.setUint32(0, key >= 2147483648 ? key - 2147483648 : 4294967295 - key);
    return fromBits.getFloat32(0);
  };
  const plainFloats = dx.floats;
  dx.floats = (packed) => {
    if (typeof packed === "string") return plainFloats(packed);
    const { head, gaps, counts, step, width } = packed;
    const n = counts.reduce((sum, count) => sum + count, head.length);
    const scores = /** @type {Scores} */ (new Float32Array(n));
    let key = 0;
    head.forEach((below, i) => {
      key = i ? key - below : below;
      scores[i] = float(key);
    });
    const last = scores[head.length - 1];
    const bins = [];
    let [at, bin] = [head.length, 0];
    gaps.forEach((gap, i) => {
      bin += gap;
      const middle = last - (bin + 0.5) * step;
      bins.push([middle, counts[i]]);
      scores.fill(middle, at, (at += counts[i]));
    });
    scores.rough = bins.length ? { head: head.length, bins, width } : null;
    return scores;
  };

  /** By which part of the whole mass the sum over the rough scores may be wrong. */
  const slack = (scores, temperature) => {
    const { head, bins, width } = scores.rough;
    const weight = (score) => Math.exp((score - scores[0]) / temperature);
    let tail = 0;
    for (const [score, count] of bins) tail += count * weight(score);
    let all = tail;
    for (let i = 0; i < head; i++) all += weight(scores[i]);
    return (tail / all) * Math.expm1(width / temperature);
  };
  const truncate = dx.truncate;
  dx.truncate = (scores, knobs) => {
    const out = truncate(scores, knobs);
    if (!scores.rough || !scores.length) return out;
    const { head } = scores.rough;
    const { temperature = 1, top_p = 1 } = knobs;
    if (out.kept > head && out.kept < scores.length) out.unsure = true;
    else if (top_p < 1 && truncate(scores, { ...knobs, top_p: 1, min_p: 0 }).kept > head) {
      const part = slack(scores, temperature);
      const around = [top_p * (1 - part), top_p * (1 + part)];
      out.unsure ||= part >= 1 || around.some((p) => truncate(scores, { ...knobs, top_p: p }).kept !== out.kept);
    }
    return out;
  };

  // --- components -----------------------------------------------------------------------------------------------

  const parts = {};
  /** Sets up one of the page's components; afterwards `give` is what a message from Python would be. */
  const mount = (id, component, props, emit = /** @type {(...told: any[]) => any} */ (() => {})) => {
    const box = node(id);
    const watchers = [];
    const watch = (names, fn) => watchers.push({ names, fn });
    const give = (changes) => {
      Object.assign(props, changes);
      for (const { names, fn } of watchers) if (names.some((name) => name in changes)) fn();
    };
    parts[id] = { box, give };
    component(box.firstElementChild, props, watch, emit);
  };

  /** @type {any} */
  let base = null;
  /** @type {any} */
  let steps = null;
  /** @type {any} */
  let maps = null; // by row
  /** @type {any} */
  let at = null; // {row, step, rank}: in view
  /** @type {any} */
  let chunk = null; // of the step in view
  let asked = 0;
  let cutTab = "";
  let table = { tab: "ledger", place: 0 };

  const charts = () => (chunk ? (base.trees ? chunk.nodes[at.rank] : chunk) : null);
  const address = () => `${at.row}.${at.step}.${at.rank ?? ""}`;

  const showCharts = () => {
    const found = charts();
    const there = Boolean(found && found.waterfall);
    parts["dx-cutoff"].box.hidden = !there;
    if (!there) {
      const absent = JSON.parse(base.absent);
      if (found && found.lost) absent.reading = [words.lost.replace("{why}", () => found.lost)];
      parts["dx-waterfall"].give({ data: JSON.stringify({ ...absent, key: address() }) });
      return;
    }
    parts["dx-waterfall"].give({ data: found.waterfall });
    showCut();
  };
  const showCut = () => {
    const { cutoff, tab } = charts();
    parts["dx-cutoff"].give({ data: cutoff[cutTab] ?? cutoff[tab] });
  };
  const showTables = () => {
    if (!base.trees || !chunk) return;
    const sums = base.sums[at.row];
    const sum = sums[Math.min(table.place, sums.length - 1)];
    parts["dx-beam-step"].give({ data: JSON.stringify({ ...chunk.table, tab: table.tab, chosen: at.rank, sum }) });
  };
  const beamWords = () =>
    base.trees && chunk
      ? { prompt: at.row, step: at.step, rank: at.rank, reading: chunk.reading, node: chunk.words[at.rank] || [] }
      : null;
  const giveScores = () => {
    const found = charts();
    const ready = found && found.scores;
    /** @type {HTMLElement} */ (node("dx-sliders").closest("section")).hidden = !ready; // they would move nothing
    const header = ready && (found.scores[dx.knobForm?.mode ?? ""] || Object.values(found.scores)[0]);
    parts["dx-whatif"].box.hidden = !header;
    if (!header) return;
    const scores = { ...header, at: address(), key: address(), scores: chunk.packed[header.scores] };
    parts["dx-whatif"].give({ at: address(), scores: JSON.stringify(scores) });
  };

  const show = async (where) => {
    const mine = ++asked;
    const packed = steps[`${where.row}.${where.step}`];
    const sameStep = chunk && at && at.row === where.row && at.step === where.step;
    const found = sameStep ? chunk : packed ? await unpackedJson(packed) : null;
    if (mine !== asked) return; // another step was asked for meanwhile
    [at, chunk] = [where, found];
    if (base.trees) {
      parts["dx-beam-tree"].give({ words: JSON.stringify(beamWords()) });
      showTables();
    }
    showCharts();
    if (parts["dx-whatif"]) giveScores();
    if (!base.trees) showMap();
    document.body.dataset.at = address();
  };

  /** Another prompt's tree opens where its best hypothesis ends. */
  const goTo = (where) => {
    const row = Math.min(base.trees.length - 1, Math.max(0, where.prompt));
    if (row === at.row) return show({ row, step: where.step, rank: where.rank });
    const tree = dx.parse(base.trees[row], null);
    table.place = 0;
    parts["dx-beam-tree"].give({ data: base.trees[row] });
    return show({ row, ...tree.at });
  };

  /** The heat map asks for a row's columns when it has been painted; a row that found no room in the file has none. */
  const giveColumns = async ({ about }) => {
    const packed = maps[`heat.${about.row}`];
    parts["dx-heat-map"].box.hidden = !packed;
    if (packed) parts["dx-heat-map"].give({ columns: await unpacked(packed) });
  };

  /** @type {any} */
  let wish = { scope: "step", measure: "left" }; // of the map of settings
  /** The map of settings: of the step in view, or of the run. A step without charts has none of its own. */
  const showMap = async () => {
    const mine = asked, box = node("dx-settings-map"), whole = maps[`settings.${at.row}`];
    const body = /** @type {HTMLElement} */ (box.lastElementChild);
    const own = dx.parse(charts()?.map, null);
    box.hidden = !own && !whole;
    const run = !own || (wish.scope === "run" && whole);
    const sheet = run ? whole && (await unpackedJson(whole)) : own;
    if (mine !== asked || !sheet) return;
    const shown = { ...wish, scope: run ? "run" : "step" };
    const pressed = (buttons, id) => buttons.map((button) => ({ ...button, pressed: button.id === id }));
    const scopes = (own ?? sheet).scopes.filter(({ id }) => (id === "run" ? whole : own)); // they name the step in view
    dx.labTabs.settings_map(
      body,
      { ...sheet, wish: shown, scopes: pressed(scopes, shown.scope), measures: pressed(sheet.measures, shown.measure) },
      (wished) => {
        wish = wished;
        showMap();
      }
    );
  };

  const mountFrame = () => {
    mount("dx-title", dx.header, { data: base.header });
    document.querySelector("[data-part=scheme]")?.addEventListener("click", keepScheme);
    mount("dx-facts", dx.facts, { data: base.facts });
    mount("dx-answer", dx.answer, { data: base.answer, lines: "" });
    mount("dx-notes", dx.notes, { data: base.notes });
    mount("dx-tokens", dx.tokenRow, base.row, (name, where) => show({ row: where.row, step: where.step }));
    node("dx-carried").textContent = base.carried;
  };
  const mountCharts = () => {
    const trees = base.trees || ["null"];
    mount("dx-beam-tree", dx.beamTree, { data: trees[base.at.row], words: JSON.stringify(beamWords()) }, (name, where) => goTo(where));
    mount("dx-beam-step", dx.beamStep, { data: "null" }, (name, wish) => {
      table = { tab: wish.tab, place: wish.place || 0 };
      showTables();
    });
    mount("dx-heat-map", dx.heatMap, { data: base.heat ?? "null", columns: "null" }, giveColumns);
    mount("dx-waterfall", dx.chart, { data: "null" });
    mount("dx-cutoff", dx.chart, { data: "null" }, (wish) => {
      cutTab = wish.tab;
      showCut();
    });
    if (!base.frame) return;
    node("dx-sliders").addEventListener("submit", (event) => event.preventDefault());
    mount("dx-sliders", dx.knobs, { data: base.knobs, value: base.form });
    mount("dx-whatif", dx.whatif, { data: base.frame, scores: "null", answer: "null", at: "" }, (name) => {
      if (name === "need" || name === "ask") giveScores();
    });
  };

  const open = async () => {
    if (!window.DecompressionStream) return say(words.old_browser);
    [steps, maps] = [read("dx-steps"), read("dx-maps")];
    base = await unpackedJson(node("dx-base").textContent);
    at = base.at;
    mountFrame();
    const [plotly, first] = await Promise.all([
      unpacked(node("dx-plotly").textContent),
      steps[`${at.row}.${at.step}`] ? unpackedJson(steps[`${at.row}.${at.step}`]) : null,
    ]);
    run(plotly);
    chunk = first;
    node("dx-main").classList.add("dx-open"); // before the charts, which need their width
    mountCharts();
    if (base.frame || base.trees) await show(at);
    say("");
  };
  open().catch((error) => say(words.broken.replace("{why}", () => String(error))));
})();
