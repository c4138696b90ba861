"""Where and when figures were measured: date, commit, versions, processor, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["as_text", "surroundings"]

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("torch", "transformers", "numpy", "safetensors", "networkx")


def surroundings() -> dict[str, object]:
    """What holds now; nothing in it tells of the machine's name or folders."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": platform.python_version(),
        **{package: installed(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def as_text(before: dict[str, object], after: dict[str, object]) -> str:
    """The same in two lines, for below the table."""
    versions = ", ".join(f"{name} {after[name]}" for name in ("python", "torch", "transformers"))
    return (
        f"{after['date']}, commit {after['commit']}; {versions}\n"
        f"{after['cores']} cores of {after['processor']}; load average {before['load_average']} before, "
        f"{after['load_average']} after"
    )


def commit() -> str | None:
    """The commit that is checked out, with a plus where files differ from it; None outside a checkout."""
    try:
        git = ["git", "-C", str(ROOT)]
        short = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return short.stdout.strip() + ("+" if changed.stdout.strip() else "")


def installed(package: str) -> str | None:
    """The version of a package, or None where it is not installed; imports nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # only Linux has it
        pass
    return platform.processor() or platform.machine()
