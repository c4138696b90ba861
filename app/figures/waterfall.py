"""The waterfall as small multiples: a column per stage, a row per token, in one set of axes.

Bars of all columns are one trace (each starts at its column's left edge) and so are all texts: many small
subplots would cost too much time for a chart that is redrawn at every step.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..palette import LIGHT, stage_colour
from ..text import Text
from ..views.numbers import margin_text, nats, percent
from ..views.waterfall import TokenLine, Waterfall
from .escape import escaped
from .layout import Figure, Trace, bar, base_layout, words

__all__ = ["Columns", "columns_of", "deciding_column", "minimal_width", "waterfall_figure"]

# Widths are pixels at the figure's smallest; a wider card stretches all of them alike.
ALONE = 180.0  # of a column that has no others beside it
LABEL, STAGE, SAME, TAIL = 104.0, 78.0, 26.0, 60.0
PINNED = 200.0  # the widest part that stays in view on a phone, beside the labels
FILL = 0.94  # the longest bar's part of a column
UNSEEN = "rgba(0,0,0,0)"
HEAD = 5.6  # rows that the column heads take
LONGEST_LABEL = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where each column begins and how wide it is; the labels' column ends at 0."""

    left: tuple[float, ...]
    width: tuple[float, ...]

    @property
    def right(self) -> float:
        """Where the last column ends."""
        return self.left[-1] + self.width[-1]


def columns_of(view: Waterfall) -> Columns:
    """A column per stage; one whose stage changed nothing at this step is narrow."""
    if len(view.columns) == 1:
        return Columns(left=(0.0,), width=(ALONE,))
    width = tuple(STAGE if column.changed else SAME for column in view.columns)
    left = tuple(sum(width[:i]) for i in range(len(width)))
    return Columns(left=left, width=width)


def minimal_width(view: Waterfall) -> int:
    """Pixels below which the columns get too narrow to read; the page scrolls then."""
    return int(LABEL + columns_of(view).right + TAIL)


def deciding_column(view: Waterfall) -> tuple[float, float]:
    """Where on the x axis the last column is that changed anything, which the choice was made from, and what follows.

    Columns that changed nothing come after it where the last stages had nothing to do; many of them are left out.
    """
    columns = columns_of(view)
    last = max((i for i, column in enumerate(view.columns) if column.changed), default=0)
    left, right = columns.left[last] - 2, columns.right + TAIL
    return left, right if right - left <= PINNED else columns.left[last] + columns.width[last] + TAIL


def waterfall_figure(view: Waterfall, text: Text) -> Figure:
    """Bars: probability after each stage, to one scale over all columns. Removed tokens are greyed in place."""
    columns = columns_of(view)
    n = len(view.tokens)
    data = [_bars(view, columns, text), _labels(view), _cells(view, columns, text), _heads(view, columns, text)]
    layout = base_layout(
        xaxis={"range": [-LABEL, columns.right + TAIL], "visible": False, "fixedrange": True},
        yaxis={"range": [n - 0.4, -HEAD], "visible": False, "fixedrange": True},
        shapes=_shapes(view, columns),
        uirevision="waterfall",
        barmode="overlay",
        meta=_meta(view, columns),
    )
    return {"data": data, "layout": layout}


def _meta(view: Waterfall, columns: Columns) -> dict:
    """What the page has to know of the figure: each row's token, the column that removed it, where columns end, and
    what tells the token that came from the others, which a lecture keeps back at first."""
    return {
        "rows": [[line, token.token_id, token.text] for line, token in enumerate(view.tokens)],
        "gone": [token.removed_at for token in view.tokens],
        "chosen": next((line for line, token in enumerate(view.tokens) if token.chosen), None),
        "colours": {name: LIGHT[name] for name in ("alive", "removed", "ink", "faint")},
        "edges": [left + width for left, width in zip(columns.left, columns.width, strict=True)],
    }


def _bars(view: Waterfall, columns: Columns, text: Text) -> Trace:
    longest = max((max(token.probabilities) for token in view.tokens), default=1.0) or 1.0
    x, y, base, colour, hover = [], [], [], [], []
    for line, token in enumerate(view.tokens):
        for i, column in enumerate(view.columns):
            p = token.probabilities[i]
            gone = token.removed_at is not None and i >= token.removed_at
            # Of a removed token nothing is drawn, but to hover over it says who removed it.
            x.append(columns.width[i] * FILL * (p / longest if not gone else 1.0))
            y.append(line)
            base.append(columns.left[i])
            colour.append(UNSEEN if gone else LIGHT["chosen_fill" if token.chosen else "alive"])
            hover.append(_hover(token, view, i, gone, column, text))
    return bar(
        x=x, y=y, base=base, orientation="h", width=0.72, marker={"color": colour, "line": {"width": 0}},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _hover(token: TokenLine, view: Waterfall, i: int, gone: bool, column, text: Text) -> str:
    name = escaped(token.text)
    if gone and token.removed_at is not None:
        margin = ""
        if token.margin is not None:
            number = escaped(margin_text(token.margin, token.unit).removeprefix("−"))
            margin = text("waterfall.hover.margin", margin=number, unit=text(f"unit.{token.unit}"))
        stage = escaped(_stage_in_words(view.columns[token.removed_at]))
        return text("waterfall.hover.removed", token=name, id=token.token_id, stage=stage, margin=margin)
    return text(
        "waterfall.hover", token=name, id=token.token_id, stage=escaped(_stage_in_words(column)),
        p=escaped(percent(token.probabilities[i])), score=nats(token.scores[i]),
    )  # fmt: skip


def _stage_in_words(column) -> str:
    return f"{column.label} {column.value}".strip()


def _labels(view: Waterfall) -> Trace:
    """Token texts to the left; the chosen one with a mark, removed ones greyed."""
    texts, colours = [], []
    for token in view.tokens:
        short = token.text if len(token.text) <= LONGEST_LABEL else f"{token.text[: LONGEST_LABEL - 1]}…"
        texts.append(f"<b>▸ {escaped(short)}</b>" if token.chosen else escaped(short))
        greyed = token.removed_at is not None
        colours.append(LIGHT["chosen"] if token.chosen else LIGHT["faint"] if greyed else LIGHT["ink"])
    return words(
        x=[-8.0] * len(texts), y=list(range(len(texts))), text=texts, textposition="middle left",
        textfont={"size": 12, "color": colours},
    )  # fmt: skip


def _cells(view: Waterfall, columns: Columns, text: Text) -> Trace:
    """The number in each cell; where a stage removed the token, by how much it missed."""
    x, y, texts, colours = [], [], [], []
    for line, token in enumerate(view.tokens):
        for i, column in enumerate(view.columns):
            if token.removed_at is not None and i >= token.removed_at:
                if i == token.removed_at:
                    mark = _missed(token, text)
                    x.append(columns.left[i] + 3)
                    y.append(line)
                    texts.append(escaped(mark))
                    colours.append(stage_colour(column.name))
                continue
            if not column.changed:
                continue  # narrow: the number of the column before still holds
            x.append(columns.left[i] + 4)
            y.append(line)
            texts.append(escaped(percent(token.probabilities[i])))
            colours.append(LIGHT["ink"])
    return words(x=x, y=y, text=texts, textposition="middle right", textfont={"size": 11, "color": colours})


def _missed(token: TokenLine, text: Text) -> str:
    """The column's head says which rule it was."""
    margin = margin_text(token.margin, token.unit).removeprefix("−")
    return text(f"waterfall.missed.{token.unit}", margin=margin) if margin else "✕"


def _heads(view: Waterfall, columns: Columns, text: Text) -> Trace:
    """Per stage: parameter and value, tokens alive, mass removed, entropy."""
    rows = (-HEAD + 0.6, -HEAD + 1.5, -HEAD + 2.65, -HEAD + 3.5, -HEAD + 4.35)
    names = ("", "", text("waterfall.alive"), text("waterfall.mass"), text("waterfall.entropy"))
    x, y, texts, colours = [], [], [], []

    def put(at: float, line: int, what: str, colour: str) -> None:
        x.append(at)
        y.append(rows[line])
        texts.append(what)
        colours.append(LIGHT[colour])

    for line, name in enumerate(names):
        if name:
            put(-LABEL + 4, line, name, "muted")
    for i, column in enumerate(view.columns):
        left = columns.left[i] + 2
        if not column.changed:
            put(left, 0, "=", "muted")
            continue
        label, value = _wrapped(text("waterfall.logits") if i == 0 else column.label, column.value)
        put(left, 0, escaped(label), "ink")
        put(left, 1, f"<b>{escaped(value)}</b>", "ink")
        put(left, 2, f"{column.n_alive:,}", "ink")
        put(left, 3, "" if i == 0 else escaped(percent(column.mass_removed)) if column.n_removed else "–", "ink")
        put(left, 4, nats(column.entropy_nats), "ink")
    return words(x=x, y=y, text=texts, textposition="middle right", textfont={"size": 11, "color": colours})


def _wrapped(label: str, value: str) -> tuple[str, str]:
    """Label and value for two short lines: a long name breaks at an underscore and takes the second line, too."""
    if len(label) <= 11:
        return label, value
    words = label.split("_")
    first = words[0]
    rest = "_".join(words[1:])
    if not rest or len(first) > 11:
        return f"{label[:10]}…", value
    short = rest if len(rest) <= 8 else f"{rest[:7]}…"
    return f"{first}_", f"{short} {value}".strip()


def _shapes(view: Waterfall, columns: Columns) -> list[dict]:
    """A rule between columns, and a band behind the chosen token."""
    bottom = len(view.tokens) - 0.4
    shapes = [
        {
            "type": "line", "x0": left - 2, "x1": left - 2, "y0": -HEAD + 0.2, "y1": bottom, "layer": "below",
            "line": {"color": LIGHT["line"], "width": 1},
        }
        for left in columns.left
    ]  # fmt: skip
    shapes.append(
        {
            "type": "line", "x0": -LABEL, "x1": columns.right + TAIL, "y0": -0.55, "y1": -0.55, "layer": "below",
            "line": {"color": LIGHT["line"], "width": 1},
        }
    )  # fmt: skip
    for line, token in enumerate(view.tokens):
        if token.chosen:
            shapes.append(
                {
                    "type": "rect", "x0": -LABEL, "x1": columns.right + TAIL, "y0": line - 0.48, "y1": line + 0.48,
                    "layer": "below", "line": {"width": 0}, "fillcolor": LIGHT["chosen_band"],
                }
            )  # fmt: skip
    return shapes
