"""`python -m tests.benchmarks [module ...] [--json FILE] [--quick]`: runs the benchmarks and prints one table.

Each module runs in a process of its own, so that none is measured with another's memory and threads.
"""

from __future__ import annotations

import argparse
import inspect
import json
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import tests.benchmarks
from tests.benchmarks import Row
from tests.benchmarks.surroundings import as_text, surroundings

HEADINGS = ("benchmark", "measured", "spread", "limit", "bar", "met")
VERDICTS = {True: "yes", False: "NO", None: "–"}
MARK = "row: "  # before each row that a child prints


def main(arguments: list[str]) -> int:
    """Runs the named modules, or all that define `run`; 1 when a bar was missed or a benchmark failed."""
    asked = parsed(arguments)
    if asked.rows:
        return print_rows(asked.rows, asked.quick)
    before = surroundings()
    rows: list[Row] = []
    try:
        for name in asked.modules or all_modules():
            for row in rows_of(name, asked.quick):
                rows.append(row)
                if asked.json:  # after every row: whatever happens next, this one was measured
                    write(asked.json, rows, before)
    finally:
        print(table(rows))
        print(f"\n{as_text(before, surroundings())}", flush=True)
    return 0 if all(row.met is not False for row in rows) else 1


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Runs the benchmarks.")
    parser.add_argument("modules", nargs="*", metavar="module", help="those to run; left out, all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows are written as well")
    parser.add_argument("--quick", action="store_true", help="a few short runs where a module can: no figures to quote")
    parser.add_argument("--rows", metavar="MODULE", help=argparse.SUPPRESS)  # in a child
    asked = parser.parse_args(arguments)
    if unknown := set(asked.modules) - set(all_modules()):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(all_modules())}")
    return asked


def all_modules() -> list[str]:
    """The modules of this package that may define `run`."""
    return [module.name for module in pkgutil.iter_modules(tests.benchmarks.__path__) if module.name != "__main__"]


def rows_of(name: str, quick: bool = False) -> Iterator[Row]:
    """The rows of one module as they are measured, in a process of its own; a failure is a row, too."""
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "tests.benchmarks", "--rows", name, *(["--quick"] if quick else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
        for line in child.stdout or ():
            if line.startswith(MARK):
                yield Row(**json.loads(line.removeprefix(MARK)))
    if child.returncode:
        yield Row(name=name, measured="failed", spread=f"exit status {child.returncode}", bar="", met=False)


def print_rows(name: str, quick: bool = False) -> int:
    """In the child: the module's rows, each on a line of stdout once it is there."""
    try:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        for row in measured(import_module(f"tests.benchmarks.{name}"), quick):
            print(f"\n{MARK}{json.dumps(asdict(row))}", flush=True)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def measured(module: object, quick: bool) -> Iterable[Row]:
    """What a module's `run` gives; `quick` is for those that take it."""
    run = getattr(module, "run", None)
    if run is None:
        return ()
    return run(quick=quick) if "quick" in inspect.signature(run).parameters else run()


def write(path: Path, rows: list[Row], before: dict[str, object]) -> None:
    """The file with all rows so far; it is whole at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {"before": before, "after": surroundings(), "rows": [asdict(row) for row in rows]},
        ensure_ascii=False, indent=1,
    )  # fmt: skip
    half = path.with_name(f"{path.name}.part")
    half.write_text(f"{text}\n", encoding="utf-8")
    half.replace(path)


def table(rows: list[Row]) -> str:
    """The rows in columns."""
    cells = [HEADINGS, *((r.name, r.measured, r.spread, r.limit, r.bar, VERDICTS[r.met]) for r in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
