"""What a command says while it works: on stderr, one line that is written over on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["count_steps", "end_line", "say", "say_progress"]

STAGES = {
    "downloading": "Downloading the model",
    "converting": "Converting the offline model (about 20 s, once)",
    "loading": "Loading the model",
}


def say(text: str) -> None:
    """One line that is written over on a terminal, and a line each time elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def end_line() -> None:
    """Clears the line that was being written over."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def say_progress() -> Any:
    """What `load_model` reports to."""
    said: list[str] = []

    def progress(stage: str, fraction: float | None) -> None:
        percent = "" if fraction is None else f" {fraction:.0%}"
        text = f"{STAGES.get(stage, stage)} ...{percent}"
        # Off a terminal each stage is said once: a log needs no percentages.
        key = text if sys.stderr.isatty() else stage
        if key not in said:
            said.append(key)
            say(text if sys.stderr.isatty() else f"{STAGES.get(stage, stage)} ...")

    return progress


def count_steps() -> Any:
    """What `Recorder(on_step=…)` calls."""
    last = time.monotonic()

    def count(step: Any) -> None:
        nonlocal last
        wait = 0.1 if sys.stderr.isatty() else 2.0
        if step.index == 0 or time.monotonic() - last >= wait:
            last = time.monotonic()
            say(f"Decoding ... step {step.index + 1}")

    return count
