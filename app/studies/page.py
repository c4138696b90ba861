"""A study as one HTML file: paper, claims and verdicts, figures, and behind each point its runs."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from decoding.studies.study import HELD, NOT_HELD, UNDECIDED
from decoding.studies.told import SMALL_MODEL

from ..components import Chart
from ..components.drawn import as_json, plotly_js
from ..sheets.study import study_sheet
from ..standalone.offline import data_block, packed_plotly, policy, script_of, style_of
from ..views.numbers import significant, with_interval

if TYPE_CHECKING:
    from decoding.studies import Outcome
    from decoding.studies.study import Claim, Judged, Panel, Part, Point, Run

__all__ = ["study_html"]

SCRIPTS = ("dx", "offline", "answer", "ahead", "plot_words", "picking", "chart", "study")
STYLES = ("page", "standalone", "study")
VERDICTS = {
    HELD: "Held: what the paper shows is found here, too, as far as was said beforehand.",
    NOT_HELD: "Did not hold: at least one claim that was written down beforehand is not found here.",
    UNDECIDED: "Undecided: of at least one claim these runs do not tell whether it holds.",
}
MOST_TEXT = 600  # characters of a run's text


def study_html(outcome: Outcome, pages: Mapping[str, str] | None = None, *, with_traces: bool = True) -> str:
    """The outcome as a page of its own; it lies in the study's folder, beside the traces.

    Prompts and what came of them are data in it: its policy runs the page's own scripts, by their hash, and no other.

    Args:
        pages: by trace, as `Run.trace` names it, the page that shows it, relative to the folder; of others the page
            names the command that opens them.
        with_traces: whether the traces lie beside it; else it says how to record them.
    """
    script, plotly = script_of(SCRIPTS), plotly_js().read_text(encoding="utf-8")
    title = html.escape(f"{outcome.study.title} · Decoding Explorer")
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy([script, plotly])}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{style_of(STYLES)}</style></head>",
            _body(outcome),
            data_block("dx-study", _contents(outcome, pages or {}, with_traces)),
            data_block("dx-plotly", packed_plotly(), plain=True),
            f"<script>{script}</script></body></html>\n",
        ]
    )


# --- what is behind the points ---------------------------------------------------------------------------------


def _contents(outcome: Outcome, pages: Mapping[str, str], with_traces: bool) -> dict[str, Any]:
    """The data of the page's script; runs are named by their number, rows and steps as people count."""
    runs = [run for found in outcome.runs.values() for run in found]
    numbers = {(run.part, run.prompt, run.sample): i for i, run in enumerate(runs)}
    return {
        "again": "" if with_traces else f"decoding-explorer study {outcome.study.name} -o {outcome.study.name}",
        "runs": [_run(run, pages) for run in runs],
        "panels": [
            {
                "sheet": as_json(study_sheet(panel).data),
                "value": panel.value,
                "curves": [
                    {"name": curve.name, "points": [_point(panel, point, numbers) for point in curve.points]}
                    for curve in panel.curves
                ],
            }
            for panel in outcome.findings.panels
        ],
    }


def _run(run: Run, pages: Mapping[str, str]) -> dict[str, Any]:
    cut = run.text if len(run.text) <= MOST_TEXT else f"{run.text[:MOST_TEXT]} …"
    return {"trace": run.trace, "page": pages.get(run.trace), "row": run.row + 1, "asked": run.asked, "text": cut}


def _point(panel: Panel, point: Point, numbers: Mapping[tuple[str, int, int], int]) -> dict[str, Any]:
    return {
        "name": f"{panel.x} {point.x:g}: {with_interval(point.y)}",
        "step": None if point.step is None else point.step + 1,
        "runs": [[numbers[run.part, run.prompt, run.sample], significant(value)] for run, value in point.runs],
    }


# --- the page's frame --------------------------------------------------------------------------------------------


def _body(outcome: Outcome) -> str:
    study, paper = outcome.study, outcome.study.paper
    return "".join(
        [
            '<body class="dx-standalone dx-study"><header class="dx dx-header"><h1>Decoding Explorer</h1>',
            '<span class="dx-tagline">A paper’s figure, made again</span>',
            '<button type="button" class="dx-icon" id="dx-scheme" aria-label="light or dark">◐</button></header>',
            f'<main id="dx-found" class="dx"><section class="dx-card dx-study-lead"><h2>{_text(study.title)}</h2>',
            f"<p>{_text(study.observation)}</p>",
            f"<p class='dx-hint'>{_text(paper.authors)} ({paper.year}): <cite>{_text(paper.title)}</cite>, "
            f"arXiv:{_text(paper.arxiv)}. {_text(paper.shows)}</p>",
            f'<p class="dx-study-verdict" data-verdict="{_slug(outcome.verdict)}">{VERDICTS[outcome.verdict]}</p>',
            f"<p><strong>{_text(SMALL_MODEL)}</strong></p></section>",
            _claims(outcome.judged),
            '<p id="dx-opening" class="dx-hint" role="status">Opening …</p>',
            "<noscript><p>The figures are drawn with JavaScript, which is switched off here.</p></noscript>",
            *(_figure(panel, i) for i, panel in enumerate(outcome.findings.panels)),
            _recorded(outcome),
            "</main>",
        ]
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _slug(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _claims(judged: tuple[Judged, ...]) -> str:
    rows = "".join(
        f'<tr data-verdict="{_slug(j.verdict)}"><th scope="row">{_text(j.claim.says)}</th><td>{_range(j.claim)}</td>'
        f"<td>{with_interval(j.found)}{' ' if j.claim.unit else ''}{_text(j.claim.unit)}</td>"
        f"<td><strong>{_text(j.verdict)}</strong>, {_by(j)}</td></tr>"
        for j in judged
    )
    return (
        '<section class="dx-card"><h2>What was claimed before the run, and what was found</h2>'
        '<p class="dx-hint">A claim held where the whole 95 % interval lies in its range, did not hold where all of it '
        "lies outside, and is undecided in between.</p>"
        '<div class="dx-table-box" tabindex="0"><table class="dx-table dx-claims"><thead><tr><th scope="col">Claim</th>'
        '<th scope="col">range</th><th scope="col">found, 95 % interval</th><th scope="col">verdict</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _range(claim: Claim) -> str:
    low, high = significant(claim.low), significant(claim.high)
    if claim.high == float("inf"):
        return f"&gt; {low}"
    return f"&lt; {high}" if claim.low == float("-inf") else f"{low} … {high}"


def _by(judged: Judged) -> str:
    if judged.by != judged.by:
        return "no value"
    where = "by" if judged.by >= 0 else "short of it by"
    if judged.verdict == UNDECIDED:
        where = "the estimate within by" if judged.by >= 0 else "the estimate outside by"
    return f"{where} {significant(abs(judged.by))}"


def _figure(panel: Panel, index: int) -> str:
    """A figure, and below it the runs behind one of its points."""
    return (
        f'<div id="dx-figure-{index}">{Chart.markup}</div>'
        f'<section class="dx-card dx-study-runs" data-panel="{index}" aria-label="Runs behind a point of: '
        f'{_text(panel.title)}"><div class="dx-card-head"><h3>The runs behind a point</h3>'
        '<label>Point <select data-part="point"></select></label></div>'
        '<p class="dx-hint" data-part="said" aria-live="polite">Click on a point of the figure, or choose one here.</p>'
        '<ol data-part="runs"></ol></section>'
    )


def _recorded(outcome: Outcome) -> str:
    study, model = outcome.study, outcome.model
    notes = "".join(f"<li>{_text(note)}</li>" for note in outcome.findings.notes)
    parts = "".join(f"<tr>{''.join(_cells(part))}</tr>" for part in outcome.parts)
    return (
        f'<section class="dx-card"><h2>How it was recorded</h2><p>{_text(study.recorded)}</p><ul>{notes}</ul>'
        f'<div class="dx-table-box" tabindex="0"><table class="dx-table"><thead><tr><th scope="col">part</th>'
        '<th scope="col">prompts</th><th scope="col">samples</th><th scope="col">settings</th></tr></thead>'
        f"<tbody>{parts}</tbody></table></div>"
        f'<p class="dx-hint">Model {_text(model.name)}, {_text(model.dtype)} on {_text(model.device)}, transformers '
        f"{_text(model.transformers_version)}, torch {_text(model.torch_version)}; seed {study.seed}; "
        f"{_text(outcome.made)}, {outcome.seconds:.0f} s. Intervals: bootstrap over prompts, 2,000 resamples with a "
        "fixed seed; of shares of prompts, Wilson’s. All runs in numbers: study.json. This file "
        "needs no network and sends nothing anywhere.</p>"
        "</section>"
    )


def _cells(part: Part) -> tuple[str, ...]:
    follow = part.follow
    followed = "" if follow is None else f", following {follow.n_tokens} given tokens × {follow.times}"
    settings = ", ".join(f"{name}={value}" for name, value in part.settings.given().items())
    return (
        f'<th scope="row">{_text(part.name)}</th>', f"<td>{len(part.prompts)}</td>", f"<td>{part.samples}</td>",
        f"<td>{_text(settings + followed)}</td>",
    )  # fmt: skip
