"""What a standalone page shows, made by the page's own code and packed: the frame, and a chunk for each step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from decoding.errors import DecodingError

from ..components.drawn import as_json, as_line
from ..form import read_form
from ..runs import Runs
from ..sheets import heat_map, whatif
from ..sheets.answer import answer
from ..sheets.beam_step import n_places, node_reading, step_reading, sum_of, tables
from ..sheets.beam_tree import tree
from ..sheets.frame import header_sheet, knobs_sheet
from ..sheets.run import facts, notes
from ..sheets.sheet import Sheet
from ..sheets.step import cutoff, waterfall
from ..sheets.token_row import token_row
from ..text import Text
from ..views.look import Look
from ..views.table import Table
from ..views.whatif import PAGE_STAGES, page_scores
from ..whatif import WhatIfForm
from .maps import has_settings_map, heat_columns, settings_sheet
from .offline import packed_text
from .privacy import without_places, without_places_in
from .scores import FINEST, exact_places, packed_scores, tail_width

if TYPE_CHECKING:
    from decoding.trace import Trace

    from ..views.beam_tree import BeamTree

__all__ = ["MOST_NODES", "Contents", "contents_of"]

MOST_NODES = 400  # beam candidates with charts of their own; each takes some 30 ms to make
MOST_WORDED = 6000  # beam candidates with a sentence of their own
MAPS_SHARE = 0.25  # of the room, for the heat maps: a row's are some 400 bytes a step
SAMPLED = {"greedy": "sample", "contrastive_search": "sample", "beam_search": "beam_sample"}
KNOBS_SHOWN = tuple(PAGE_STAGES.values())
LABELS = ("computed", "computed_tip", "pending", "pending_tip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A page's data.

    Attributes:
        base: what is shown whatever the step, ready for JSON.
        chunks: per row (prompt) and step, `"0.12"`, its sheets: JSON, gzip, base64.
        maps: per row the heat map's columns, `"heat.0"`, and the run's map of settings, `"settings.0"`, likewise.
        n_modes: that the sliders can be moved in.
    """

    base: dict[str, Any]
    chunks: dict[str, str]
    maps: dict[str, str]
    n_modes: int = 0


def contents_of(trace: Trace, lang: str, most_bytes: int) -> Contents:
    """Everything that the page shows of a trace.

    Args:
        most_bytes: that the chunks may take together; steps that find no room have no charts.
    """
    trace = without_places(trace)
    look = Look.opened(trace, Runs(trace, trace.model.name), Text(lang), form=WhatIfForm.of(trace))
    maker = _Maker(look, most_bytes)
    row = token_row(look)
    base = {
        "header": as_json(header_sheet(look.text) | {"languages": []}),
        "facts": as_json(facts(look)),
        "answer": as_json(answer(look)["data"]),
        "notes": as_json(notes(look)),
        "row": {"data": as_json(row["data"]), "lines": "".join(as_line(line) for line in row["lines"])},
        "at": _place(look),
    }
    if trace.steps:
        maker.whole_run()
        base |= _whatif(look, maker)
        if look.node is None:
            maker.rows()
        else:
            maker.beam_run()
    base |= maker.found | {"carried": maker.carried(), "absent": as_json(_absent(look.text))}
    return Contents(base=base, chunks=maker.chunks, maps=maker.maps, n_modes=len(maker.forms))


def _place(look: Look) -> dict[str, int]:
    if look.node is not None:
        return {"row": look.node.prompt, "step": look.step, "rank": look.node.rank}
    return {"row": look.row, "step": look.step}


def _whatif(look: Look, maker: _Maker) -> dict[str, Any]:
    """The sliders and the frame of the chart that they move; nothing where none of them could move anything."""
    text, frame, spec = look.text, whatif.panel(look), knobs_sheet(look.text)
    labels = frame["labels"] | {name: text(f"standalone.{name}") for name in LABELS}
    modes = [read_form(form.form)["mode"] for form in maker.forms]
    shown = [knob for group in spec["groups"] for knob in group["knobs"] if knob["name"] in KNOBS_SHOWN]
    knobs = [knob for knob in shown if not set(modes).isdisjoint(knob["modes"])]
    if not knobs:
        maker.forms = []
        return {}
    group = {"id": "sampling", "label": text("group.sampling"), "open": True, "knobs": knobs}
    spec |= {"modes": [mode | {"needs": {}} for mode in spec["modes"] if mode["id"] in modes], "groups": [group]}
    return {
        "knobs": as_json(spec), "form": look.form.form, "frame": as_json(frame | {"rerun": False, "labels": labels})
    }  # fmt: skip


def _forms(recorded: WhatIfForm) -> list[WhatIfForm]:
    """The run under its own settings, and as if its tokens had been drawn, where that can be computed."""
    form = read_form(recorded.form)
    mode = SAMPLED.get(form["mode"])
    if mode is None:
        return [recorded]
    left_out = ("penalty_alpha", *(("top_k",) if form["mode"] == "contrastive_search" else ()))
    given = {name: value for name, value in form["given"].items() if name not in left_out}
    sampled = recorded.under(json.dumps({"mode": mode, "given": given}))
    return [recorded] if sampled.error is not None or sampled.whatif is None else [recorded, sampled]


def _absent(text: Text) -> dict[str, Any]:
    """In a chart's place where a step has none."""
    none = Table(caption="", head=(), rows=())
    return Sheet(
        key="absent", title=text.pieces("waterfall.title"), reading=[text("standalone.absent")],
        label=text("waterfall.label"), table=none, table_label="", figure=None,
    ).data  # fmt: skip


class _Maker:
    """Makes the chunks, as long as there is room.

    Attributes:
        forms: see `_forms`.
        mapped: there is a map of settings.
        found: what belongs into the page's base: trees, sums.
        n_charted, n_all: steps, or candidates, that have charts, and that there are.
    """

    def __init__(self, look: Look, most_bytes: int) -> None:
        self.look, self.left = look, most_bytes
        self.forms = _forms(look.form) if look.trace.steps else []
        self.mapped = has_settings_map(look)
        self.chunks: dict[str, str] = {}
        self.maps: dict[str, str] = {}
        self.found: dict[str, Any] = {}
        self.n_charted = self.n_all = 0

    def carried(self) -> str:
        """A sentence on what has charts; nothing where all have."""
        if self.n_charted >= self.n_all:
            return ""
        kind = "rows" if self.look.node is None else "nodes"
        return self.look.text(f"standalone.carried.{kind}", n=f"{self.n_charted:,}", all=f"{self.n_all:,}")

    def whole_run(self) -> None:
        """The maps of each row, or prompt, as long as they leave enough room for the charts."""
        look, room = self.look, self.left * MAPS_SHARE
        n = look.trace.n_rows if look.node is None else look.trace.ledger.n_prompts
        for place in range(n):
            made = {f"heat.{place}": heat_columns(look, place)}
            if self.mapped:
                made[f"settings.{place}"] = settings_sheet(look.moved(row=place, step=0), "run")
            packed = {name: packed_text(as_json(each)) for name, each in made.items()}
            size = sum(map(len, packed.values()))
            if size > room:
                break
            room, self.left = room - size, self.left - size
            self.maps |= packed
        if self.maps:
            self.found["heat"] = as_json(heat_map.frame(look))

    def rows(self) -> None:
        """Step by step, all rows of it; the first steps have charts, and the one that the page opens at."""
        look, trace = self.look, self.look.trace
        lengths = [look.n_steps(row) for row in range(trace.n_rows)]
        self.n_all = len(trace.steps)
        cells = [(row, step) for step in range(len(trace.steps)) for row in range(trace.n_rows) if step < lengths[row]]
        full = False
        for row, step in [(look.row, look.step), *cells]:
            key = f"{row}.{step}"
            if key in self.chunks or full:
                continue
            packed: list[dict[str, Any]] = []
            charts = self._charts(look.moved(row=row, step=step), packed)
            full = not self._keep(key, charts | {"packed": packed})
            if full:
                self.n_charted = step
        self.n_charted = self.n_charted if full else self.n_all

    def beam_run(self) -> None:
        """Tables for every step; charts for the candidates that matter most."""
        opening = self.look.node
        trees, sums, steps = [], [], {}
        for prompt in range(self.look.trace.ledger.n_prompts):
            look = self.look.at_node(prompt=prompt, step=opening.step, rank=opening.rank)
            trees.append(as_json(tree(look)))
            sums.append(_sums(look))
            steps |= self._tables(look)
        self.found |= {"trees": trees, "sums": sums}
        for prompt, step, rank in self._by_weight():
            chunk = steps[prompt, step]
            packed = list(chunk["packed"])
            charts = self._charts(self._at(prompt, step, rank), packed)
            size = len(packed_text(as_json([charts, packed[len(chunk["packed"]) :]])))
            if self.n_charted >= MOST_NODES or size > self.left:
                break
            self.left -= size
            self.n_charted += 1
            chunk["nodes"][rank], chunk["packed"] = charts, packed
        for (prompt, step), chunk in steps.items():
            self.chunks[f"{prompt}.{step}"] = packed_text(as_json(chunk))

    def _at(self, prompt: int, step: int, rank: int) -> Look:
        look = self.look.at_node(prompt=prompt, step=step, rank=rank)  # another prompt's best node, at first
        return look.at_node(prompt=prompt, step=step, rank=rank)

    def _tables(self, look: Look) -> dict[tuple[int, int], dict[str, Any]]:
        """Per step its tables and sentences."""
        prompt, text, out = look.node.prompt, look.text, {}
        nodes = look.readings.tree(prompt)
        self.n_all += len(nodes.nodes)
        for step in range(nodes.n_steps):
            reading = look.readings.beam_step(step, prompt)
            if not reading.rows:
                continue
            table = tables(look.at_node(prompt=prompt, step=step, rank=reading.rows[0].rank))
            del table["sum"]
            words = {}
            for row in reading.rows if len(nodes.nodes) <= MOST_WORDED else ():
                evicted_at = nodes.node(step, row.rank).evicted_at
                words[row.rank] = node_reading(
                    row, text, n_beams=n_places(reading), n_groups=reading.n_groups, evicted_at=evicted_at
                )
            out[prompt, step] = {"table": table, "reading": step_reading(reading, text), "words": words, "nodes": {},
                                 "packed": []}  # fmt: skip
        return out

    def _by_weight(self) -> Iterator[tuple[int, int, int]]:
        """The candidates: the one that the page opens at, those on the way to what was returned, kept ones, others."""
        node = self.look.node
        seen = {(node.prompt, node.step, node.rank)}
        yield from seen
        trees = [self.look.readings.tree(prompt) for prompt in range(self.look.trace.ledger.n_prompts)]
        on_the_way = [_way(each) for each in trees]
        kept = [[node for node in each.nodes if node.fate in ("kept", "finished")] for each in trees]
        for of_prompts in (on_the_way, kept, [each.nodes for each in trees]):
            found = ((node.step, prompt, node.rank) for prompt, nodes in enumerate(of_prompts) for node in nodes)
            for step, prompt, rank in sorted(found):
                if (prompt, step, rank) not in seen:
                    seen.add((prompt, step, rank))
                    yield prompt, step, rank

    def _keep(self, key: str, chunk: dict[str, Any]) -> bool:
        packed = packed_text(as_json(chunk))
        if len(packed) > self.left:
            return False
        self.left -= len(packed)
        self.chunks[key] = packed
        return True

    def _charts(self, look: Look, packed: list[dict[str, Any]]) -> dict[str, Any]:
        """The charts of a step, as recorded, and what the sliders start from, with its scores in `packed`."""
        try:
            first, drawn = waterfall(look), cutoff(look)
            sheets = {drawn["tab"]: drawn}
            for tab in drawn["tabs"]:
                if tab["id"] not in sheets:
                    sheets[tab["id"]] = cutoff(replace(look, rule=tab["id"]))
            mapped = {"map": as_json(settings_sheet(look, "step"))} if self.mapped else {}
            return mapped | {
                "waterfall": as_json(first), "tab": drawn["tab"], "scores": self._scores(look, packed),
                "cutoff": {tab: as_json(sheet) for tab, sheet in sheets.items()},
            }  # fmt: skip
        except DecodingError as error:  # the step's scores were lost
            return {"lost": without_places_in(look.text.said(error))}

    def _scores(self, look: Look, packed: list[dict[str, Any]]) -> dict[str, Any]:
        """By mode, what of the step is drawn, and which of `packed` it is drawn from."""
        out = {}
        for form in self.forms:
            head, sorted_scores = whatif.scores_of(replace(look, form=form))
            scores = _packed(look, form, sorted_scores)
            if scores not in packed:
                packed.append(scores)
            out[head["mode"]] = head | {"scores": packed.index(scores)}
        return out


def _sums(look: Look) -> list[Any]:
    """The table of each returned hypothesis' sum."""
    answers = look.readings.answers(look.node.prompt)
    return [sum_of(look, answers, place) for place in range(max(1, len(answers)))]


def _packed(look: Look, form: WhatIfForm, scores: np.ndarray) -> dict[str, Any]:
    step = look.trace.steps[look.step]
    if step.exact:
        return packed_scores(scores)
    before = page_scores(form.acting, step=look.step, row=look.row)
    n_exact = exact_places(step, look.row, before.numpy())
    return packed_scores(scores, n_exact=n_exact, width=max(FINEST, tail_width(step, look.row)))


def _way(tree: BeamTree) -> list[Any]:
    out = {}
    for node in (node for node in tree.nodes if node.answer is not None):
        at = node
        while (at.step, at.rank) not in out:
            out[at.step, at.rank] = at
            if at.parent < 0:
                break
            at = tree.nodes[at.parent]
    return list(out.values())
