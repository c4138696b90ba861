"""Which model a command takes, and on what."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from .progress import end_line, say_progress

if TYPE_CHECKING:
    from decoding import LanguageModel

__all__ = ["DEFAULT_MODEL", "add_device_options", "add_model_options", "follows", "load", "load_options"]

DEFAULT_MODEL = "smollm2-135m"


def add_model_options(parser: argparse.ArgumentParser, default: str | None, *, shareable: bool = False) -> None:
    """Adds `--model` and what it is loaded on and in; a default of None is the model that a trace names.

    Args:
        shareable: whether the command can be run by several processes that share the model.
    """
    parser.add_argument(
        "--model",
        metavar="NAME",
        default=default,
        help=f"{DEFAULT_MODEL} (offline), a Hub id, or a local directory; default: "
        + (default or "the one that the trace names"),
    )
    add_device_options(parser)
    if shareable:
        parser.add_argument(
            "--tp-plan", choices=["auto"],
            help="under torchrun: the processes share each layer; that of rank 0 records and tells",
        )  # fmt: skip


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--device`, `--dtype`, and for models too large for one device `--device-map` and what belongs to it."""
    parser.add_argument("--device", help="cpu, cuda, cuda:N or mps; default: the best there is")
    parser.add_argument(
        "--dtype", help="float32, bfloat16, float16, auto (as stored), or fastest (measured on a CPU, 1 s)"
    )
    parser.add_argument(
        "--device-map", metavar="MAP", type=_device_map,
        help="spread the model: auto (CUDA devices, CPU, disk), or JSON with a device or disk for each layer",
    )  # fmt: skip
    parser.add_argument(
        "--max-memory", metavar="DEVICE=SIZE", nargs="+", type=_room,
        help="with --device-map auto: at most so much on each, e.g. 0=20GB cpu=60GB; the rest goes to the disk",
    )  # fmt: skip
    parser.add_argument(
        "--static-cache", action="store_const", const=True,
        help="a cache of fixed size, with which the decode steps are compiled on CUDA",
    )  # fmt: skip
    parser.add_argument("--offload-folder", metavar="FOLDER", help="with --device-map: for layers on the disk")


def _device_map(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f'must be auto or JSON like {{"model": "cpu"}}: {error}') from error


def _room(text: str) -> tuple[int | str, str]:
    device, _, size = text.partition("=")
    if not device or not size:
        raise argparse.ArgumentTypeError(f"must be a device and a size like 0=20GB or cpu=60GB, got {text!r}")
    return (int(device) if device.isdecimal() else device), size


def load_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `load_model` is given besides the name, of what was asked for."""
    names = ("device", "dtype", "device_map", "offload_folder", "static_cache", "tp_plan")
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    return given | ({"max_memory": dict(arguments.max_memory)} if arguments.max_memory else {})


def follows(arguments: argparse.Namespace) -> bool:
    """Whether this process shares a model with that of rank 0, which alone writes and tells."""
    return getattr(arguments, "tp_plan", None) is not None and os.environ.get("RANK", "0") != "0"


def load(name: str, arguments: argparse.Namespace, revision: str | None = None, rows: int = 1) -> LanguageModel:
    """The model, on the device and in the dtype that the options name; `rows` are decoded at once."""
    from decoding import load_model

    if follows(arguments):
        return load_model(name, revision=revision, rows=rows, **load_options(arguments))
    lm = load_model(name, revision=revision, rows=rows, progress=say_progress(), **load_options(arguments))
    end_line()
    print(f"{lm.name} on {lm.place} in {lm.dtype_because or lm.dtype}", file=sys.stderr)
    return lm
