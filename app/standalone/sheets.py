"""What a standalone page shows, made by the page's own code and packed: the frame, and a chunk for each step."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from decoding.errors import DecodingError

from ..session.session import Session
from ..session.whatif import Trial
from ..sheets.beam_step import n_places, node_reading, step_reading
from ..sheets.frame import header_json, knobs_json
from ..sheets.sheet import Sheet
from ..text import Text
from ..views.beam_reading import beam_reading
from ..views.table import Table
from ..views.whatif import PAGE_STAGES, page_scores
from .privacy import without_places, without_places_in
from .scores import FINEST, exact_places, packed_scores, tail_width

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["MOST_NODES", "Contents", "contents_of", "packed_text"]

MOST_NODES = 400  # beam candidates with charts of their own; each takes some 30 ms to make
MOST_WORDED = 6000  # beam candidates with a sentence of their own
SAMPLED = {"greedy": "sample", "contrastive_search": "sample", "beam_search": "beam_sample"}
KNOBS_SHOWN = tuple(PAGE_STAGES.values())
LABELS = ("computed", "computed_tip", "pending", "pending_tip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A page's data.

    Attributes:
        base: what is shown whatever the step, ready for JSON.
        chunks: per row (prompt) and step, `"0.12"`, its sheets: JSON, gzip, base64.
    """

    base: dict[str, Any]
    chunks: dict[str, str]


def packed_text(text: str | bytes) -> str:
    """The text compressed, as base64; the same text always gives the same."""
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def contents_of(trace: Trace, lang: str, most_bytes: int) -> Contents:
    """Everything that the page shows of a trace.

    Args:
        most_bytes: that the chunks may take together; steps that find no room have no charts.
    """
    session = Session(without_places(trace), "", lang)
    maker = _Maker(session, most_bytes)
    at = _place(session)
    base = {
        "header": json.dumps(json.loads(header_json(session.text)) | {"languages": []}),
        "facts": session.facts(),
        "notes": session.notes(),
        "row": session.token_row(),
        "at": at,
    }
    if session.trace.steps:
        base |= _whatif(session, maker)
        maker.beam_run() if session.beams is not None else maker.rows()
    base |= maker.found | {"carried": maker.carried(), "absent": _absent(session.text)}
    return Contents(base=base, chunks=maker.chunks)


def _place(session: Session) -> dict[str, int]:
    if session.beams is not None:
        return {"row": session.beams.prompt, "step": session.step, "rank": session.beams.rank}
    return {"row": session.row, "step": session.step}


def _whatif(session: Session, maker: _Maker) -> dict[str, Any]:
    """The sliders and the frame of the chart that they move."""
    text, recorded = session.text, maker.trials[0]
    frame = json.loads(session.whatif_panel()["data"])
    frame["rerun"] = False
    frame["labels"] |= {name: text(f"standalone.{name}") for name in LABELS}
    spec = json.loads(knobs_json(text))
    modes = [json.loads(trial.form)["mode"] for trial in maker.trials]
    knobs = [knob for group in spec["groups"] for knob in group["knobs"] if knob["name"] in KNOBS_SHOWN]
    spec["modes"] = [mode | {"needs": {}} for mode in spec["modes"] if mode["id"] in modes]
    spec["groups"] = [{"id": "sampling", "label": text("group.sampling"), "open": True, "knobs": knobs}]
    return {"knobs": json.dumps(spec), "form": recorded.form, "frame": json.dumps(frame)}


def _trials(session: Session) -> list[Trial]:
    """The run under its own settings, and as if its tokens had been drawn, where that can be computed."""
    trials = [session.trial]
    form = json.loads(session.trial.form)
    mode = SAMPLED.get(form["mode"])
    if mode is not None:
        sampled = Trial(session.trace)
        left_out = ("penalty_alpha", *(("top_k",) if form["mode"] == "contrastive_search" else ()))
        given = {name: value for name, value in form["given"].items() if name not in left_out}
        sampled.try_out(json.dumps({"mode": mode, "given": given}))
        if sampled.error is None and sampled.whatif is not None:
            trials.append(sampled)
    return trials


def _absent(text: Text) -> str:
    """In a chart's place where a step has none."""
    none = Table(caption="", head=(), rows=())
    return Sheet(
        key="absent", title=text.pieces("waterfall.title"), reading=[text("standalone.absent")],
        label=text("waterfall.label"), table=none, table_label="", figure=None,
    ).to_json()  # fmt: skip


class _Maker:
    """Makes the chunks, as long as there is room.

    Attributes:
        trials: see `_trials`.
        found: what belongs into the page's base: trees, sums.
        n_charted, n_all: steps, or candidates, that have charts, and that there are.
    """

    def __init__(self, session: Session, most_bytes: int) -> None:
        self.session, self.left = session, most_bytes
        self.trials = _trials(session) if session.trace.steps else []
        self.chunks: dict[str, str] = {}
        self.found: dict[str, Any] = {}
        self.n_charted = self.n_all = 0

    def carried(self) -> str:
        """A sentence on what has charts; nothing where all have."""
        if self.n_charted >= self.n_all:
            return ""
        kind = "rows" if self.session.beams is None else "nodes"
        return self.session.text(f"standalone.carried.{kind}", n=f"{self.n_charted:,}", all=f"{self.n_all:,}")

    def rows(self) -> None:
        """Step by step, all rows of it; the first steps have charts, and the one that the page opens at."""
        session, opening = self.session, _place(self.session)
        trace = session.trace
        lengths = [sum(not step.ended[row] for step in trace.steps) for row in range(trace.n_rows)]
        self.n_all = len(trace.steps)
        first = [(opening["row"], opening["step"])]
        cells = [(row, step) for step in range(len(trace.steps)) for row in range(trace.n_rows) if step < lengths[row]]
        full = False
        for row, step in first + cells:
            key = f"{row}.{step}"
            if key in self.chunks or full:
                continue
            session.choose(json.dumps({"row": row, "step": step}))
            packed: list[dict[str, Any]] = []
            full = not self._keep(key, self._charts(packed) | {"packed": packed})
            if full:
                self.n_charted = step
        self.n_charted = self.n_charted if full else self.n_all

    def beam_run(self) -> None:
        """Tables for every step; charts for the candidates that matter most."""
        session = self.session
        opening = _place(session)
        trees, sums, steps = [], [], {}
        for prompt in range(session.trace.ledger.n_prompts):
            session.choose_node(json.dumps(opening | {"prompt": prompt}))  # another prompt opens at its best node
            trees.append(session.beam_tree()["data"])
            sums.append(self._sums())
            steps |= self._tables(prompt)
        self.found = {"trees": trees, "sums": sums}
        for prompt, step, rank in self._by_weight(opening):
            chunk = steps[prompt, step]
            self._go(prompt, step, rank)
            packed = list(chunk["packed"])
            charts = self._charts(packed)
            size = len(packed_text(json.dumps([charts, packed[len(chunk["packed"]) :]])))
            if self.n_charted >= MOST_NODES or size > self.left:
                break
            self.left -= size
            self.n_charted += 1
            chunk["nodes"][rank], chunk["packed"] = charts, packed
        for (prompt, step), chunk in steps.items():
            self.chunks[f"{prompt}.{step}"] = packed_text(json.dumps(chunk))

    def _go(self, prompt: int, step: int, rank: int) -> None:
        place = json.dumps({"prompt": prompt, "step": step, "rank": rank})
        if self.session.choose_node(place):  # at another prompt's best node
            self.session.choose_node(place)

    def _sums(self) -> list[Any]:
        """The table of each returned hypothesis' sum."""
        beams, out = self.session.beams, []
        for place in range(max(1, sum(h.prompt == beams.prompt for h in self.session.trace.hypotheses))):
            beams.choose_table("sum", place)
            out.append(json.loads(self.session.beam_step())["sum"])
        beams.choose_table("ledger", 0)
        return out

    def _tables(self, prompt: int) -> dict[tuple[int, int], dict[str, Any]]:
        """Per step its tables and sentences."""
        session, text = self.session, self.session.text
        tree, out = session.beams.tree, {}
        self.n_all += len(tree.nodes)
        for step in range(tree.n_steps):
            reading = beam_reading(session.trace, step, prompt)
            if not reading.rows:
                continue
            self._go(prompt, step, reading.rows[0].rank)
            table = json.loads(session.beam_step())
            del table["sum"]
            words = {}
            for row in reading.rows if len(tree.nodes) <= MOST_WORDED else ():
                node = tree.node(step, row.rank)
                words[row.rank] = node_reading(
                    row, text, n_beams=n_places(reading), n_groups=reading.n_groups, evicted_at=node.evicted_at
                )
            out[prompt, step] = {"table": table, "reading": step_reading(reading, text), "words": words, "nodes": {},
                                 "packed": []}  # fmt: skip
        return out

    def _by_weight(self, opening: dict[str, int]) -> Iterator[tuple[int, int, int]]:
        """The candidates: the one that the page opens at, those on the way to what was returned, kept ones, others."""
        seen = {(opening["row"], opening["step"], opening["rank"])}
        yield from seen
        trees = []
        for prompt in range(self.session.trace.ledger.n_prompts):
            self._go(prompt, 0, 0)
            trees.append(self.session.beams.tree)
        on_the_way = [self._way(tree) for tree in trees]
        kept = [[node for node in tree.nodes if node.fate in ("kept", "finished")] for tree in trees]
        for of_prompts in (on_the_way, kept, [tree.nodes for tree in trees]):
            found = ((node.step, prompt, node.rank) for prompt, nodes in enumerate(of_prompts) for node in nodes)
            for step, prompt, rank in sorted(found):
                if (prompt, step, rank) not in seen:
                    seen.add((prompt, step, rank))
                    yield prompt, step, rank

    @staticmethod
    def _way(tree: Any) -> list[Any]:
        out = {}
        for node in (node for node in tree.nodes if node.answer is not None):
            at = node
            while (at.step, at.rank) not in out:
                out[at.step, at.rank] = at
                if at.parent < 0:
                    break
                at = tree.nodes[at.parent]
        return list(out.values())

    def _keep(self, key: str, chunk: dict[str, Any]) -> bool:
        packed = packed_text(json.dumps(chunk))
        if len(packed) > self.left:
            return False
        self.left -= len(packed)
        self.chunks[key] = packed
        return True

    def _charts(self, packed: list[dict[str, Any]]) -> dict[str, Any]:
        """The charts of the step in view, as recorded, and what the sliders start from, with its scores in `packed`."""
        session = self.session
        try:
            waterfall = session.waterfall()
            session.tab = ""
            cutoff = json.loads(session.cutoff())
            sheets = {cutoff["tab"]: cutoff}
            for tab in cutoff["tabs"]:
                if tab["id"] not in sheets:
                    session.tab = tab["id"]
                    sheets[tab["id"]] = json.loads(session.cutoff())
            return {
                "waterfall": waterfall, "tab": cutoff["tab"], "scores": self._scores(packed),
                "cutoff": {tab: json.dumps(sheet) for tab, sheet in sheets.items()},
            }  # fmt: skip
        except DecodingError as error:  # the step's scores were lost
            return {"lost": without_places_in(str(error))}

    def _scores(self, packed: list[dict[str, Any]]) -> dict[str, Any]:
        """By mode, what of the step is drawn, and which of `packed` it is drawn from."""
        session, out = self.session, {}
        for trial in self.trials:
            session.trial = trial
            header = json.loads(session.whatif_scores()["scores"])
            session.trial = self.trials[0]
            scores = self._packed(trial, np.frombuffer(base64.b64decode(header["scores"]), dtype="<f4"))
            if scores not in packed:
                packed.append(scores)
            out[header["mode"]] = header | {"scores": packed.index(scores)}
        return out

    def _packed(self, trial: Trial, scores: np.ndarray) -> dict[str, Any]:
        step, row = self.session.trace.steps[self.session.step], self.session.row
        if step.exact:
            return packed_scores(scores)
        before = page_scores(trial.whatif or trial.recorded, step=self.session.step, row=row)
        n_exact = exact_places(step, row, before.numpy())
        return packed_scores(scores, n_exact=n_exact, width=max(FINEST, tail_width(step, row)))


