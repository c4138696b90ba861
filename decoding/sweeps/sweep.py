"""A sweep on one machine: the plan's batches, recorded one after the other into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from decoding.errors import DecodingError, RecordingError
from decoding.files.compact import compact
from decoding.models.load import LanguageModel
from decoding.models.prompts import Prompt
from decoding.record import record, stream
from decoding.recorded.run import RecordedRun
from decoding.recorder import Recorder
from decoding.sweeps.folder import Folder
from decoding.sweeps.plan import Batch, Plan
from decoding.sweeps.rows import Row, failed_rows, rows_of

__all__ = ["Progress", "record_batch", "still_to_do", "sweep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a sweep is.

    Attributes:
        batch: that has just been kept; None before the first.
        n_done, n_batches: batches kept, and of the plan.
        n_rows: rows kept of this batch; before the first, those that were there already.
        n_failed: of them without a run.
    """

    batch: Batch | None
    n_done: int
    n_batches: int
    n_rows: int = 0
    n_failed: int = 0


def sweep(
    plan: Plan,
    lm: LanguageModel,
    output: str | os.PathLike[str],
    *,
    on_batch: Callable[[Progress], None] = lambda progress: None,
) -> str:
    """Records what is still to be recorded of a plan; the path of the table of all its runs.

    Broken off anywhere and called again it goes on with the first batch that is not there, and gives the same rows.

    Example:
        >>> import tempfile
        >>> from decoding import load_model
        >>> from decoding.sweeps import Plan, grid, sweep
        >>> cells = grid({"top_p": [0.5, 0.9]}, {"do_sample": True, "max_new_tokens": 3})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sweep(Plan(prompts=("The sea is",), cells=cells), load_model(), folder).endswith("runs.parquet")
        True

    Args:
        plan: see there.
        lm: the model that it names.
        output: a folder, or an address that fsspec knows (`s3://bucket/out`, `memory://out`).
        on_batch: called before the first batch and after each.

    Raises:
        SettingError: the folder holds another plan's runs.
        DecodingError: it cannot be written. A batch that cannot be recorded does not end a sweep: its rows say why.
    """
    folder = Folder(output)
    folder.take(plan)
    todo, progress = still_to_do(plan, folder)
    on_batch(progress)
    for n_done, batch in enumerate(todo, start=progress.n_done + 1):
        rows = record_batch(plan, batch, lm, folder)
        n_failed = sum(row["error"] is not None for row in rows)
        on_batch(Progress(batch=batch, n_done=n_done, n_batches=len(plan.batches), n_rows=len(rows), n_failed=n_failed))
    return folder.finish()


def still_to_do(plan: Plan, folder: Folder) -> tuple[list[Batch], Progress]:
    """The batches that are not in a folder yet, and how far it is."""
    done = folder.done()
    todo = [batch for batch in plan.batches if batch.index not in done]
    n_rows = plan.n_rows - sum(batch.n_rows for batch in todo)
    n_batches = len(plan.batches)
    return todo, Progress(batch=None, n_done=n_batches - len(todo), n_batches=n_batches, n_rows=n_rows)


def record_batch(plan: Plan, batch: Batch, lm: LanguageModel, folder: Folder) -> list[Row]:
    """Records a batch, keeps its runs and rows, and gives these back.

    A prompt that cannot be recorded is left out of the batch, and its rows say why.
    """
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    run, prompts, rows = _recorded(plan, batch, lm)
    form = None
    if run is not None:
        small = _compact(run)
        rows = rows + rows_of(plan, batch, prompts, run, small, folder.trace_of(batch))
        form = small if plan.compact and small is not None else run
    folder.keep(plan, batch, rows, form)
    return rows


def _recorded(plan: Plan, batch: Batch, lm: LanguageModel) -> tuple[RecordedRun | None, tuple[int, ...], list[Row]]:
    """The run of a batch, the prompts that are in it, and rows that say why others are not.

    Preparing a run for each prompt alone takes longer than decoding; it is done where the batch was refused.
    """
    settings = plan.settings_of(batch)
    try:
        return record(lm, _texts(plan, batch.prompts), settings), batch.prompts, []
    except DecodingError as error:
        why = error
    asked = {prompt: _refusal(plan, batch, prompt, lm) for prompt in batch.prompts}
    failed = [
        row
        for prompt, refusal in asked.items()
        if refusal is not None
        for row in failed_rows(plan, batch, (prompt,), refusal)
    ]
    prompts = tuple(prompt for prompt, refusal in asked.items() if refusal is None)
    if failed and prompts:
        try:
            return record(lm, _texts(plan, prompts), settings), prompts, failed
        except DecodingError as error:
            why = error
    return None, (), failed + failed_rows(plan, batch, prompts, why)


def _refusal(plan: Plan, batch: Batch, prompt: int, lm: LanguageModel) -> DecodingError | None:
    """Why a prompt cannot be recorded under a batch's settings, as far as that is known beforehand."""
    try:
        stream(lm, _texts(plan, (prompt,)), plan.settings_of(batch), Recorder()).close()
    except DecodingError as error:
        return error
    return None


def _texts(plan: Plan, prompts: tuple[int, ...]) -> Prompt:
    return [plan.prompts[i] for i in prompts]  # type: ignore[return-value]


def _compact(run: RecordedRun) -> RecordedRun | None:
    try:
        return compact(run)
    except RecordingError:  # some runs have no compact form; they are kept whole
        return None
