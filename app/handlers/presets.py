"""What happens when a visitor pastes the settings of another engine."""

from __future__ import annotations

from typing import Any

import gradio as gr

from decoding.errors import DecodingError
from decoding.presets import read

from ..components import Presets
from ..session.session import Session
from ..sheets.presets import found_sheet, not_read_sheet
from .events import counts, field
from .shown import Changes

__all__ = ["PresetHandlers"]


class PresetHandlers:
    """Handlers of the field for other engines' settings."""

    def read(self, session: Session, event: gr.EventData) -> Changes:
        """What was pasted as settings; the page takes them over where the visitor wants them."""
        with counts(session, "preset", event, about=False) as it_does:
            return {"presets": Presets(found=self._found(session, event))} if it_does else {}

    @staticmethod
    def _found(session: Session, event: gr.EventData) -> dict[str, Any] | None:
        pasted, engine = field(event, "text"), field(event, "engine")
        if pasted == "":
            return None
        try:
            found = read(pasted, engine or None, defaults=field(event, "defaults") is not False)
            return found_sheet(found, session.text)
        except DecodingError as error:
            return not_read_sheet(error, session.text)
