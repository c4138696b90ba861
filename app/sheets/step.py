"""The step in view: waterfall, cut-off and the chooser of another token, all from one reading of its scores."""

from __future__ import annotations

from typing import Any

from ..views.cutoff import cutoff_view
from ..views.look import Look
from ..views.waterfall import Waterfall, waterfall_view
from .contrastive import contrastive_sheet
from .cutoff import cutoff_sheet
from .forks import fork_sheet
from .sheet import about
from .waterfall import waterfall_sheet

__all__ = ["cutoff", "fork", "waterfall"]

Json = dict[str, Any]


def waterfall(look: Look) -> Json:
    """The waterfall, as recorded or under the settings tried.

    Raises:
        NotRecordedError: the step was lost.
    """
    tried = look.whatif is not None
    view = _under_others(look) if tried else look.at.once("waterfall", look.followed, make=lambda: _as_recorded(look))
    return about(look, waterfall_sheet(view, look.text, row=look.row, whatif=tried).data)


def cutoff(look: Look) -> Json:
    """The cut-off of the rule in view; in contrastive search what it weighed, which is its rule.

    Raises:
        NotRecordedError: the step was lost.
    """
    weighed = look.at.contrastive if look.mode == look.trace.mode else None
    if weighed is not None:
        return about(look, contrastive_sheet(weighed, look.text, row=look.row).data)
    view = cutoff_view(
        look.trace, step=look.step, row=look.row, stage=look.rule, token_id=look.followed, whatif=look.whatif,
        scores=look.scores,
    )  # fmt: skip
    return about(look, cutoff_sheet(view, look.text, row=look.row).data)


def fork(look: Look) -> Json | None:
    """The fork chooser; None where no run can be taken on from here.

    Raises:
        NotRecordedError: the step was lost.
    """
    if not look.trace.steps or look.trace.model.source == "caller" or look.growing:
        return None
    view = look.at.once("waterfall", look.followed, make=lambda: _as_recorded(look))
    n_left = look.trace.most_new_tokens - look.step - 1
    return about(look, fork_sheet(view, look.text, candidate=look.candidate, n_left=n_left))


def _as_recorded(look: Look) -> Waterfall:
    return waterfall_view(
        look.trace, step=look.step, row=look.row, token_id=look.followed, scores=look.at.scores
    )


def _under_others(look: Look) -> Waterfall:
    return waterfall_view(
        look.trace, step=look.step, row=look.row, token_id=look.followed, whatif=look.whatif, scores=look.scores
    )
