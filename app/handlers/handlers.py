"""`Handlers`: the page's handlers, one object a feature."""

from __future__ import annotations

from ..serving.decoder import Decoder, new_line
from ..serving.line import Line
from ..serving.model_shelf import ModelShelf
from ..serving.passing_files import PassingFiles
from ..serving.refusal import Refusals
from ..serving.stored_runs import StoredRuns
from .ahead import GoingAhead
from .candidate import Candidates
from .decoding import Decoding
from .heat_map import HeatMapHandlers
from .looking import Looking
from .opening import Opening
from .partial import PartialHandlers
from .presets import PresetHandlers
from .refusing import Refusing
from .reload import Reloading
from .runs import ChoosingRuns
from .sharing import Sharing
from .shown import Shown
from .verifying import Verifying
from .whatif import WhatIfHandlers

__all__ = ["Handlers"]


class Handlers:
    """All of them; the models are shared by all visitors, a `Session` is one visitor's.

    Args:
        space: the address of the Space that the page runs in, or "".
        files: where an export waits for the browser to fetch it; None where there are no exports.
        line: of all who use the models, also elsewhere; None where nobody does.
        stored: runs that were recorded before; None where every run is decoded.
        refusals: of what stands before the page, if something does.
    """

    def __init__(
        self,
        shelf: ModelShelf,
        space: str = "",
        files: PassingFiles | None = None,
        line: Line | None = None,
        stored: StoredRuns | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        shown, decoder, line = Shown(shelf, space), Decoder(shelf.limits, shelf.batchers), line or new_line()
        self.reloading = Reloading(shown)
        self.opening = Opening(shown, self.reloading)
        self.looking = Looking()
        self.heat_map = HeatMapHandlers()
        self.ahead = GoingAhead(line)
        self.candidates = Candidates()
        self.whatif = WhatIfHandlers(shown)
        self.presets = PresetHandlers()
        self.runs = ChoosingRuns(shown)
        self.decoding = Decoding(shown, decoder, line, stored)
        self.verifying = Verifying(shown, decoder, line)
        self.refusing = Refusing(self.decoding, refusals or Refusals())
        self.partials = PartialHandlers(shown, files)
        self.sharing = Sharing(shown, self.decoding, files, self.partials)
