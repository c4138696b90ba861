"""The table of bounds: what the environment may say, and that the documents say the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving.bounds import TABLE, Bounds, table_in_words
from app.serving.environment import Environment
from app.serving.limits import NONE, limits_of
from decoding.errors import DecodingError
from tests.conftest import ROOT

PUBLIC, OWN = Bounds.read(public=True, environment={}), Bounds.read(public=False, environment={})


def test_the_page_for_everyone_has_a_bound_in_every_row():
    assert all(getattr(PUBLIC, bound.name) == bound.public for bound in TABLE)
    assert min(bound.public for bound in TABLE) >= 1


def test_a_run_on_ones_own_machine_has_none_and_its_requests_have():
    assert limits_of(OWN) == NONE
    assert {bound.name for bound in TABLE if bound.own is not None} == {bound.name for bound in TABLE if bound.always}
    assert OWN.body_bytes == PUBLIC.body_bytes
    assert OWN.json_depth == PUBLIC.json_depth


@pytest.mark.parametrize("bound", TABLE, ids=lambda bound: bound.name)
def test_every_bound_is_set_by_a_variable_of_its_own(bound):
    for public in (True, False):
        read = Bounds.read(public=public, environment={bound.variable: " 7 "})
        assert getattr(read, bound.name) == 7
        assert sum(getattr(read, b.name) == 7 for b in TABLE) == 1


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "nan", "inf", "1e400", "9" * 30, "٣x"])
def test_a_value_that_is_none_is_refused_with_the_variable_its_range_and_the_remedy(text):
    with pytest.raises(DecodingError) as error:
        Bounds.read(public=True, environment={"DECODING_EXPLORER_ROWS": text})
    said = str(error.value)
    assert said.startswith("the variable DECODING_EXPLORER_ROWS must be a whole number from 1 on, or none, got ")
    assert "beams" in said
    assert "unset it" in said


def test_what_can_be_unbounded_is_by_none_and_what_cannot_is_not():
    assert Bounds.read(public=True, environment={"DECODING_EXPLORER_ROWS": "none"}).rows is None
    with pytest.raises(DecodingError, match="JSON_DEPTH must be a whole number from 1 on, got 'none'"):
        Bounds.read(public=True, environment={"DECODING_EXPLORER_JSON_DEPTH": "none"})


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PROXIES", "two", "whole number"),
        ("PROXIES", "-1", "whole number"),
        ("PROXIES", "99", "[0, 10]"),
        ("LOG", "xml", "json or text"),
        ("METRICS", "yes", "at least 16"),
    ],
)
def test_how_a_server_is_run_is_checked_too(variable, value, words):
    name = f"DECODING_EXPLORER_{variable}"
    with pytest.raises(DecodingError) as error:
        Environment.read(public=True, environment={name: value})
    assert name in str(error.value)
    assert words in str(error.value)


def test_a_space_has_one_proxy_and_its_numbers_are_closed():
    space = Environment.read(public=True, environment={"SPACE_ID": "someone/explorer"})
    assert (space.proxies, space.log, space.metrics) == (1, "json", "")
    assert Environment.read(public=False, environment={}).proxies == 0


@pytest.mark.parametrize("command", [["app/space.py"], ["-m", "app", "serve", "--no-browser", "--port", "0"]])
def test_a_wrong_variable_ends_the_program_at_its_start(command):
    environment = {**os.environ, "DECODING_EXPLORER_BODY_BYTES": "two megabytes"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if "BODY_BYTES" in line]
    assert "must be a whole number from 1 on, got 'two megabytes'" in line
    assert "Traceback" not in done.stderr


def test_the_documents_have_the_table():
    assert table_in_words() in (ROOT / "SERVING.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    for bound in TABLE:
        assert f"  {bound.variable} " in done.stdout
        assert bound.of in done.stdout


def test_no_bound_stands_elsewhere():
    """The numbers that were spread over the code are rows of the table: whoever looks for them finds the rows."""
    names = ("QUEUE =", "LONGEST_RUN =", "LONGEST_SETTINGS =", "LONGEST_PROMPT =", '"64mb"', "LARGEST_FILE =")
    found = [
        (path.name, name)
        for path in Path(ROOT / "app").rglob("*.py")
        for name in names
        if name in path.read_text(encoding="utf-8")
    ]
    assert found == []
