"""What the page says after Verify: the verdict with its grade and reasons, and what was compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..text import Text

if TYPE_CHECKING:
    from decoding.verify import Verification

__all__ = ["busy_sheet", "verdict_sheet"]


def busy_sheet(text: Text) -> dict[str, Any]:
    """The verdict's `data` while generate() runs."""
    return {"text": text("verify.busy"), "kind": "busy"}


def verdict_sheet(report: Verification, text: Text) -> dict[str, Any]:
    """The verdict's `data`: `good` for the same bits, `close` where a reason explains what differs, else `bad`."""
    said = [_verdict(report, text)]
    if report.grade != "bits" and report.because:
        reasons = text("verify.reason.and").join(_reason(reason, text) for reason in report.because)
        said.append(text("verify.because" if report.equal else "verify.may_be", reasons=reasons))
    kind = "good" if report.grade == "bits" else "close" if report.equal else "bad"
    answers = {True: text("verify.yes"), False: text("verify.no")}
    rows = [(check.name, answers[check.equal], text.said(check.detail)) for check in report.checks]
    head = (text("verify.table.what"), text("verify.table.equal"), text("verify.table.detail"))
    table = {"caption": text("verify.table"), "head": head, "rows": rows}
    return {"text": " ".join(said), "kind": kind, "table": table, "table_label": text("verify.table")}


def _verdict(report: Verification, text: Text) -> str:
    if report.grade == "bits":
        return text("verify.equal" if report.against == "generate()" else "verify.equal.own_loop")
    if report.equal:
        return text("verify.equal.close", within=report.within)
    return text(f"verify.unequal.{report.grade}", within=report.within)


def _reason(reason: Any, text: Text) -> str:
    return text(f"verify.reason.{reason.why}", then=reason.then, now=reason.now)
