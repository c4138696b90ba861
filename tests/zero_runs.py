"""Runs through ZeroGPU's workers, in a process of its own: `python -m tests.zero_runs MODEL FOLDER`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import torch

from app.handlers.handlers import Handlers
from app.serving.bounds import Bounds
from app.serving.decoder import Decoder, load_model
from app.serving.limits import limits_of
from app.serving.model_shelf import ModelState
from app.session.session import Session
from decoding.errors import DecodingError
from decoding.parameters.settings import Settings
from decoding.trace import Trace, load_trace

RUNS = {
    "greedy": {"max_new_tokens": 6},
    "sample": {"do_sample": True, "temperature": 1.3, "top_k": 40, "seed": 3, "max_new_tokens": 6},
    "two_rows": {"do_sample": True, "num_return_sequences": 2, "seed": 5, "max_new_tokens": 4},
    "beam_search": {"num_beams": 3, "max_new_tokens": 6},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4, "max_new_tokens": 4},
}
PROMPT = "ab c"
FORK_AT, FORK_TOKEN = 2, 7


def recorded(decoder: Decoder, steps, recorder, stop_after: int | None = None) -> Trace:
    """The trace; the steps are closed early where asked to."""
    seen = []
    for step in steps:
        seen.append(recorder.trace.scores(step=step.index))  # while it goes on
        if len(seen) == stop_after:
            break
    steps.close()
    return recorder.trace


class Shelf:
    """One model, loaded already."""

    limits = limits_of(Bounds.read(public=True))
    batchers = None

    def __init__(self, lm) -> None:
        self.default, self._ready = lm.name, ModelState(name=lm.name, phase="ready", lm=lm)

    def state(self, name: str) -> ModelState:
        return self._ready

    def loading(self, name: str):
        yield self._ready


def on_the_page(lm, first: Trace, mode: str, **given) -> list:
    """What a visitor who presses Run, then Verify, has in the end: the text, the message, the verdict."""
    handlers, session = Handlers(Shelf(lm)), Session(first)
    message = verdict = ""
    for changes in handlers.decoding.run(session, "", "text", PROMPT, "", json.dumps({"mode": mode, "given": given})):
        message = changes["message"].props["data"] if "message" in changes else message
    for changes in handlers.verifying.verify(session, {"run": session.look.number}):
        verdict = changes["verdict"].props["data"] if "verdict" in changes else verdict
    return [session.look.trace.text(), session.look.trace.stop_reasons, message, json.loads(verdict)["kind"]]


def killed(decoder: Decoder, lm) -> list:
    """What is left of a run whose worker dies after its third step, and what the next run says."""
    recorder, seen, said = decoder.recorder(2**24), [], ""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    try:
        for step in decoder.stream(lm, PROMPT, Settings(max_new_tokens=100), recorder):
            seen.append(recorder.trace.scores(step=step.index))
            if len(seen) == 3:
                workers = {child.pid for child in psutil.Process().children(recursive=True)}
                for pid in (workers - before) or workers:
                    os.kill(pid, signal.SIGKILL)
    except DecodingError as error:
        said = type(error).__name__
    trace = recorder.trace
    whole = all(map(torch.equal, seen, (trace.scores(step=n) for n in range(len(trace.steps)))))
    following = decoder.recorder(2**24)
    steps = decoder.stream(lm, PROMPT, Settings(**RUNS["greedy"]), following)
    return [len(seen), said, list(trace.stop_reasons), whole, recorded(decoder, steps, following).text()]


def main(model: str, folder: Path) -> None:
    """Saves a trace per run, and in notes.json what else was seen."""
    decoder = Decoder()
    lm = load_model(model)
    notes = {"device": lm.device}
    for name, values in RUNS.items():
        recorder = decoder.recorder(2**24)
        trace = recorded(decoder, decoder.stream(lm, PROMPT, Settings(**values), recorder), recorder)
        trace.save(folder / f"{name}.trace")
        notes[f"verify {name}"] = decoder.verify(trace, lm).equal
        if name == "beam_search":
            notes["ledger is one object"] = recorder.trace.ledger is trace.steps[0]._ledger
        if name == "greedy":
            forked = decoder.recorder(2**24)
            steps = decoder.stream_fork(trace, lm, forked, step=FORK_AT, token_id=FORK_TOKEN, row=0, kept=None)
            recorded(decoder, steps, forked).save(folder / "fork.trace")
    first = load_trace(folder / "greedy.trace")
    notes["page beams"] = on_the_page(lm, first, "beam_search", **RUNS["beam_search"])
    notes["page error"] = on_the_page(lm, first, "greedy", bad_words_ids="[[1000000]]", max_new_tokens=2)
    recorder = decoder.recorder(2**24)
    steps = decoder.stream(lm, PROMPT, Settings(max_new_tokens=100), recorder)
    stopped = recorded(decoder, steps, recorder, stop_after=3)
    notes["killed"] = killed(decoder, lm)
    notes["stopped"] = [len(stopped.steps), list(stopped.stop_reasons), decoder.verify(stopped, lm).equal]
    for name, prompt, settings in (
        ("prompt", "ab " * 5000, Settings(max_new_tokens=2)),
        ("setting", "ab", Settings(bad_words_ids=[[10**6]], max_new_tokens=2)),
    ):
        recorder = decoder.recorder(2**24)
        try:
            recorded(decoder, decoder.stream(lm, prompt, settings, recorder), recorder)
        except DecodingError as error:
            notes[f"error {name}"] = [type(error).__name__, str(error)]
    (folder / "notes.json").write_text(json.dumps(notes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
