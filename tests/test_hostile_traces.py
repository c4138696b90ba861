"""Traces that somebody has changed inside, with every sum of the zip right: refused in words, or shown as they are."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from app.gallery.first_page import example_trace
from app.handlers.handlers import Handlers
from app.session.session import Session
from decoding import Settings, record
from decoding.fork import fork
from tests.conftest import random_cases
from tests.test_handlers import Shelf, sent
from tests.tiny_models import tiny_lm

EXAMPLE = example_trace()
WAYS = {
    "sample": {"do_sample": True, "seed": 1, "top_k": 9, "repetition_penalty": 1.2},
    "beam_search": {"num_beams": 3},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4},
}
JUNK = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1.5, math.inf, -math.inf, math.nan, "", "x", "\0\ud800", "greedy",
    "sample", "beam_search", [], {}, [[]], ["x"], {"a": 1}, [-1], "x" * 10_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, bytes]:
    """Real traces, as files: of each mode the lossless and the compact form."""
    lm, folder, found = tiny_lm(), tmp_path_factory.mktemp("traces"), {}
    for name, how in WAYS.items():
        trace = record(lm, "The cat", Settings(max_new_tokens=4, **how))
        for compact in (False, True):
            trace.save(folder / "a.trace", compact=compact)
            found[f"{name} {compact}"] = (folder / "a.trace").read_bytes()
    source = record(lm, "The cat", Settings(max_new_tokens=6, **WAYS["sample"]))
    fork(source, lm, step=2, token_id=7).save(folder / "a.trace")
    found["fork"] = (folder / "a.trace").read_bytes()
    return found


def changed(blob: bytes, draw: Any) -> bytes:
    """The file with one thing in it changed, or two."""
    entries = {}
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        for info in archive.infolist():
            entries[info.filename] = (archive.read(info), info.compress_type)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(entries)))
        data, how = entries[name]
        entries[name] = (_json_changed(data, draw) if name.endswith(".json") else _arrays_changed(data, draw), how)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, (data, how) in entries.items():
            archive.writestr(name, data, how)
    return out.getvalue()


def _json_changed(data: bytes, draw: Any) -> bytes:
    header = json.loads(data)
    here: Any = header
    while True:
        keys = sorted(here, key=str) if isinstance(here, dict) else list(range(len(here)))
        key = draw(st.sampled_from(keys))
        if isinstance(here[key], (dict, list)) and here[key] and draw(st.integers(0, 3)):
            here = here[key]
            continue
        if isinstance(here[key], int) and draw(st.booleans()):
            here[key] += draw(st.integers(-3, 3))
        elif draw(st.integers(0, 5)) == 0:
            del here[key]
        else:
            here[key] = draw(st.sampled_from(JUNK))
        return json.dumps(header).encode("utf-8", "surrogatepass")


def _arrays_changed(data: bytes, draw: Any) -> bytes:
    try:
        arrays = safetensors.torch.load(data)
    except Exception:  # it was changed before
        return data
    name = draw(st.sampled_from(sorted(arrays)))
    array, what = arrays[name], draw(st.sampled_from(("value", "values", "shape", "kind", "gone", "cut", "new")))
    if what == "gone":
        del arrays[name]
    elif what == "new":
        names = ("1.0.dense", "encoder_ids", "tokens.flags", "facts.n_alive", "x")
        arrays[draw(st.sampled_from(names))] = array.clone()
    elif what == "shape":
        arrays[name] = array.reshape(-1) if array.ndim != 1 else array[None]
    elif what == "kind":
        arrays[name] = array.to(draw(st.sampled_from((torch.float32, torch.int64, torch.uint8, torch.float64))))
    elif what == "cut" and array.numel():
        arrays[name] = array[: draw(st.integers(0, len(array)))] if array.ndim else array
    elif array.numel():
        flat, kind = array.reshape(-1).clone(), array.dtype
        numbers = (math.nan, math.inf, -math.inf, 0.0, 1e30)
        value = draw(st.sampled_from(numbers if kind.is_floating_point else (-1, 0, 1, 2, 5, 127, 255, 2**31 - 1)))
        if not kind.is_floating_point:
            most = 1 if kind == torch.bool else torch.iinfo(kind).max
            value = min(max(value, 0 if kind in (torch.bool, torch.uint8) else -1), most)
        places = slice(None) if what == "values" else draw(st.integers(0, flat.numel() - 1))
        flat[places] = value
        arrays[name] = flat.reshape(array.shape)
    return safetensors.torch.save({name: array.contiguous() for name, array in arrays.items()})


def looked_at(path: Path) -> None:
    """Opens a file on the page, and looks at all of its steps and tries a setting where it was not refused."""
    lm = tiny_lm()
    handlers, session = Handlers(Shelf(lm)), Session(EXAMPLE)
    handlers.sharing.open_file(session, "", "text", "", "", "", str(path))
    look = session.look
    if len(session.runs) == 1:
        assert look.trace is EXAMPLE
        return
    for step in range(len(look.trace.steps)):
        place = json.dumps({"run": look.number, "row": 0, "step": step, "prompt": 0, "rank": 0})
        (handlers.looking.choose_step if look.node is None else handlers.looking.choose_node)(session, place)
        handlers.looking.look_closer(session)
    about = {"run": look.number, "row": 0, "step": 0}
    form = json.dumps({"mode": "sample", "given": {"temperature": 0.7}})
    handlers.whatif.confirm(session, sent(about=about, form=form, turn=1))


@pytest.mark.parametrize("case", random_cases(24, 4))
def test_a_trace_that_was_changed_inside_is_refused_in_words_or_shown(saved, tmp_path, case):
    path = tmp_path / "changed.trace"

    @seed(case)
    @settings(
        max_examples=40, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def any_of_them(data: Any) -> None:
        path.write_bytes(changed(saved[data.draw(st.sampled_from(sorted(saved)))], data.draw))
        looked_at(path)

    any_of_them()
