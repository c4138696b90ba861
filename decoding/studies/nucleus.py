"""The size of the nucleus from one position to the next."""

from __future__ import annotations

import numpy as np

from decoding.parameters.settings import Settings
from decoding.studies.interval import bootstrap
from decoding.studies.over_prompts import mean, padded
from decoding.studies.study import Claim, Curve, Findings, Panel, Paper, Part, Point, Run, Runs, Study
from decoding.studies.texts import Texts

__all__ = ["NUCLEUS"]

LENGTH = 64
TOP_P = 0.9
FEW, MANY = 10, 100
SIZES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
EXAMPLES = 2

CLAIMS = (
    Claim(
        id="orders-of-magnitude",
        says="Within a text the nucleus’ size spans more than one order of magnitude: log₁₀ of its ninth decile over "
        "its first decile, in the mean of the texts, is above 1.",
        low=1.0,
        unit="log₁₀",
    ),
    Claim(
        id="often-few",
        says=f"No fixed k would do: at more than 0.2 of the positions the nucleus has fewer than {FEW} tokens …",
        low=0.2,
    ),
    Claim(
        id="often-many",
        says=f"… and at more than 0.2 of the positions it has more than {MANY}.",
        low=0.2,
    ),
    Claim(
        id="follows-doubt",
        says="It follows the model’s doubt: within a text the rank correlation of its size with the entropy of the "
        "model’s distribution, in the mean of the texts, is above 0.8.",
        low=0.8,
    ),
)


def _parts(texts: Texts) -> tuple[Part, ...]:
    prompts = tuple(passage.prompt for passage in texts.passages)
    settings = Settings(do_sample=True, temperature=1.0, top_k=0, top_p=TOP_P, max_new_tokens=LENGTH)
    return (Part(name="nucleus", prompts=prompts, settings=settings),)


def _read(runs: Runs, texts: Texts) -> Findings:
    found = runs["nucleus"]
    sizes = padded([run.n_left for run in found])  # [n_prompts, n_steps]
    spans = np.array([np.subtract(*np.quantile(np.log10(run.n_left), [0.9, 0.1])) for run in found])
    return Findings(
        panels=(_over_positions(found, sizes), _by_size(found, sizes)),
        found={
            "orders-of-magnitude": mean(spans),
            "often-few": mean(_share(sizes, sizes < FEW)),
            "often-many": mean(_share(sizes, sizes > MANY)),
            "follows-doubt": mean(np.array([_rank_correlation(run.n_left, run.entropies) for run in found])),
        },
        notes=(
            f"Sampled with top_p = {TOP_P} at temperature 1, each text with a seed of its batch’s own.",
            f"The prompts are the beginnings of: {texts.source}",
        ),
    )


def _share(sizes: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Of each text the share of positions; float [n_prompts]."""
    return holds.sum(axis=1) / (~np.isnan(sizes)).sum(axis=1)


def _rank_correlation(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Spearman's ρ; NaN where one of them never changes."""
    here, there = _ranks(np.array(first)), _ranks(np.array(second))
    if not np.ptp(here) or not np.ptp(there):
        return float("nan")
    return float(np.corrcoef(here, there)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Places in the order, ties in the middle of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def _over_positions(runs: tuple[Run, ...], sizes: np.ndarray) -> Panel:
    points = []
    for step, column in enumerate(sizes.T):
        there = [i for i, size in enumerate(column) if not np.isnan(size)]
        y = bootstrap(column[there], lambda drawn: np.median(drawn, axis=-1))
        points.append(Point(x=step + 1, y=y, runs=tuple((runs[i], float(column[i])) for i in there), step=step))
    examples = tuple(
        Curve(name=f"text {run.prompt + 1} alone", points=_alone(run), faint=True) for run in runs[:EXAMPLES]
    )
    return Panel(
        id="positions",
        title="How many tokens the nucleus holds",
        x="position in the text, in tokens",
        y="tokens in the nucleus",
        reading="The median over all texts, and single texts behind it, in which the size jumps from one position to "
        "the next: where the model is sure it is one token, where it is not it is hundreds.",
        value="tokens in the nucleus at this position",
        curves=(Curve(name="median of all texts", points=tuple(points)), *examples),
        log="y",
    )


def _alone(run: Run) -> tuple[Point, ...]:
    return tuple(
        Point(x=step + 1, y=bootstrap(np.array([size]), lambda d: d.mean(axis=-1)), runs=((run, size),), step=step)
        for step, size in enumerate(run.n_left)
    )


def _by_size(runs: tuple[Run, ...], sizes: np.ndarray) -> Panel:
    points = []
    for size in SIZES:
        shares = _share(sizes, sizes <= size)
        points.append(
            Point(
                x=size,
                y=mean(shares),
                runs=tuple((run, float(value)) for run, value in zip(runs, shares, strict=True)),
            )
        )
    return Panel(
        id="sizes",
        title="How often a fixed k would have been enough",
        x="k, in tokens",
        y="share of positions whose nucleus has at most k tokens",
        reading="A curve that climbs slowly over orders of magnitude: every k is too large at some positions and too "
        "small at others.",
        value="share of the text’s positions",
        curves=(Curve(name="all texts", points=tuple(points)),),
        log="x",
    )


NUCLEUS = Study(
    name="nucleus",
    title="The nucleus breathes",
    paper=Paper(
        authors="Holtzman, Buys, Du, Forbes and Choi",
        year=2020,
        title="The Curious Case of Neural Text Degeneration",
        arxiv="1904.09751",
        shows="Section 3: flat and peaked distributions alternate within a text, so that the number of tokens in the "
        "nucleus rises and falls with the model’s confidence, which no fixed k can follow.",
    ),
    observation="The smallest set of tokens with a given part of the probability has one token here and hundreds "
    "there, within one text; a fixed k is too large for some positions and too small for others.",
    recorded=f"The model goes on from the beginnings of passages of a book, {LENGTH} tokens each, sampled with top_p = "
    f"{TOP_P}, top_k off, at temperature 1. How many tokens top_p left at each step is recorded, not computed again.",
    claims=CLAIMS,
    parts=_parts,
    read=_read,
)
