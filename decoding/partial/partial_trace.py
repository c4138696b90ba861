"""`PartialTrace`: a run of which only a response is known, token by token with the likeliest alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from decoding.partial.measures import Measures, measures_of
from decoding.partial.token import KnownToken

__all__ = ["KINDS", "MARKS", "NOTES", "PartialChoice", "PartialStep", "PartialTrace"]

KINDS = ("model", "final", "unsaid")
MARKS = (
    "null", "floor", "nan", "positive", "above_one", "alone", "repeated", "same_text", "joined", "outside",
    "no_text",
)  # fmt: skip
NOTES = ("empty", "text_differs", "no_alternatives", "prompt_echoed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialStep:
    """One token of a response.

    Attributes:
        known: the tokens that the response names here, the likeliest first, the one that came among them.
        chosen: the place of that one in `known`.
        in_prompt: it is of the prompt, which the response repeats.
        is_top: the alternatives are certainly the likeliest tokens: no other one is likelier than the last of them.
        marks: what a reader must know of this step, of `MARKS`:
            `null` no log-probability was given; `floor` it is −9999, which stands for no number; `nan` it is no number;
            `positive` it is above 0, so that it is none; `above_one` the probabilities add up to more than 1;
            `alone` no alternatives were given; `repeated` a token was named twice and counts once; `same_text` two
            tokens have the same text; `joined` the server left out the tokens before it that are parts of the same
            character; `outside` the token that came is none of the alternatives; `no_text` it came
            without a text, as a part of a character or a token that is not shown.
        left_out: the bytes of the tokens before it that were left out.
    """

    known: tuple[KnownToken, ...]
    chosen: int
    in_prompt: bool = False
    is_top: bool = False
    marks: tuple[str, ...] = ()
    left_out: bytes = b""

    @property
    def token(self) -> KnownToken:
        """The one that came."""
        return self.known[self.chosen]

    def measures(self, vocab_size: int | None = None) -> Measures:
        """What is known of the distribution, and what is not; see `Measures`.

        Args:
            vocab_size: of the model, where it is known.
        """
        return measures_of(self.known, self.chosen, is_top=self.is_top, vocab_size=vocab_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialChoice:
    """One of the answers in a response.

    Attributes:
        index: as the response numbers it.
        steps: a token each, in order.
        text: as the response says it; "" where it does not.
        finish_reason: as the response says it, or "".
        prompt: which of several prompts it answers, from 0.
        notes: of `NOTES`: `empty` there are no tokens; `text_differs` the text is not that of the tokens;
            `no_alternatives` no step has any; `prompt_echoed` the first tokens are the prompt's.
    """

    index: int
    steps: tuple[PartialStep, ...]
    text: str = ""
    finish_reason: str = ""
    prompt: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialTrace:
    """A response of another engine: no logits, but what it says of them.

    Attributes:
        form: `chat` or `completions` of OpenAI's API, `llama.cpp` for that server's own, `responses` for OpenAI's
            newer one.
        kind: whose probabilities they are, of `KINDS`: `model` before any sampler, `final` after all of them,
            `unsaid` where the response does not say.
        choices: at least one.
        model: its name as the response gives it, of a path the last part; or "".
        prompts: the prompts as texts, where the request or the response has them; else empty.
        messages: the request's chat, or None.
        prompt_ids: the prompts as token ids, where they were sent so; else empty.
        request: parameters of the request, and those that the server says it used: plain values by name.
        about: what else the response says of itself (`id`, `created`, `system_fingerprint`), plain values by name.
        streamed: it came in pieces; how many, else 0.
    """

    form: str
    kind: str
    choices: tuple[PartialChoice, ...]
    model: str = ""
    prompts: tuple[str, ...] = ()
    messages: tuple[Mapping[str, Any], ...] | None = None
    prompt_ids: tuple[tuple[int, ...], ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    streamed: int = 0

    @property
    def n_known(self) -> int:
        """Tokens named in all steps together."""
        return sum(len(step.known) for choice in self.choices for step in choice.steps)
