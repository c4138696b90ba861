// What the page's scripts share, as TypeScript reads it (`make types-js`); no browser loads this file.
// A component is `dx.<name>(element, props, watch, emit)`; see app/components/drawn.py for who calls it.

/** What a component shows of itself to Python: JSON strings, as they were sent; `value` goes back. */
type Props = { data?: string; value?: string; [name: string]: any };
/** Calls `fn` when one of the props was sent anew. */
type Watch = (names: string[], fn: () => void) => void;
type Component<Emit = (name: string, data: any) => void> =
  (element: HTMLElement, props: Props, watch: Watch, emit: Emit) => void;
/** Of components with a single event. */
type OneEvent = Component<(data: any) => void>;
type Child = string | Node | null | undefined;
/** Text with explained terms in it, as Python sends it. */
type Sentence = (string | { text: string; tip: string })[];
type Table = {
  caption: string; head: string[]; rows: string[][]; marked?: number | null;
  token_ids?: (number | null)[]; places?: [number, number | null][]; pick?: (picked: Picked) => void;
};
/** What a row of a chart or table is: a token's id, or a step with the rank of a beam candidate. */
type Picked = number | [number, number | null];

/** Of a sweep: a mean, the ends of its interval where it has one, and the number of prompts. */
type Estimate = [number, number | null, number | null, number];
type SweepStatistic = { name: string; label: string; unit: string; kind: string };
/** Which axes a report's charts have, and the place at which it holds each other one. */
type SweepState = { statistic: string; across: number; down: number | null; at: Record<number, number>; cell: number };
/** One value of the second axis, and the settings along the first; null where there is none. */
type SweepLine = { label: string; cells: (number | null)[] };

/** Of a response: what the greatest entropy of a step is computed from. */
type PartialStep = { tail_p: number | null; known: number; least: number | null; n_known: number };
/** The step in view, and the size of the vocabulary if it was typed. */
type PartialState = { key: string; place: number; typed: number | null };

interface Dx {
  // dx.js
  el<Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag, attributes?: Record<string, any> | null, ...children: Child[]
  ): HTMLElementTagNameMap[Tag];
  /** The parts of a component's fixed markup, by their `data-part`. */
  closing(menu: HTMLDetailsElement, summary: HTMLElement): void;
  partsOf(element: Element): (name: string) => any;
  closest(event: Event, selector: string): HTMLElement | null;
  focused(box: Element): HTMLElement | null;
  sentence(pieces?: Sentence | null): (string | HTMLElement)[];
  token(text: string): (string | HTMLElement)[];
  parse(json: string | null | undefined, fallback: any): any;
  table(data: Table): HTMLTableElement;
  percent(p: number | null | undefined): string;
  /** `of`: what Python said of the run: its tree, its map, its row of tokens. */
  stepNumber(index: number, of?: { first_step?: number }): number;
  nextTurn(): number;
  numbered(emit: (data: any) => void): (data: any) => void;
  addressed(props: Props, emit: (data: any) => void): (data: any) => void;
  /** What a component's events go through, and what its answers do: see `Drawn`. */
  asking(trigger: (name: string, data: any) => void): (name: string, data: any) => void;
  answering(watch: Watch): Watch;
  /** The step in view. */
  about?: At;
  touched: boolean;
  whole(): void;
  dark(): boolean;
  onScheme(fn: () => void): void;

  // offline.js
  offline: {
    read(id: string): any;
    unpacked(base64: string | null): Promise<string>;
    run(text: string): void;
    keepScheme(): void;
  };
  // answer.js
  copyText(text: string): Promise<void>;

  // partial_step.js, partial_beside.js, partial.js
  partialMost(step: PartialStep, vocab: number): number | null;
  partialEntropy(step: PartialStep, vocab: number, words: Record<string, string>): string;
  partialStep(box: HTMLElement, step: any, vocab: number, words: Record<string, string>): void;
  partialBesideStep(box: HTMLElement, data: any, place: number): void;
  /** Gives the box for the step in view. */
  partialBeside(box: HTMLElement, data: any, pick: (run: number) => void): HTMLElement;
  response(box: HTMLElement, data: any, emit: (name: string, data: any) => void, before: PartialState | null): PartialState;
  partial: Component;

  // panels.js, draft.js, share.js, gallery.js, history.js
  header: Component;
  status: Component;
  message: Component;
  facts: Component;
  notes: Component;
  verdict: Component;
  draft: OneEvent;
  share: Component;
  gallery: OneEvent;
  linkOf(configuration: object): Promise<string>;
  walksRuns?: boolean;
  /** Of whose runs the history's entries are, and that they are those of an earlier page. */
  visit?: string;
  goOn?(those: any): void;

  // reload.js
  reload: OneEvent;
  keepAddress(): void;

  // knob_controls.js, knobs.js, arithmetic.js, whatif_figure.js, whatif.js
  knobControls: Record<
    Knob["control"], (knob: Knob, id: string, set: (name: string, value: any) => void) => KnobControl
  >;
  knobs: Component<void>;
  // presets.js
  presets: OneEvent;
  toldList(groups: { kind: string; label: string; items: { name: string; value: string; why: string }[] }[]): HTMLElement[];
  presetForm(form: Form, before?: Form): Form;
  knobForm?: Form;
  floats(packed: string | PackedScores): Scores;
  truncate(scores: Scores, knobs: Truncation): Truncated;
  whatifFigure(
    base: WhatIfStep, now: WhatIfState | null, label: (name: string, fields?: object) => string, size: Size,
    colour: (name: string) => string, fontFamily: string
  ): Figure;
  whatifOutside(ranges: Record<string, KnobRange>, form: Form): [string, number, string] | null;
  whatif: Component;

  // sweep_words.js, sweep_figures.js: what the report of a sweep is made of
  sweepWords: {
    number(value: number | null | undefined, kind: string): string;
    fill(template: string, fields: Record<string, any>): string;
    estimate(words: Record<string, string>, found: Estimate | null | undefined, kind: string): string;
    place(base: any, cell: number, axes?: number[]): string;
    unit(statistic: SweepStatistic): string;
    ofMap(words: Record<string, string>, base: any, statistic: SweepStatistic, cells: number[]): string;
    ofCurves(
      words: Record<string, string>, base: any, statistic: SweepStatistic, lines: SweepLine[], axis: number, drawn: number
    ): string;
  };
  sweepFigures: {
    grid(base: any, state: SweepState): (number | null)[][];
    lines(base: any, state: SweepState): SweepLine[];
    heat(
      base: any, state: SweepState, statistic: SweepStatistic, write: (value: number | null) => string, chosen: number
    ): Figure;
    curves(base: any, state: SweepState, statistic: SweepStatistic): Figure;
    drawn(lines: SweepLine[]): number[];
  };

  // answer.js
  answer: Component<void>;
  answerTexts(texts: string[], lines: string): string[];
  answerAll(data: any, texts: string[]): string;

  // tour.js, estimate.js
  tour: Component<void>;
  calloutAt(x: number, width: number, page: number): { left: number; arrow: number };
  estimate: Component<void>;
  promptsIn(kind: string, prompt: string): number;
  runTakes(known: any, form: Form, prompts: number):
    { tokens: number; rows: number; bytes: number; kept: number; seconds: number | null };
  estimateWords(known: any, form: Form, prompts: number): string;

  // ahead.js
  stepPanel(element: HTMLElement, props: Props, watch: Watch, draw: () => void,
    how?: { prop?: string; later?: () => boolean }): void;
  unhurried(emit: (name: string, data: any) => void): (name: string, data: any) => void;
  goAhead: OneEvent;
  ahead: {
    store(most?: number): StepStore;
    around(at: At, has: (place: string) => boolean, reach?: number): At[];
  };

  // token_row.js, candidate.js, runs.js, picking.js, plot_words.js, chart.js
  tokenRow: Component;
  /** Not on a page that stands alone: there nothing can be asked about. */
  candidate?: Component;
  runs: Component;
  picking(element: HTMLElement, parts: Record<string, any>, payload: () => any): (picked: Picked) => void;
  pickingPlaces: {
    nearest(places: any[][], at: number): number;
    placesOf(payload: any): { places: any[][]; upright: boolean };
  };
  chart: OneEvent;
  /** In lecture mode: as much of a chart's figure as has been shown. */
  staged?(element: HTMLElement, payload: any): any;

  // playing.js, lecture_figure.js, lecture_keys.js, lecture.js
  player(forward: () => boolean, shown: (plays: boolean) => void): {
    start(milliseconds: number): void; stop(): void; plays(): boolean;
  };
  lectureFigure(figure: any, stage: number): any;
  lectureAct(event: KeyboardEvent, on: boolean): string | number | null;
  lecture: (element: HTMLElement, props: Props, watch: Watch) => void;
  plot(node: HTMLElement, figure: any, width: number, height: number): Promise<any>;
  plotWords: {
    apart(figure: any): { data: any[]; words: any[] };
    draw(node: HTMLElement, words: any[], layout: any): void;
    lines(text: string): PlotPiece[][];
    set(trace: any, layout: any, area: { l: number; t: number; w: number; h: number }): PlotWord[];
  };

  // heat_window.js, heat_drawing.js, heat_words.js, heat_map.js
  heatWindow: {
    open(n: number, width: number): HeatWindow;
    zoom(win: HeatWindow, factor: number, at?: number): HeatWindow;
    pan(win: HeatWindow, by: number): HeatWindow;
    follow(win: HeatWindow, step: number): boolean;
    at(win: HeatWindow, width: number, x: number): number;
    column(win: HeatWindow, width: number, step: number): { x: number; w: number };
    seen(win: HeatWindow): [number, number];
  };
  svg(tag: string, attributes?: Record<string, any>, ...children: (Node | string)[]): SVGElement;
  svgContext(width: number, height: number): { node: SVGElement; ctx: Record<string, any> };
  savePicture(drawn: SVGElement, format: "png" | "svg", name: string, surface: string): void;
  heatDrawing: {
    /** Pixels beside the columns. */
    LEFT: number; RIGHT: number;
    colours(element: Element): any;
    draw(canvas: HTMLCanvasElement, state: HeatState, colours: any): void;
    /** The window as SVG. */
    picture(state: HeatState, colours: any): SVGElement;
    overview(canvas: HTMLCanvasElement, state: HeatState, colours: any): void;
    rowAt(state: HeatState, y: number): number;
    rowsOf(state: HeatState): number;
    chosenRow(state: HeatState, column: HeatColumn): number;
    isGone(state: HeatState, column: HeatColumn, row: number): boolean;
  };
  heatWords: {
    fill(template: string, fields: Record<string, any>): string;
    tip(state: HeatState, step: number, row: number): string;
    table(state: HeatState): Table;
    legend(state: HeatState): HTMLElement[];
  };
  heatMap: OneEvent;

  // lab.js and one file for each of its tabs
  lab: OneEvent;
  labTabs: Record<string, (body: HTMLElement, sheet: any, ask: (wish: object) => void) => void>;

  // beam_layout.js, beam_state.js, beam_window.js, beam_words.js, beam_labels.js, beam_figure.js, beam_picture.js,
  // beam_drawing.js, beam_overview.js, beam_search.js, beam_path.js, beam_keys.js, beam_pointer.js, beam_tree.js,
  // beam_step.js
  beamLayout: {
    grow(data: BeamData): BeamTree;
    fold(tree: BeamTree, folded: boolean, opened: Set<number>): { items: BeamItem[]; of: Int32Array };
    layout(tree: BeamTree, items: BeamItem[]): Float64Array;
    lineage(tree: BeamTree, node: number): number[];
    spread(wish: number[], weight: number[]): number[];
  };
  beamState: {
    RETURNED: number;
    empty(): BeamState;
    fateOf(tree: BeamTree, node: number): number;
    textOf(tree: BeamTree, node: number): string;
    nodeAt(tree: BeamTree, step: number, rank: number): number;
    arrange(state: SeenTree): void;
    take(state: SeenTree, data: BeamData): void;
    look(state: SeenTree, node: number, keepPath: boolean): void;
    /** The last nodes of what was returned, best first. */
    answers(tree: BeamTree): number[];
    itemInView(state: SeenTree): number;
  };
  beamWindow: {
    FIRST: number;
    LAST: number;
    SIDES: number;
    columnWidth(state: SeenTree, width: number): number;
    forget(state: SeenTree): void;
    choose(state: SeenTree, width: number): void;
    follow(state: SeenTree): boolean;
    zoom(state: SeenTree, factor: number, at?: number): void;
    pan(state: SeenTree, columns: number, rows: number): void;
    reach(state: SeenTree, edges: BeamEdges): void;
    stretch(state: SeenTree, factor: number): void;
    heightOf(state: SeenTree): number;
    fitRows(state: SeenTree, height: number): void;
    isAll(state: SeenTree): boolean;
  };
  beamWords: {
    FATE: string[];
    filled(template: string, fields: Record<string, any>): string;
    plain(text: string): string;
    runText(tree: BeamTree, picture: BeamPicture, id: number): string;
    tipOf(tree: BeamTree, item: BeamItem): string;
    countOf(tree: BeamTree, picture: BeamPicture): string;
    search(tree: BeamTree, typed: string): number[];
  };
  beamLabels: {
    widthOf(text: string, size: number): number;
    clipped(text: string, size: number, most: number): string;
    place<Place extends BeamRect>(wishes: Place[][], obstacles: BeamRect[]): Place[];
  };
  beamFigure: {
    RETURNED: number;
    HEAD: number;
    around(state: SeenTree, width: number): number;
    ticks(state: SeenTree, column: number): number[];
    scene(state: SeenTree, size: Size): BeamScene;
  };
  beamPicture: {
    colour(name: string): string;
    palette(): BeamColours;
    draw(node: HTMLElement, seen: BeamScene, colours: BeamColours, fonts: { text: string; mono: string }): void;
  };
  beamDrawing(element: HTMLElement, parts: Record<string, any>, state: SeenTree, overview: BeamOverview): BeamDrawing;
  beamOverview(parts: Record<string, any>, state: SeenTree, act: BeamActs): BeamOverview;
  beamSearch(state: SeenTree, act: BeamActs): { box: HTMLElement; show(): void };
  beamPath(parts: Record<string, any>, state: SeenTree, act: BeamActs): { show(): void };
  beamKeys(element: HTMLElement, parts: Record<string, any>, state: SeenTree, act: BeamActs): void;
  beamButtons(parts: Record<string, any>, state: SeenTree, act: BeamActs): { build(): void; show(): void };
  beamHit(scene: BeamScene, x: number, y: number): { id?: number; node?: number } | null;
  beamPointer(parts: Record<string, any>, state: SeenTree, act: BeamActs): void;
  beamTree: Component;
  beamStep: Component;
}

declare const dx: Dx;
interface Window {
  dx: Dx;
  /** The light palette's colours, each with the dark one. */
  dxDark?: Record<string, string>;
}

// The page's markup is HTML: no element that is looked for is another's.
interface ParentNode {
  querySelector<Tag extends keyof HTMLElementTagNameMap>(selector: Tag): HTMLElementTagNameMap[Tag] | null;
  querySelector(selector: string): HTMLElement | null;
  querySelectorAll<Tag extends keyof HTMLElementTagNameMap>(selector: Tag): NodeListOf<HTMLElementTagNameMap[Tag]>;
  querySelectorAll(selector: string): NodeListOf<HTMLElement>;
}
interface Element {
  closest<Tag extends keyof HTMLElementTagNameMap>(selector: Tag): HTMLElementTagNameMap[Tag] | null;
  closest(selector: string): HTMLElement | null;
}

/** A word of a figure, at its place in pixels. */
type PlotWord = {
  x: number; y: number; size: number; colour: string; anchor: string; lines: PlotPiece[][];
};
type PlotPiece = { text: string; style: string };
type Size = { width: number; height: number };
/** The panels that are kept of steps, each the JSON that Python would send. */
type StepStore = {
  put(terms: string, place: string, panels: Record<string, any>): void;
  at(place: string): Record<string, any> | null;
  go(place: string): void;
  take(about: { terms?: string; place: string } | null, part: string, json: string): boolean;
  doubt(): void;
  trust(terms: string): void;
  readonly terms: string | null;
};
/** As Plotly takes it. */
type Figure = { data: object[]; layout: object };
/** What is used of plotly.js. */
declare const Plotly: {
  react(node: HTMLElement, data: object[], layout: object, config: object): Promise<any>;
  relayout(node: HTMLElement, layout: object): Promise<any>;
  update(node: HTMLElement, data: object, layout: object, traces: number[]): Promise<any>;
  downloadImage(node: HTMLElement | object, options: object): Promise<string>;
};

// --- what the page tells itself: events of `document` ------------------------------------------------------------

/** `path`: in a beam run, the rank that each step has on the path in view. */
type At = { run: number; row: number; step: number; rank?: number; streaming?: boolean; path?: number[] };
interface DocumentEventMap {
  "dx-at": CustomEvent<At>;
  "dx-knobs": CustomEvent<Form>;
  "dx-set-knobs": CustomEvent<Form>;
  "dx-marks": CustomEvent<any>;
  "dx-tour": CustomEvent;
  "dx-whole": CustomEvent;
  /** A candidate that is likely to be looked at next. */
  "dx-near": CustomEvent<{ step: number; rank?: number }>;
  /** A chart has new data. */
  "dx-chart": CustomEvent<{ element: HTMLElement; payload: any }>;
  "dx-redraw": CustomEvent<void>;
  "dx-visit": CustomEvent<{ number: number }>;
  /** Move to a step of a run without beams. */
  "dx-go": CustomEvent<{ row: number; step: number }>;
  /** A candidate was chosen somewhere; `rank` in a beam run. */
  "dx-candidate": CustomEvent<At & { token_id: number }>;
  "dx-beam-pick": CustomEvent<{ step: number; rank: number }>;
  "dx-beam-shown": CustomEvent<{ step: number; rank: number }>;
}

// --- settings and scores -----------------------------------------------------------------------------------------

type Form = { mode: string; given: Record<string, any> };
type Knob = {
  name: string; modes: string[]; help: string; not_here: string;
  control: "number" | "checkbox" | "select" | "text" | "passage";
  placeholder: string; neutral?: number | null; slider?: [number, number, number] | null;
  choices?: { value: any; text: string }[];
  longest?: number; example?: { value: string; label: string }; instead_of?: string[]; // of a passage
};

/** A field, and what shows a value in it; null or undefined where none was given. */
type KnobControl = { controls: HTMLElement[]; show(value: any): void };
/** What knobs.js puts on the page, with what it stands for. */
type Row = HTMLDivElement & { knob: Knob; show(value: any): void };
type Group = HTMLDetailsElement & { group: { id: string; open: boolean; knobs: Knob[] }; expected: boolean };

/** Where a knob's numbers lie, and the same in words; it acts in these modes. */
type KnobRange = {
  modes: string[]; low: number | null; high: number | null; low_open: boolean; high_open: boolean; whole: boolean;
  words: string;
};
/** The step in view: its tokens with their recorded probabilities. */
type WhatIfStep = { tokens: { text: string; recorded: number; chosen?: boolean }[]; [name: string]: any };
/** What other settings make of it; `p` by token. */
type WhatIfState = { alive: number; mass: number; entropy: number | null; exact: boolean; unsure: boolean; p: number[] };

/** Downwards, none of them -Infinity. `rough`: of a standalone page, where only the first `head` are exact. */
type Scores = Float32Array & { rough?: { head: number; bins: [number, number][]; width: number } | null };
type PackedScores = { head: number[]; gaps: number[]; counts: number[]; step: number; width: number };
type Truncation = { temperature?: number; top_k?: number; top_p?: number; min_p?: number; min_keep?: number };
type Truncated = {
  kept: number; unsure: boolean; entropy: number; mass: number; probability(place: number): number;
};

// --- the heat map --------------------------------------------------------------------------------------------------

/** Of `n` steps those from `first` on, `count` of them; both may lie within a column. */
type HeatWindow = { n: number; first: number; count: number };
/** A step, as app/sheets/heat_map.py sends it: of a beam run what its beams kept, else its likeliest tokens. */
type HeatColumn = { ids: number[]; texts: string[]; p: any[]; [name: string]: any };
type HeatState = {
  key: string; run: number; place: number; n: number; columns: HeatColumn[]; whole: boolean; beams: boolean;
  cuts: boolean; approximate: boolean; folded: boolean; ranks: number; first_step?: number; labels: Record<string, string>; win: HeatWindow; width: number;
  /** In view; the row of cells that the keys are at, or -1; of a beam run the candidate's rank. */
  step: number; row: number; rank: number | null;
};

// --- the beam tree -----------------------------------------------------------------------------------------------

/** As app/sheets/beam_tree.py sends it; columns by node, by step and rank. */
type BeamData = {
  key: string; run: number; prompt: number; n_steps: number; n_groups: number; first_step?: number; streaming: boolean;
  at: { step: number; rank: number }; texts: string[]; prompts: string[]; labels: Record<string, string>;
  fate_labels: Record<string, string>; fate_tips: Record<string, string>; columns: BeamNodes;
  sparse: { answer: Record<number, number>; final_score: Record<number, number>; evicted_at: Record<number, number> };
};
type BeamNodes = {
  step: number[]; rank: number[]; parent: number[]; token: number[]; group: number[]; fate: number[]; text: number[];
  logprob: (number | null)[]; score: (number | null)[]; margin: (number | null)[]; rival: number[];
};
type BeamTree = BeamData & BeamNodes & {
  n: number; first: Int32Array; children(node: number): Int32Array; bestEnd?: Float64Array;
};
type BeamItem = {
  kind: "node" | "crowd" | "run"; node: number; parent: number; above: number; hidden: number[]; step: number;
  leaf: boolean; head?: boolean; headItem?: number; length: number;
};
type BeamPicture = {
  items: BeamItem[]; of: Int32Array; y: Float64Array; top: number; bottom: number; hidden: number;
};
/** The window, in columns and rows. `mine`: somebody chose it; `tall`: its rows, too. */
type BeamView = { x0: number; x1: number; y0: number; y1: number; mine: boolean; tall: boolean };
type BeamEdges = { x0?: number; x1?: number; y0?: number; y1?: number };
type BeamState = {
  tree: BeamTree | null; picture: BeamPicture | null; step: number; rank: number; path: number[]; folded: boolean;
  /** What the window is fitted to. */ fit: "" | "whole" | "path";
  opened: Set<number>; playing: number; view: BeamView | null; typed: string;
  /** The nodes of what was typed. */ found: number[];
};
/** With a tree in it. */
type SeenTree = BeamState & { tree: BeamTree; picture: BeamPicture; view: BeamView };

// Of the picture, in pixels.
type BeamRect = { x0: number; x1: number; y0: number; y1: number; wide?: boolean };
type BeamFrame = {
  head: number; right: number; column: number; row: number; slanted: boolean; x(column: number): number; y(row: number): number;
};
type BeamLine = { alive: boolean; width: number; d: string };
type BeamSpot = { id: number; step: number; fate: number; x: number; y: number };
type BeamBox = {
  id: number; step: number; kind: string; text: string; x: number; y: number; width: number; height: number;
};
type BeamText = BeamRect & {
  id: number; text: string; rank: string; x: number; y: number; size: number; tint: string;
};
type BeamHead = { node: number; x: number; text: string; now: boolean; later: boolean };
type BeamScene = Size & {
  head: number; column: number; row: number; lines: BeamLine[]; casing: string; band: { x: number; width: number };
  /** Where what has not happened yet begins. */ veil: number | null;
  spots: BeamSpot[]; boxes: BeamBox[]; texts: BeamText[]; words: BeamHead[];
  ticks: { x: number; text: string; now: boolean }[]; notes: { x: number; y: number; text: string }[];
  ring: { x: number; y: number }; hits: { x: number; y: number }[];
  columnAt(x: number): number;
};
/** By the palette's name; `fates` has one for each fate. */
type BeamColours = { fates: string[]; [name: string]: any };
type BeamDrawing = {
  draw(): void; redraw(): void; restepSoon(): void; redrawSoon(): void; rewindowSoon(): void; showLegend(): void;
  save(format: "png" | "svg", name: string): void;
};
type BeamOverview = { build(colours: BeamColours): void; show(): void };
type BeamActs = {
  choose(node: number, keepPath?: boolean): void;
  pick(node: number): void;
  goTo(step: number): void;
  play(on: boolean): void;
  fold(): void;
  unfold(node: number): void;
  reveal(node: number): void;
  whole(): void;
  fitPath(node: number): void;
  zoom(factor: number, at?: number): void;
  pan(columns: number, rows: number): void;
  reach(edges: BeamEdges): void;
  stretch(factor: number): void;
  mark(): void;
  prompt(i: number): void;
  save(format: "png" | "svg"): void;
};
