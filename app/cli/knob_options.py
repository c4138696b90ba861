"""Command-line options made from KNOBS: one for each decoding parameter."""

from __future__ import annotations

import argparse
import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from decoding.constraints.texts import LONGEST_TEXT
from decoding.parameters.knobs import KNOBS, Knob

__all__ = ["add_knob_options", "given_knobs"]

GROUPS = {
    "mode": "how to decode",
    "sampling": "sampling",
    "penalties": "penalties",
    "length": "length and stopping",
    "beams": "beams",
    "constrained": "constrained text",
    "constraints": "constraints",
    "engines": "samplers of other engines (llama.cpp's)",
    "other": "other",
}


def add_knob_options(parser: argparse.ArgumentParser, without: Container[str] = ()) -> None:
    """Adds `--top-p` for `top_p`, and so on; values are checked later, by `Settings`."""
    groups: dict[str, Any] = {}
    for knob in KNOBS.values():
        if knob.name in without:
            continue
        if knob.group not in groups:
            groups[knob.group] = parser.add_argument_group(GROUPS.get(knob.group, knob.group))
        groups[knob.group].add_argument(
            f"--{knob.name.replace('_', '-')}",
            dest=knob.name,
            help=_help(knob),
            default=None,
            **_shape(knob),
        )


def given_knobs(arguments: argparse.Namespace, tried: Iterable[str] = ()) -> dict[str, Any]:
    """The parameters that were given, by name, as `Settings` takes them.

    A sampling parameter asks for sampling: `do_sample` is set unless it was given, or contrastive search
    was asked for.

    Args:
        tried: parameters that are given elsewhere, with several values.
    """
    given = {name: value for name in KNOBS if (value := getattr(arguments, name, None)) is not None}
    named = {*given, *tried}
    samples = any(_samples(KNOBS[name]) for name in named)
    if samples and "do_sample" not in named and not given.get("penalty_alpha"):
        given = {"do_sample": True, **given}
    return given


def _samples(knob: Knob) -> bool:
    return knob.group == "sampling" or knob.group == "engines" and "greedy" not in knob.modes


def _help(knob: Knob) -> str:
    takes = "" if knob.kind in ("bool", "text", "text_list") else f" ({knob.accepts})"
    return f"{knob.help}{takes}".replace("%", "%%")


def _shape(knob: Knob) -> dict[str, Any]:
    match knob.kind:
        case "bool":
            return {"action": argparse.BooleanOptionalAction}
        case "int" | "float":
            return {"type": _number, "metavar": "N" if knob.kind == "int" else "X"}
        case "text":
            return {"metavar": "TEXT"}
        case "constraint":
            return {"metavar": "TEXT"} if knob.name == "regex" else {"type": _text_or_file, "metavar": "FILE|TEXT"}
        case "text_list":
            return {"action": "append", "metavar": "TEXT"}
        case "token_list":
            return {"action": "append", "type": _token, "metavar": "ID|TEXT"}
        case "sequence_list":
            return {"action": "append", "type": _sequence, "metavar": "TEXT|[IDS]"}
        case "sequence_bias":
            return {"action": "append", "type": _biased, "metavar": "TEXT=X"}
        case "decay":
            return {"nargs": 2, "type": _number, "metavar": ("START", "FACTOR")}
        case "early_stopping":
            return {"type": _truth, "metavar": "true|false|never"}
        case _:
            return {"type": _json, "metavar": "JSON"}


# What cannot be read stays a text: the knob's own check then says what it accepts.


def _number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text


def _token(text: str) -> Any:
    return int(text) if text.isdecimal() else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _sequence(text: str) -> Any:
    ids = _json(text) if text.startswith("[") else None
    return ids if isinstance(ids, list) else text


def _biased(text: str) -> Any:
    sequence, _, bias = text.rpartition("=")
    return (_sequence(sequence), _number(bias))


def _text_or_file(text: str) -> str:
    """What stands in the file of that name, where there is one; else the text itself."""
    try:
        path = Path(text)
        if path.is_file() and path.stat().st_size <= 4 * LONGEST_TEXT:  # bytes of as many characters
            return path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # no name of a file, or no text in it: the knob's own check says what it accepts
        pass
    return text


def _truth(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text)
