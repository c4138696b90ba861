"""`record`: decodes a prompt and saves every step."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model_options import DEFAULT_MODEL, add_model_options, follows, load
from .output import check_output, printable
from .preset import add_preset_options, read_preset, say_told
from .progress import count_steps, end_line
from .threads import add_thread_option, use_threads

if TYPE_CHECKING:
    from decoding import LanguageModel, Recorder, Settings, Trace

__all__ = ["add_record"]

WHOSE = {
    "given": "given    ",
    "unknown": "given?   ",
    "model": "default  the model's own: ",
    "transformers": "default  transformers': ",
}


def add_record(commands: Any, with_knobs: bool) -> None:
    """Adds the command.

    Args:
        with_knobs: with an option for every decoding parameter, which takes a moment to import.
    """
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
    add_preset_options(record, "--preset")
    add_model_options(record, default=DEFAULT_MODEL, shareable=True)
    add_thread_option(record)
    if with_knobs:
        from .knob_options import add_knob_options

        add_knob_options(record)
    record.set_defaults(command=_record)


def _record(arguments: argparse.Namespace) -> int:
    from decoding import DecodingError, Recorder, Settings

    from .knob_options import given_knobs

    prompt = _prompt(arguments)
    settings = Settings(**{**_preset(arguments), **given_knobs(arguments)})
    check_output(arguments.output)
    use_threads(arguments.threads)
    lm = load(arguments.model, arguments, rows=_n_rows(prompt, settings))
    if follows(arguments):
        _decode(lm, prompt, settings, Recorder())
        return 0
    recorder = Recorder(on_step=count_steps())
    try:
        _decode(lm, prompt, settings, recorder)
    except (DecodingError, KeyboardInterrupt) as stopped:
        _keep_what_there_is(recorder, arguments.output, stopped)
        raise
    trace = recorder.trace
    end_line()
    for row in range(trace.n_rows):
        _print_row(trace, row)
    _save(trace, arguments.output)
    print(_summary(trace, arguments.output))
    return 0


def _preset(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings of another engine's preset, which options overrule; what is to be said of it goes to stderr."""
    if arguments.preset is None:
        return {}
    found = read_preset(arguments, arguments.preset)
    say_told(found.told)
    return found.settings.given()


def _n_rows(prompt: Any, settings: Settings) -> int:
    """How many rows are decoded at once, as far as the options say."""
    n_prompts = len(prompt) if isinstance(prompt, list) and isinstance(prompt[0], str) else 1
    return n_prompts * max(settings.num_beams or 1, settings.num_return_sequences or 1)


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


def _keep_what_there_is(recorder: Recorder, path: Path | None, stopped: BaseException) -> None:
    from decoding import NotRecordedError

    end_line()
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
    print(printable(f"{prompt}{trace.text(row)}"))


def _summary(trace: Trace, path: Path | None) -> str:
    from ..views.acting import acting_rows

    stages = " > ".join(stage.name for stage in trace.stages) or "none"
    whose: dict[str, list[str]] = {}
    for row in acting_rows(trace):
        whose.setdefault(row.origin, []).append(printable(f"{row.name}={row.value}"))
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
