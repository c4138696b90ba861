"""A page that was loaded again: the runs of its tab come back, or what they were asked for."""

from __future__ import annotations

from typing import Any

from ..session.reload import Kept
from ..session.session import Session
from .shown import Changes, Shown

__all__ = ["Reloading"]


class Reloading:
    """Nothing is decoded here, whatever the tab has kept."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def begin(self, session: Session, text: Any) -> None:
        """Goes on from the session that the tab had before, or remembers what that one's runs were asked for.

        Where that one was still to run the link that it was opened with, this one begins anew, and runs it.

        Args:
            text: what the tab kept, which may be anything; "" where a link was followed here.
        """
        kept = Kept.read(text, self._shown.shelf.default)
        if kept is None or len(session.runs) > 1:  # quick hands were here while the page was still opening
            return
        before = self._shown.visits.get(kept.key)
        if before is session or before is not None and before.link is not None and len(before.runs) == 1:
            return
        if before is not None:
            session.go_on_from(before)
        elif kept.runs:
            session.remember(kept.runs)

    def forget(self, session: Session) -> Changes:
        """Lets go of what could have been asked again."""
        session.lost.clear()
        return self._shown.kept(session)
