"""The lab's tab `words`: a short reading of the step, made of its numbers and of nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from decoding.constraints.of_settings import CONSTRAINT_CLASSES
from decoding.reading.cutoffs import RULES

from ..palette import colour_name
from ..sheets.beam_step import n_places, node_reading
from ..text import Sentence, Text
from ..views.in_words import FORCED, SURE, Closeness, Cut, Share, StageReading, StepReading, Why, step_reading
from ..views.look import Look
from ..views.numbers import decimal, nats, percent, setting

__all__ = ["sheet"]

BANS = frozenset({
    "NoRepeatNGramLogitsProcessor", "EncoderNoRepeatNGramLogitsProcessor", "NoBadWordsLogitsProcessor",
    "SuppressTokensLogitsProcessor", "SuppressTokensAtBeginLogitsProcessor", "MinLengthLogitsProcessor",
    "MinNewTokensLengthLogitsProcessor", *(kind.__name__ for kind in CONSTRAINT_CLASSES.values()),
})  # fmt: skip
SAY_NO_MORE = frozenset({"log_softmax", "LogitNormalization", "InfNanRemoveLogitsProcessor", *FORCED})
BY_DIRECTION = frozenset({
    "RepetitionPenaltyLogitsProcessor", "EncoderRepetitionPenaltyLogitsProcessor", "ExponentialDecayLengthPenalty",
})  # fmt: skip


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """The reading as a numbered list; each item has a label and a few sentences."""
    text, view = look.text, step_reading(look)
    items = [_model(view, text), *(_stage(stage, text) for stage in view.stages)]
    if not view.stages:
        items.append(_item(text("words.processors"), text.pieces("words.no_stage")))
    items += _choice(look, view, text)
    items += _without_effect(view, text)
    items += [
        _item(text("words.unknown"), [text(key, what=s.what) if text.has(key := f"whatif.cannot.{s.why}") else s.text])
        for s in view.unknown
    ]
    heading = "words.heading.whatif" if view.whatif else "words.heading"
    if look.trace.n_rows > 1 and look.trace.ledger is None:
        heading += ".row"
    return {
        "key": f"{look.row}.{look.step}",
        "heading": text(heading, step=text.step(look.step), row=look.row + 1),
        "items": _explained_once(items),
    }


def _item(label: str, pieces: Sentence, *, code: bool = False, colour: str = "") -> dict[str, Any]:
    return {"label": label, "pieces": pieces, "code": code, "colour": colour}


def _explained_once(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A term is explained where it is first used; after that it is a word like any other."""
    seen: set[str] = set()
    for item in items:
        pieces: Sentence = []
        for piece in item["pieces"]:
            if isinstance(piece, dict) and piece["tip"] in seen:
                piece = piece["text"]
            elif isinstance(piece, dict):
                seen.add(piece["tip"])
            pieces.append(piece)
        item["pieces"] = pieces
    return items


def _joined(sentences: Sequence[Sentence], text: Text) -> Sentence:
    out: Sentence = []
    for sentence in sentences:
        if sentence:
            out += ([text("words.space")] if out else []) + sentence
    return out


# --- the model, and each stage --------------------------------------------------------------------------------


def _model(view: StepReading, text: Text) -> dict[str, Any]:
    label = text("words.model")
    if not view.favourites or math.isnan(view.entropy):
        return _item(label, text.pieces("words.model.none"))
    shares = [text("words.share", token=s.text, p=percent(s.probability)) for s in view.favourites]
    fields = {"shares": text("words.comma").join(shares), "h": nats(view.entropy)}
    if view.favourites[0].probability >= SURE:
        return _item(label, text.pieces("words.model.sure", **fields))
    return _item(label, text.pieces("words.model.found", **fields, n=decimal(math.exp(view.entropy), 1)))


def _stage(stage: StageReading, text: Text) -> dict[str, Any]:
    colour = colour_name(stage.name).replace("_", "-") if stage.name in RULES else ""
    fields = _fields(stage, text)
    sentences = [text.pieces(_key(stage, text), **fields)]
    if stage.name in RULES:
        if stage.cut is not None and stage.cut.last is not None and stage.n_alive > 1:
            sentences.append(text.pieces("words.last", **fields))
    elif stage.name not in BANS | SAY_NO_MORE and (stage.n_changed or not stage.removed):
        sentences.append(_shift(stage, text))
    if stage.removed and stage.name not in FORCED:
        sentences.append(text.pieces("words.banned", **fields))
    if stage.new_leader is not None and stage.name not in FORCED:
        new, old = stage.new_leader
        sentences.append(text.pieces("words.leader", new=new, old=old))
    label = f"{stage.label} {stage.value}".strip()
    return _item(label, _joined(sentences, text), code=True, colour=colour)


def _key(stage: StageReading, text: Text) -> str:
    """The sentence for what this stage did."""
    if stage.cut is not None:
        if stage.cut.minimum:
            return "words.cut.minimum"
        if stage.n_alive == 1:
            return "words.cut.one"
        return "words.cut.top_k.tied" if stage.cut.tied else f"words.cut.{stage.cut.rule}"
    key = f"words.stage.{stage.label}"
    if stage.own:
        return "words.stage.own"
    if stage.name == "TemperatureLogitsWarper":
        gap = stage.entropy_after - stage.entropy_before
        return f"{key}.{'sharper' if gap < 0 else 'flatter'}"
    if stage.name in BY_DIRECTION:
        return f"{key}.{'raised' if stage.n_raised else 'lowered'}"
    if stage.name == "SequenceBiasLogitsProcessor" and not stage.n_changed:
        return f"{key}.banned"
    if stage.name == "SynthIDTextWatermarkLogitsProcessor":
        return f"{key}.synthid"
    return key if text.has(key) else "words.stage.other"


def _fields(stage: StageReading, text: Text) -> dict[str, str]:
    """Everything that a sentence about a stage may name."""
    named = [text("words.quoted", token=share.text) for share in stage.removed]
    n_more = stage.n_removed - len(named)
    if n_more > 0:
        named.append(text("words.more", n=f"{n_more:,}"))
    shift, cut = stage.shift, stage.cut
    return {
        "value": stage.value,
        "before": f"{stage.n_before:,}",
        "kept": f"{stage.n_alive:,}",
        "removed": _tokens(stage.n_removed, text),
        "mass": percent(stage.mass_removed),
        "h0": nats(stage.entropy_before),
        "h1": nats(stage.entropy_after),
        "changed": _tokens(stage.n_changed, text),
        "lowered": _tokens(stage.n_lowered, text),
        "raised": _tokens(stage.n_raised, text),
        "token": "" if shift is None else shift.text,
        "named": text("words.comma").join(named),
        **(_cut_fields(cut) if cut is not None else {}),
    }


def _cut_fields(cut: Cut) -> dict[str, str]:
    number = percent if cut.unit == "probability" else nats
    reference = "" if cut.reference is None else (percent if cut.rule == "min_p" else nats)(cut.reference)
    return {
        "threshold": number(cut.threshold),
        "reference": reference,
        "reached": percent(cut.reached),
        "last": "" if cut.last is None else cut.last.text,
        "p_last": "" if cut.last is None else percent(cut.last.probability),
    }


def _tokens(n: int | None, text: Text) -> str:
    if n is None:
        return text("words.tokens.many")
    return text("words.tokens.one" if n == 1 else "words.tokens", n=f"{n:,}")


def _shift(stage: StageReading, text: Text) -> Sentence:
    """By how much the probability changed that changed most; nothing where it is written alike."""
    shift = stage.shift
    if shift is None or percent(shift.before) == percent(shift.after):
        return []
    key = "fell" if shift.after < shift.before else "rose"
    return text.pieces(f"words.{key}", token=shift.text, p=percent(shift.before), q=percent(shift.after))


# --- why this token -------------------------------------------------------------------------------------------


def _choice(look: Look, view: StepReading, text: Text) -> list[dict[str, Any]]:
    why = view.why
    if why.token is None:
        return [_item(text("words.ended"), text.pieces("words.why.ended"))]
    token = {"token": why.token.text}
    said = [_under_others(look, why, text) if view.whatif else _as_recorded(why, text)]
    if why.own is not None and percent(why.own[0]) != percent(why.token.probability):
        said.append(text.pieces("words.own", p=percent(why.own[0]), rank=f"{why.own[1]:,}"))
    items = [_item(text("words.why.whatif" if view.whatif else "words.why", **token), _joined(said, text))]
    if view.closeness is not None and view.closeness.second is not None:
        items.append(_item(text("words.close"), _close(view.closeness, text)))
    return items


def _as_recorded(why: Why, text: Text) -> Sentence:
    fields = {"token": why.token.text, "q": percent(why.token.probability), "odds": _odds(why.token, text)}
    if why.kind == "beam":
        if why.beam is None:
            return text.pieces("words.why.came", **fields)
        beam = why.beam
        return node_reading(beam.row, text, n_beams=n_places(beam.reading), evicted_at=beam.evicted_at)
    if why.kind == "contrastive":
        return _contrastive(why, text) if why.contrastive is not None else text.pieces("words.why.came", **fields)
    key = why.kind
    if key == "sample":
        key += ".first" if why.first is not None and why.first.text == why.token.text else ".other"
    first = why.first or why.token
    return text.pieces(f"words.why.{key}", **fields, first=first.text, p_first=percent(first.probability))


def _contrastive(why: Why, text: Text) -> Sentence:
    weighed = why.contrastive
    chosen = weighed.chosen
    said = text.pieces(
        "words.why.contrastive", token=chosen.text, score=decimal(chosen.score, 3), alpha=setting(weighed.alpha),
        confidence=percent(chosen.confidence), penalty=decimal(chosen.penalty, 3), context=chosen.context,
    )  # fmt: skip
    others = [row for row in weighed.rows if not row.chosen]
    if not others:
        return said
    best = max(others, key=lambda row: row.score)
    following = text.pieces("words.why.contrastive.next", token=best.text, score=decimal(best.score, 3))
    return _joined([said, following], text)


def _odds(share: Share, text: Text) -> str:
    """`, about 1 in 6`; nothing for what is likelier than not."""
    n = round(1 / share.probability) if share.probability > 0 else 0
    return text("words.odds", n=f"{n:,}") if n > 1 else ""


def _under_others(look: Look, why: Why, text: Text) -> Sentence:
    """What the settings tried would make of the token that came."""
    first = why.first or why.token
    fields = {
        "token": why.token.text, "q": percent(why.token.probability), "was": percent(why.recorded),
        "odds": _odds(why.token, text), "first": first.text, "p_first": percent(first.probability),
        "stage": why.removed_by,
    }  # fmt: skip
    if why.token.probability == 0:
        return text.pieces("words.if.gone" if why.removed_by else "words.if.nothing", **fields)
    if why.kind in ("beam", "contrastive"):
        return text.pieces(f"words.if.{why.kind}", **fields)
    if look.mode == "sample":
        return text.pieces("words.if.possible", **fields)
    return text.pieces("words.if.other" if why.kind == "came" else "words.if.same", **fields)


def _close(closeness: Closeness, text: Text) -> Sentence:
    fields = {
        "first": closeness.first.text, "p": percent(closeness.first.probability), "margin": nats(closeness.margin),
        "second": closeness.second.text, "q": percent(closeness.second.probability),
    }  # fmt: skip
    if closeness.kind == "tie":
        return text.pieces("words.close.tie", **fields)
    return _joined([text.pieces("words.close.led", **fields), text.pieces(f"words.close.{closeness.kind}")], text)


# --- what had no effect ---------------------------------------------------------------------------------------


def _without_effect(view: StepReading, text: Text) -> list[dict[str, Any]]:
    sentences = []
    if view.idle:
        names = text("words.comma").join(f"{label} {value}".strip() for label, value in view.idle)
        sentences.append(text.pieces("words.idle.one" if len(view.idle) == 1 else "words.idle", stages=names))
    for why in dict.fromkeys(text.or_else(f"why.{knob.why}", knob.reason) for knob in view.silent):
        mine = [k for k in view.silent if text.or_else(f"why.{k.why}", k.reason) == why]
        names = text("words.comma").join(f"{knob.name} = {setting(knob.value)}" for knob in mine)
        sentences.append(text.pieces("words.silent.several" if len(mine) > 1 else "words.silent", names=names, why=why))
    return [_item(text("words.without"), _joined(sentences, text))] if sentences else []
