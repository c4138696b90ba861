"""What two runs were given that was not the same: model, prompt, template, mode, parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decoding.parameters.knobs import KNOBS, Knob

from ..form import modes_of
from .numbers import setting

if TYPE_CHECKING:
    from decoding.trace import Trace

    from ..runs import Run

__all__ = ["Difference", "Given", "prompt_of_row", "run_differences"]

LONGEST = 160  # characters shown of a prompt
BEFORE = 40  # of them before the first difference
WORDED = ("token_list", "sequence_list", "sequence_bias", "watermark", "text", "text_list")
# A length limit is counted from the prompt, under one name; do_sample is the mode.
NOT_SHOWN = ("do_sample", "max_length", "min_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run was given.

    Attributes:
        value: as it is shown; for modes and templates their id; "" where there is none.
        acts: False for a parameter that has no effect in the run's mode, or had none.
    """

    value: str
    acts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that two runs were given differently.

    Attributes:
        kind: `model`, `revision`, `dtype`, `device`, `template`, `system`, `prompts`, `prompt`, `mode`, `knob`.
        name: of the parameter; for other kinds the kind.
    """

    kind: str
    name: str
    a: Given
    b: Given


def run_differences(a: Run, b: Run, *, prompts: tuple[int, int] = (0, 0)) -> tuple[Difference, ...]:
    """What differs, the weightiest first.

    Args:
        prompts: which of their prompts is looked at, for runs with several.
    """
    found = [*_of_models(a.trace, b.trace), *_of_prompts(a, b, prompts)]
    if a.trace.mode != b.trace.mode:
        found.append(_difference("mode", a.trace.mode, b.trace.mode))
    for knob in KNOBS.values():
        if knob.name in NOT_SHOWN:
            continue
        left, right = _given(a, knob), _given(b, knob)
        if left != right and not _switched_off(knob, left, right):
            found.append(Difference(kind="knob", name=knob.name, a=left, b=right))
    return tuple(found)


def prompt_of_row(trace: Trace, row: int) -> int:
    """Which prompt a row answers; in beam methods `row` counts `trace.hypotheses`."""
    if trace.ledger is None:
        return row // trace.rows_per_prompt
    found = trace.hypotheses
    return found[row].prompt if row < len(found) else 0


def _difference(kind: str, a: object, b: object) -> Difference:
    return Difference(kind=kind, name=kind, a=Given(value=str(a)), b=Given(value=str(b)))


def _of_models(a: Trace, b: Trace) -> list[Difference]:
    kinds = {"model": "name", "revision": "revision", "dtype": "dtype", "device": "device"}
    pairs = [(kind, getattr(a.model, name) or "", getattr(b.model, name) or "") for kind, name in kinds.items()]
    return [_difference(kind, left, right) for kind, left, right in pairs if left != right]


def _of_prompts(a: Run, b: Run, prompts: tuple[int, int]) -> list[Difference]:
    out = []
    forms = [("text" if run.trace.messages is None else "chat") for run in (a, b)]
    if forms[0] != forms[1]:
        out.append(_difference("template", *forms))
    if a.trace.n_prompts != b.trace.n_prompts and a.taken_from is None and b.taken_from is None:
        out.append(_difference("prompts", a.trace.n_prompts, b.trace.n_prompts))
    for kind, asked in (("system", _system), ("prompt", _asked)):
        left, right = (asked(run, which) for run, which in zip((a, b), prompts, strict=True))
        if left != right:
            out.append(_difference(kind, *_around_the_difference(left, right)))
    return out


def _messages(run: Run, prompt: int) -> list[tuple[str, str]]:
    """Role and content of a chat's messages; a file may hold anything."""
    chats = run.trace.messages or ()
    chat = chats[prompt] if prompt < len(chats) else ()
    return [(str(m.get("role")), str(m.get("content"))) for m in chat if isinstance(m, dict)]


def _system(run: Run, prompt: int) -> str:
    return "\n".join(content for role, content in _messages(run, prompt) if role == "system")


def _asked(run: Run, prompt: int) -> str:
    """The prompt without the template around it."""
    trace = run.trace
    if trace.messages is not None:
        said = [(role, content) for role, content in _messages(run, prompt) if role != "system"]
        alone = len(said) == 1
        return said[0][1] if alone else "\n".join(f"{role}: {content}" for role, content in said)
    if trace.prompts is not None and prompt < len(trace.prompts):
        return trace.prompts[prompt]
    row = min(prompt * trace.rows_per_prompt, trace.n_rows - 1)
    ids = trace.prompt_ids[row, : run.start][trace.prompt_mask[row, : run.start].bool()].tolist()
    return trace.tokens.plain(ids) if trace.tokens is not None else " ".join(f"#{i}" for i in ids)


def _around_the_difference(a: str, b: str) -> tuple[str, str]:
    """Both texts, shortened to where they begin to differ."""
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    first = max(0, same - BEFORE) if max(len(a), len(b)) > LONGEST else 0
    return tuple(
        ("…" if first else "") + text[first : first + LONGEST] + ("…" if len(text) > first + LONGEST else "")
        for text in (a, b)
    )


# --- parameters -------------------------------------------------------------------------------------------


def _given(run: Run, knob: Knob) -> Given:
    """A parameter as it acted, at its default where it was left out; `–` in a mode it has no part in."""
    trace = run.trace
    value = _value(run, knob)
    given = trace.settings is not None and getattr(trace.settings, knob.name) is not None
    silent = any(s.name == knob.name and s.why not in ("neutral", "overruled") for s in trace.silent)
    if trace.mode not in modes_of(knob) and not (given and silent):
        return Given(value="", acts=False)
    if value is None or value == knob.neutral:
        return Given(value="" if knob.neutral is None else setting(knob.neutral))
    return Given(value=setting(value), acts=not silent)


def _switched_off(knob: Knob, *given: Given) -> bool:
    """Whether each has no part in its run, or is at the value that switches it off."""
    off = ("", "" if knob.neutral is None else setting(knob.neutral))
    return all(g.value in off and (g.acts or not g.value) for g in given)


def _value(run: Run, knob: Knob) -> Any:
    trace, config = run.trace, run.trace.generation_config
    shared = trace.prompt_ids.shape[1] - run.start  # tokens that a fork took over
    if knob.name == "max_new_tokens":
        return trace.most_new_tokens + shared if config.get("max_length") is not None else None
    if knob.name == "min_new_tokens":
        least = config.get("min_length") or 0
        return max(0, least - run.start)
    if knob.name == "seed":
        return trace.seed
    settings = {} if trace.settings is None else trace.settings.given()
    if knob.kind in WORDED and knob.name in settings:
        return settings[knob.name]
    value = config.get(knob.name, settings.get(knob.name))
    if knob.kind == "decay" and shared and isinstance(value, (list, tuple)) and len(value) == 2:
        return (value[0] + shared, value[1])
    return value
