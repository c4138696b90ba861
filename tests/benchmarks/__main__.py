"""`python -m tests.benchmarks [module ...]`: runs the benchmarks and prints one table.

Each module runs in a process of its own, so that none is measured with another's memory and threads.
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import traceback
from dataclasses import asdict, fields
from importlib import import_module

import tests.benchmarks
from tests.benchmarks import Row

HEADINGS = ("benchmark", "measured", "spread", "bar", "met")
VERDICTS = {True: "yes", False: "NO", None: "–"}


def main(arguments: list[str]) -> int:
    """Runs the named modules, or all that define `run`; 1 when a bar was missed or a benchmark failed."""
    if arguments[:1] == ["--rows"]:
        return print_rows(arguments[1])
    names = arguments or [
        m.name for m in pkgutil.iter_modules(tests.benchmarks.__path__) if m.name != "__main__"
    ]
    rows = [row for name in names for row in rows_of(name)]
    print(table(rows))
    print(f"\nload average {' '.join(f'{x:.2f}' for x in os.getloadavg())}, {os.cpu_count()} CPU cores")
    return 0 if all(row.met is not False for row in rows) else 1


def rows_of(name: str) -> list[Row]:
    """The rows of one module, from a process of its own; a failure is a row, too."""
    print(f"{name} …", file=sys.stderr, flush=True)
    child = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--rows", name],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = child.stdout.splitlines()
    if child.returncode or not lines:
        return [
            Row(name=name, measured="failed", spread=f"exit status {child.returncode}", bar="", met=False)
        ]
    return [Row(**values) for values in json.loads(lines[-1])]


def print_rows(name: str) -> int:
    """In the child: the module's rows as the last line of stdout."""
    try:
        module = import_module(f"tests.benchmarks.{name}")
        rows = module.run() if hasattr(module, "run") else []
    except Exception:
        traceback.print_exc()
        return 1
    print(json.dumps([asdict(row) for row in rows]))
    return 0


def table(rows: list[Row]) -> str:
    """The rows in columns."""
    cells = [HEADINGS, *((r.name, r.measured, r.spread, r.bar, VERDICTS[r.met]) for r in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(fields(Row)))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
