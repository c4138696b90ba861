"""`study`: a published observation made again, into a folder with its page, its numbers and its traces."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model_options import DEFAULT_MODEL, add_model_options, load
from .serve import check_installed

if TYPE_CHECKING:
    from decoding.studies import Batch, Outcome

__all__ = ["add_study"]

RUN_PAGE_BYTES = 2_000_000  # of a run's charts in its page; there may be thirty of these


def add_study(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "study",
        help="make a paper's figure again, and say whether it came out",
        description="Records what a paper observed, on a small model, and says of each claim (written down beforehand, "
        "with direction and tolerance) whether it held. Writes study.html, study.json and traces/ into a folder.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="which one; see --list")
    parser.add_argument("--list", action="store_true", help="the studies there are, and their claims")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="where to write it; it is made")
    parser.add_argument("--pages", action="store_true", help="a page for each trace as well, about 3 MB each")
    parser.add_argument(
        "--prompts", metavar="N", type=int, help="the first N texts of each kind alone: quick, and hardly a verdict"
    )
    add_model_options(parser, default=DEFAULT_MODEL)
    parser.set_defaults(command=_study)


def _study(arguments: argparse.Namespace) -> int:
    from decoding import DecodingError
    from decoding.studies import as_told, conduct, read_texts, study_named

    from ..assets import assets_dir

    if arguments.list:
        return _list()
    if arguments.name is None:
        raise DecodingError("study needs a NAME; decoding-explorer study --list shows which there are")
    if arguments.prompts is not None and arguments.prompts < 1:
        raise DecodingError(f"--prompts must be a whole number from 1 on, got {arguments.prompts}; or leave it out")
    study, folder = study_named(arguments.name), _folder(arguments.output, arguments.name)
    texts = read_texts(assets_dir() / "studies").first(arguments.prompts)
    lm = load(arguments.model, arguments)
    with _Bar() as bar:
        outcome = conduct(study, lm, texts, folder, on_batch=bar.show)
    told = json.dumps(as_told(outcome), ensure_ascii=False, indent=1)
    (folder / "study.json").write_text(told + "\n", encoding="utf-8")
    _say(outcome)
    _write_pages(outcome, folder, with_runs=arguments.pages)
    return 0


def _folder(output: Path | None, name: str) -> Path:
    """The folder to write to, before minutes of work rather than after.

    Raises:
        DecodingError: none is named, or it is none, or it holds another study.
    """
    from decoding import DecodingError

    if output is None:
        raise DecodingError(f"study needs a folder to write to; name one, e.g. -o {name}")
    try:
        output.mkdir(parents=True, exist_ok=True)
        told = output / "study.json"
        there = json.loads(told.read_text(encoding="utf-8")).get("study") if told.exists() else name
    except (OSError, ValueError, AttributeError) as error:
        raise DecodingError(f"-o must name a folder for a study, got {str(output)!r}: {error}; name another") from error
    if there != name:
        raise DecodingError(f"-o must name a folder without another study, got {str(output)!r}, which has {there!r}")
    return output


def _list() -> int:
    from decoding.studies import STUDIES

    for study in STUDIES.values():
        paper = study.paper
        print(f"{study.name}\n  {study.title}. {paper.authors} ({paper.year}), arXiv:{paper.arxiv}")
        for claim in study.claims:
            print(f"  - {claim.says}")
    return 0


def _say(outcome: Outcome) -> None:
    from ..views.numbers import significant, with_interval

    print(f"{outcome.study.title}: {outcome.verdict}. {outcome.seconds:.0f} s")
    for judged in outcome.judged:
        found = f"{with_interval(judged.found)} {judged.claim.unit}".rstrip()
        print(f"  {judged.verdict:12} {judged.claim.id}: {found}; by {significant(judged.by)}")


def _write_pages(outcome: Outcome, folder: Path, *, with_runs: bool) -> None:
    """The study's page, and before it those of its traces, where they are wanted.

    Raises:
        DecodingError: what draws pages is not installed; traces and numbers are kept.
    """
    check_installed("gradio", "the page of a study", "app")
    from ..studies.page import study_html

    pages = _run_pages(outcome, folder) if with_runs else {}
    (folder / "study.html").write_text(study_html(outcome, pages), encoding="utf-8", newline="")
    print(folder / "study.html")


def _run_pages(outcome: Outcome, folder: Path) -> dict[str, str]:
    from tqdm import tqdm

    from decoding import load_trace

    from ..standalone.page import standalone_html

    (folder / "runs").mkdir(exist_ok=True)
    traces = sorted({run.trace for found in outcome.runs.values() for run in found})
    pages = {trace: f"runs/{Path(trace).stem}.html" for trace in traces}
    for trace, page in tqdm(pages.items(), unit="page", file=sys.stderr, dynamic_ncols=True):
        text = standalone_html(load_trace(folder / trace), most_bytes=RUN_PAGE_BYTES)
        (folder / page).write_text(text, encoding="utf-8", newline="")
    return pages


class _Bar:
    """The progress bar, in runs."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit="run", file=sys.stderr, dynamic_ncols=True)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, batch: Batch | None, n_runs: int) -> None:
        """A batch has been kept."""
        if batch is None:
            self._bar.reset(total=n_runs)
            return
        self._bar.set_postfix(part=batch.part.name, refresh=False)
        self._bar.update(batch.n_runs)
