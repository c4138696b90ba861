"""The soak and the fuzz, short: the server holds, and so does what says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.soak.record import Asked, Record, RunSeen
from tests.soak.server import Server
from tests.soak.site import Refused, changed
from tests.soak.visitor import Visitor

# What fills a machine lets the tests of the page go first that run beside it: those wait for what is to be seen.
AFTER_OTHERS = ["nice", "-n", "15"] if shutil.which("nice") else []
GREEDY = Asked(prompt="No. 7. Once", mode="greedy", given=(("max_new_tokens", 3),))


def rows_of(module: str, folder: Path, *arguments: str) -> dict[str, dict]:
    """The rows by name, and what was printed."""
    path = folder / "rows.json"
    done = subprocess.run(
        [*AFTER_OTHERS, sys.executable, "-m", module, "--json", str(path), *arguments], cwd=ROOT, capture_output=True,
        text=True, timeout=1200, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert path.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    print(done.stdout)
    return {row["name"]: row for row in json.loads(path.read_text())["rows"]}


@pytest.mark.slow
@pytest.mark.browser
def test_five_visitors_and_a_browser_for_twenty_seconds(lm, tmp_path):
    """What does not hang on how fast this machine is."""
    asked = ("--clients", "5", "--browsers", "1", "--minutes", "0.34", "--tokens", "8", "--sample", "4")
    rows = rows_of("tests.soak", tmp_path, *asked)
    for name in (
        "server errors", "runs and answers that were lost", "runs mixed up with another visitor's",
        "the server's process at the end", "runs that are the same recorded alone",
    ):  # fmt: skip
        assert rows[name]["met"] is True, rows[name]
    assert rows["step"]["met"] is not None


@pytest.mark.slow
def test_three_hundred_requests_of_junk_do_no_harm(lm, tmp_path):
    rows = rows_of("tests.fuzz", tmp_path, "--requests", "300")
    for name in (
        "answers with a stack trace", "of these, in our own handlers", "the server's process",
        "good requests that were answered right", "resident memory at the end, over that after a tenth",
    ):  # fmt: skip
        assert rows[name]["met"] is True, rows[name]


# --- what says so --------------------------------------------------------------------------------------------


def test_an_answer_to_somebody_elses_question_is_noticed():
    record = Record(0, 0.0)
    visitor = Visitor(None, None, record, 0, 0.0)
    visitor._judge(RunSeen(asked=GREEDY, prompt="No. 7. Once", text=" upon"))
    assert not record.mixed and not record.lost
    visitor._judge(RunSeen(asked=GREEDY, prompt="No. 8. Twice", text=" upon"))
    visitor._judge(RunSeen(asked=GREEDY))
    assert len(record.mixed) == 1 and len(record.lost) == 1


def test_half_of_the_questions_are_among_the_last_hundred_where_that_is_asked_for():
    for repeat in (0.0, 0.5):
        record = Record(3, repeat)
        asked = [record.next_question() for _ in range(1000)]
        n_again = sum(again for _, again in asked)
        assert abs(n_again - 1000 * repeat) < 60
        assert len({question for question, _ in asked}) == 1000 - n_again


def test_changes_are_applied_as_the_page_does():
    value = {"props": {"lines": "ab", "data": [1, 2]}}
    changes = [["append", ["props", "lines"], "c"], ["replace", ["props", "data", 0], 5], ["add", ["props", "x"], 1],
               ["delete", ["props", "data", 1], None]]  # fmt: skip
    assert changed(value, changes) == {"props": {"lines": "abc", "data": [5], "x": 1}}
    assert changed("ab", [["append", [], "c"]]) == "abc"


@pytest.mark.parametrize("told", ["The model's queue is full: 64 runs wait already", "top_p must be in (0, 1]"])
def test_what_the_page_says_went_wrong_is_no_answer(told):
    record, run = Record(0, 0.0), RunSeen(asked=GREEDY)
    visitor = Visitor(None, None, record, 0, 0.0)
    visitor._take(run, {"message": {"data": json.dumps({"kind": "note", "text": "Stopped"})}})
    assert run.told == ""
    visitor._take(run, {"message": {"data": json.dumps({"kind": "error", "text": told})}})
    if "queue" in told:  # it may be asked again
        with pytest.raises(Refused):
            visitor._ended(run)
        assert record.lost == []
    else:
        visitor._ended(run)
        assert told in record.lost[0]
    assert record.runs == [] and record.mixed == []


def test_faults_in_a_log_are_found(tmp_path):
    server = Server(tmp_path)
    server.log.write_text(
        "Traceback (most recent call last):\n  File x\n    y\nValueError: no\nfine\n12:00 ERROR app: a run failed\n"
    )
    assert server.faults() == ["ValueError: no", "12:00 ERROR app: a run failed"]
    assert server.faults(ours=True) == []
    server.log.write_text('Traceback (most recent call last):\n  File "app/handlers/runs.py", line 3\nKeyError: 1\n')
    assert server.faults(ours=True) == ["KeyError: 1"]
    server.log.write_text('{"level": "info", "event": "run"}\n{"level": "error", "event": "a run failed"}\n')
    assert server.faults() == ['{"level": "error", "event": "a run failed"}']


def test_a_log_without_a_fault_has_none(tmp_path):
    server = Server(tmp_path)
    server.log.write_text("")
    assert server.faults() == server.faults(ours=True) == []
