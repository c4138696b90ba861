// What is seen of the beam tree, in pixels: lines, marks, boxes, texts. A function of what is looked at
// (beam_state.js), of the window (beam_window.js) and of the size; nothing here touches the page. What lies outside the
// window is not in it, so a zoom costs as much as what it shows.
"use strict";
(() => {
  const RUN = 0.6; // the part of a column that a line stays level, with the token above it
  const WIDTHS = [[0.5, 5], [0.2, 3.6], [0.08, 2.5], [0.02, 1.6]], THINNEST = 0.9; // probability, pixels
  const LEFT = 10, RIGHT = 10;
  const HEAD = 22, WORDS = 66; // pixels above the tree: for step numbers, for slanted words
  const FOOT = 3;
  const ROOMY = 44; // pixels of a column in which a token can stand on its line
  const LEAST_WORD = 11.5; // and over which a slanted word can
  const LONGEST_WORD = 76; // pixels
  const SIZE = 12, SMALL = 11, TALL = 8.7; // of letters; a capital's height
  const BOX = 13; // pixels, a box's height
  const DOT = 4; // pixels, half a mark
  const ANSWERS = 1e5; // a best end (beam_layout.js) below it is the place of an answer
  const { RETURNED, fateOf, textOf, itemInView } = dx.beamState;
  const { plain, runText, filled } = dx.beamWords;
  const { widthOf, clipped, place } = dx.beamLabels;

  /** @type {(value: number) => string} */
  const px = (value) => String(Math.round(value * 10) / 10);
  /** @type {(item: BeamItem) => number} */
  const columnOf = (item) => item.step + 1; // the prompt stands at 0

  /** Whether the path's words stand slanted over narrow columns. @type {(state: SeenTree, width: number) => boolean} */
  const isSlanted = (state, width) => {
    const column = dx.beamWindow.columnWidth(state, width);
    return column < ROOMY && column >= LEAST_WORD;
  };
  /** Pixels above and below the rows. @type {Dx["beamFigure"]["around"]} */
  const around = (state, width) => HEAD + FOOT + (isSlanted(state, width) ? WORDS : 0);

  /** From columns and rows to pixels. @type {(state: SeenTree, size: Size, slanted: boolean) => BeamFrame} */
  const frameOf = ({ view }, size, slanted) => {
    const head = HEAD + (slanted ? WORDS : 0), right = RIGHT + (slanted ? 26 : 0);
    const column = (size.width - LEFT - right) / (view.x1 - view.x0);
    const row = (size.height - head - FOOT) / (view.y1 - view.y0);
    return {
      head, column, row, slanted, right: size.width - 2,
      x: (at) => LEFT + (at - view.x0) * column,
      y: (at) => head + (at - view.y0) * row,
    };
  };

  /** The items of which something is in view. @type {(state: SeenTree) => number[]} */
  const idsInView = ({ picture, view }) => {
    const ids = [];
    picture.items.forEach((item, id) => {
      const x = columnOf(item);
      if (x < view.x0 - 1.2 || x > view.x1 + 1) return;
      const y = picture.y[id], above = item.parent < 0 ? 0 : picture.y[item.parent];
      if (Math.max(y, above) >= view.y0 - 1 && Math.min(y, above) <= view.y1 + 1) ids.push(id);
    });
    return ids;
  };

  // --- lines ------------------------------------------------------------------------------------------------------

  /** One path for each width and for living and dead. @type {(state: SeenTree, frame: BeamFrame, ids: number[]) => BeamLine[]} */
  const lines = ({ tree, picture }, { x, y }, ids) => {
    const found = new Map();
    for (const id of ids) {
      const item = picture.items[id];
      const alive = item.kind !== "crowd" && (tree.fate[item.node] === 0 || tree.fate[item.node] === 2);
      const p = Math.exp(tree.logprob[item.node] ?? -99);
      const width = (item.kind !== "crowd" && WIDTHS.find(([least]) => p >= least)?.[1]) || THINNEST;
      const key = `${alive ? 1 : 0}.${width}`;
      if (!found.has(key)) found.set(key, { alive, width, parts: [] });
      const at = columnOf(item), above = item.parent < 0 ? 0 : picture.y[item.parent];
      const level = item.leaf ? "" : `H${px(x(at + RUN))}`;
      found.get(key).parts.push(
        `M${px(x(at - 1 + RUN))} ${px(y(above))}L${px(x(at))} ${px(y(picture.y[id]))}${level}`);
    }
    return [...found.values()]
      .sort((a, b) => a.alive - b.alive || a.width - b.width)
      .map(({ alive, width, parts }) => ({ alive, width, d: parts.join("") }));
  };

  /** The path in view as far as the step. @type {(state: SeenTree, frame: BeamFrame) => string} */
  const casing = ({ tree, picture, path, step }, { x, y }) => {
    const points = [`M${px(x(0))} ${px(y(0))}H${px(x(RUN))}`];
    let before = -1;
    for (const node of path) {
      if (tree.step[node] > step) break;
      const id = picture.of[node];
      if (id === before) continue;
      before = id;
      const at = columnOf(picture.items[id]);
      points.push(`L${px(x(at))} ${px(y(picture.y[id]))}`);
      if (tree.step[node] < step) points.push(`H${px(x(at + RUN))}`);
    }
    return points.length > 1 ? points.join("") : "";
  };

  // --- marks and boxes --------------------------------------------------------------------------------------------

  /** A mark for each node, a box with its number for each crowd and run. */
  const marks = ({ tree, picture }, frame, ids) => {
    const spots = /** @type {BeamSpot[]} */ ([]), boxes = /** @type {BeamBox[]} */ ([]);
    const small = frame.column < 24 || frame.row < 12;
    for (const id of ids) {
      const item = picture.items[id];
      if (item.kind === "run" && !item.head) continue;
      const x = frame.x(columnOf(item)), y = frame.y(picture.y[id]);
      if (item.kind === "node") spots.push({ id, step: item.step, fate: fateOf(tree, item.node), x, y });
      else {
        const text = small ? "" : item.kind === "run" ? `${item.length}` : `+${item.hidden.length}`;
        const width = small ? 5 : widthOf(text, SMALL) + 8, height = small ? 5 : BOX;
        boxes.push({ id, step: item.step, kind: item.kind, text, x: x - Math.min(6, width / 2), y: y - height / 2, width, height });
      }
    }
    return { spots, boxes };
  };

  // --- texts ------------------------------------------------------------------------------------------------------

  /** How much an item's text matters: what is on the path first. @type {(state: SeenTree, id: number, onPath: Set<number>) => number} */
  const weight = ({ tree, picture }, id, onPath) => {
    const { node, kind } = picture.items[id], fate = fateOf(tree, node);
    if (fate === RETURNED || onPath.has(id)) return 0;
    if (tree.bestEnd && tree.bestEnd[node] < ANSWERS) return 1;
    return fate === 0 || kind === "run" ? 2 : fate === 2 ? 3 : 4;
  };

  /** Where an item's text may stand: above its line, below it, and behind what ends. @type {(state: SeenTree, id: number, frame: BeamFrame) => BeamText[]} */
  const placesOf = (state, id, frame) => {
    const { tree, picture } = state;
    const item = picture.items[id], fate = fateOf(tree, item.node), answer = tree.sparse.answer[item.node];
    const x = frame.x(columnOf(item)), y = frame.y(picture.y[id]);
    const rank = answer === undefined ? "" : `#${answer + 1} `;
    if (frame.column < ROOMY - 16 && !rank) return [];
    const isRun = item.kind === "run", dead = fate === 1 || fate === 3 || fate === 4;
    const size = dead || isRun ? SMALL : SIZE, long = isRun ? picture.items[item.headItem ?? id] : item;
    const columns = isRun ? long.step + long.length - item.step : 2; // that a text may reach over, if they are free
    const text = isRun ? runText(tree, picture, id) : textOf(tree, item.node);
    const inset = isRun && item.head ? widthOf(`${item.length}`, SMALL) + 6 : 4;
    const from = x + (id === itemInView(state) && item.leaf ? 13 : item.leaf ? 8 : inset);
    const tint = dead ? "faint" : isRun ? "muted" : rank ? "returned" : "ink";
    const own = frame.column - (from - x) - 4 - widthOf(rank, size);
    const rooms = [columns, Math.ceil(columns / 2), 2, 1].map((n) => own + (n - 1) * frame.column);
    if (frame.column < ROOMY && !rank) rooms.pop(); // a letter or two say nothing
    const out = /** @type {BeamText[]} */ ([]);
    for (const room of rooms.map((most) => Math.min(most, frame.right - from - widthOf(rank, size))))
      for (const down of item.leaf ? [4] : [-3, 12]) {
        const shown = clipped(text, size, room);
        if (!shown && !rank) continue;
        const end = from + widthOf(rank + shown, size);
        const box = { x0: from, x1: end, y0: y + down - TALL, y1: y + down + 1 };
        out.push({ id, text: shown, rank, x: from, y: y + down, size, tint, wide: room > own + 1, ...box });
      }
    return out;
  };

  /** The items' texts without collisions. @type {(state: SeenTree, frame: BeamFrame, ids: number[], marks: any) => BeamText[]} */
  const texts = (state, frame, ids, { spots, boxes }) => {
    const { picture, view } = state, onPath = new Set(state.path.map((node) => picture.of[node]));
    const isFirst = (item) => item.head || (columnOf(item) >= view.x0 && columnOf(item) - 1 < view.x0);
    const wishes = ids
      .filter((id) => {
        const { kind } = picture.items[id];
        return kind === "node" || (kind === "run" && isFirst(picture.items[id]));
      })
      .map((id) => ({ id, weight: weight(state, id, onPath), step: picture.items[id].step }))
      .sort((a, b) => a.weight - b.weight || a.step - b.step)
      .map(({ id }) => placesOf(state, id, frame));
    const dot = Math.min(DOT, frame.row / 2);
    const round = spots.map(({ x, y }) => ({ x0: x - DOT, x1: x + DOT, y0: y - dot, y1: y + dot }));
    const square = boxes.map(({ x, y, width, height }) => ({ x0: x, x1: x + width, y0: y + 0.5, y1: y + height - 0.5 }));
    return place(wishes, [...round, ...square]);
  };

  /** Step numbers, as many as there is room for. @type {Dx["beamFigure"]["ticks"]} */
  const ticks = ({ view, tree }, column) => {
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n * column >= 30) ?? 2000;
    const from = Math.max(1, Math.ceil(view.x0)), to = Math.min(tree.n_steps, Math.floor(view.x1));
    const before = tree.first_step ?? 0, out = [];
    for (let k = Math.ceil((from + before) / every) * every - before; k <= to; k += every) out.push(k);
    return out;
  };

  /** The path's words over columns that are too narrow for them. @type {(state: SeenTree, frame: BeamFrame) => BeamHead[]} */
  const words = ({ tree, view, path, step }, frame) => {
    if (!frame.slanted) return [];
    return path.flatMap((node) => {
      const at = tree.step[node] + 1;
      if (at < view.x0 || at > view.x1) return [];
      const text = clipped(plain(textOf(tree, node)), SMALL, LONGEST_WORD);
      return [{ node, x: frame.x(at), text, now: at === step + 1, later: at > step + 1 }];
    });
  };

  /** Groups named at the height of their first beam, and the prompt. */
  const notes = ({ tree, picture, view }, frame) => {
    if (view.x0 > 0.3 || frame.column < ROOMY) return [];
    if (tree.n_groups < 2) return [{ x: frame.x(0), y: frame.y(0) - 5, text: tree.labels.root }];
    const first = new Map();
    picture.items.forEach((item, id) => {
      const group = tree.group[item.node];
      if (item.step === 0) first.set(group, Math.min(first.get(group) ?? Infinity, picture.y[id]));
    });
    return [...first].map(([group, y]) => (
      { x: frame.x(0.06), y: frame.y(y) + 4, text: filled(tree.labels.group, { n: group + 1 }) }));
  };

  /** Where the future begins: behind the words of the step in view, before the marks of the next. */
  const veil = ({ tree, picture, step }, frame, seen) => {
    if (step >= tree.n_steps - 1) return null;
    const ends = seen.filter(({ id }) => picture.items[id].step === step).map(({ x1 }) => x1 + 2);
    return Math.max(frame.x(step + 1.79), Math.min(Math.max(...ends, 0), frame.x(step + 2) - DOT - 1));
  };

  /** All that is seen. @type {Dx["beamFigure"]["scene"]} */
  const scene = (state, size) => {
    const { tree, picture, step } = state;
    const frame = frameOf(state, size, isSlanted(state, size.width));
    const ids = idsInView(state), { spots, boxes } = marks(state, frame, ids);
    const at = (id) => ({ x: frame.x(columnOf(picture.items[id])), y: frame.y(picture.y[id]) });
    const said = texts(state, frame, ids, { spots, boxes });
    return {
      ...size, head: frame.head, column: frame.column, row: frame.row, spots, boxes,
      columnAt: (x) => state.view.x0 + (x - LEFT) / frame.column,
      lines: lines(state, frame, ids),
      casing: casing(state, frame),
      band: { x: frame.x(step + 0.78), width: frame.column },
      veil: veil(state, frame, said),
      texts: said,
      ticks: ticks(state, frame.column).map((n) => ({ x: frame.x(n), text: String(dx.stepNumber(n - 1, tree)), now: n === step + 1 })),
      words: words(state, frame),
      notes: notes(state, frame),
      ring: at(itemInView(state)),
      hits: [...new Set(state.found.map((node) => picture.of[node]))].filter((id) => ids.includes(id)).map(at),
    };
  };

  dx.beamFigure = { RETURNED, HEAD, around, ticks, scene };
})();
