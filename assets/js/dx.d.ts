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
type Table = { caption: string; head: string[]; rows: string[][]; marked?: number | null };

interface Dx {
  // dx.js
  el<Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag, attributes?: Record<string, any> | null, ...children: Child[]
  ): HTMLElementTagNameMap[Tag];
  /** The parts of a component's fixed markup, by their `data-part`. */
  partsOf(element: Element): (name: string) => any;
  closest(event: Event, selector: string): HTMLElement | null;
  focused(box: Element): HTMLElement | null;
  sentence(pieces?: Sentence | null): (string | HTMLElement)[];
  token(text: string): (string | HTMLElement)[];
  parse(json: string | null | undefined, fallback: any): any;
  table(data: Table): HTMLTableElement;
  percent(p: number | null | undefined): string;
  nextTurn(): number;
  numbered(emit: (data: any) => void): (data: any) => void;
  addressed(props: Props, emit: (data: any) => void): (data: any) => void;
  /** The step in view. */
  about?: At;
  touched: boolean;
  dark(): boolean;
  onScheme(fn: () => void): void;

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

  // knob_controls.js, knobs.js, arithmetic.js, whatif_figure.js, whatif.js
  knobControls: Record<
    Knob["control"], (knob: Knob, id: string, set: (name: string, value: any) => void) => KnobControl
  >;
  knobs: Component<void>;
  knobForm?: Form;
  floats(packed: string | PackedScores): Scores;
  truncate(scores: Scores, knobs: Truncation): Truncated;
  whatifFigure(
    base: WhatIfStep, now: WhatIfState, label: (name: string, fields?: object) => string, size: Size,
    colour: (name: string) => string, fontFamily: string
  ): Figure;
  whatif: Component;

  // ahead.js
  stepPanel(element: HTMLElement, props: Props, watch: Watch, draw: () => void, prop?: string): void;
  unhurried(emit: (name: string, data: any) => void): (name: string, data: any) => void;
  goAhead: OneEvent;
  ahead: {
    store(most?: number): StepStore;
    around(at: At, has: (place: string) => boolean, reach?: number): At[];
  };

  // token_row.js, forks.js, runs.js, plot_words.js, chart.js
  tokenRow: Component;
  fork: OneEvent;
  runs: Component;
  chart: OneEvent;
  plot(node: HTMLElement, figure: any, width: number, height: number): Promise<any>;
  plotWords: {
    apart(figure: any): { data: any[]; words: any[] };
    draw(node: HTMLElement, words: any[], layout: any): void;
    lines(text: string): PlotPiece[][];
    set(trace: any, layout: any, area: { l: number; t: number; w: number; h: number }): PlotWord[];
  };

  // lab.js and one file for each of its tabs
  lab: OneEvent;
  labTabs: Record<string, (body: HTMLElement, sheet: any, ask: (wish: object) => void) => void>;

  // beam_layout.js, beam_state.js, beam_figure.js, beam_drawing.js, beam_keys.js, beam_tree.js, beam_step.js
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
    forgetColumns(state: SeenTree): void;
    columnWidth(state: SeenTree, width: number): number;
    chooseColumns(state: SeenTree, width: number): void;
    follow(state: SeenTree): boolean;
    zoom(state: SeenTree, factor: number, at?: number): void;
  };
  beamFigure: {
    FATE: string[];
    MARGIN: { l: number; r: number; t: number; b: number };
    rows(picture: BeamPicture): number;
    labels(state: SeenTree, colours: BeamColours, size: Size): any;
    ticks(state: SeenTree, width: number): { tickvals: number[]; ticktext: string[] };
    shapes(state: SeenTree, colours: BeamColours): object[];
    figure(state: SeenTree, size: Size, colours: BeamColours, gl: boolean, fontFamily: string): Figure;
    tipOf(tree: BeamTree, item: BeamItem): string;
    countOf(tree: BeamTree, picture: BeamPicture, gl: boolean): string;
    filled(template: string, fields: Record<string, any>): string;
  };
  beamDrawing(element: HTMLElement, parts: Record<string, any>, state: SeenTree, wire: () => void): BeamDrawing;
  beamKeys(element: HTMLElement, state: SeenTree, act: BeamActs): void;
  beamButtons(parts: Record<string, any>, state: SeenTree, act: BeamActs): { build(): void; show(): void };
  beamPointer(parts: Record<string, any>, state: SeenTree, act: BeamActs, drawing: BeamDrawing): void;
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
  /** A candidate that is likely to be looked at next. */
  "dx-near": CustomEvent<{ step: number; rank?: number }>;
  "dx-visit": CustomEvent<{ number: number }>;
  "dx-beam-pick": CustomEvent<{ step: number; rank: number }>;
  "dx-beam-shown": CustomEvent<{ step: number; rank: number }>;
}

// --- settings and scores -----------------------------------------------------------------------------------------

type Form = { mode: string; given: Record<string, any> };
type Knob = {
  name: string; modes: string[]; help: string; not_here: string; control: "number" | "checkbox" | "select" | "text";
  placeholder: string; neutral?: number | null; slider?: [number, number, number] | null;
  choices?: { value: any; text: string }[];
};

/** A field, and what shows a value in it; null or undefined where none was given. */
type KnobControl = { controls: HTMLElement[]; show(value: any): void };
/** What knobs.js puts on the page, with what it stands for. */
type Row = HTMLDivElement & { knob: Knob; show(value: any): void };
type Group = HTMLDetailsElement & { group: { id: string; open: boolean; knobs: Knob[] }; expected: boolean };

/** The step in view: its tokens with their recorded probabilities. */
type WhatIfStep = { tokens: { text: string; recorded: number; chosen?: boolean }[]; [name: string]: any };
/** What other settings make of it; `p` by token. */
type WhatIfState = { alive: number; mass: number; entropy: number; exact: boolean; unsure: boolean; p: number[] };

/** Downwards, none of them -Infinity. `rough`: of a standalone page, where only the first `head` are exact. */
type Scores = Float32Array & { rough?: { head: number; bins: [number, number][]; width: number } | null };
type PackedScores = { head: number[]; gaps: number[]; counts: number[]; step: number; width: number };
type Truncation = { temperature?: number; top_k?: number; top_p?: number; min_p?: number; min_keep?: number };
type Truncated = {
  kept: number; unsure: boolean; entropy: number; mass: number; probability(place: number): number;
};

// --- the beam tree -----------------------------------------------------------------------------------------------

/** As app/sheets/beam_tree.py sends it; columns by node, by step and rank. */
type BeamData = {
  key: string; run: number; prompt: number; n_steps: number; n_groups: number; streaming: boolean;
  at: { step: number; rank: number }; texts: string[]; prompts: string[]; labels: Record<string, string>;
  fate_labels: Record<string, string>; fate_tips: Record<string, string>; columns: BeamNodes;
  sparse: { answer: Record<number, number>; final_score: Record<number, number>; evicted_at: Record<number, number> };
};
type BeamNodes = {
  step: number[]; rank: number[]; parent: number[]; group: number[]; fate: number[]; text: number[];
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
  /** The items of the marks, in order. */ shown: number[];
  /** The columns that the labels were made for. */ labelled: [number, number];
};
/** An item's text, so far away from it in columns and rows. */
type BeamLabel = { dx: number; dy: number; text: string; position: string; tint: string };
/** Pixels of a column and of a row, and two of them in rows. */
type BeamRoom = { px: number; row: number; lift: number };
type BeamColumns = { x0: number; x1: number; y?: number[]; mine?: boolean };
type BeamState = {
  tree: BeamTree | null; picture: BeamPicture | null; step: number; rank: number; path: number[]; folded: boolean;
  whole: boolean; opened: Set<number>; playing: number; columns: BeamColumns | null;
};
/** With a tree in it. */
type SeenTree = BeamState & { tree: BeamTree; picture: BeamPicture; columns: BeamColumns };
/** By the palette's name; `fates` has one for each fate. */
type BeamColours = { fates: string[]; [name: string]: any };
type BeamDrawing = {
  draw(): void; veil(): void; restepSoon(): void; recolumn(): void; relabelSoon(): void; showLegend(): void;
};
type BeamActs = {
  choose(node: number, keepPath?: boolean): void;
  goTo(step: number): void;
  play(on: boolean): void;
  fold(): void;
  unfold(node: number): void;
  whole(): void;
  zoom(factor: number, at?: number): void;
  prompt(i: number): void;
  save(format: "png" | "svg"): void;
};
