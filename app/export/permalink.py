"""Permalinks: the whole configuration of the page in one parameter of its address, `?c=…`; no state on a server.

The parameter is base64url without padding, of JSON in UTF-8:

    {"v":1,"mode":"greedy","knobs":{"max_new_tokens":40},"step":5,"prompt":"The capital of France is"}

or, where that is shorter, `z.` and base64url of the same JSON packed with zlib. Only what differs from a
`Configuration()` is written. The names, in the order in which they are written, so that a link that was cut short has
lost the prompt's end and not the settings:

    v        the version, 1
    run      false: do not run when the page opens
    lang     "en" or "zh"; without it the browser decides
    model    its name; without it the page's own
    mode     greedy, sample, beam_search, …
    knobs    what was given, by name, as the form holds it: numbers, true or false, texts as they were typed
    row      the row of the token row; in a beam run the prompt
    step     the step in view, from 0; without it the page chooses
    rank     in a beam run the candidate in view
    tab      the open tab of the lab
    view     the open view elsewhere
    kind     "chat" for a chat
    system   the chat's system message
    prompt   the text; several parted by a line `---`; chat messages as JSON

**The rule for later versions.** What a name means never changes. A new name may come without a new version: a reader
that does not know it says so and reads on. When a meaning has to change, `v` is raised, and `_UPGRADES` gets a function
that turns the values of the version before into those of the new one; so every link ever made can be read. Links of a
newer version are read as far as their names are known, and said to be newer. `tests/test_export_permalink.py` keeps
links of every version.

A link is anyone's to write. Reading one never raises; what cannot be read is left out and told. A link of which
something was told does not run by itself (`Configuration.run` is False): it would not be the run that was meant.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from decoding.errors import DecodingError, SettingError, shown
from decoding.parameters.knobs import KNOBS

from ..form import MODES_SHOWN, modes_of, read_value
from ..serving.bounds import bounds_here
from ..text import LANGUAGES, Text
from .broken_json import read_json

if TYPE_CHECKING:
    pass

__all__ = ["LONGEST_LINK", "Configuration", "Problem", "decode", "encode"]

VERSION = 1
PACKED = "z."
LARGEST = 256 * 2**10  # bytes of JSON, unpacked: the longest prompt fits, whatever it is written in
# Characters of the parameter that pass everywhere: many servers on the way refuse an address of more than 8 KB. Our
# own answers up to about 60,000.
LONGEST_LINK = 6_000
LONGEST_NAME = 500  # of a model
LONGEST_VIEW = 80
MOST_STEPS = 1_000_000
MOST_PROBLEMS = 12

Value = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the page is set to; see the module for each field.

    Attributes:
        given: the form's knobs, `knobs` in a link.
        model, lang, tab, view: "" leaves the choice to the page.
        run: whether opening it decodes at once.
    """

    run: bool = True
    lang: str = ""
    model: str = ""
    mode: str = "sample"
    given: Mapping[str, Value] = field(default_factory=dict)
    row: int = 0
    step: int | None = None
    rank: int | None = None
    tab: str = ""
    view: str = ""
    kind: str = "text"
    system: str = ""
    prompt: str = ""

    @property
    def form(self) -> str:
        """The knob panel's value, as `app.form.settings_of` reads it."""
        return json.dumps({"mode": self.mode, "given": dict(self.given)}, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a link that could not be read.

    Attributes:
        key: of its text in `app/text`, e.g. `link.knob`.
        fields: what the text names. Parts of the link are among them: untrusted, but short.
    """

    key: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """It in English."""
        return self.words(Text("en"))

    def words(self, text: Text) -> str:
        """It in the language of `text`."""
        return text(self.key, **self.fields)


def encode(configuration: Configuration) -> str:
    """The value of `c=` for a configuration; `decode` gives it back.

    Longer ones than `LONGEST_LINK` are no use as an address.
    """
    plain, values = asdict(_PLAIN), {"v": VERSION}
    for name, value in asdict(configuration).items():
        if value != plain[name]:
            values[_NAMES.get(name, name)] = value
    data = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    packed = zlib.compress(data, 9)
    return min(_base64(data), PACKED + _base64(packed), key=len)


def decode(link: str) -> tuple[Configuration, tuple[Problem, ...]]:
    """What can be read of the value of `c=`, and what could not be; "" is no link and no problem. Never raises."""
    if not isinstance(link, str) or not link.strip():
        return Configuration(), ()
    problems = _Problems()
    values = _values_of(link.strip(), problems)
    configuration = _configuration(values, problems)
    if problems.found:
        configuration = replace(configuration, run=False)
    return configuration, problems.told()


_PLAIN = Configuration()
_NAMES = {"given": "knobs"}  # of fields that are called otherwise in a link
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # from that version to the next


class _Problems:
    """Collects problems; the same one is told once, and of very many only the first."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, key: str, **fields: Any) -> None:
        problem = Problem(key=key, fields=fields)
        if problem not in self.found:
            self.found.append(problem)

    def told(self) -> tuple[Problem, ...]:
        more = len(self.found) - MOST_PROBLEMS
        if more <= 0:
            return tuple(self.found)
        return (*self.found[:MOST_PROBLEMS], Problem(key="link.more", fields={"n": more}))


# --- from the address to values ---------------------------------------------------------------------------


def _values_of(link: str, problems: _Problems) -> dict[str, Any]:
    """The names and values in a link, of this version."""
    data, sound = _bytes_of(link)
    if len(data) > LARGEST:
        problems.add("link.too_large", limit=f"{LARGEST:,}")
        data = data[:LARGEST]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8")
    values, complete = read_json(text, cut_texts=("prompt", "system"))
    if not isinstance(values, dict):
        problems.add("link.unreadable")
        return {}
    if not sound or (not complete and len(data) < LARGEST):
        problems.add("link.cut")
    return _of_this_version(values, problems)


def _bytes_of(link: str) -> tuple[bytes, bool]:
    """The bytes that base64url, and zlib where it was used, can make of the link; at most one more than `LARGEST`.

    And whether zlib found them sound as far as they go.
    """
    body = link.removeprefix(PACKED)
    packed = len(body) < len(link)
    body = body.translate(str.maketrans("+ /", "--_"))  # as other programs spell it
    body = re.match(r"[A-Za-z0-9_-]*", body)[0][: 2 * LARGEST]
    body = body[: len(body) - (len(body) % 4 == 1)]  # one character alone is no byte
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return _unpacked(data) if packed else (data[: LARGEST + 1], True)


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    unpacker, out = zlib.decompressobj(), bytearray()
    for start in range(0, len(data), 64):  # in small pieces: what comes before a damaged one is kept
        try:
            out += unpacker.decompress(data[start : start + 64], LARGEST + 1 - len(out))
        except zlib.error:
            return bytes(out), False
        if len(out) > LARGEST or unpacker.eof:
            break
    return bytes(out), True


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _of_this_version(values: dict[str, Any], problems: _Problems) -> dict[str, Any]:
    version = values.pop("v", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        problems.add("link.field", name="v", value=_short(version))
        return values
    if version > VERSION:
        problems.add("link.newer", version=_short(version), known=VERSION)
    for old in range(version, VERSION):
        values = _UPGRADES[old](values)
    return values


# --- from values to a configuration -----------------------------------------------------------------------


def _configuration(values: dict[str, Any], problems: _Problems) -> Configuration:
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _READERS:
            if name != "knobs":
                problems.add("link.unknown_field", name=_short(name))
            continue
        try:
            read[name] = _READERS[name](_whole_characters(value, problems))
        except ValueError:
            problems.add("link.field", name=name, value=_short(value))
    read["given"] = _knobs(values.get("knobs", {}), read.get("mode", _PLAIN.mode), problems)
    return _bounded(Configuration(**read), problems)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _count(value: Any) -> int:
    whole = isinstance(value, int) or isinstance(value, float) and value.is_integer()
    if isinstance(value, bool) or not whole or not 0 <= value <= MOST_STEPS:
        raise ValueError
    return int(value)


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError
        return value

    return read


def _text(longest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError
        return value

    return read


_READERS: dict[str, Callable[[Any], Any]] = {
    "run": _flag,
    "lang": _one_of(*LANGUAGES),
    "model": _text(LONGEST_NAME),
    "mode": _one_of(*MODES_SHOWN),
    "row": _count,
    "step": _count,
    "rank": _count,
    "tab": _text(LONGEST_VIEW),
    "view": _text(LONGEST_VIEW),
    "kind": _one_of("text", "chat"),
    "system": _text(LARGEST),
    "prompt": _text(LARGEST),
}


def _knobs(values: Any, mode: str, problems: _Problems) -> dict[str, Value]:
    """The knobs that exist, with values that can be used, as the form holds them."""
    if not isinstance(values, dict):
        problems.add("link.field", name="knobs", value=_short(values))
        return {}
    given: dict[str, Value] = {}
    for name, value in values.items():
        knob = KNOBS.get(name)
        if knob is None or name == "do_sample":  # the mode says whether to sample
            problems.add("link.unknown_knob", name=_short(name))
            continue
        value = _whole_characters(value, problems)
        if name == "temperature" and value == 0 and mode not in modes_of(knob):
            given[name] = value  # greedy decoding is what was meant; see app.form
            continue
        try:
            knob.checked(read_value(knob, value))
            given[name] = value
        except SettingError as error:
            problems.add("link.knob", name=name, value=_short(value), accepts=error.accepts)
        except (DecodingError, ValueError):
            problems.add("link.knob", name=name, value=_short(value), accepts=knob.accepts)
    return given


def _whole_characters(value: Any, problems: _Problems) -> Any:
    """The value; half characters (lone surrogates), which no page can show, replaced in a text."""
    if not isinstance(value, str) or value.isascii():
        return value
    mended = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if mended != value:
        problems.add("link.characters")
    return mended


def _bounded(configuration: Configuration, problems: _Problems) -> Configuration:
    """With as much of the prompt as the page takes."""
    system, prompt = configuration.system, configuration.prompt
    most = bounds_here().prompt_characters
    if len(system) + len(prompt) <= most:
        return configuration
    problems.add("link.long_prompt", n=f"{len(system) + len(prompt):,}", limit=f"{most:,}")
    system = system[:most]
    return replace(configuration, system=system, prompt=prompt[: most - len(system)])


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
