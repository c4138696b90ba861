"""`serve` and `open`: the page, in the browser."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import Any

from ..serving.bounds import TABLE
from ..serving.freed import imports_that_stay
from .model_options import DEFAULT_MODEL, add_device_options, load_options
from .threads import add_thread_option, use_threads

__all__ = ["add_open", "add_serve", "check_installed"]


def add_serve(commands: Any) -> None:
    """Adds the command that shows the page."""
    serve = commands.add_parser(
        "serve", help="the page, in the browser (the default)", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_bounds(),
    )  # fmt: skip
    _add_page_options(serve)
    serve.set_defaults(command=_serve, trace=None, row=1)


def _bounds() -> str:
    """The variables that set the server's bounds."""
    lines = ["what the server takes; a variable of the environment sets it (SERVING.md):"]
    for bound in TABLE:
        own = "no bound" if bound.own is None else f"{bound.own:,}"
        lines.append(f"  {bound.variable:<40} {own:>10}  {bound.unit}: {bound.of}")
    return "\n".join(lines)


def add_open(commands: Any) -> None:
    """Adds the command that shows the page with a run of a file."""
    show = commands.add_parser("open", help="the page, with a recorded run or a response", allow_abbrev=False)
    show.add_argument("trace", metavar="FILE", help="a trace that `record`, `sweep` or the page saved; or "
                      "a response of an OpenAI-compatible server or llama.cpp, with logprobs, as it came")
    show.add_argument("--row", metavar="N", type=int, default=1, help="the row to begin with, from 1 (%(default)s)")
    _add_page_options(show)
    show.set_defaults(command=_serve)


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (%(default)s)")
    parser.add_argument("--model", metavar="NAME", default=DEFAULT_MODEL, help="model to begin with")
    add_device_options(parser)
    add_thread_option(parser)
    parser.add_argument(
        "--stored-runs", metavar="FOLDER",
        help="keep recorded runs there, prompts among them, and open one instead of decoding where exactly the same is "
        "asked again; on: until the program ends; off (default: the variable DECODING_EXPLORER_STORED_RUNS, else off)",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    parser.add_argument("--mcp", action="store_true", help="offer the API to assistants as MCP tools, too")


def _serve(arguments: argparse.Namespace) -> int:
    check_installed("gradio", "the page", "app")
    if arguments.mcp:
        check_installed("mcp", "--mcp", "mcp")
    _check_port(arguments.host, arguments.port)
    with imports_that_stay():
        from ..page.layout import launch
        from ..serving.stored_runs import stored_runs

        use_threads(arguments.threads)
    launch(
        host=arguments.host,
        port=arguments.port,
        model=arguments.model,
        trace_path=arguments.trace,
        row=arguments.row - 1,
        open_browser=not arguments.no_browser and _has_desktop(),
        mcp=arguments.mcp,
        load_options=load_options(arguments),
        stored=stored_runs(arguments.stored_runs),
    )
    return 0


def check_installed(package: str, what: str, extra: str) -> None:
    """Returns if a package is there; the error says which extra of ours brings it."""
    from importlib.util import find_spec

    from decoding.errors import DecodingError

    if find_spec(package) is None:
        raise DecodingError(
            f'{what} needs the package {package}; install it with pip install "decoding-explorer[{extra}]"'
        )


def _check_port(host: str, port: int) -> None:
    """Before seconds of imports rather than after."""
    from decoding.errors import DecodingError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just given back is free
            probe.bind((address[0], port, *address[2:]))
    except (OSError, OverflowError) as error:
        raise DecodingError(
            f"cannot serve at {host}, port {port}: {getattr(error, 'strerror', None) or error}; "
            "name a free port with --port"
        ) from error


def _has_desktop() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    # Without these Python would open a text browser in this terminal.
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
