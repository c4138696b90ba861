"""How many processor threads a command computes with: as many as this process may use, which a container may bound."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["VARIABLE", "add_thread_option", "cpu_quota", "use_threads"]

VARIABLE = "DECODING_EXPLORER_THREADS"
CHOSEN_ELSEWHERE = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # torch follows them by itself


def add_thread_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--threads`."""
    parser.add_argument(
        "--threads", metavar="N", type=_count,
        help=f"processor threads to compute with (default: {VARIABLE}, else what this process may use); the last "
        "bits hang on it",
    )  # fmt: skip


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)


def use_threads(asked: int | None) -> int:
    """Sets how many threads torch computes with, and returns it.

    torch starts one for each core that it sees. A container that may use one core's time of sixteen sees sixteen:
    its threads then wait for each other while none may run.

    Args:
        asked: on the command line; else the variable decides, else the variables that torch follows, else the quota.

    Raises:
        DecodingError: the variable is no whole number from 1 on.
    """
    import torch

    n = asked or _from_variable()
    if n is None and not any(name in os.environ for name in CHOSEN_ELSEWHERE):
        quota = cpu_quota()
        n = None if quota is None else max(1, min(torch.get_num_threads(), int(quota)))
    if n is not None:
        torch.set_num_threads(n)
    return torch.get_num_threads()


def _from_variable() -> int | None:
    from decoding import DecodingError

    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        return _count(text)
    except argparse.ArgumentTypeError as error:
        raise DecodingError(f"the variable {VARIABLE} {error}; unset it to let the machine decide") from error


def cpu_quota(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """How many cores' time this process may use, in cores, where a Linux control group bounds it; None elsewhere.

    The tightest bound counts of the group it is in and those around it, in version 2 (`cpu.max`) and in version 1
    (`cpu.cfs_quota_us`) of control groups.

    Args:
        groups: where they are mounted.
        own: which of them this process is in.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines() if line.count(":") >= 2]
    except OSError:
        return None
    bounds = []
    for _, controllers, path in lines:
        if controllers == "":
            bounds += [_of_version_2(folder) for folder in _around(groups, path)]
        elif "cpu" in controllers.split(","):
            root = next((groups / name for name in (controllers, "cpu") if (groups / name).is_dir()), groups)
            bounds += [_of_version_1(folder) for folder in _around(root, path)]
    return min((bound for bound in bounds if bound is not None), default=None)


def _around(root: Path, path: str) -> list[Path]:
    """A group's folder and those around it. A container may see its own group as the root, whatever `path` says."""
    inner = root / path.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]


def _of_version_2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _of_version_1(folder: Path) -> float | None:
    try:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
