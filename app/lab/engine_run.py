"""llama.cpp's lane of the tab `orders`: run by llama.cpp where it is here, and what it does otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from decoding.engines.llama_library import is_installed, library_version
from decoding.errors import EngineError
from decoding.reading.engine_orders import OrderResult
from decoding.reading.llama_cpp_order import Parting, partings, run_llama_cpp
from decoding.recorded.stages import Stage

from ..text import Text
from ..views.look import Look
from ..views.numbers import percent, significant
from ..views.orders import PartingView, parting_view

__all__ = ["EngineRun", "engine_run", "how", "note", "section"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What became of running llama.cpp.

    Attributes:
        result: its order's; None where it did not run.
        partings: where it parts from transformers' arithmetic.
        state: "ran", or why not: "missing", "refused", "compact".
        error: what the library said of it.
    """

    result: OrderResult | None = None
    partings: tuple[Parting, ...] = ()
    state: str = "ran"
    error: EngineError | None = None


def engine_run(look: Look, before: Tensor, samplers: Sequence[Stage]) -> EngineRun:
    """Runs llama.cpp on the scores that the first sampler saw; whatever is in its way, the page goes on."""
    if not look.trace.steps[look.step].exact:
        return EngineRun(state="compact")
    try:
        result = run_llama_cpp(before, samplers)
        return EngineRun(result=result, partings=partings(result))
    except EngineError as err:
        return EngineRun(state="refused" if is_installed() else "missing", error=err)


def how(run: EngineRun, text: Text) -> tuple[str, str]:
    """What the lane says of itself, and in its tip."""
    if run.result is not None:
        version = library_version()
        return (
            text("orders.how.ran", build=version.build),
            text("orders.how.ran.tip", build=version.build, package=version.package),
        )
    tip = text("orders.how.computed.compact.tip") if run.error is None else text.said(run.error)
    return text(f"orders.how.computed.{run.state}"), tip


def note(run: EngineRun, text: Text) -> str:
    """What the notes say of it; "" where the lane's tip says it all."""
    if run.result is not None:
        return text("orders.note.ran", library=library_version().library)
    return text("orders.note.not_run", why=text.said(run.error)) if run.error is not None else ""


def section(run: EngineRun, look: Look) -> dict[str, Any] | None:
    """Where llama.cpp's arithmetic parts from transformers'; None where it did not run."""
    if run.result is None:
        return None
    text = look.text
    views = [parting_view(look.trace, found, run.result, look.token_id) for found in run.partings]
    return {
        "title": text("orders.engine"),
        "same": "" if views else text("orders.engine.same"),
        "partings": [_parting(view, text) for view in views],
    }


def _parting(view: PartingView, text: Text) -> dict[str, Any]:
    found = view.found
    hidden = len(found.token_ids) - len(view.rows)
    head = (text("orders.table.token"), text("orders.engine.table.before"), "llama.cpp", "transformers", "float64")
    return {
        "words": _in_words(view, text),
        "caption": text("orders.engine.table", sampler=view.sampler),
        "head": head,
        "rows": [
            {
                "token": row.text,
                "in_view": row.in_view,
                "before": percent(row.probability),
                "cells": [_kept(kept, text) for kept in (row.by_engine, not row.by_engine, row.in_float64)],
            }
            for row in view.rows
        ],
        "more": text("orders.table.more", n=f"{hidden:,}") if hidden else "",
    }


def _kept(kept: bool, text: Text) -> dict[str, Any]:
    return {"kept": kept, "text": text("orders.engine.kept" if kept else "orders.engine.gone"), "tip": ""}


def _in_words(view: PartingView, text: Text) -> str:
    found = view.found
    right = {(True, True): "both", (True, False): "engine", (False, True): "ours", (False, False): "neither"}
    who = "both" if found.cause == "tie" else right[found.engine_right, found.ours_right]
    said = [
        text(
            "orders.engine.part",
            sampler=view.sampler, engine=f"{found.n_engine:,}", ours=f"{found.n_ours:,}", exact=f"{found.n_exact:,}",
        ),
        text(f"orders.engine.right.{who}", ours_sum=f"{found.ours_sum:.7f}"),
    ]  # fmt: skip
    if found.engine_sum is not None and found.cause in ("sum", "order"):
        said.append(
            text(
                "orders.engine.why.sum",
                engine_sum=f"{found.engine_sum:.7f}", exact_sum=f"{found.exact_sum:.7f}", n=f"{view.n_before:,}",
                scale=_off(found.scale), running=_off(found.running),
            )
        )  # fmt: skip
    if found.cause != "sum":
        said.append(text(f"orders.engine.why.{found.cause}", farthest=significant(found.farthest)))
    return "".join(said)


def _off(ratio: float | None) -> str:
    """By how much a number is off, with its sign: `+0.0199%`."""
    return f"{((ratio or 1.0) - 1.0) * 100:+.2g}%"
