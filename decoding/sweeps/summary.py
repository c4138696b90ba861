"""A sweep's table in short: of each setting the statistics' means with their intervals, some runs, and what failed.

The table is read once, a group of rows at a time, so a summary takes as much memory as there are settings, however many
runs there were.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from decoding.sweeps.plan import Plan
from decoding.sweeps.rows import STATISTICS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["OF_RUNS", "OF_STAGES", "CellSummary", "Estimate", "Summary", "summary_of"]

OF_RUNS = ("n_tokens", "logprob", "score", *STATISTICS, "self_bleu", "seconds")
OF_STAGES = ("n_left", "mass_removed")  # of each stage that cuts, as `n_left:TopPLogitsWarper`
MOST_RUNS = 2_000  # shown, of all settings together
MOST_OF_CELL = 24
MOST_FAILURES = 200
# The 0.975 quantile of Student's t for one, two and three degrees of freedom; from four on a series is near enough.
FIRST_T = (12.706204736432095, 4.302652729911275, 3.182446305284263)
Z = 1.959963984540054  # the normal distribution's


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean of a statistic under a setting, over prompts: of each prompt the mean of its samples.

    Attributes:
        mean: over the prompts.
        low, high: its 95 % confidence interval from Student's t, for prompts like these; None for a single prompt.
        n: prompts that have the statistic.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(slots=True)
class CellSummary:
    """One setting.

    Attributes:
        n_rows, n_failed: rows of the table, and of them without a run.
        estimates: by statistic; those that no run has are not there.
        runs: the first of its rows, by prompt and sample, as the table has them.
    """

    n_rows: int = 0
    n_failed: int = 0
    estimates: dict[str, Estimate] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A sweep.

    Attributes:
        plan: what was recorded.
        cells: of each of its settings.
        most_of_cell: runs that are told of each setting.
        failures: some of the rows without a run, as the table has them.
        reasons: how often each reason was given for a failure.
    """

    plan: Plan
    cells: tuple[CellSummary, ...]
    most_of_cell: int
    failures: tuple[dict[str, Any], ...]
    reasons: dict[str, int]

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return sum(cell.n_rows for cell in self.cells)

    @property
    def n_failed(self) -> int:
        """Rows without a run."""
        return sum(cell.n_failed for cell in self.cells)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Those that some setting has, in the order of the table."""
        found = {name: None for cell in self.cells for name in cell.estimates}
        return (*(name for name in OF_RUNS if name in found), *sorted(name for name in found if ":" in name))


def summary_of(plan: Plan, tables: Iterable[pyarrow.Table]) -> Summary:
    """The summary of a sweep.

    Args:
        tables: the rows of its table, group by group; the samples of a prompt under a setting are in one of them.
    """
    most = min(MOST_OF_CELL, MOST_RUNS // len(plan.cells))
    cells = tuple(CellSummary() for _ in plan.cells)
    sums = [_Sums() for _ in plan.cells]
    failures: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    for table in tables:
        for number in np.unique(table.column("cell").to_numpy()).tolist():
            rows = table.take(np.flatnonzero(table.column("cell").to_numpy() == number))
            there = rows.column("error").is_null().to_numpy()
            found = cells[number]
            found.n_rows, found.n_failed = found.n_rows + len(rows), found.n_failed + int((~there).sum())
            found.runs = sorted([*found.runs, *_first(rows, most).to_pylist()], key=_place)[:most]
            without = rows.filter(~there)
            reasons.update(without.column("error").to_pylist())
            failures += without.slice(0, max(0, MOST_FAILURES - len(failures))).to_pylist()
            sums[number].add(rows.filter(there))
    for cell, each in zip(cells, sums, strict=True):
        cell.estimates = each.estimates()
    return Summary(
        plan=plan, cells=cells, most_of_cell=most, failures=tuple(failures), reasons=dict(reasons.most_common())
    )


def t_quantile(n_free: int) -> float:
    """The 0.975 quantile of Student's t with `n_free` degrees of freedom, ≥ 1, right to a thousandth part.

    From four on the series of Fisher and Cornish 1960 in 1 / n_free, to its fourth term.
    """
    if n_free <= len(FIRST_T):
        return FIRST_T[n_free - 1]
    z, n = Z, n_free
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


class _Sums:
    """Number, mean and squared deviations of the prompts' means, by statistic; Chan et al. 1983 join two of them."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, float, float]] = {}

    def add(self, rows: pyarrow.Table) -> None:
        """Takes rows of further prompts, all of them with a run."""
        if len(rows) == 0:
            return
        prompts = rows.column("prompt").to_numpy()
        for name, values in _columns(rows).items():
            means = _means(prompts, values)
            if len(means):
                mean = float(means.mean())
                self._join(name, len(means), mean, float(((means - mean) ** 2).sum()))

    def estimates(self) -> dict[str, Estimate]:
        """What they come to."""
        return {name: _estimate(*sums) for name, sums in self._sums.items()}

    def _join(self, name: str, n: int, mean: float, squares: float) -> None:
        m, before, others = self._sums.get(name, (0, 0.0, 0.0))
        apart = mean - before
        both = before + apart * n / (n + m)
        self._sums[name] = (n + m, both, others + squares + apart * apart * n * m / (n + m))


def _estimate(n: int, mean: float, squares: float) -> Estimate:
    if n < 2:
        return Estimate(mean=mean, low=None, high=None, n=n)
    half = t_quantile(n - 1) * math.sqrt(squares / (n - 1) / n)
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n)


def _means(prompts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Per prompt the mean of its values; those that have none are left out."""
    there = np.isfinite(values)
    each, place = np.unique(prompts[there], return_inverse=True)
    return np.bincount(place, values[there], len(each)) / np.bincount(place, minlength=len(each))


def _columns(rows: pyarrow.Table) -> dict[str, np.ndarray]:
    """The statistics of rows by name, float64 [rows]; NaN where a row has none."""
    columns = {
        name: rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in OF_RUNS
        if name in rows.column_names
    }
    for i, stages in enumerate(rows.column("stages").to_pylist()):
        for stage in stages or ():
            for what in OF_STAGES if stage["cuts"] else ():
                column = columns.setdefault(f"{what}:{stage['stage']}", np.full(len(rows), np.nan))
                column[i] = math.nan if stage[what] is None else stage[what]
    return columns


def _first(rows: pyarrow.Table, n: int) -> pyarrow.Table:
    """The first rows by prompt and sample."""
    order = np.lexsort((rows.column("sample").to_numpy(), rows.column("prompt").to_numpy()))
    return rows.take(order[:n])


def _place(row: dict[str, Any]) -> tuple[int, int]:
    return row["prompt"], row["sample"]
