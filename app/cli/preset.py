"""`preset`: settings of another engine as ours, or as a third one's."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import printable

if TYPE_CHECKING:
    from decoding.presets import ReadPreset, Told

__all__ = ["add_preset", "add_preset_options", "read_preset", "say_told"]

HERE = "transformers"
NAMES = ("llama.cpp", "vllm", "ollama", "text-generation-webui")  # of ENGINES, without importing it
LONGEST_FILE = 1 << 20  # bytes; far more than a preset may have


def add_preset(commands: Any) -> None:
    """Adds the command."""
    preset = commands.add_parser(
        "preset",
        help="translate settings from and to llama.cpp, vLLM, Ollama and text-generation-webui",
        description="Reads a request or preset of another engine and writes its settings for transformers, as JSON, or "
        "for another one. What has no counterpart, or means something else, is said on stderr.",
        allow_abbrev=False,
    )
    preset.add_argument(
        "preset", metavar="FILE", help="a request, a preset, a Modelfile, or our own JSON with --from transformers; - "
        "reads stdin",
    )  # fmt: skip
    preset.add_argument(
        "--to", choices=(HERE, *NAMES), default=HERE, metavar="ENGINE",
        help=f"for whom: {', '.join((HERE, *NAMES))} (default: %(default)s)",
    )  # fmt: skip
    add_preset_options(preset, None)
    preset.set_defaults(command=_preset)


def add_preset_options(parser: argparse.ArgumentParser, option: str | None) -> None:
    """Adds what says how a preset is read.

    Args:
        option: with which it is named; None where the command is about it.
    """
    prefix = f"{option}-" if option else "--"
    if option:
        parser.add_argument(
            option, metavar="FILE", dest="preset",
            help="settings of another engine: a request, a preset or a Modelfile; - reads stdin. Options overrule it",
        )  # fmt: skip
    names = NAMES if option else (HERE, *NAMES)
    parser.add_argument(
        f"{prefix}from", choices=names, metavar="ENGINE", dest="preset_from",
        help=f"whose it is: {', '.join(names)} (default: as its keys say)",
    )  # fmt: skip
    parser.add_argument(
        f"{prefix}as-given", action="store_true", dest="preset_as_given",
        help="without the engine's own defaults: what it leaves out is at the model's or transformers' own",
    )  # fmt: skip


def read_preset(arguments: argparse.Namespace, path: str) -> ReadPreset:
    """The preset in a file.

    Raises:
        PresetError: it cannot be read.
    """
    from decoding.presets import read

    return read(_text(path), arguments.preset_from, defaults=not arguments.preset_as_given)


def say_told(told: Sequence[Told]) -> None:
    """What is to be said, a line each, on stderr."""
    for each in told:
        print(printable(f"{each.kind:8} {each.name} = {each.value}: {each.why}"), file=sys.stderr)


def _preset(arguments: argparse.Namespace) -> int:
    from decoding.parameters.settings import Settings
    from decoding.presets import write

    if arguments.preset_from == HERE:
        settings = Settings.from_json(_ours(_text(arguments.preset)))
    else:
        found = read_preset(arguments, arguments.preset)
        print(f"read as {found.engine}{'' if found.sure else ', or one of the others: --from says which'}",
              file=sys.stderr)  # fmt: skip
        if found.filled:
            print(f"its own defaults: {', '.join(found.filled)} (--as-given leaves them out)", file=sys.stderr)
        say_told(found.told)
        settings = found.settings
    if arguments.to == HERE:
        print(json.dumps(settings.to_json(), indent=2, ensure_ascii=False))
        return 0
    written = write(settings, arguments.to)
    say_told(written.told)
    print(written.text.rstrip("\n"))
    return 0


def _ours(text: str) -> Any:
    from decoding.presets.pasted import parse

    return parse(text).values


def _text(path: str) -> str:
    from decoding import PresetError

    try:
        data = sys.stdin.buffer.read(LONGEST_FILE) if path == "-" else _start(Path(path))
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise PresetError("the preset {path} cannot be read: {error}", path=repr(path), error=error) from error


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_FILE)
