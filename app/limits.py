"""`Limits`: what one run may take on a server that many share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decoding.errors import PromptError, SettingError

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["NONE", "PUBLIC", "Limits"]

REMEDY = "the Python library, on a machine of your own, takes more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one run; None is no bound.

    Attributes:
        rows: `num_beams`, `num_return_sequences`, and what all prompts come to with them; contrastive search weighs
            `top_k` continuations at once, which count like rows.
        new_tokens: of each row.
        positions: rows × tokens of the prompt: the first step computes them all and cannot be stopped half-way.
    """

    rows: int | None = None
    new_tokens: int | None = None
    positions: int | None = None

    def check(self, values: Mapping[str, Any], *, n_prompts: int = 1, length: int = 0) -> None:
        """Returns if a run with these parameters keeps within the bounds.

        Args:
            values: by their names in `KNOBS`; those left out are at transformers' defaults.
            n_prompts: prompts in the batch.
            length: tokens of the longest prompt.

        Raises:
            SettingError: a parameter is beyond its bound.
            PromptError: the prompts are too many or too long together.
        """
        rows = 1
        names = ["num_beams", "num_return_sequences", *(["top_k"] if values.get("penalty_alpha") else [])]
        for name in names:
            rows = max(rows, values.get(name) or 1)
            self._check_one(name, values.get(name), self.rows)
        for name in ("max_new_tokens", "max_length"):
            if name == "max_new_tokens" or values.get("max_new_tokens") is None:
                self._check_one(name, values.get(name), self.new_tokens)
        if self.rows is not None and n_prompts * rows > self.rows:
            raise PromptError(
                f"{n_prompts} prompts with {rows} rows each make {n_prompts * rows} rows, and at "
                f"most {self.rows} are taken here; ask for fewer; {REMEDY}"
            )
        if self.positions is not None and n_prompts * rows * length > self.positions:
            raise PromptError(
                f"{n_prompts * rows} rows of {length:,} prompt tokens make {n_prompts * rows * length:,}, and at most "
                f"{self.positions:,} are taken here; shorten the prompt or use fewer beams; {REMEDY}"
            )

    def check_trace(self, trace: Trace) -> None:
        """Returns if running a trace again, or on from one of its steps, keeps within the bounds.

        Raises:
            As `check`.
        """
        values = {**trace.generation_config, "max_new_tokens": trace.most_new_tokens}
        self.check(values, n_prompts=trace.n_prompts, length=trace.prompt_ids.shape[1])

    @staticmethod
    def _check_one(name: str, value: Any, most: int | None) -> None:
        if most is not None and isinstance(value, int) and value > most:
            raise SettingError(name, value, f"at most {most} here", REMEDY)


NONE = Limits()
PUBLIC = Limits(rows=16, new_tokens=512, positions=32_768)
