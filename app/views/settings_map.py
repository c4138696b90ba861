"""A map of settings: what each temperature and each top_p would have left at a step, or all along the recorded run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers.generation import LogitNormalization, TemperatureLogitsWarper, TopPLogitsWarper

from decoding.errors import NotRecordedError
from decoding.reading.engine_orders import SAMPLERS
from decoding.reading.settings_map import SettingsMap, is_fast, settings_map
from decoding.recorded.stages import Stage, stages_of

from ..whatif import NOT_SCORES, ROWS_ONLY

if TYPE_CHECKING:
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["TEMPERATURES", "TOP_PS", "MapReading", "Now", "others", "setting_in_force", "why_not"]

TEMPERATURES = tuple(round(0.1 * i, 1) for i in range(1, 21))
TOP_PS = tuple(round(0.05 * i, 2) for i in range(1, 21))
PROBE = {"do_sample": True, "temperature": 0.5, "top_p": 0.5}  # both processors are built, whose places are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The setting in force, and the cell that is nearest to it.

    Attributes:
        temperature, top_p: as they act.
        line, column: of the map.
        exact: the cell is just this setting.
    """

    temperature: float
    top_p: float
    line: int
    column: int
    exact: bool


def setting_in_force(acting: WhatIf) -> Now | None:
    """Where the map's reader stands; None where nothing is sampled."""
    if acting.mode != "sample":
        return None
    temperature = 1.0 if acting.config.temperature is None else acting.config.temperature
    top_p = 1.0 if acting.config.top_p is None else acting.config.top_p
    line = min(range(len(TEMPERATURES)), key=lambda i: abs(TEMPERATURES[i] - temperature))
    column = min(range(len(TOP_PS)), key=lambda i: abs(TOP_PS[i] - top_p))
    exact = (TEMPERATURES[line], TOP_PS[column]) == (temperature, top_p)
    return Now(temperature=temperature, top_p=top_p, line=line, column=column, exact=exact)


def others(acting: WhatIf) -> tuple[tuple[str, str], ...]:
    """All settings but those that the map varies, and those of no score: two what-ifs that agree here have one map."""
    left_out = {*PROBE, *NOT_SCORES, *ROWS_ONLY}
    return tuple(sorted((n, repr(v)) for n, v in acting.settings.given().items() if n not in left_out))


def why_not(trace: Trace, acting: WhatIf, *, whole: bool) -> str:
    """Why there is no map: `beams`, `contrastive`, `order` (the temperature comes after top-p, or there is none),
    `prefix` (a rule looks at more than scores), `slow`; "" for none.

    Args:
        whole: of the whole run; where other rules act it would take minutes.
    """
    if "contrastive_search" in (trace.mode, acting.mode):
        return "contrastive"
    if trace.ledger is not None or acting.mode not in ("greedy", "sample"):
        return "beams"
    probe = _probe(trace, acting)
    kinds = [type(rule) for rule in probe.processors]
    if TemperatureLogitsWarper not in kinds or kinds.index(TemperatureLogitsWarper) > kinds.index(TopPLogitsWarper):
        return "order"
    rules = _Rules.of(probe)
    if not all(stage.name in SAMPLERS for stage in stages_of((*rules.between, *rules.after))):
        return "prefix"
    return "slow" if whole and not rules.is_fast else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """What runs beside temperature and top-p.

    Attributes:
        n_before: processors before the temperature.
        between, after: those between the two, and after top-p.
        least: tokens that top-p keeps in any case.
    """

    n_before: int
    between: tuple[Any, ...]
    after: tuple[Any, ...]
    least: int

    @classmethod
    def of(cls, probe: WhatIf) -> _Rules:
        """Those of settings with both."""
        # Normalised logits make the same distribution.
        rules = [rule for rule in probe.processors if type(rule) is not LogitNormalization]
        kinds = [type(rule) for rule in rules]
        at, top_p = kinds.index(TemperatureLogitsWarper), kinds.index(TopPLogitsWarper)
        return cls(
            n_before=at, between=tuple(rules[at + 1 : top_p]), after=tuple(rules[top_p + 1 :]),
            least=rules[top_p].min_tokens_to_keep,
        )  # fmt: skip

    @property
    def is_fast(self) -> bool:
        return is_fast(self.between, self.after)


class MapReading:
    """A map, read step by step; arrays are [temperatures, top_ps], of `TEMPERATURES` and `TOP_PS`.

    Args:
        acting: the settings in force; all of them but temperature and top_p stay.
        step: the only one to be read; None for all of the row.

    Attributes:
        steps: those to be read.
        n_read, n_lost: of these, how many were, and how many had lost their scores.
    """

    def __init__(self, trace: Trace, row: int, acting: WhatIf, step: int | None) -> None:
        self._trace, self._row, self._probe = trace, row, _probe(trace, acting)
        going = tuple(each.index for each in trace.steps if not each.ended[row])
        self.steps = tuple(each for each in going if step in (None, each))
        self._rules = _Rules.of(self._probe)
        self.n_read = self.n_lost = 0
        self._line = 0  # of the step that is being read, where that takes long
        shape = len(TEMPERATURES), len(TOP_PS)
        self._left, self._entropy = np.zeros(shape), np.zeros(shape)
        self._survive, self._parts = np.zeros(shape, dtype=np.int64), np.full(shape, -1)
        self._reading = Lock()

    @property
    def is_whole(self) -> bool:
        """Every step has been read."""
        return self.n_read + self.n_lost == len(self.steps)

    @property
    def share(self) -> float:
        """How much of it has been read, in [0, 1]."""
        done = self.n_read + self.n_lost + self._line / len(TEMPERATURES)
        return done / len(self.steps) if self.steps else 1.0

    @property
    def n_left(self) -> np.ndarray:
        """Tokens that are left; of several steps their mean."""
        return self._left / max(1, self.n_read)

    @property
    def entropy(self) -> np.ndarray:
        """Entropy in nats; of several steps its mean."""
        return self._entropy / max(1, self.n_read)

    @property
    def n_survive(self) -> np.ndarray:
        """At how many of the steps read the recorded token is still possible."""
        return self._survive

    @property
    def parts_at(self) -> np.ndarray:
        """The first step at which it is not, from 0; −1 where it always is."""
        return self._parts

    @property
    def is_exact(self) -> bool:
        """Of a compact recording only the likeliest tokens are exact; the others stand for their part."""
        return self._trace.compact is None

    @property
    def kept(self) -> tuple[Stage, ...]:
        """The stages of the other settings."""
        varied = (TemperatureLogitsWarper.__name__, TopPLogitsWarper.__name__)
        return tuple(stage for stage in self._probe.stages if stage.name not in varied)

    def read_on(self, seconds: float) -> None:
        """Reads on, until so much time has passed: a step, or at least a line of one where other rules act."""
        until = time.monotonic() + seconds
        with self._reading:
            while not self.is_whole:
                self._read(self.steps[self.n_read + self.n_lost])
                if time.monotonic() > until:
                    return

    def _read(self, step: int) -> None:
        rules, all_lines = self._rules, len(TEMPERATURES)
        lines = slice(0, all_lines) if rules.is_fast else slice(self._line, self._line + 1)
        try:
            scores = self._probe.before(rules.n_before, step=step, row=self._row)
        except NotRecordedError:
            self.n_lost += 1
            return
        found = settings_map(
            scores, self._trace.steps[step].token_ids[self._row], TEMPERATURES[lines], TOP_PS, between=rules.between,
            after=rules.after, least=rules.least,
        )  # fmt: skip
        self._add(found, lines, step)
        self._line = 0 if lines.stop == all_lines else lines.stop
        self.n_read += self._line == 0

    def _add(self, found: SettingsMap, lines: slice, step: int) -> None:
        survives, parts = found.survives.numpy(), self._parts[lines]
        self._left[lines] += found.n_left.numpy()
        self._entropy[lines] += np.nan_to_num(found.entropy_nats.numpy())
        self._survive[lines] += survives
        self._parts[lines] = np.where(~survives & (parts < 0), step, parts)


def _probe(trace: Trace, acting: WhatIf) -> WhatIf:
    """The settings in force, sampled with: greedy ones cut nothing off."""
    return trace.whatif(replace(acting.settings, **PROBE))
