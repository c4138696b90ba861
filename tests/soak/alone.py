"""The same runs recorded alone, by the library: what visitors saw must be that."""

from __future__ import annotations

import json
from typing import Any

from .record import RunSeen

__all__ = ["differences"]


def differences(runs: list[RunSeen]) -> tuple[list[str], int]:
    """In words, of each run that differs in a token; and how many are the same to the last digit that is shown."""
    from app.cli.threads import use_threads
    from app.form import prompt_of, settings_of, with_length
    from app.session.session import Session
    from app.sheets.answer import answer
    from app.sheets.token_row import token_row
    from app.text import Text
    from decoding import load_model, record

    use_threads(None)
    lm, wrong, n_same = load_model(device="cpu"), [], 0
    for run in runs:
        asked = prompt_of("text", run.asked.prompt, "", Text("en"))
        trace = record(lm, asked, with_length(settings_of(run.asked.form)))
        look = Session(trace, "file").look
        text = answer(look)["data"]["answers"][0]["text"]
        lines: list[dict[str, Any]] = json.loads(json.dumps(token_row(look)["lines"]))
        ours, theirs = [line["text"] for line in lines], [line["text"] for line in run.lines]
        if (text, ours) != (run.text, theirs):
            wrong.append(f"{run.asked.prompt!r} under {run.asked.form}: {run.text!r} instead of {text!r}")
        else:
            n_same += [_numbers(line) for line in lines] == [_numbers(line) for line in run.lines]
    return wrong, n_same


def _numbers(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in ("probability", "final", "surprisal", "entropy"))
