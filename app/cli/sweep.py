"""`sweep`: prompts × settings × samples, recorded in batches into one table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model_options import DEFAULT_MODEL, add_model_options, load

if TYPE_CHECKING:
    from decoding.sweeps import Plan
    from decoding.sweeps.sweep import Progress

__all__ = ["add_sweep"]

OWN = ("seed", "num_return_sequences")  # a sweep has its own seed, and its number of samples


def add_sweep(commands: Any, with_knobs: bool) -> None:
    """Adds the command.

    Args:
        with_knobs: with an option for every decoding parameter, which takes a moment to import.
    """
    parser = commands.add_parser(
        "sweep",
        help="record prompts × settings × samples into one table",
        description="Records every prompt under every combination of the grid, several times where it draws. Broken "
        "off anywhere and called again it goes on where it was, and gives the same rows.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--prompts", metavar="FILE", type=Path, required=True,
        help='one prompt a line: JSON ("text", {"prompt": "text"} or a chat [{"role": …}]) in .jsonl, else plain text',
    )  # fmt: skip
    parser.add_argument(
        "--grid", metavar="NAME=VALUES", nargs="+", default=[],
        help="what is tried, e.g. temperature=0.2:1.6:0.2 top_p=.5,.9,1; the last one is the fastest",
    )  # fmt: skip
    parser.add_argument("--samples", metavar="N", type=int, default=1, help="runs of each prompt where it draws")
    parser.add_argument(
        "--seed", metavar="N", dest="sweep_seed", type=int, default=0,
        help="of the sweep; each batch gets one of its own",
    )  # fmt: skip
    parser.add_argument(
        "--rows", metavar="N", type=int, default=32,
        help="rows decoded together (default: 32): more are faster until memory is full; another number draws anew",
    )  # fmt: skip
    parser.add_argument(
        "--ray", metavar="ADDRESS",
        help="record on a Ray cluster: its address, `auto`, or `local` for one on this machine",
    )  # fmt: skip
    parser.add_argument("--workers", metavar="N", type=int, default=2, help="with --ray: actors that hold the model")
    parser.add_argument(
        "--threads", metavar="N", type=int,
        help="processor threads that compute a batch (default: torch's own; with --ray 1); the last bits hang on it",
    )  # fmt: skip
    parser.add_argument("--lossless", action="store_true", help="keep whole traces, about forty times the size")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="a folder, or e.g. s3://bucket/out")
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="the report's language (%(default)s)")
    add_model_options(parser, default=DEFAULT_MODEL)
    if with_knobs:
        from .knob_options import add_knob_options

        add_knob_options(parser, without=OWN)
    parser.set_defaults(command=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from decoding.sweeps import sweep
    from decoding.sweeps.folder import Folder
    from decoding.sweeps.on_ray import sweep_on_ray

    if arguments.dtype == "fastest":  # here and now: the plan names a dtype, so that it gives the same rows elsewhere
        arguments.dtype = load(arguments.model, arguments, rows=arguments.rows).dtype
    plan = _plan(arguments)
    Folder(arguments.output).take(plan)  # before a model is loaded for nothing
    lm = None if arguments.ray else load(plan.model, arguments)
    with _Bar(plan) as bar:
        if lm is None:
            table = sweep_on_ray(plan, arguments.output, arguments.ray, workers=arguments.workers, on_batch=bar.show)
        else:
            table = sweep(plan, lm, arguments.output, on_batch=bar.show)
    print(f"{plan.n_rows:,} rows ({bar.n_failed:,} failed now), {len(plan.cells):,} settings: {table}")
    print(f"report: {_report(plan, arguments)}")
    return 0


def _report(plan: Plan, arguments: argparse.Namespace) -> str:
    """Writes the report beside the table; its path, or what it needs that is not installed."""
    from importlib.util import find_spec

    from decoding.sweeps.folder import Folder
    from decoding.sweeps.summary import summary_of

    missing = next((name for name in ("gradio", "plotly") if find_spec(name) is None), None)
    if missing is not None:
        return f'it needs the package {missing}; pip install "decoding-explorer[app]", and call this again'
    from ..sweep_report.page import report_html

    folder = Folder(arguments.output)
    return folder.write_text("report.html", report_html(summary_of(plan, folder.finished()), arguments.lang))


def _plan(arguments: argparse.Namespace) -> Plan:
    from decoding.sweeps import Plan, grid, read_axis

    from .knob_options import given_knobs

    axes = dict(read_axis(text) for text in arguments.grid)
    return Plan(
        prompts=_read_prompts(arguments.prompts),
        cells=grid(axes, given_knobs(arguments, tried=axes)),
        axes=tuple(axes),
        samples=arguments.samples,
        seed=arguments.sweep_seed,
        rows_per_batch=arguments.rows,
        model=arguments.model,
        dtype=arguments.dtype,
        threads=arguments.threads or (1 if arguments.ray else None),
        compact=not arguments.lossless,
    )


def _read_prompts(path: Path) -> tuple[Any, ...]:
    from decoding import PromptError

    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"the prompts {str(path)!r} cannot be read: {error}; name a text file in UTF-8") from error
    if path.suffix != ".jsonl":
        return tuple(lines)
    return tuple(_prompt(line, number, path) for number, line in enumerate(lines, start=1))


def _prompt(line: str, number: int, path: Path) -> Any:
    from decoding import PromptError

    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PromptError(f"line {number} of {path.name} is no JSON: {error}; write each prompt as one line") from error
    if isinstance(value, dict):
        value = value.get("prompt", value.get("messages"))
    if not isinstance(value, (str, list)):
        raise PromptError(
            f'line {number} of {path.name} holds no prompt; write "text", {{"prompt": "text"}} or [{{"role": …}}]'
        )
    return value


class _Bar:
    """The progress bar, in rows."""

    def __init__(self, plan: Plan) -> None:
        from tqdm import tqdm

        self.n_failed = 0
        self._bar = tqdm(total=plan.n_rows, unit="row", file=sys.stderr, dynamic_ncols=True)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, progress: Progress) -> None:
        """A batch has been kept."""
        if progress.batch is None:
            self._bar.n = self._bar.initial = progress.n_rows  # what an earlier call left
            self._bar.refresh()
            return
        self.n_failed += progress.n_failed
        self._bar.set_postfix(failed=self.n_failed, refresh=False)
        self._bar.update(progress.n_rows)
