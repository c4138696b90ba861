"""A zip file read without trust: what an entry may unpack to is known before, and nothing is written to disk."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import weakref
import zipfile
from pathlib import Path
from typing import Any, cast

from decoding.errors import TraceFileError

__all__ = ["bytes_in_memory", "move_to_disk", "open_zip", "read_entry"]

IN_MEMORY_LIMIT = 256 * 2**20  # files up to this size are read at once, and the file is let go
DIRECTORY_LIMIT = 16 * 2**20  # bytes of the list of entries, which takes ten times that in memory: 200,000 steps


def open_zip(path: Path) -> zipfile.ZipFile:
    """The zip file at `path`, open for reading.

    Raises:
        TraceFileError: there is no ordinary file there, or it lists more entries than a trace can have.
        zipfile.BadZipFile: it is no zip file.
    """
    try:
        about = os.stat(path)
    except OSError as err:
        raise TraceFileError("{name} cannot be read: {strerror}", name=path.name, strerror=err.strerror) from err
    if not stat.S_ISREG(about.st_mode):  # a device may be endless, a pipe silent
        raise TraceFileError("{name} is not an ordinary file", name=path.name)
    file = _Opening(io.BytesIO(path.read_bytes()) if about.st_size <= IN_MEMORY_LIMIT else path.open("rb"))
    archive = zipfile.ZipFile(file)
    file.limit = None
    return archive


def read_entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """An entry, unpacked.

    Args:
        limit: bytes that it may unpack to.

    Raises:
        TraceFileError: there is none of this name, or it is larger, or packed in a way that has no bound.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise TraceFileError("the file has no {name}; it is no trace, or damaged", name=name) from None
    if info.file_size > limit:
        raise TraceFileError(
            "{name} unpacks to {file_size} bytes, more than the {limit} a trace can need",
            name=name, file_size=info.file_size, limit=limit,
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise TraceFileError(
            "{name} is packed by method {compress_type}, which a trace never uses",
            name=name, compress_type=info.compress_type,
        )
    with archive.open(info) as file:
        blob = file.read(info.file_size)  # without a number zipfile would unpack all there is, whatever was announced
    if len(blob) != info.file_size:
        raise TraceFileError(
            "{name} has {n_blob} bytes instead of {file_size}; the file is damaged",
            name=name, n_blob=len(blob), file_size=info.file_size,
        )
    return blob


def bytes_in_memory(archive: zipfile.ZipFile) -> int:
    """What of an archive of `open_zip` is in memory: all of it, or nothing."""
    file = cast(_Opening, archive.fp).file
    return file.getbuffer().nbytes if isinstance(file, io.BytesIO) else 0


def move_to_disk(archive: zipfile.ZipFile) -> None:
    """Has an archive of `open_zip` read from a temporary file without a name, if it was in memory.

    Nobody may read it meanwhile.

    Raises:
        OSError: the file cannot be written; the archive stays where it is.
    """
    opened = cast(_Opening, archive.fp)
    if bytes_in_memory(archive):
        place = opened.file.seek(0, os.SEEK_CUR)
        file = tempfile.TemporaryFile(prefix="decoding-explorer-")
        try:
            opened.file.seek(0)
            shutil.copyfileobj(opened.file, file)
            file.flush()
        except OSError:
            file.close()
            raise
        finally:
            opened.file.seek(place)
        file.seek(place)
        weakref.finalize(opened, file.close)
        opened.file = file


class _Opening:
    """A file that refuses to hand out the whole of a very long list of entries, which zipfile reads at once."""

    def __init__(self, file: Any) -> None:
        self.file, self.limit = file, cast(int | None, DIRECTORY_LIMIT)

    def read(self, size: int = -1) -> bytes:
        if self.limit is not None and size > self.limit:
            raise TraceFileError("the file lists its entries in {size} bytes, more than a trace can need", size=size)
        return self.file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
