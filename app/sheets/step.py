"""The step in view: waterfall, cut-off and the card of another token, all from one reading of its scores."""

from __future__ import annotations

from typing import Any

from decoding.errors import NotRecordedError

from ..views.cutoff import cutoff_view
from ..views.look import Look
from ..views.table import Table
from ..views.waterfall import Waterfall, waterfall_view
from .candidate import candidate_sheet
from .contrastive import contrastive_sheet
from .cutoff import cutoff_sheet
from .lecture import lecture_sheet
from .sheet import Sheet, about
from .waterfall import waterfall_sheet

__all__ = ["candidate", "cutoff", "panels", "waterfall"]

Json = dict[str, Any]


def panels(look: Look) -> dict[str, Json | None]:
    """What shows the step in view, by the name of the part; of a lost step the waterfall's card says so, alone."""
    try:
        return {
            "waterfall": waterfall(look), "cutoff": cutoff(look), "candidate": candidate(look), "lecture": lecture(look)
        }  # fmt: skip
    except NotRecordedError as error:
        return {"waterfall": _lost(look, error), "cutoff": None, "candidate": None, "lecture": None}


def _lost(look: Look, error: NotRecordedError) -> Json:
    text = look.text
    sheet = Sheet(
        key=f"{look.row}.{look.step}", title=text.pieces("waterfall.title"), reading=[text.said(error)],
        label=text("waterfall.label"), table=Table(caption="", head=(), rows=()), table_label="", figure=None,
    )  # fmt: skip
    return about(look, sheet.data)


def waterfall(look: Look) -> Json:
    """The waterfall, as recorded or under the settings tried.

    Raises:
        NotRecordedError: the step was lost.
    """
    view = _in_view(look)
    return about(look, waterfall_sheet(view, look.text, row=look.row, whatif=look.whatif is not None).data)


def lecture(look: Look) -> Json | None:
    """The step as it is told in a lecture; None where there is none.

    Raises:
        NotRecordedError: the step was lost.
    """
    return lecture_sheet(look, _in_view(look), look.scores) if look.trace.steps else None


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


def candidate(look: Look) -> Json | None:
    """The card of another token; None where there is no step, or the run still goes on.

    Raises:
        NotRecordedError: the step was lost.
    """
    if not look.trace.steps or look.growing:
        return None
    return candidate_sheet(look, _in_view(look))


def _in_view(look: Look) -> Waterfall:
    if look.whatif is not None:
        return _under_others(look)
    return look.at.once("waterfall", look.followed, make=lambda: _as_recorded(look))


def _as_recorded(look: Look) -> Waterfall:
    return waterfall_view(
        look.trace, step=look.step, row=look.row, token_id=look.followed, scores=look.at.scores
    )


def _under_others(look: Look) -> Waterfall:
    return waterfall_view(
        look.trace, step=look.step, row=look.row, token_id=look.followed, whatif=look.whatif, scores=look.scores
    )
