"""The one table of what a server takes: each bound's name, value, unit, and what is answered beyond it.

Every row can be set by a variable of the environment. There are two columns of values: `public` for a page that anyone
may open, `own` for the page on one's own machine, where None is no bound. SERVING.md shows the table.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

__all__ = ["PREFIX", "TABLE", "Bound", "Bounds", "bounds_here", "table_in_words", "use_bounds"]

PREFIX = "DECODING_EXPLORER_"
OFF = "none"  # in the environment: no bound
MOST = 2**53  # a number that every reader of it holds exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A row.

    Attributes:
        name: of the field of `Bounds`.
        public, own: the values of the two columns; None is no bound.
        unit: of the value.
        of: what is bounded.
        answer: what whoever asks for more is answered.
        always: it cannot be taken away, not even on one's own machine.
    """

    name: str
    public: float
    own: float | None
    unit: str
    of: str
    answer: str
    always: bool = False

    @property
    def variable(self) -> str:
        """Of the environment, that sets it."""
        return PREFIX + self.name.upper()

    def read(self, text: str) -> float | None:
        """The value that the environment gives.

        Raises:
            DecodingError: it is none.
        """
        if text.strip().lower() == OFF and not self.always:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 1 <= value <= MOST or not value.is_integer():
            from decoding.errors import DecodingError  # here: the table is read by --help, which has to be quick

            raise DecodingError(
                "the variable {variable} must be a whole number from 1 on{or_none}, got {text}; it bounds {of}, in "
                "{unit}; unset it for {default}",
                variable=self.variable, or_none="" if self.always else f", or {OFF}", text=repr(text), of=self.of,
                unit=self.unit, default="no bound" if self.own is None else f"{self.own:,}",
            )  # fmt: skip
        return int(value)


IN_WORDS = "a message in words"
TOO_LARGE, TOO_DEEP, TOO_OFTEN, TOO_MANY = "HTTP 413", "HTTP 400", "HTTP 429 with Retry-After", "HTTP 503"

TABLE: tuple[Bound, ...] = (
    # -- what one run may take; the model's own defaults count like what was given
    Bound(name="rows", public=16, own=None, unit="rows", of="beams or returned sequences × prompts", answer=IN_WORDS),
    Bound(name="new_tokens", public=512, own=None, unit="tokens", of="new tokens of a row", answer=IN_WORDS),
    Bound(name="positions", public=32_768, own=None, unit="tokens", of="rows × tokens of the prompt", answer=IN_WORDS),
    Bound(name="run_seconds", public=300, own=None, unit="seconds", of="the time that a run decodes",
          answer="the steps up to there, and a message in words"),
    # -- what may be asked
    Bound(name="prompt_characters", public=40_000, own=40_000, unit="characters",
          of="a prompt with its system message", answer=IN_WORDS, always=True),
    Bound(name="settings_characters", public=20_000, own=20_000, unit="characters",
          of="the settings of an API call, as JSON", answer=IN_WORDS, always=True),
    Bound(name="value_bytes", public=2**20, own=2**20, unit="bytes", of="the value of one component, as JSON",
          answer=TOO_LARGE, always=True),
    Bound(name="event_bytes", public=256 * 2**10, own=256 * 2**10, unit="bytes", of="the data of an event, as JSON",
          answer=TOO_LARGE, always=True),
    Bound(name="body_bytes", public=2 * 2**20, own=2 * 2**20, unit="bytes", of="the body of a request, uploads apart",
          answer=TOO_LARGE, always=True),
    Bound(name="upload_bytes", public=64 * 2**20, own=64 * 2**20, unit="bytes", of="the body of an upload",
          answer=TOO_LARGE, always=True),
    Bound(name="response_bytes", public=8 * 2**20, own=64 * 2**20, unit="bytes",
          of="a response of another engine that is opened", answer=IN_WORDS, always=True),
    Bound(name="body_seconds", public=120, own=120, unit="seconds", of="the time in which a body has to arrive",
          answer="HTTP 408", always=True),
    Bound(name="json_depth", public=64, own=64, unit="levels", of="lists and objects within each other, in JSON",
          answer=TOO_DEEP, always=True),
    # -- how often
    Bound(name="tab_runs", public=20, own=None, unit="runs a minute", of="runs that one tab asks for",
          answer=TOO_OFTEN),
    Bound(name="address_runs", public=60, own=None, unit="runs a minute", of="runs that one address asks for",
          answer=TOO_OFTEN),
    Bound(name="tab_requests", public=100, own=None, unit="requests a second", of="requests of one tab",
          answer=TOO_OFTEN),
    Bound(name="address_requests", public=300, own=None, unit="requests a second", of="requests of one address",
          answer=TOO_OFTEN),
    Bound(name="address_uploads", public=30, own=None, unit="uploads a minute", of="uploads of one address",
          answer=TOO_OFTEN),
    # -- how many at once
    Bound(name="queue_length", public=64, own=32, unit="visitors", of="those who wait for the model", answer=IN_WORDS,
          always=True),
    Bound(name="open_requests", public=1024, own=None, unit="requests", of="requests open at once; a tab has two or "
          "three", answer=TOO_MANY),
    Bound(name="address_open", public=256, own=None, unit="requests", of="those of one address", answer=TOO_MANY),
    Bound(name="uploaded_bytes", public=2 * 2**30, own=None, unit="bytes", of="files that lie in passing, for ten "
          "minutes each", answer=TOO_MANY),
    # -- what is kept; beyond it what was looked at longest ago makes room
    Bound(name="runs_memory_bytes", public=96 * 2**20, own=96 * 2**20, unit="bytes",
          of="all runs' scores in memory", answer="runs move to the disk", always=True),
    Bound(name="runs_disk_bytes", public=8 * 2**30, own=8 * 2**30, unit="bytes", of="all runs' scores on the disk",
          answer="a run keeps its text alone, and says so", always=True),
    Bound(name="kept_runs", public=400, own=400, unit="runs", of="runs that keep their scores; each has a file open",
          answer="a run keeps its text alone, and says so", always=True),
    Bound(name="visitors", public=500, own=500, unit="visitors", of="those whose runs and place on the page are kept",
          answer="the page opens anew", always=True),
    Bound(name="stored_runs", public=1000, own=1000, unit="runs", of="answers kept for whoever asks the same",
          answer="it is decoded again", always=True),
    Bound(name="stored_bytes", public=2 * 2**30, own=2 * 2**30, unit="bytes", of="those answers' files",
          answer="it is decoded again", always=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The values that hold, by the names of the table; None is no bound. What they bound, the table says."""

    rows: int | None
    new_tokens: int | None
    positions: int | None
    run_seconds: int | None
    prompt_characters: int
    settings_characters: int
    value_bytes: int
    event_bytes: int
    body_bytes: int
    upload_bytes: int
    response_bytes: int
    body_seconds: int
    json_depth: int
    tab_runs: int | None
    address_runs: int | None
    tab_requests: int | None
    address_requests: int | None
    address_uploads: int | None
    queue_length: int
    open_requests: int | None
    address_open: int | None
    uploaded_bytes: int | None
    runs_memory_bytes: int
    runs_disk_bytes: int
    kept_runs: int
    visitors: int
    stored_runs: int
    stored_bytes: int

    @classmethod
    def read(cls, *, public: bool, environment: Mapping[str, str] = os.environ) -> Bounds:
        """The values of a column, those apart that the environment sets.

        Raises:
            DecodingError: it sets one to what is no such value.
        """
        return cls(**dict(_read(public, environment)))


def _read(public: bool, environment: Mapping[str, str]) -> Iterator[tuple[str, float | None]]:
    for bound in TABLE:
        given = environment.get(bound.variable, "")
        yield bound.name, bound.read(given) if given.strip() else bound.public if public else bound.own


assert [field.name for field in fields(Bounds)] == [bound.name for bound in TABLE]

_here: list[Bounds] = []  # none or one


def use_bounds(*, public: bool) -> Bounds:
    """From now on the bounds of this process are those of a page for everyone, or of one's own; returns them.

    Raises:
        DecodingError: the environment sets one to what is no such value.
    """
    _here[:] = [Bounds.read(public=public)]
    return _here[0]


def bounds_here() -> Bounds:
    """The bounds of this process: those of one's own page, unless `use_bounds` said otherwise."""
    return _here[0] if _here else use_bounds(public=False)


def table_in_words() -> str:
    """The table in Markdown, as SERVING.md has it."""
    lines = [
        "| variable | public | own machine | unit | what it bounds | beyond it |",
        "|---|---|---|---|---|---|",
    ]
    for bound in TABLE:
        own = "no bound" if bound.own is None else f"{bound.own:,}"
        cells = (f"`{bound.variable}`", f"{bound.public:,}", own, bound.unit, bound.of, bound.answer)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
