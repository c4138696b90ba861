"""Where a command writes: checked before minutes of work rather than after; and what it prints of strangers."""

from __future__ import annotations

from pathlib import Path

__all__ = ["check_output", "printable"]


def check_output(path: Path | None) -> None:
    """Returns if a file can be written there.

    Raises:
        DecodingError: it names no file, or no folder that exists.
    """
    from decoding import DecodingError

    if path is None:
        return
    # Saving renames a new file into place: done to a device, that would take the device away.
    if (path.exists() and not path.is_file()) or not path.absolute().parent.is_dir():
        raise DecodingError(f"-o must name a file in a folder that exists, got {str(path)!r}")


def printable(text: str) -> str:
    """Without the control characters by which a text could drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
