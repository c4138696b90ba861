"""Who runs which test when several processes share them: `pytest -n 2`, as `make test` calls it."""

from __future__ import annotations

import zlib

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

__all__ = ["Schedule"]

PAGE = "tests/page/"
PARTS = {"tests/test_calls_as_users_make_them.py": 12}
"""Files without fixtures worth sharing that would keep one worker busy while the other has nothing left."""
COMPILES = "Outlines"
"""In the names of tests that have torch compile the same function: seconds, once a process."""


class Schedule(LoadScopeScheduling):
    """A file stays with one worker, so that its models and servers are made once.

    The first worker begins with the page, the others with all else: while there is enough to do, one Chromium and
    one server are up, and their waiting costs nobody.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the largest is not the longest

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        if parts := PARTS.get(file):
            return f"{file}/{0 if COMPILES in name else zlib.crc32(name.encode()) % parts}"
        return file

    def _assign_work_unit(self, node: WorkerController) -> None:
        with_page = node is next(iter(self.assigned_work))
        fits = (scope for scope in self.workqueue if scope.startswith(PAGE) is with_page)
        if scope := next(fits, None):
            self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)
