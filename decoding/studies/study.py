"""Study: a published observation, written down so that it can be made again, and what came of it.

Everything that decides the verdict (prompts, settings, seeds, claims with their direction and tolerance) is in the
study's own file, and was there before it was recorded for the first time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from decoding.models.prompts import Prompt
from decoding.parameters.settings import Settings
from decoding.studies.interval import Interval
from decoding.studies.texts import Texts

__all__ = [
    "HELD", "NOT_HELD", "UNDECIDED", "Claim", "Curve", "Findings", "Follow", "Judged", "Panel", "Paper", "Part",
    "Point", "Run", "Runs", "Study", "judge",
]  # fmt: skip

HELD, NOT_HELD, UNDECIDED = "held", "did not hold", "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Where an observation was published.

    Attributes:
        arxiv: its number there.
        shows: what the paper's figure shows.
    """

    authors: str
    year: int
    title: str
    arxiv: str
    shows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An observation as a range that a number has to lie in: its direction and its tolerance.

    Attributes:
        id: names it among the study's claims.
        says: it in one sentence, the range included.
        low, high: the range; ∞ where nothing bounds it.
        unit: of the number, e.g. `nats per token`; "" for a share or a ratio.
    """

    id: str
    says: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A claim and what was found.

    Attributes:
        verdict: `held` where the whole interval lies in the claim's range, `did not hold` where all of it lies outside,
            else `undecided`.
        by: how far the estimate lies within the range, or, negative, outside it, in the claim's unit.
    """

    claim: Claim
    found: Interval
    verdict: str
    by: float


def judge(claim: Claim, found: Interval) -> Judged:
    """The verdict on a claim.

    Example:
        >>> claim = Claim(id="more", says="more than 1", low=1.0)
        >>> judge(claim, Interval(estimate=3.0, low=2.0, high=4.0)).verdict
        'held'
        >>> judge(claim, Interval(estimate=3.0, low=0.5, high=4.0)).verdict
        'undecided'
        >>> judge(claim, Interval(estimate=0.25, low=0.0, high=0.5)).verdict
        'did not hold'
    """
    by = min(found.estimate - claim.low, claim.high - found.estimate)
    if found.low > claim.low and found.high < claim.high:
        verdict = HELD
    elif found.high <= claim.low or found.low >= claim.high:
        verdict = NOT_HELD
    else:  # an interval of NaN, too
        verdict = UNDECIDED
    return Judged(claim=claim, found=found, verdict=verdict, by=by)


# --- what is recorded ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """A given text that runs follow, whatever the model would have said.

    Attributes:
        texts: one for each prompt.
        n_tokens: how many of its tokens.
        times: how often these come.
    """

    texts: tuple[str, ...]
    n_tokens: int
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Prompts that are recorded under the same settings.

    Attributes:
        name: among the study's parts; names its traces.
        prompts: texts or chats.
        settings: without `seed` and `num_return_sequences`.
        samples: runs of each prompt.
        follow: a text that the runs follow; None for the model's own.
        rows: of the model that are computed together, at most; at least one prompt's.
    """

    name: str
    prompts: tuple[Prompt, ...]
    settings: Settings
    samples: int = 1
    follow: Follow | None = None
    rows: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recorded run in numbers; those of each token are as in `decoding.reading.run_statistics`.

    Attributes:
        part: that it belongs to.
        prompt: in the part's prompts, from 0.
        sample: of the prompt, from 0.
        trace: the file of the batch that it was recorded in, in the study's folder.
        row: its row there; in beam methods of its hypotheses.
        asked: its prompt, as text.
        text: what came.
        ended_by: why it ended.
        surprisals: of each token, under the model's own distribution, in nats.
        entropies: of that distribution, in nats.
        n_left: tokens that were still possible when it was chosen.
    """

    part: str
    prompt: int
    sample: int
    trace: str
    row: int
    asked: str
    text: str
    ended_by: str
    surprisals: tuple[float, ...]
    entropies: tuple[float, ...]
    n_left: tuple[float, ...]


Runs = Mapping[str, tuple[Run, ...]]
"""By part, its runs, prompt by prompt and sample by sample."""


# --- what is found --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point of a figure.

    Attributes:
        x: where it stands.
        y: what was found there.
        runs: those behind it, each with its own value.
        step: at which these are looked at, from 0; None for the whole run.
    """

    x: float
    y: Interval
    runs: tuple[tuple[Run, float], ...]
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points that belong together; `faint` ones stand behind the others, as examples."""

    name: str
    points: tuple[Point, ...]
    faint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A figure in numbers.

    Attributes:
        id: among the study's panels.
        title, x, y: of the figure and its axes, units included.
        log: of the axes, those that are logarithmic: "", "x", "y" or "xy".
        reading: how to read it, in a sentence or two.
        value: what a run's own value is.
    """

    id: str
    title: str
    x: str
    y: str
    reading: str
    value: str
    curves: tuple[Curve, ...]
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a study's runs come to: its figures, and the number of each of its claims.

    Attributes:
        notes: what a reader has to know besides, e.g. how many runs were cut short.
    """

    panels: tuple[Panel, ...]
    found: Mapping[str, Interval]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A published observation, to be made again.

    Attributes:
        name: as the command line knows it.
        title: as a reader does.
        paper: where it was published.
        observation: it, in a sentence or two.
        recorded: what is recorded here in its place, and where that differs from the paper.
        claims: what has to be found.
        parts: what is recorded, made from the texts that come with the project.
        read: the runs to figures and numbers.
        seed: of all draws.
    """

    name: str
    title: str
    paper: Paper
    observation: str
    recorded: str
    claims: tuple[Claim, ...]
    parts: Callable[[Texts], tuple[Part, ...]]
    read: Callable[[Runs, Texts], Findings]
    seed: int = 0
