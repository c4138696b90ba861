"""`StoredRuns`: runs that were recorded before, on disk, so that the same question is not decoded again.

A run is found by asking exactly what it answers, and in no other way: a file's name is a digest of the question. The
prompt stands in the file, as in every trace, and nowhere else.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from decoding.errors import DecodingError
from decoding.trace import load_trace

from .bounds import bounds_here
from .passing_files import PassingFiles
from .step_order import let_others_first

if TYPE_CHECKING:
    from decoding.trace import Trace

    from .question import Question

__all__ = ["VARIABLE", "StoredRun", "StoredRuns", "stored_runs"]

log = logging.getLogger(__name__)

VARIABLE = "DECODING_EXPLORER_STORED_RUNS"
SHARE = 8  # a run that takes more than this part of them is not stored
MOST_WAITING = 8  # runs that are to be written; each is in memory until it is
WRITTEN = 2.0  # seconds that one who asks for such a run waits for it
OURS = re.compile(r"([0-9a-f]{64})\.trace(.*)")  # with something behind it, a file that was never finished
UNFINISHED = 3600.0  # seconds after which such a file is left over from a process that was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run that answers a question.

    Attributes:
        trace: the recording.
        recorded_at: when it was stored, in UTC; None for one that has just been recorded.
    """

    trace: Trace
    recorded_at: datetime | None


def stored_runs(named: str | None, default: str = "off") -> StoredRuns | None:
    """The runs that a server keeps as it was told to; None where it is to keep none.

    Args:
        named: `off`; `on`, for a folder that goes with this process; or a folder. None or "": the variable decides.
        default: of these, where the variable says nothing.

    Raises:
        DecodingError: the folder cannot be made.
    """
    where = named or os.environ.get(VARIABLE, "") or default
    if where == "off":
        return None
    return StoredRuns(None if where == "on" else Path(where).expanduser())


class StoredRuns:
    """Recorded runs by what they answer; those that were asked for longest ago make room.

    Calls may come from several threads, and several processes may share a folder.

    Args:
        folder: where they are; what is there already is found, and nothing but such runs is touched. None for a folder
            of this process, which goes when it ends.
        most: runs; None for the server's bound, here and below.
        most_bytes: of their files together.

    Raises:
        DecodingError: the folder cannot be made.
    """

    def __init__(self, folder: Path | None = None, *, most: int | None = None, most_bytes: int | None = None) -> None:
        self._own = PassingFiles(Path(tempfile.gettempdir())) if folder is None else None
        self.folder = folder if self._own is None else self._own.folder
        bounds = bounds_here()
        self._most = bounds.stored_runs if most is None else most
        self._most_bytes = bounds.stored_bytes if most_bytes is None else most_bytes
        self._writer = ThreadPoolExecutor(1, "storing runs", let_others_first)
        self._coming: dict[str, Future[None]] = {}  # by the question's key: runs that are to be written
        self._lock = threading.Lock()
        self._make_folder()

    def find(self, question: Question | None) -> StoredRun | None:
        """The run that answers the question, checked from end to end; one that is damaged is dropped, and None."""
        if question is None:
            return None
        path = self._path(question)
        try:
            if (coming := self._coming.get(question.key)) is not None:
                coming.result(WRITTEN)
            if not path.is_file() or path.is_symlink():
                return None
            recorded_at = path.stat().st_mtime
            _check_whole(path)
            trace = load_trace(path)
            if not question.is_answered_by(trace):
                raise ValueError("it answers another question")
            os.utime(path, (time.time(), recorded_at))  # used last is kept longest
        except (FileNotFoundError, TimeoutError):  # another process made room; the disk is slow
            return None
        except (DecodingError, OSError, zipfile.BadZipFile, zlib.error, ValueError) as error:
            log.warning("a stored run was dropped and is recorded anew: %s", error)
            _remove(path)
            return None
        return StoredRun(trace=trace, recorded_at=datetime.fromtimestamp(recorded_at, UTC))

    def keep(self, question: Question | None, trace: Trace) -> Future[None] | None:
        """Stores a run in the background; None where it is not the whole answer, or too large, or there is no time."""
        if question is None or not question.is_answered_by(trace) or trace.nbytes * SHARE > self._most_bytes:
            return None
        with self._lock:
            if (coming := self._coming.get(question.key)) is not None:
                return coming
            if len(self._coming) >= MOST_WAITING:
                return None
            return self._coming.setdefault(question.key, self._writer.submit(self._write, question, trace))

    def _write(self, question: Question, trace: Trace) -> None:
        try:
            self._make_folder()
            trace.save(self._path(question))
            self._make_room()
        except (DecodingError, OSError) as error:  # the run itself is none the worse for it
            log.warning("a run could not be stored: %s", error)
        finally:
            with self._lock:
                del self._coming[question.key]

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DecodingError(
                "the folder for recorded runs cannot be made: {why}; name another one", why=error.strerror or str(error)
            ) from error

    def _make_room(self) -> None:
        """Removes files until the bounds hold, those used longest ago first."""
        found = sorted(self._files(), reverse=True)  # used last first
        n_bytes = n = 0
        for used_at, size, path, unfinished in found:
            if unfinished and time.time() - used_at < UNFINISHED:
                n_bytes += size  # being written
                continue
            if unfinished or n == self._most or n_bytes + size > self._most_bytes:
                _remove(path)
                continue
            n, n_bytes = n + 1, n_bytes + size

    def _files(self) -> Iterator[tuple[float, int, Path, bool]]:
        """Our files: when used, their size, where, and whether one was never finished."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = OURS.fullmatch(entry.name)
                if name is None or not entry.is_file(follow_symlinks=False):
                    continue
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield max(about.st_atime, about.st_mtime), about.st_size, Path(entry.path), bool(name[2])

    def _path(self, question: Question) -> Path:
        return self.folder / f"{question.key}.trace"


def _check_whole(path: Path) -> None:
    """Returns if every part of a file is as it was written: a step is read only when somebody looks at it.

    Raises:
        ValueError, zipfile.BadZipFile: it is not.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > 4 * path.stat().st_size + 2**26:
            raise ValueError("it unpacks to more than a trace does")
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"{damaged} in it is damaged")


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # gone, or open on a system that does not remove what is open
        log.debug("a stored run could not be removed")
