"""The command line: serve (the default), record, sweep, study, open, verify, export, preset.

Exit status: 0 all is well; 1 `verify` found a difference; 2 an error that the user can mend; 130 Ctrl-C.
Heavy imports stay inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys

from .export import add_export
from .preset import add_preset
from .record import add_record
from .serve import add_open, add_serve
from .study import add_study
from .sweep import add_sweep
from .verify import add_verify

__all__ = ["main"]

COMMANDS = ("serve", "record", "sweep", "study", "open", "verify", "export", "preset")


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    arguments = _parser(sys.argv[1:] if argv is None else argv)
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        print("\ndecoding-explorer: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at exit
        return 0
    except Exception as error:
        from decoding.errors import DecodingError

        if not isinstance(error, DecodingError):
            raise
        print(f"decoding-explorer: {error}", file=sys.stderr)
        return 2


def _parser(argv: list[str]) -> argparse.Namespace:
    if not argv or (argv[0] not in COMMANDS and argv[0] not in ("-h", "--help", "--version")):
        argv = ["serve", *argv]
    parser = argparse.ArgumentParser(
        prog="decoding-explorer",
        description="Record a language model's real decoding run, completely, and look at it.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND")
    add_serve(commands)
    add_record(commands, with_knobs=argv[0] == "record")
    add_sweep(commands, with_knobs=argv[0] == "sweep")
    add_study(commands)
    add_open(commands)
    add_verify(commands)
    add_export(commands)
    add_preset(commands)
    return parser.parse_args(argv)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"decoding-explorer {version('decoding-explorer')}"
    except PackageNotFoundError:
        return "decoding-explorer (from a checkout)"
