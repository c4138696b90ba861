"""Calls as users make them: with a Recorder they give the same bits, or say why not before anything is decoded."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.formats import export
from decoding import NotRecordedError, RecordingError, Trace, VerifyError, load_trace, verify
from decoding.models.load import LanguageModel
from tests.conftest import OUTCOME
from tests.drop_in import arguments, criteria, defaults, models, packages, processors
from tests.drop_in.call import Call, compare, record_call
from tests.drop_in.inputs import TOKENIZER
from tests.drop_in.same import assert_same
from tests.schedule import COMPILES

CALLS: tuple[Call, ...] = (
    *criteria.CALLS,
    *processors.CALLS,
    *defaults.CALLS,
    *arguments.CALLS,
    *models.CALLS,
    *packages.CALLS,
)
FEWEST = 60


def marks_of(call: Call) -> list[pytest.MarkDecorator]:
    """`slow`, and what a call needs that is not installed."""
    absent = call.needs is not None and importlib.util.find_spec(call.needs) is None and not shutil.which(call.needs)
    skipped = [pytest.mark.skip(reason=f"{call.needs} is not installed; of packages requirements-drop-in.txt tells")]
    slow = call.slow or COMPILES in call.name
    return [*([pytest.mark.slow] if slow else []), *(skipped if absent else [])]


def cases(calls: tuple[Call, ...]) -> list[Any]:
    """Each call in each of its modes; all but one of them, another one from call to call, are `slow`."""
    return [
        pytest.param(
            call, mode, id=f"{call.name}-{mode}",
            marks=[*marks_of(call), *([pytest.mark.slow] if i != n % len(call.modes) else [])],
        )
        for n, call in enumerate(calls)
        for i, mode in enumerate(call.modes)
    ]  # fmt: skip


@pytest.fixture
def outcome_of(record_property, call: Call) -> Callable[[str], None]:
    """Tells what came of the call: the counts are shown when all have been made, by whichever worker."""
    return lambda what: record_property(OUTCOME, (call.name, what))


@pytest.mark.parametrize(("call", "mode"), cases(CALLS))
def test_a_call_gives_the_same_bits_or_is_refused_with_a_reason(call: Call, mode: str, outcome_of, tmp_path: Path):
    outcome = compare(call, mode)
    if outcome.trace is not None:
        assert_it_can_be_kept_and_shown(outcome.trace, tmp_path)
    outcome_of(outcome.what)


def assert_it_can_be_kept_and_shown(trace: Trace, folder: Path) -> None:
    """It is saved and opened, whole and compact, and exported in every form."""
    trace.save(folder / "run.trace")
    opened = load_trace(folder / "run.trace")
    for step in range(len(trace.steps)):
        for row in range(trace.n_rows):
            assert_same(opened.scores(step=step, row=row), trace.scores(step=step, row=row), f"step {step}, row {row}")
    with contextlib.suppress(RecordingError):  # it says that this run has no compact form
        trace.save(folder / "compact.trace", compact=True)
        load_trace(folder / "compact.trace")
    for name in ("run.html", "run.json", "run.csv"):
        export(opened, folder / name)
        assert (folder / name).stat().st_size > 0
    with contextlib.suppress(NotRecordedError):  # it says what no code can be written for
        export(opened, folder / "run.py")
    assert repr(trace).startswith("Trace of ")
    if trace.ledger is not None:
        assert trace.tree().number_of_nodes() > 1


@pytest.mark.slow
@pytest.mark.parametrize(("call", "mode"), cases(tuple(c for c in CALLS if c.refused is None and not c.slow)))
def test_verify_accuses_no_call(call: Call, mode: str):
    if mode in call.plain_fails:
        pytest.skip("plain generate() does not take this call")
    trace, request = record_call(call, mode)
    lm = LanguageModel(
        model=request.model, tokenizer=TOKENIZER, name="tiny", source="directory", revision=None, device="cpu",
        dtype=str(request.model.dtype).removeprefix("torch."),
    )  # fmt: skip
    for given in (request.verify, {}):
        try:
            with request.within():
                found = verify(trace, lm, **given)
        except VerifyError:
            assert not given, "it was given all that it needs"
        else:
            assert found.equal, found.text


def test_there_are_enough_calls():
    names = [call.name for call in CALLS]
    assert len(set(names)) == len(names)
    assert sum(call.refused is None and not call.plain_fails for call in CALLS) >= FEWEST
