"""`Limits`: what one run may take on a server that many share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from decoding.errors import PromptError, SettingError
from decoding.parameters.acting import acting
from decoding.parameters.settings import mode_of
from decoding.words import words

if TYPE_CHECKING:
    from decoding.trace import Trace

    from .step_order import Share

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
        seconds: that its steps may take together; it is broken off after that.
    """

    rows: int | None = None
    new_tokens: int | None = None
    positions: int | None = None
    seconds: float | None = None

    def are_over(self, share: Share) -> bool:
        """Whether a run has had as much of the model's time as it may."""
        return self.seconds is not None and share.seconds > self.seconds

    def check(
        self,
        given: Mapping[str, Any],
        defaults: Mapping[str, Any] = MappingProxyType({}),
        *,
        n_prompts: int = 1,
        length: int = 0,
    ) -> None:
        """Returns if a run with the parameters that act keeps within the bounds.

        Args:
            given: the parameters given, by their names in `KNOBS`.
            defaults: the model's own, see `acting.model_defaults`; they act where nothing was given, and
                transformers' after them.
            n_prompts: prompts in the batch.
            length: tokens of the longest prompt.

        Raises:
            SettingError: a parameter is beyond its bound.
            PromptError: the prompts are too many or too long together.
        """
        values = acting(defaults, given)
        contrastive = mode_of(values) == "contrastive_search"
        rows = 1
        for name in ("num_beams", "num_return_sequences", *(["top_k"] if contrastive else [])):
            rows = max(rows, values.get(name) or 1)
            self._check_one(name, values.get(name), self.rows, name in given)
        length_limit = "max_length" if values.get("max_new_tokens") is None else "max_new_tokens"
        self._check_one(length_limit, values.get(length_limit), self.new_tokens, length_limit in given)
        if self.rows is not None and n_prompts * rows > self.rows:
            raise PromptError(
                "{n_prompts} prompts with {rows} rows each make {all_rows} rows, and at most {most} are taken "
                "here; ask for fewer; {remedy}",
                n_prompts=n_prompts, rows=rows, all_rows=n_prompts * rows, most=self.rows, remedy=REMEDY,
            )
        if self.positions is not None and n_prompts * rows * length > self.positions:
            raise PromptError(
                "{rows} rows of {length:,} prompt tokens make {tokens:,}, and at most {most:,} are "
                "taken here; shorten the prompt or use fewer beams; {remedy}",
                rows=n_prompts * rows, length=length, tokens=n_prompts * rows * length, most=self.positions,
                remedy=REMEDY,
            )

    def check_trace(self, trace: Trace, defaults: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Returns if running a trace again, or on from one of its steps, keeps within the bounds.

        Args:
            trace: the run; a file's may have been written by anyone.
            defaults: those of the model that is to run it.

        Raises:
            As `check`.
        """
        values = {**trace.generation_config, "max_new_tokens": trace.most_new_tokens}
        self.check(values, defaults, n_prompts=trace.n_prompts, length=trace.prompt_ids.shape[1])

    @staticmethod
    def _check_one(name: str, value: Any, most: int | None, given: bool) -> None:
        if most is not None and isinstance(value, int) and value > most:
            default = "that is a default, not what was given: give a smaller one; {remedy}"
            remedy = words(REMEDY) if given else words(default, remedy=REMEDY)
            raise SettingError(name, value, words("at most {most} here", most=most), remedy)


NONE = Limits()
PUBLIC = Limits(rows=16, new_tokens=512, positions=32_768, seconds=300.0)
