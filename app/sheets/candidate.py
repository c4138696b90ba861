"""The candidate's card: another token at the step in view, its facts, and decoding on from it."""

from __future__ import annotations

from typing import Any

from ..text import Sentence, Text
from ..views.candidate import CandidateView, candidate_view
from ..views.look import Look
from ..views.numbers import margin_text, percent
from ..views.token_text import token_text
from ..views.waterfall import TokenLine, Waterfall
from .sheet import about

__all__ = ["LONGEST_WORD", "candidate_sheet"]

Json = dict[str, Any]

LONGEST_WORD = 60  # characters


def candidate_sheet(look: Look, view: Waterfall) -> Json:
    """The card's `data`: a line to choose a token or type a word, and what is to be said of the one asked about.

    Args:
        view: the waterfall of the step in view.
    """
    text, card = look.text, look.card
    options = _options(look, view)
    shown = None if card is None or card.token_id is None else _view(look, card.token_id)
    chosen = options[0]["id"] if shown is None and options else None if shown is None else shown.token.token_id
    if shown is not None and chosen not in [option["id"] for option in options]:
        options.append({"id": chosen, "text": shown.token.text})
    for option in options:
        option["chosen"] = option["id"] == chosen
    return about(
        look,
        {
            "label": text("candidate.label", step=text.step(view.step)),
            "options": options,
            "word": {
                "label": text("candidate.word"), "button": text("candidate.word.button"),
                "tip": text("candidate.word.tip"), "longest": LONGEST_WORD, "value": "" if card is None else card.word,
            },
            "go": _go(look, shown, text),
            "token": _facts(look, shown) if shown is not None else None,
            "none": text("candidate.none", word=card.word) if card is not None and shown is None else "",
            "close": text("candidate.close"),
        },
    )  # fmt: skip


def _view(look: Look, token_id: int) -> CandidateView:
    return candidate_view(
        look.trace, token_id, step=look.step, row=look.row, scores=look.scores, whatif=look.whatif
    )


def _options(look: Look, view: Waterfall) -> list[Json]:
    """The waterfall's tokens but the one that came; in a beam run the candidate in view first."""
    text, candidate = look.text, look.candidate
    options = [_option(token, view, text) for token in view.tokens if not token.chosen]
    if candidate is not None and candidate.fate == "pruned":
        line = next((t for t in view.tokens if t.token_id == candidate.token_id), None)
        if line is not None:
            words = text("candidate.option.fate", token=line.text, fate=text(f"fate.{candidate.fate}"))
            options = [o for o in options if o["id"] != line.token_id]
            options.insert(0, {"id": line.token_id, "text": words})
    return options


def _option(token: TokenLine, view: Waterfall, text: Text) -> Json:
    if token.removed_at is None:
        words = text("candidate.option", token=token.text, p=percent(token.probabilities[-1]))
    else:
        words = text("candidate.option.removed", token=token.text, stage=view.columns[token.removed_at].label)
    return {"id": token.token_id, "text": words}


def _go(look: Look, shown: CandidateView | None, text: Text) -> Json | None:
    """The button; None where this run cannot be taken on at all."""
    if look.trace.model.source == "caller":
        return None
    if look.trace.most_new_tokens - look.step - 1 <= 0:
        return {"text": text("candidate.button"), "tip": text("candidate.nothing_left"), "disabled": True}
    if shown is not None and shown.came:
        return {"text": text("candidate.button"), "tip": text("candidate.came"), "disabled": True}
    return {"text": text("candidate.button"), "tip": text("candidate.tip"), "disabled": False}


def _facts(look: Look, view: CandidateView) -> Json:
    text, card = look.text, look.card
    return {
        "id": view.token.token_id,
        "text": view.token.text,
        "id_words": text("candidate.id", id=view.token.token_id),
        "reading": candidate_reading(view, text, whatif=look.whatif is not None),
        "note": "" if card.whole else text("candidate.part", word=card.word, token=view.token.text),
        "spellings": _spellings(look),
        "spellings_label": text("candidate.spellings"),
        "stages": _stages(view, text),
    }


def _spellings(look: Look) -> list[Json]:
    """The tokens that a typed word may begin with, where there are several."""
    starts = look.card.starts
    if len(starts) < 2:
        return []
    return [
        {"id": start.token_id, "text": token_text(look.trace, start.token_id),
         "pressed": start.token_id == look.card.token_id}
        for start in starts
    ]  # fmt: skip


def candidate_reading(view: CandidateView, text: Text, *, whatif: bool = False) -> Sentence:
    """What the model gave the token, and what became of it, in two or three sentences."""
    token = view.token
    about_ = "" if view.exact else "≈ "
    fields = {
        "token": token.text, "step": text.step(view.step), "p": about_ + percent(token.probabilities[0]),
        "rank": f"{about_}{view.ranks[0]:,}", "vocab": f"{view.n_vocab:,}",
        "q": about_ + percent(token.probabilities[-1]),
    }  # fmt: skip
    out = text.pieces("candidate.reading", **fields)
    if token.removed_at is not None:
        column = view.columns[token.removed_at]
        stage = f"{column.label} {column.value}".strip()
        out += text.pieces("candidate.reading.removed", stage=stage)
        margin = margin_text(token.margin, token.unit).removeprefix("−")
        if margin:
            out += text.pieces("candidate.reading.margin", margin=about_ + margin, unit=text(f"unit.{token.unit}"))
        out += text.pieces("candidate.reading.gone")
    elif len(view.columns) > 1:
        out += text.pieces("candidate.reading.kept", **fields)
    if view.came:
        out += text.pieces("candidate.reading.came")
    return [*([text("candidate.whatif")] if whatif else []), *out]


def _stages(view: CandidateView, text: Text) -> Json:
    """The table: a column a stage; probability and rank in each, and where the token was removed."""
    names = [text("waterfall.logits"), *(f"{c.label} {c.value}".strip() for c in view.columns[1:])]
    gone = len(names) if view.token.removed_at is None else view.token.removed_at
    cells = ["✕" if i >= gone else percent(p) for i, p in enumerate(view.token.probabilities)]
    ranks = ["–" if rank is None else f"{rank:,}" for rank in view.ranks]
    return {
        "caption": text("candidate.table", token=view.token.text, step=text.step(view.step)),
        "head": ["", *names],
        "rows": [[text("candidate.table.p"), *cells], [text("candidate.table.rank"), *ranks]],
    }
