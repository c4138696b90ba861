"""`verify`: runs a trace again through `generate()` and compares."""

from __future__ import annotations

import argparse
from typing import Any

from .model_options import add_model_options, follows, load
from .threads import add_thread_option, use_threads

__all__ = ["add_verify"]


def add_verify(commands: Any) -> None:
    """Adds the command."""
    verify = commands.add_parser(
        "verify",
        help="run a trace again through generate() and compare",
        description="Runs a trace again through generate(). Exit 0: equal; 1: not; 2: cannot be run.",
        allow_abbrev=False,
    )
    verify.add_argument("trace", metavar="FILE")
    add_model_options(verify, default=None, shareable=True)
    add_thread_option(verify)
    verify.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from decoding import VerifyError, load_trace, verify

    trace = load_trace(arguments.trace)
    name = arguments.model
    revision = None
    if name is None:
        if trace.model.source not in ("package", "hub"):
            raise VerifyError(
                f"the trace does not say where its model {trace.model.name!r} is; name it with --model"
            )
        name = trace.model.name
        revision = trace.model.revision if trace.model.source == "hub" else None
    arguments.dtype = arguments.dtype or trace.model.dtype
    if arguments.device_map is None and arguments.tp_plan is None:
        arguments.device = arguments.device or _same_kind_of_device(trace.model.device)
    use_threads(arguments.threads)
    report = verify(trace, load(name, arguments, revision))
    if not follows(arguments):
        print(report.text)
    return 0 if report.equal else 1


def _same_kind_of_device(device: str) -> str | None:
    """The device of the trace, where this machine has it: another one differs in the last bits."""
    import torch

    kind = device.partition(":")[0]
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return kind if have.get(kind) else None
