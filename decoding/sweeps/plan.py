"""A sweep's plan: what is to be recorded, in which batches, with which seeds. All else follows from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from decoding.errors import PromptError, SettingError
from decoding.models.prompts import Prompt
from decoding.parameters.settings import Settings

__all__ = ["Batch", "Plan"]

VERSION = 1
ROWS_PER_BATCH = 32
GREATEST_SEED = 2**63 - 1
RANGES = {"samples": (1, 10_000), "rows_per_batch": (1, 100_000), "seed": (0, GREATEST_SEED), "threads": (1, 1024)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some of a plan's prompts under one of its settings: what is recorded, and kept, at a time.

    Attributes:
        index: in the plan's batches, from 0.
        cell: in the plan's settings, from 0.
        prompts: in the plan's prompts, from 0.
        samples: of each prompt.
        seed: of its draws.
    """

    index: int
    cell: int
    prompts: tuple[int, ...]
    samples: int
    seed: int

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return len(self.prompts) * self.samples


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep records: every prompt under each of some settings, several times where they draw.

    Which prompts share a batch, and the seed of each batch, follow from the plan alone. So a row does not depend on how
    many workers there were, nor on where a sweep was broken off. It does depend on `rows_per_batch`: rows that are
    computed together draw from one generator, and a model's last bits depend on the shape of its batch.

    Attributes:
        prompts: texts, or chats (lists of messages).
        cells: settings, without `seed` and `num_return_sequences`.
        samples: runs of each prompt under settings that draw, ≥ 1; under others there is one.
        seed: of the sweep, in [0, 2⁶³ − 1]; each batch draws from one of its own, made of this and its number.
        rows_per_batch: rows decoded together, ≥ 1; at least one prompt's samples, whatever it says.
        model, revision, dtype: as `load_model` takes them.
        threads: processor threads that compute a batch, ≥ 1; None for torch's own number. Another number may change
            a model's last bits, and so, now and then, a token.
        compact: whether the traces are kept in the compact form.
        axes: the parameters that the settings differ in, by name, for tables and charts.

    Raises:
        SettingError, PromptError: one of them is out of range or empty.
    """

    prompts: tuple[Prompt, ...]
    cells: tuple[Settings, ...]
    samples: int = 1
    seed: int = 0
    rows_per_batch: int = ROWS_PER_BATCH
    model: str = "smollm2-135m"
    revision: str | None = None
    dtype: str | None = None
    threads: int | None = None
    compact: bool = True
    axes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.prompts:
            raise PromptError("a sweep needs at least one prompt")
        if not self.cells:
            raise SettingError("grid", (), "at least one value", "name settings to try")
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if name == "threads" and value is None:
                continue
            if type(value) is not int or not least <= value <= most:
                raise SettingError(name, value, f"a whole number in [{least}, {most}]", f"e.g. {max(least, 1)}")
        for cell in self.cells:
            if cell.seed is not None or cell.num_return_sequences is not None:
                raise SettingError("grid", cell.given(), "settings without seed and num_return_sequences",
                                   "give the sweep its own seed and samples")  # fmt: skip

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """All batches, cell by cell; within a cell prompts of like length share one, so that little is padded."""
        order = sorted(range(len(self.prompts)), key=lambda i: (len(str(self.prompts[i])), i))
        kinds = [[i for i in order if isinstance(self.prompts[i], str) is text] for text in (True, False)]
        out: list[Batch] = []
        for number, cell in enumerate(self.cells):
            samples = self.samples if cell.mode in ("sample", "beam_sample") else 1
            size = max(1, self.rows_per_batch // (samples * (cell.num_beams or 1)))
            for kind in kinds:  # texts and chats are not recorded together
                for start in range(0, len(kind), size):
                    prompts, seed = tuple(kind[start : start + size]), self._seed_of(len(out))
                    out.append(Batch(index=len(out), cell=number, prompts=prompts, samples=samples, seed=seed))
        return tuple(out)

    def _seed_of(self, index: int) -> int:
        digest = hashlib.blake2b(f"{self.seed} {index}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") & GREATEST_SEED

    def settings_of(self, batch: Batch) -> Settings:
        """What a batch is recorded with."""
        return replace(
            self.cells[batch.cell], seed=batch.seed, num_return_sequences=batch.samples if batch.samples > 1 else None
        )

    @property
    def n_rows(self) -> int:
        """Rows of the table when all is done."""
        return sum(batch.n_rows for batch in self.batches)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` takes them back."""
        values = {name: value for name, value in asdict(self).items() if name not in ("cells", "prompts")}
        cells = [cell.to_json() for cell in self.cells]
        return {"version": VERSION, **json.loads(json.dumps(values)), "prompts": list(self.prompts), "cells": cells}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """A plan from `to_json`'s values.

        Raises:
            SettingError: it is none, or of a later version.
        """
        try:
            if values["version"] != VERSION:
                raise SettingError("plan", values["version"], f"version {VERSION}", "use the release that made it")
            given = {name: value for name, value in values.items() if name != "version"}
            cells = tuple(Settings.from_json(cell) for cell in given.pop("cells"))
            prompts, axes = tuple(given.pop("prompts")), tuple(given.pop("axes"))
            return cls(cells=cells, prompts=prompts, axes=axes, **given)
        except (KeyError, TypeError, AttributeError) as error:
            raise SettingError("plan", str(error), "a plan as a sweep writes it", "start in another folder") from error
