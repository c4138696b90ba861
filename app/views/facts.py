"""The run's facts, and what else is to be known about it, as label and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..text import Text
from .acting import acting_rows
from .numbers import setting
from .stage_names import stage_label
from .token_text import whole_text

if TYPE_CHECKING:
    from datetime import datetime

    from decoding.trace import Trace

__all__ = ["constraint_fact", "facts_rows", "moment", "notes_sections"]

LONGEST_SOURCE = 60  # tokens; the token row has all of them


def facts_rows(
    trace: Trace, text: Text, *, origin: str = "", recorded_at: datetime | None = None
) -> list[dict[str, str]]:
    """Model, device, dtype, mode, what an encoder read, tokens, seconds, what ended the run, and how it was split.

    Args:
        origin: `example` or `file` for a trace that was not recorded on this page, `stored` for one that was, before;
            else "".
        recorded_at: when one was stored.
    """
    facts = [
        ("model", trace.model.name, ""),
        ("device", trace.model.device, text("term.device")),
        ("dtype", trace.model.dtype, text("term.dtype")),
        ("mode", text.or_else(f"mode.{trace.mode}", trace.mode), text.or_else(f"mode.{trace.mode}.help", "")),
        (*_length(trace, text), _memory(trace, text)),
        ("seconds", f"{trace.seconds:.2f} s", ""),
        _end(trace, text),
    ]
    if trace.model.is_encoder_decoder:
        facts.insert(4, ("source", *_source(trace, text)))
    rows = [{"label": text(f"fact.{key}"), "value": value, "tip": tip} for key, value, tip in facts]
    rows += _split(trace, text) + _shortcuts(trace, text)
    if trace.compact is not None:
        value = text("fact.compact.value", head=f"{trace.compact.head:,}", vocab=f"{trace.model.vocab_size:,}")
        tip = text("fact.compact.tip", head=f"{trace.compact.head:,}")
        rows.append({"label": text("fact.compact"), "value": value, "tip": tip})
    if origin:
        value = "" if recorded_at is None else moment(recorded_at)
        rows.insert(0, {"label": text(f"fact.{origin}"), "value": value, "tip": text(f"fact.{origin}.tip")})
    return rows


def _split(trace: Trace, text: Text) -> list[dict[str, str]]:
    """How the model was split, where it was."""
    split = trace.model.split
    return [{"label": text("fact.split"), "value": split, "tip": text("fact.split.tip")}] if split else []


def constraint_fact(price: float, wanted: tuple[int, int] | None, text: Text) -> dict[str, str]:
    """What a constraint cost.

    Args:
        price: Σ log of the probability that it left at each step, in nats.
        wanted: at how many of how many steps it forbade the likeliest token; None where that was not counted.
    """
    tip = text("fact.constraint.tip")
    if wanted is not None:
        tip += " " + text("fact.constraint.wanted", n=wanted[0], of=wanted[1])
    return {"label": text("fact.constraint"), "value": f"{price:.2f} nats".replace("-", "−"), "tip": tip}


def _shortcuts(trace: Trace, text: Text) -> list[dict[str, str]]:
    """In which way the run was computed with less work than `generate()` has."""
    label, keys = text("fact.shortcut"), [f"fact.shortcut.{name}" for name in trace.shortcuts]
    return [{"label": label, "value": text(key), "tip": text(f"{key}.tip")} for key in keys]
def moment(when: datetime) -> str:
    """A time, in UTC, in a form that every language reads."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _end(trace: Trace, text: Text) -> tuple[str, str, str]:
    """What ended the run, or that it goes on: also where some of its rows have ended already."""
    if "running" in trace.stop_reasons:
        return "state", text("stop.running"), ""
    reasons = dict.fromkeys(trace.stop_reasons)
    return "stop", ", ".join(text.or_else(f"stop.{reason}", reason) for reason in reasons) or "–", text("term.stop")


def _length(trace: Trace, text: Text) -> tuple[str, str]:
    """How long the run is: its tokens, or in a beam search, where most of them are thrown away, its steps."""
    if trace.ledger is not None:
        return "beam_steps", str(len(trace.steps))
    n_tokens = str(sum(not ended for step in trace.steps for ended in step.ended))
    return "steps", n_tokens if trace.n_rows == 1 else text("fact.rows", n=n_tokens, rows=trace.n_rows)


def _source(trace: Trace, text: Text) -> tuple[str, str]:
    """What the encoder read, `<unk>` included, of several prompts the first; or that it is not known."""
    if trace.encoder_ids is None or not len(trace.encoder_ids):
        return text("fact.source.unknown"), text("fact.source.unknown.tip")
    read = [trace.source(prompt) for prompt in range(len(trace.encoder_ids))]
    words = whole_text(trace, read[0][:LONGEST_SOURCE])
    value = words if len(read) == 1 else text("fact.source.several", first=words, n=len(read))
    return value, text("fact.source.tip", n=", ".join(str(len(ids)) for ids in read))


def _memory(trace: Trace, text: Text) -> str:
    key = "fact.memory" if trace.compact is None else "fact.memory.compact"
    return text(key, vocab=f"{trace.model.vocab_size:,}", size=f"{trace.nbytes / 1e6:,.1f} MB")


def notes_sections(trace: Trace, text: Text) -> list[dict[str, Any]]:
    """Stages that ran, parameters that acted with their origin, silent knobs with the reason, warnings."""
    silent = [
        {"name": f"{knob.name} = {setting(knob.value)}", "text": text.or_else(f"why.{knob.why}", knob.reason)}
        for knob in trace.silent
    ]
    stages = []
    for stage in trace.stages:
        label, value = stage_label(stage)
        stages.append(
            {"name": f"{label} {value}".strip(), "text": text.or_else(f"help.{label}", stage.name)}
        )
    acted = [{"name": f"{row.name} = {row.value}", "text": text(f"origin.{row.origin}")} for row in acting_rows(trace)]
    warnings = [{"name": "", "text": text.said_before(warning)} for warning in trace.warnings]
    if getattr(trace.store, "gone", False):
        warnings.append({"name": "", "text": text("notes.gone")})
    return [
        _section("stages", stages, text),
        _section("origins", acted, text),
        _section("silent", silent, text),
        _section("warnings", warnings, text),
    ]


def _section(kind: str, items: list[dict[str, str]], text: Text) -> dict[str, Any]:
    title, empty = text.pieces(f"notes.{kind}"), text(f"notes.{kind}.none")
    return {"kind": kind, "title": title, "items": items, "empty": empty}
