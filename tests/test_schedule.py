"""Two workers share the tests: a file stays with one, and one begins with the page."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace

import pytest

from tests.schedule import PARTS, Schedule

CALLS = "tests/test_calls_as_users_make_them.py"
FILES = ("tests/page/test_a.py", "tests/page/test_b.py", "tests/test_c.py", "tests/test_d.py", "tests/test_e.py")


class Worker:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices


@pytest.fixture
def schedule() -> Schedule:
    """As it stands when both workers have collected one test a file."""
    schedule = object.__new__(Schedule)
    tests = [f"{file}::test_it" for file in FILES]
    schedule.workqueue = OrderedDict((file, {test: False}) for file, test in zip(FILES, tests, strict=True))
    workers = Worker(), Worker()
    schedule.assigned_work = {worker: {} for worker in workers}
    schedule.registered_collections = dict.fromkeys(workers, tests)
    schedule.config = SimpleNamespace()
    return schedule


def test_the_first_worker_begins_with_the_page_and_the_second_with_all_else(schedule):
    first, second = schedule.assigned_work
    for _ in range(2):
        schedule._assign_work_unit(first)
        schedule._assign_work_unit(second)
    assert (first.given, second.given) == ([0, 1], [2, 3])


def test_who_has_nothing_of_its_own_left_helps_the_other(schedule):
    first, second = schedule.assigned_work
    for _ in range(4):
        schedule._assign_work_unit(second)
    schedule._assign_work_unit(first)
    assert (second.given, first.given) == ([2, 3, 4, 0], [1])


def test_a_file_stays_together_unless_it_is_in_parts(schedule):
    assert schedule._split_scope("tests/test_c.py::test_it[a::b]") == "tests/test_c.py"
    parts = {schedule._split_scope(f"{CALLS}::test_a_call[{n}]") for n in range(200)}
    assert parts == {f"{CALLS}/{part}" for part in range(PARTS[CALLS])}


def test_what_torch_compiles_is_compiled_by_one_worker(schedule):
    modes = ("greedy", "sample", "beam", "beam_sample")
    assert len({schedule._split_scope(f"{CALLS}::test_a_call[Outlines' processor-{mode}]") for mode in modes}) == 1
