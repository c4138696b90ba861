"""The command line: serve (the default), record, open, verify, export.

Exit status: 0 all is well; 1 `verify` found a difference; 2 an error that the user can mend; 130 Ctrl-C.
Heavy imports stay inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decoding import LanguageModel, Recorder, Settings, Trace

__all__ = ["main"]

COMMANDS = ("serve", "record", "open", "verify", "export")
DEFAULT_MODEL = "smollm2-135m"


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


# --- what can be typed ------------------------------------------------------------------------------------


def _parser(argv: list[str]) -> argparse.Namespace:
    if not argv or (argv[0] not in COMMANDS and argv[0] not in ("-h", "--help", "--version")):
        argv = ["serve", *argv]
    parser = argparse.ArgumentParser(
        prog="decoding-explorer",
        description="Record a language model's real decoding run, completely, and look at it.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_serve(commands)
    _add_record(commands, with_knobs=argv[0] == "record")
    _add_open(commands)
    _add_verify(commands)
    _add_export(commands)
    return parser.parse_args(argv)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="the page, in the browser (the default)", allow_abbrev=False)
    _add_page_options(serve)
    serve.set_defaults(command=_serve, trace=None)


def _add_open(commands: Any) -> None:
    show = commands.add_parser("open", help="the page, with a recorded run", allow_abbrev=False)
    show.add_argument("trace", metavar="FILE", help="a trace that `record` or the page saved")
    _add_page_options(show)
    show.set_defaults(command=_serve)


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (%(default)s)")
    parser.add_argument("--model", metavar="NAME", default=DEFAULT_MODEL, help="model to begin with")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    parser.add_argument("--mcp", action="store_true", help="offer the API to assistants as MCP tools, too")


def _add_record(commands: Any, with_knobs: bool) -> None:
    record = commands.add_parser(
        "record",
        help="decode and save every step",
        description="Decodes a prompt and records every step. A sampling parameter turns sampling on.",
        allow_abbrev=False,
    )
    prompt = record.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", metavar="TEXT", action="append", help="repeat for a batch; - reads stdin")
    prompt.add_argument("--chat", metavar="FILE", help='JSON: [{"role": "user", "content": "..."}]')
    record.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to save the trace")
    _add_model_options(record, default=DEFAULT_MODEL)
    if with_knobs:
        from .knob_options import add_knob_options

        add_knob_options(record)
    record.set_defaults(command=_record)


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="run a trace again through generate() and compare",
        description="Runs a trace again through generate(). Exit 0: equal; 1: not; 2: cannot be run.",
        allow_abbrev=False,
    )
    verify.add_argument("trace", metavar="FILE")
    _add_model_options(verify, default=None)
    verify.set_defaults(command=_verify)


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="write a trace as a page of its own, JSON, CSV, GraphML or Python code",
        description="Writes a trace in the format that the output's name ends in: .html (one file, which needs no "
        "network), .json (described by trace.schema.json), .csv, .graphml (the beam tree), or .py (code that runs it "
        "again).",
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


def _add_model_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME",
        default=default,
        help=f"{DEFAULT_MODEL} (offline), a Hub id, or a local directory; default: "
        + (default or "the one that the trace names"),
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:N or mps; default: the best there is")
    parser.add_argument("--dtype", help="float32, bfloat16, float16 or auto")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"decoding-explorer {version('decoding-explorer')}"
    except PackageNotFoundError:
        return "decoding-explorer (from a checkout)"


# --- serve, open ------------------------------------------------------------------------------------------


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.mcp:
        _check_mcp()
    _check_port(arguments.host, arguments.port)
    # A million objects come to stay with these imports; looking through them for garbage takes a second.
    gc.disable()
    from ..page.layout import launch

    gc.freeze()
    gc.enable()
    launch(
        host=arguments.host,
        port=arguments.port,
        model=arguments.model,
        trace_path=arguments.trace,
        open_browser=not arguments.no_browser and _has_desktop(),
        mcp=arguments.mcp,
    )
    return 0


def _check_mcp() -> None:
    from importlib.util import find_spec

    from decoding.errors import DecodingError

    if find_spec("mcp") is None:
        raise DecodingError('--mcp needs the package mcp; install it with pip install "decoding-explorer[mcp]"')


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


# --- record -----------------------------------------------------------------------------------------------


def _record(arguments: argparse.Namespace) -> int:
    from decoding import DecodingError, Recorder, Settings

    from .knob_options import given_knobs

    prompt = _prompt(arguments)
    settings = Settings(**given_knobs(arguments))
    _check_output(arguments.output)
    lm = _load(arguments.model, arguments)
    recorder = Recorder(on_step=_count_steps())
    try:
        _decode(lm, prompt, settings, recorder)
    except (DecodingError, KeyboardInterrupt) as stopped:
        _keep_what_there_is(recorder, arguments.output, stopped)
        raise
    trace = recorder.trace
    _end_line()
    for row in range(trace.n_rows):
        _print_row(trace, row)
    _save(trace, arguments.output)
    print(_summary(trace, arguments.output))
    return 0


def _decode(lm: LanguageModel, prompt: Any, settings: Settings, recorder: Recorder) -> None:
    from decoding import stream

    for _ in stream(lm, prompt, settings, recorder):
        pass


def _prompt(arguments: argparse.Namespace) -> Any:
    if arguments.chat is not None:
        return _read_chat(arguments.chat)
    texts = [sys.stdin.read() if text == "-" else text for text in arguments.prompt]
    return texts[0] if len(texts) == 1 else texts


def _read_chat(path: str) -> Any:
    from decoding import PromptError

    try:
        chat = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PromptError(
            f"the chat {path!r} cannot be read: {error}; "
            'it must be JSON like [{"role": "user", "content": "Hello"}]'
        ) from error
    if not isinstance(chat, list):
        raise PromptError(f"the chat {path!r} must be a list of messages, got {type(chat).__name__}")
    return chat


def _check_output(path: Path | None) -> None:
    """Before minutes of decoding rather than after."""
    from decoding import DecodingError

    if path is None:
        return
    # Saving renames a new file into place: done to a device, that would take the device away.
    if (path.exists() and not path.is_file()) or not path.absolute().parent.is_dir():
        raise DecodingError(f"-o must name a file in a folder that exists, got {str(path)!r}")


def _load(name: str, arguments: argparse.Namespace, revision: str | None = None) -> LanguageModel:
    from decoding import load_model

    lm = load_model(
        name, device=arguments.device, dtype=arguments.dtype, revision=revision, progress=_say_progress()
    )
    _end_line()
    print(f"{lm.name} on {lm.device} in {lm.dtype}", file=sys.stderr)
    return lm


def _keep_what_there_is(recorder: Recorder, path: Path | None, stopped: BaseException) -> None:
    from decoding import NotRecordedError

    _end_line()
    try:
        trace = recorder.trace
    except NotRecordedError:
        return
    if path is not None and trace.steps:
        trace.save(path)
        print(f"kept the {len(trace.steps)} steps up to there in {path}", file=sys.stderr)


def _save(trace: Trace, path: Path | None) -> None:
    if path is not None:
        trace.save(path)


def _print_row(trace: Trace, row: int) -> None:
    if trace.n_rows > 1:
        print(f"--- row {row}")
    prompt = trace.prompts[row // trace.rows_per_prompt] if trace.prompts and not trace.messages else ""
    print(_printable(f"{prompt}{trace.text(row)}"))


def _printable(text: str) -> str:
    """Without the control characters by which a text could drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


WHOSE = {
    "given": "given    ",
    "unknown": "given?   ",
    "model": "default  the model's own: ",
    "transformers": "default  transformers': ",
}


def _summary(trace: Trace, path: Path | None) -> str:
    from ..views.acting import acting_rows

    stages = " > ".join(stage.name for stage in trace.stages) or "none"
    whose: dict[str, list[str]] = {}
    for row in acting_rows(trace):
        whose.setdefault(row.origin, []).append(_printable(f"{row.name}={row.value}"))
    lines = [
        "",
        f"model    {trace.model.name}, {trace.model.device}, {trace.model.dtype}",
        f"mode     {trace.mode}",
        *(f"{WHOSE[origin]}{', '.join(values)}" for origin, values in whose.items()),
        f"steps    {len(trace.steps)} in {trace.seconds:.1f} s; ended by {trace.stop_reason}",
        f"stages   {stages}",
        *(f"silent   {knob.name}={knob.value}: {knob.reason}" for knob in trace.silent),
        *(f"note     {warning}" for warning in trace.warnings),
        f"trace    {path}, {path.stat().st_size / 1e6:.1f} MB"
        if path
        else "trace    not saved; name a file with -o",
    ]
    return "\n".join(lines)


# --- verify -----------------------------------------------------------------------------------------------


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
    arguments.device = arguments.device or _same_kind_of_device(trace.model.device)
    report = verify(trace, _load(name, arguments, revision))
    print(report.text)
    return 0 if report.equal else 1


def _same_kind_of_device(device: str) -> str | None:
    """The device of the trace, where this machine has it: another one differs in the last bits."""
    import torch

    kind = device.partition(":")[0]
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return kind if have.get(kind) else None


# --- export -----------------------------------------------------------------------------------------------


def _export(arguments: argparse.Namespace) -> int:
    from decoding import DecodingError, load_trace

    from ..formats import Choices, export, writer_of

    _check_output(arguments.output)
    writer_of(arguments.output)
    if not 1 <= arguments.head <= 1000:
        raise DecodingError(f"--head must be in [1, 1000], got {arguments.head}")
    choices = Choices(n_head=arguments.head, table=arguments.table, style=arguments.code, lang=arguments.lang)
    export(load_trace(arguments.trace), arguments.output, choices)
    print(f"{arguments.output}, {arguments.output.stat().st_size:,} bytes")
    return 0


# --- progress on stderr -----------------------------------------------------------------------------------

STAGES = {
    "downloading": "Downloading the model",
    "converting": "Converting the offline model (about 20 s, once)",
    "loading": "Loading the model",
}


def _say(text: str) -> None:
    """One line that is written over on a terminal, and a line each time elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def _end_line() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _say_progress() -> Any:
    said: list[str] = []

    def progress(stage: str, fraction: float | None) -> None:
        percent = "" if fraction is None else f" {fraction:.0%}"
        text = f"{STAGES.get(stage, stage)} ...{percent}"
        # Off a terminal each stage is said once: a log needs no percentages.
        key = text if sys.stderr.isatty() else stage
        if key not in said:
            said.append(key)
            _say(text if sys.stderr.isatty() else f"{STAGES.get(stage, stage)} ...")

    return progress


def _count_steps() -> Any:
    last = time.monotonic()

    def count(step: Any) -> None:
        nonlocal last
        wait = 0.1 if sys.stderr.isatty() else 2.0
        if step.index == 0 or time.monotonic() - last >= wait:
            last = time.monotonic()
            _say(f"Decoding ... step {step.index + 1}")

    return count
