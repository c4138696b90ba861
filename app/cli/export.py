"""`export`: writes a trace in another format."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .output import check_output

__all__ = ["add_export"]


def add_export(commands: Any) -> None:
    """Adds the command."""
    export = commands.add_parser(
        "export",
        help="write a trace as a page of its own, JSON, CSV, GraphML or Python code",
        description="Writes a trace in the format that the output's name ends in: .html (one file, which needs no "
        "network), .json (described by trace.schema.json), .csv, .graphml (the beam tree), or .py (code that runs it "
        "again). Of a response of another engine, with logprobs: .html, .json or .csv.",
        allow_abbrev=False,
    )
    export.add_argument("trace", metavar="FILE")
    export.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="where to write it")
    export.add_argument(
        "--head", metavar="N", type=int, default=20, help="JSON, tokens as CSV: likeliest tokens per step (%(default)s)"
    )
    export.add_argument(
        "--table", choices=("steps", "tokens", "ledger"), help="CSV: which; default: steps, of a beam run the ledger"
    )
    export.add_argument(
        "--code", choices=("generate", "record"), default="generate",
        help="Python: a generate() call (the default), or this library's record()",
    )  # fmt: skip
    export.add_argument("--lang", choices=("en", "zh"), default="en", help="HTML: the page's language (%(default)s)")
    export.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from decoding import DecodingError, load_response, load_trace
    from decoding.partial.response import looks_like_response

    from ..formats import Choices, export, writer_of
    from ..partial_formats import check_suffix, export_response

    check_output(arguments.output)
    if looks_like_response(arguments.trace):
        check_suffix(arguments.output)
        export_response(load_response(arguments.trace), arguments.output, lang=arguments.lang)
        print(f"{arguments.output}, {arguments.output.stat().st_size:,} bytes")
        return 0
    writer_of(arguments.output)
    if not 1 <= arguments.head <= 1000:
        raise DecodingError(f"--head must be in [1, 1000], got {arguments.head}")
    choices = Choices(n_head=arguments.head, table=arguments.table, style=arguments.code, lang=arguments.lang)
    export(load_trace(arguments.trace), arguments.output, choices)
    print(f"{arguments.output}, {arguments.output.stat().st_size:,} bytes")
    return 0
