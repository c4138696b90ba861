"""The samplers of other engines that a recorded run had, made anew from what is in its trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from decoding.recorded.run import Fork, RecordedRun
from decoding.samplers.chain import Chain, chain_of
from decoding.samplers.remembering import RemembersTheDraw
from decoding.samplers.xtc import XTCLogitsWarper

__all__ = ["chain_of_run", "chance_seed", "go_on_after", "padding_of", "resumed"]


def chain_of_run(run: RecordedRun, tokenizer: Any = None) -> Chain:
    """The processors that the run had of its parameters, each in the state in which it began.

    Args:
        tokenizer: for DRY's breakers, where they are more than a character.

    Raises:
        SettingError: these need a tokenizer.
    """
    chain = chain_of(
        run.generation_config, {}, tokenizer=tokenizer, table=run.tokens, pad_token_id=padding_of(run),
        seed=chance_seed(run),
    )  # fmt: skip
    resumed(chain.processors, run, 0)
    return chain


def padding_of(run: RecordedRun) -> int | None:
    """The token that its prompts were padded with, or None where they were not."""
    return None if bool((run.prompt_mask == 1).all()) else run.generation_config.get("pad_token_id")


def chance_seed(run: RecordedRun) -> int | None:
    """The seed of XTC's chance: the recorded one, else the run's; None where it has none."""
    recorded = (stage.params.get("seed") for stage in run.stages if stage.name == XTCLogitsWarper.__name__)
    return next((seed for seed in recorded if isinstance(seed, int)), run.seed)


def resumed(processors: Iterable[Any], run: RecordedRun, step: int, rows: list[int] | None = None) -> None:
    """Puts those of some processors that have a state into the one that they had at a step of the run.

    Args:
        rows: of the run; all where left out.
    """
    remembering = [processor for processor in processors if isinstance(processor, RemembersTheDraw)]
    if not remembering or step >= len(run.steps):
        return
    rows = list(range(run.n_rows)) if rows is None else rows
    left = run.steps[step].left
    said = {row: run.steps[step].sampler_facts(row=row) for row in rows if not left or not left[row]}
    for processor in remembering:
        where = [i for i, stage in enumerate(run.stages) if stage.name == type(processor).__name__ and not stage.own]
        if where and len(said) == len(rows):
            processor.resume(torch.tensor([_state(processor, said[row][where[0]]) for row in rows]))


def go_on_after(chain: Chain, run: RecordedRun, where: Fork) -> None:
    """Puts those of the processors that have a state into the one that the fork's token leaves them in.

    A compact trace has not kept the scores that this takes; from one of these they begin anew.
    """
    if run.compact is not None:
        return
    resumed(chain.processors, run, where.step, [where.row])
    if where.token_id is None:
        return
    for processor in chain.processors:
        names = [stage.name for stage in run.stages]
        if isinstance(processor, RemembersTheDraw) and type(processor).__name__ in names:
            before = run.steps[where.step].scores(row=where.row, stage=names.index(type(processor).__name__))
            processor(run.prefix(where.step, where.row)[None], before[None])
            processor.resume(processor.after(torch.tensor([where.token_id])))


def _state(processor: RemembersTheDraw, said: Mapping[str, float]) -> list[float]:
    return [said.get(name, 0.0) for name in processor.STATE]
