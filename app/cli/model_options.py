"""Which model a command takes, and on what."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .progress import end_line, say_progress

if TYPE_CHECKING:
    from decoding import LanguageModel

__all__ = ["DEFAULT_MODEL", "add_model_options", "load"]

DEFAULT_MODEL = "smollm2-135m"


def add_model_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Adds `--model`, `--device`, `--dtype`; a default of None is the model that a trace names."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        default=default,
        help=f"{DEFAULT_MODEL} (offline), a Hub id, or a local directory; default: "
        + (default or "the one that the trace names"),
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:N or mps; default: the best there is")
    parser.add_argument("--dtype", help="float32, bfloat16, float16 or auto")


def load(name: str, arguments: argparse.Namespace, revision: str | None = None) -> LanguageModel:
    """The model, on the device and in the dtype that the options name."""
    from decoding import load_model

    lm = load_model(
        name, device=arguments.device, dtype=arguments.dtype, revision=revision, progress=say_progress()
    )
    end_line()
    print(f"{lm.name} on {lm.device} in {lm.dtype}", file=sys.stderr)
    return lm
