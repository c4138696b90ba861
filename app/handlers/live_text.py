"""The plain text of a run that is under way."""

from __future__ import annotations

from decoding.trace import Trace

from ..components import Answer
from ..views.answer import row_text

__all__ = ["LiveText"]


class LiveText:
    """What each row says so far, told as what was added since.

    Bytes that make no character yet are told again with those that complete them.

    Args:
        trace: the run as it begins; of it the prompt and the tokens' texts are read.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._settled = [len(row_text(trace, row, [])) for row in range(trace.n_rows)]  # characters
        self._pending: list[list[int]] = [[] for _ in range(trace.n_rows)]
        self._changed: set[int] = set()
        self._lines: list[str] = []

    def take(self, row: int, token_id: int) -> None:
        """Adds a row's newest token."""
        self._pending[row].append(token_id)
        self._changed.add(row)

    @property
    def lines(self) -> str:
        """All lines so far, for the `Answer` component."""
        for row in sorted(self._changed):
            self._tell(row)
        self._changed.clear()
        return "".join(self._lines)

    def _tell(self, row: int) -> None:
        ids, tokens = self._pending[row], self._trace.tokens
        more = tokens.plain(ids) if tokens is not None else "".join(f" #{i}" for i in ids)
        self._lines.append(Answer.line({"row": row, "keep": self._settled[row], "text": more}))
        if tokens is None or self._ends_a_character(ids[-1]):
            self._settled[row] += len(more)
            ids.clear()

    def _ends_a_character(self, token_id: int) -> bool:
        """A special token is left out of the text: bytes before it and after it stand side by side."""
        tokens = self._trace.tokens
        return bool(tokens.bytes(token_id)) and not (tokens.is_special(token_id) or tokens.is_partial(token_id))
