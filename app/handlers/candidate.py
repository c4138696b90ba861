"""Another token than the one that came: the one that was chosen or typed, its card, its way through all steps."""

from __future__ import annotations

from typing import Any

import gradio as gr

from decoding.errors import DecodingError
from decoding.tokens.word_starts import word_starts

from ..session.session import Session
from ..sheets.candidate import LONGEST_WORD
from ..views.candidate import Card
from .events import counts, field
from .shown import Changes, asked_about, message, of_the_view

__all__ = ["Candidates"]


class Candidates:
    """Handlers that open the card of a token."""

    def pick(self, session: Session, event: gr.EventData) -> Changes:
        """A token that was clicked or chosen; anything that is none of the vocabulary's closes the card."""
        token_id = field(event, "token_id")
        known = type(token_id) is int and 0 <= token_id < session.look.trace.model.vocab_size
        return self._asked(session, event, self._of(session, token_id) if known else None)

    def word(self, session: Session, event: gr.EventData) -> Changes:
        """A word that was typed, as a token; of several the first is shown, and the others offered."""
        word = _typed(field(event, "word"))
        trace = session.look.trace
        starts = word_starts(trace.tokens, word, trace.model.vocab_size)
        if trace.compact is not None:  # it names some of the tokens: what a word begins with it cannot know
            starts = tuple(start for start in starts if start.whole)
        first = starts[0].token_id if starts else None
        return self._asked(session, event, Card(token_id=first, word=word, starts=starts) if word else None)

    @staticmethod
    def _of(session: Session, token_id: int) -> Card:
        """Its card; one of the spellings of the word that was typed stays one."""
        card = session.look.card
        if card is not None and any(start.token_id == token_id for start in card.starts):
            return Card(token_id=token_id, word=card.word, starts=card.starts)
        return Card(token_id=token_id)

    @staticmethod
    def _asked(session: Session, event: gr.EventData, card: Card | None) -> Changes:
        with counts(session, "candidate", event) as it_does:
            if not it_does:
                return {}
            session.ask_about(card)
            try:
                return of_the_view(session, asked_about)
            except DecodingError as error:  # a step that was lost
                return message(str(error), session.text)


def _typed(word: Any) -> str:
    """A word as it was typed: a space before it counts, one after it does not."""
    return word[:LONGEST_WORD].rstrip() if isinstance(word, str) else ""
