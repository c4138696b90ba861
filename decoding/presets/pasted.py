"""What was pasted, read as keys and values: JSON, YAML, a Modelfile or a `SamplingParams(…)` call.

The text is a stranger's. It is bounded; of YAML nothing is taken that makes more of a text than stands in it (anchors,
aliases) or other than plain values (tags); of Python nothing but literals.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from decoding.errors import PresetError
from decoding.words import words

__all__ = ["DEEPEST", "LONGEST", "Pasted", "parse"]

LONGEST = 20_000  # characters
DEEPEST = 16  # objects and lists within each other
MOST_KEYS = 300

Syntax = Literal["json", "yaml", "modelfile", "call"]

_CALL = re.compile(r"\s*(?:\w+\s*=\s*)?(?:vllm\.)?SamplingParams\s*\(")
_FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_BODY = re.compile(r"\{.*\}", re.DOTALL)
_INSTRUCTION = re.compile(
    r"[ \t]*(FROM|PARAMETER|TEMPLATE|SYSTEM|ADAPTER|LICENSE|MESSAGE|REQUIRES|CAPABILITY|RENDERER|PARSER|DRAFT)[ \t]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was pasted.

    Attributes:
        syntax: what it was written in.
        values: keys and values.
        twice: keys that stand in it more than once, of which the last one counts.
    """

    syntax: Syntax
    values: dict[str, Any]
    twice: tuple[str, ...] = ()

    @property
    def loose(self) -> bool:
        """Whether a number may stand in it as a text."""
        return self.syntax in ("yaml", "modelfile")


def parse(text: Any) -> Pasted:
    """What the text says.

    Raises:
        PresetError: it is empty, too long, too deep, or none of the forms.
    """
    if not isinstance(text, str):
        raise PresetError("a preset must be a text, got {kind}", kind=type(text).__name__)
    if len(text) > LONGEST:
        raise PresetError(
            "the preset has {n:,} characters, and at most {most:,} are read; paste the settings alone",
            n=len(text), most=LONGEST,
        )  # fmt: skip
    text = _unwrapped(text.removeprefix("\ufeff"))
    if not text:
        raise PresetError("the preset is empty; paste a request, a preset or a Modelfile")
    try:
        pasted = _parsed(text)
    except (RecursionError, MemoryError):
        raise _too_deep() from None
    if len(pasted.values) > MOST_KEYS:
        raise PresetError("the preset has {n} keys, and at most {most} are read", n=len(pasted.values), most=MOST_KEYS)
    if _depth(pasted.values) > DEEPEST:
        raise _too_deep()
    return pasted


def _too_deep() -> PresetError:
    return PresetError("the preset is more than {most} objects and lists deep; paste the settings alone", most=DEEPEST)


def _unwrapped(text: str) -> str:
    """Without the fence of a Markdown block, or the curl command around it."""
    fenced = _FENCE.match(text)
    text = (fenced[1] if fenced else text).strip()
    body = _BODY.search(text) if text.startswith("curl ") else None
    return body[0] if body else text


def _parsed(text: str) -> Pasted:
    if _CALL.match(text):
        return Pasted("call", _call(text))
    if text[0] in '{"[':
        return _json(text if text[0] != '"' else "{" + text.rstrip(",") + "}")
    if any(_INSTRUCTION.match(line) for line in text.splitlines()):
        return Pasted("modelfile", _modelfile(text))
    return _yaml(text)


def _json(text: str) -> Pasted:
    twice: dict[str, None] = {}

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        twice.update(dict.fromkeys(name for name in names if names.count(name) > 1))
        return dict(items)

    try:
        values = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise PresetError(
            "this is no whole JSON: {why} in line {line}, column {column}",
            why=error.msg, line=error.lineno, column=error.colno,
        ) from None  # fmt: skip
    except ValueError:  # a number of thousands of digits
        raise PresetError("this is no JSON: it has a number that is too long") from None
    return Pasted("json", _object(values), tuple(twice))


def _object(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise PresetError(
            "a preset must be keys and values, got {kind}; paste a request, a preset or a Modelfile",
            kind=_KIND_OF.get(type(values), type(values).__name__),
        )
    return {str(name): value for name, value in values.items()}


_KIND_OF: dict[type, Any] = {list: words("a list"), str: words("a text"), type(None): words("nothing")}


def _yaml(text: str) -> Pasted:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise PresetError("the preset's YAML has an anchor or alias (& or *), which is not read; write it out")
            if getattr(event, "tag", None):
                raise PresetError("the preset's YAML has a tag (!), which is not read; write plain values")
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PresetError(
            "this is neither JSON, YAML, a Modelfile nor SamplingParams(…): {why} in line {line}",
            why=getattr(error, "problem", None) or type(error).__name__, line=mark.line + 1 if mark else 1,
        ) from None  # fmt: skip
    except ValueError:  # a date that is none, a number of thousands of digits
        raise PresetError("the preset's YAML has a date or a number that cannot be read") from None
    return Pasted("yaml", _object(values))


def _call(text: str) -> dict[str, Any]:
    """The keyword arguments of a call whose values are literals."""
    wrong = PresetError("SamplingParams(…) can be read where all of its arguments are named and plain values")
    try:
        tree = ast.parse(text.strip()).body
    except (SyntaxError, ValueError):
        raise wrong from None
    call = tree[0].value if len(tree) == 1 and isinstance(tree[0], (ast.Expr, ast.Assign)) else None
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        raise wrong
    try:
        return {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
    except (ValueError, TypeError):
        raise wrong from None


def _literal(node: ast.expr) -> Any:
    """A literal; of vLLM's own objects within it, their arguments."""
    if isinstance(node, ast.Call) and not node.args and all(keyword.arg for keyword in node.keywords):
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    return ast.literal_eval(node)


def _modelfile(text: str) -> dict[str, Any]:
    """The parameters of a Modelfile, and its other instructions by their names; a `stop` may stand several times."""
    values: dict[str, Any] = {}
    for name, argument in _instructions(text):
        if name != "PARAMETER":
            values[name] = argument
            continue
        parameter, _, value = argument.partition(" ")
        value = _unquoted(value.strip())
        if parameter.lower() == "stop":
            values.setdefault("stop", []).append(value)
        else:
            values[parameter.lower()] = value
    return values


def _instructions(text: str) -> list[tuple[str, str]]:
    """The instructions, each with its argument; one in three quotes goes over several lines."""
    found: list[tuple[str, str]] = []
    inside = False
    for line in text.splitlines():
        if inside:
            inside = '"""' not in line
            continue
        start = _INSTRUCTION.match(line)
        if start is None:
            if line.strip() and not line.lstrip().startswith("#"):
                found.append((line.split()[0], line.strip()))
            continue
        found.append((start[1].upper(), " ".join(line[start.end() :].split(None, 1))))
        inside = line.count('"""') == 1
    return found


def _unquoted(value: str) -> str:
    """Without quotes around it; what they hold is read as Ollama writes it."""
    for quote in ('"""', '"'):
        if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
            inner = value[len(quote) : -len(quote)]
            return inner if quote == '"""' else inner.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    return value


def _depth(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return 0 if items is None else 1 + max((_depth(item) for item in items), default=0)
