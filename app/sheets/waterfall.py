"""The waterfall's sheet."""

from __future__ import annotations

from ..figures.waterfall import deciding_column, minimal_width, waterfall_figure
from ..text import Sentence, Text
from ..views.numbers import margin_text, nats, percent
from ..views.table import Table
from ..views.waterfall import StageColumn, Waterfall
from .sheet import Sheet, images_of, pick_words

__all__ = ["waterfall_reading", "waterfall_sheet", "waterfall_tables"]

# What samplers may say of a step, in the order in which it is told.
SAID = ("mu", "target", "average", "chance", "temperature")


def waterfall_sheet(view: Waterfall, text: Text, *, row: int = 0, whatif: bool = False) -> Sheet:
    """The waterfall of a step in the given language; under other settings than the recorded ones if `whatif`."""
    tokens, stages = waterfall_tables(view, text)
    return Sheet(
        images=images_of(text),
        picks=pick_words(text),
        key=f"{row}.{view.step}",
        title=text.pieces("waterfall.whatif" if whatif else "waterfall.title"),
        reading=_reading_under_others(view, text) if whatif else waterfall_reading(view, text),
        label=text("waterfall.label"),
        table=tokens,
        extra_tables=(stages,),
        table_label=text("waterfall.table.show"),
        figure=waterfall_figure(view, text),
        min_width=minimal_width(view),
        pin=deciding_column(view),
    )


def _reading_under_others(view: Waterfall, text: Text) -> Sentence:
    """What other settings would make of the token that came."""
    chosen = view.chosen
    if chosen is None:
        return [text("row.none")]
    p, q = chosen.probabilities[0], chosen.probabilities[-1]
    key = "waterfall.reading.whatif" if q > 0 else "waterfall.reading.whatif_gone"
    return text.pieces(
        key, token=chosen.text, step=text.step(view.step), p=percent(p), q=percent(q), rank=chosen.rank
    )


def waterfall_reading(view: Waterfall, text: Text) -> Sentence:
    """What happened at this step, in one sentence."""
    chosen = view.chosen
    if chosen is None:
        return [text("row.none")]
    fields = {
        "token": chosen.text,
        "step": text.step(view.step),
        "p": percent(chosen.probabilities[0]),
        "q": percent(chosen.probabilities[-1]),
        "rank": chosen.rank,
        "vocab": f"{view.n_vocab:,}",
        "alive": f"{view.columns[-1].n_alive:,}",
    }
    if len(view.columns) == 1:
        return text.pieces("waterfall.reading.none", **fields)
    key = "waterfall.reading.candidate" if view.is_candidate else "waterfall.reading"
    cuts = [
        text("waterfall.reading.cut", stage=c.label, n=f"{c.n_removed:,}", mass=percent(c.mass_removed))
        for c in view.columns
        if c.n_removed
    ]
    joined = text("waterfall.reading.and").join(cuts)
    alive = "some" if view.columns[-1].n_alive < view.n_vocab else "all"
    cut = text("waterfall.reading.join") + joined if cuts else ""
    said = [f" {c.label}: {words}." for c in view.columns if (words := _said(c, text))]
    return [*text.pieces(key, **fields), *text.pieces(f"waterfall.alive.{alive}", cuts=cut, **fields), *said]


def _said(column: StageColumn, text: Text) -> str:
    """What a sampler says of the step: its limit, its chance, its temperature."""
    said = dict(column.said)
    if said.get("weight"):
        said["average"] = said["sum"] / said["weight"]
    return ", ".join(text(f"sampler.{name}", value=nats(said[name])) for name in SAID if name in said)


def waterfall_tables(view: Waterfall, text: Text) -> tuple[Table, Table]:
    """The chart's numbers: tokens by stage, and the stages' own."""
    names = [f"{column.label} {column.value}".strip() for column in view.columns[1:]]
    head = (
        text("waterfall.table.token"), text("waterfall.table.id"), text("waterfall.table.logit"),
        text("waterfall.logits"), *names, text("waterfall.table.removed"), text("waterfall.table.margin"),
    )  # fmt: skip
    rows = []
    for token in view.tokens:
        cells = [
            "✕" if token.removed_at is not None and i >= token.removed_at else percent(p)
            for i, p in enumerate(token.probabilities)
        ]
        by = "" if token.removed_at is None else view.columns[token.removed_at].label
        margin = margin_text(token.margin, token.unit)
        margin = f"{margin} {text(f'unit.{token.unit}')}" if margin else ""
        rows.append((token.text, str(token.token_id), nats(token.logit), *cells, by, margin))
    marked = next((i for i, token in enumerate(view.tokens) if token.chosen), None)
    caption = text("waterfall.table", step=text.step(view.step))
    ids = tuple(token.token_id for token in view.tokens)
    tokens = Table(caption=caption, head=head, rows=tuple(rows), marked=marked, token_ids=ids)
    return tokens, _stages_table(view, [text("waterfall.logits"), *names], text)


def _stages_table(view: Waterfall, names: list[str], text: Text) -> Table:
    """A line per stage; what samplers say of the step stands in a column of its own, where one does."""
    said = [_said(column, text) for column in view.columns]
    head = (text("fact.stages"), text("waterfall.alive"), text("waterfall.mass"), text("waterfall.entropy"))
    rows = [
        (name, f"{c.n_alive:,}", percent(c.mass_removed), f"{c.entropy_nats:.3f}")
        for name, c in zip(names, view.columns, strict=True)
    ]
    if any(said):
        head = (*head, text("waterfall.said"))
        rows = [(*row, words) for row, words in zip(rows, said, strict=True)]
    return Table(caption=text("waterfall.summary"), head=head, rows=tuple(rows))
