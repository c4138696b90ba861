"""The examples in the library's docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import types
from collections.abc import Iterator

import pytest

import decoding


def modules() -> Iterator[types.ModuleType]:
    for info in pkgutil.walk_packages(decoding.__path__, "decoding."):
        yield importlib.import_module(info.name)


EXAMPLES = [
    test for module in modules() for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_does_what_it_says(example: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not report, "".join(report)


def test_what_a_newcomer_calls_first_has_an_example() -> None:
    named = {test.name.rpartition(".")[2] for test in EXAMPLES}
    assert {"Settings", "record", "Recorder", "scores", "whatif", "verify"} <= named
