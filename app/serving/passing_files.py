"""Files on their way to a visitor, or from one: each lies for some minutes in a folder of this process, and goes.

Gradio keeps what is uploaded, and what it serves, in a folder that GRADIO_TEMP_DIR names. That is this folder, too: a
file made in it is served as it is, without another copy, and one sweep takes whatever has been left.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from decoding.errors import DecodingError

__all__ = ["LIVES", "PassingFiles", "passing_files"]

LIVES = 600.0  # seconds; a browser fetches its file at once
FORGOTTEN = 3600.0  # seconds without a sweep: then the process that made the folder was killed
PREFIX = "decoding-explorer-"


@cache
def passing_files() -> PassingFiles:
    """The one of this process; from the first call on it is Gradio's folder as well."""
    files = PassingFiles(Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()))
    os.environ["GRADIO_TEMP_DIR"] = str(files.folder)
    return files


class PassingFiles:
    """A folder that only this user can look into, and that goes when the process ends.

    Args:
        root: where it is made. Folders that a killed process left there are removed.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        _remove_forgotten(root)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root)).resolve()
        self._owner = os.getpid()
        self._seen: dict[tuple[Path, Any], float] = {}  # what is here and as it is, by when it was first found so
        atexit.register(self.close)

    def new(self, name: str) -> Path:
        """A path for a file of this name, in a folder of its own that nobody can guess: what lies there is served.

        Raises:
            DecodingError: the folder cannot be made.
        """
        folder = self.folder / secrets.token_hex(16)
        try:
            self._make()
            folder.mkdir()
        except OSError as error:
            raise DecodingError(
                "{name} cannot be written to the temporary folder: {strerror}",
                name=name, strerror=error.strerror,
            ) from error
        return folder / name

    def sweep(self, lives: float = LIVES) -> None:
        """Removes what has lain here for longer than `lives` seconds, as it was.

        They are counted from the first sweep that finds it so, on the clock that only goes forward: the times in a
        folder are those of a clock that may be set, and a copy keeps the time of its original.
        """
        now, seen = time.monotonic(), {}
        for path in sorted(self.folder.rglob("*"), reverse=True):  # what is in a folder before the folder
            try:
                found = path.lstat()
                is_folder = stat.S_ISDIR(found.st_mode)
                # What is taken out of a folder changes that, too.
                here = (path, None if is_folder else (found.st_mtime_ns, found.st_ctime_ns))
                seen[here] = since = self._seen.get(here, now)
                if now - since >= lives:
                    path.rmdir() if is_folder else path.unlink()
            except OSError:  # gone meanwhile, not empty, or open on a system that does not remove what is open
                continue
        self._seen = seen
        self._make()
        os.utime(self.folder)  # a sign of life, see `_remove_forgotten`

    def nbytes(self) -> int:
        """Bytes of all that lies here."""
        total = 0
        for path in self.folder.rglob("*"):
            with contextlib.suppress(OSError):  # gone meanwhile
                total += path.lstat().st_size
        return total

    def _make(self) -> None:
        """Makes the folder again where a cleaner of old files took it away."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def close(self) -> None:
        """Removes the folder with all that is in it."""
        if os.getpid() == self._owner:  # and not in a process forked from that one
            shutil.rmtree(self.folder, ignore_errors=True)


def _remove_forgotten(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()  # the folder above may be everybody's
        if folder.is_dir() and not folder.is_symlink() and mine and time.time() - found.st_mtime > FORGOTTEN:
            shutil.rmtree(folder, ignore_errors=True)
