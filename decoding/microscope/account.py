"""Any stage of a trace's step, or its choice, under the microscope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.microscope.beam_step import BeamInput, beam_account, running_scores
from decoding.microscope.op import Account
from decoding.microscope.processors import Context
from decoding.microscope.selection import contrastive_account, drawn_account, greedy_account
from decoding.microscope.stage import stage_account
from decoding.parameters.knobs import BEAM_MODES
from decoding.recorded.ledger import Ledger
from decoding.recorded.run import RecordedRun
from decoding.recorded.stages import LOG_SOFTMAX
from decoding.whatif.whatif import WhatIf

__all__ = ["account_of"]

DIVERSE = "group_beam_search"
DIVERSE_FILE = "decoding/strategies/diverse_beam.py"


def account_of(
    trace: RecordedRun,
    *,
    step: int,
    row: int,
    stage: int,
    token_id: int | None = None,
    whatif: WhatIf | None = None,
    scores: Sequence[Tensor] | None = None,
) -> Account | None:
    """A stage of a step, operation by operation; None for a choice that cannot be told without the model.

    Args:
        step, row: of the trace.
        stage: from 1; one more than there are stages for the choice itself.
        token_id: the token in view.
        whatif: other settings of the trace, or None for the recorded ones.
        scores: the row's scores before the first stage and after each, where they are at hand.

    Raises:
        NotRecordedError: there is no such step, row or stage, or it was lost.
    """
    recorded = trace.steps[step]
    if scores is None:
        scores = recorded.all_scores(row=row) if whatif is None else whatif.all_scores(step=step, row=row)
    stages = recorded.stages if whatif is None else whatif.stages
    if not 1 <= stage <= len(stages) + 1:
        raise NotRecordedError(
            "stage must be in [1, {n_stages}], got {stage}; the last is the choice",
            n_stages=len(stages) + 1, stage=stage,
        )
    if stage > len(stages):
        return _choice(trace, step, row, token_id, whatif, scores[-1])
    exact = None if recorded.exact else recorded.exact_ids(row)
    context = _context(trace, step, row)
    account = stage_account(stages[stage - 1], scores[stage - 1], scores[stage], context, token_id, exact)
    if stages[stage - 1].name == LOG_SOFTMAX and trace.mode == DIVERSE:
        return replace(account, source="diverse_beam", file=DIVERSE_FILE)
    return account


def _context(trace: RecordedRun, step: int, row: int) -> Context:
    if trace.model.is_encoder_decoder:
        read = trace.encoder_ids
        encoder_ids = None if read is None else read[row // trace.rows_per_prompt][None]
    else:
        encoder_ids = trace.prompt_ids[row][None]
    chosen_before = None
    if trace.mode == DIVERSE:
        first = row - row % trace.rows_per_prompt
        size = trace.rows_per_prompt // int(trace.generation_config["num_beam_groups"])
        ids = trace.steps[step].token_ids[first : row - row % size]
        chosen_before = torch.tensor(ids, dtype=torch.long)
    return Context(
        input_ids=trace.prefix(step, row)[None], encoder_ids=encoder_ids, row=row, chosen_before=chosen_before
    )


def _choice(
    trace: RecordedRun, step: int, row: int, token_id: int | None, whatif: WhatIf | None, scores: Tensor
) -> Account | None:
    mode = trace.mode if whatif is None else whatif.mode
    recorded = trace.steps[step]
    exact = None if recorded.exact else recorded.exact_ids(row)
    same = whatif is None and not recorded.ended[row]
    if mode in BEAM_MODES:
        return None if trace.ledger is None else _beams(trace, step, row, token_id, whatif, mode)
    if mode == "contrastive_search":
        weighed = recorded.contrastive
        if not weighed or not same:
            return None
        return contrastive_account(scores, weighed[row], float(trace.generation_config["penalty_alpha"]), token_id)
    of_this_mode = same and trace.mode == mode
    taken = recorded.token_ids[row] if of_this_mode else None
    if mode == "sample":
        return drawn_account(scores, taken, token_id, exact)
    return greedy_account(scores, taken, token_id, exact)


def _beams(
    trace: RecordedRun, step: int, row: int, token_id: int | None, whatif: WhatIf | None, mode: str
) -> Account | None:
    """The step of the row's prompt; in diverse beam search that of the row's group."""
    ledger, diverse = cast(Ledger, trace.ledger), trace.mode == DIVERSE
    n_groups = int(trace.generation_config["num_beam_groups"]) if diverse else 1
    size, prompt = ledger.n_beams // n_groups, row // ledger.n_beams
    group = row % ledger.n_beams // size
    first = prompt * ledger.n_beams + group * size
    rows = range(first, first + size)
    of = trace if whatif is None else whatif
    candidates = ledger.candidates(step, prompt) if whatif is None else ()
    if diverse and whatif is None:
        candidates = tuple(c for c in candidates if c.group == group)
        if not candidates:  # the group's search was over
            return None
    given = BeamInput(
        log_probs=torch.stack([of.scores(step=step, row=r) for r in rows]),
        running=running_scores(ledger, step, prompt, group, n_groups),
        prefixes=torch.stack([trace.prefix(step, r) for r in rows]),
        candidates=candidates,
        n_candidates=ledger.steps[step]["parent"].shape[1] // n_groups,
        first_row=first,
        sampled=mode == "beam_sample",
        diverse=diverse,
    )
    return beam_account(given, None if token_id is None else (row, token_id))
