"""What the visitors of a soak saw: their runs, how long each thing took, what went wrong."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Asked", "Record", "RunSeen"]

RECENT = 100  # runs that others ask for again are among so many
BEGINNINGS = (
    "The capital of France is", "Once upon a time", "My favourite animal is", "Water boils when", "A good name",
)  # fmt: skip
MIDDLES = (" the old clock", " a small robot", " that nobody saw", " in the morning", " two and two")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is asked for."""

    prompt: str
    mode: str
    given: tuple[tuple[str, Any], ...]

    @property
    def form(self) -> str:
        """The settings panel's value."""
        return json.dumps({"mode": self.mode, "given": dict(self.given)})

    @property
    def n_tokens(self) -> int:
        """At most."""
        return dict(self.given)["max_new_tokens"]


@dataclass(slots=True, kw_only=True)
class RunSeen:
    """A run as its visitor saw it.

    Attributes:
        asked: for what.
        seconds: from the question to the whole answer, with all that it had to wait.
        number: on the visitor's page.
        prompt, text: as the page shows them.
        lines: of the token row.
        repeated: it had been asked for before.
        how: "run", "fork", "cancelled" or "left".
        told: what the page said went wrong.
    """

    asked: Asked
    seconds: float = 0.0
    number: int = -1
    prompt: str = ""
    text: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    repeated: bool = False
    how: str = "run"
    told: str = ""


class Record:
    """Of all visitors together; they share one event loop.

    Args:
        seed: of what is asked for.
        repeat: the part of the runs that are among the last hundred.
        n_tokens: of each run.
    """

    def __init__(self, seed: int, repeat: float, n_tokens: int = 24) -> None:
        self.random, self.repeat, self._n_tokens = random.Random(seed), repeat, n_tokens
        self.runs: list[RunSeen] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)  # by what was done
        self.troubles: Counter[str] = Counter()  # the server's faults, in words
        self.mixed: list[str] = []  # answers to somebody else's question
        self.lost: list[str] = []  # questions without an answer
        self.late_tokens: list[int] = []  # that came after a Stop was answered
        self.n_refused = self.n_tokens = 0
        self._recent: deque[Asked] = deque(maxlen=RECENT)
        self._n_asked = 0

    def next_question(self) -> tuple[Asked, bool]:
        """What to ask, and whether it was asked for before."""
        if self._recent and self.random.random() < self.repeat:
            return self.random.choice(self._recent), True
        self._n_asked += 1
        words = self.random.choice(BEGINNINGS) + "".join(self.random.sample(MIDDLES, 2))
        given: dict[str, Any] = {"max_new_tokens": self._n_tokens, "min_new_tokens": self._n_tokens}
        mode = self.random.choices(("sample", "greedy", "beam_search"), (6, 3, 1))[0]
        if mode == "sample":
            given |= {"temperature": 0.8, "top_p": 0.9, "seed": self.random.randrange(10**6)}
        if mode == "beam_search":
            given |= {"num_beams": 3}
        # Its number makes every question its own: an answer says whose it is.
        asked = Asked(prompt=f"No. {self._n_asked}. {words}", mode=mode, given=tuple(given.items()))
        self._recent.append(asked)
        return asked, False
