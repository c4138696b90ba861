"""From a text to a compiled grammar, within bounds: the text may be anybody's.

xgrammar has no limit of its own. It compiles without holding the interpreter, so it is done on a thread that the
caller waits for no longer than `MOST_SECONDS`. Nothing can end such a thread; what it may take is bounded by the text
(`decoding.constraints.texts`), and no more than `AT_ONCE` of them go on at a time, those that nobody waits for, too.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from decoding.constraints.vocabulary import info_of, xgrammar_of
from decoding.errors import SettingError
from decoding.tokens.token_table import TokenTable
from decoding.words import words

__all__ = ["compiled_grammar"]

MOST_SECONDS = 20.0
AT_ONCE = 2
KEPT = 16  # compiled grammars, of at most a few megabytes each

_turns = threading.BoundedSemaphore(AT_ONCE)
_lock = threading.Lock()
_known: OrderedDict[tuple[str, str, int], tuple[Any, Any]] = OrderedDict()


def compiled_grammar(name: str, text: str, table: TokenTable, ends: Sequence[int]) -> Any:
    """xgrammar's `CompiledGrammar` of a constraint; the one of before for the same text and vocabulary.

    Args:
        name: the parameter, `json_schema`, `regex` or `grammar`.
        text: as `texts.checked_text` gave it.
        ends: ids of the tokens that end a text.

    Raises:
        SettingError: xgrammar is not installed, cannot read the text, or takes too long over it; or there is no end
            token.
    """
    if not any(0 <= i < len(table) for i in ends):
        raise SettingError(
            name, text, "left out for a model without an end token",
            "nothing else may come once the text is complete; say with eos_token_id which token ends it",
        )  # fmt: skip
    xgrammar = xgrammar_of(name, text)
    info = info_of(xgrammar, table, ends, json=name == "json_schema")
    key = (name, text, id(info))
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key][1]
    made = _within_bounds(name, text, lambda: _compile(xgrammar, name, text, info))
    with _lock:
        _known[key] = info, made  # the vocabulary, too: as long as it is here, nothing else has its id
        if len(_known) > KEPT:
            _known.popitem(last=False)
    return made


def _compile(xgrammar: Any, name: str, text: str, info: Any) -> Any:
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
    compile_ = {
        "json_schema": compiler.compile_json_schema,
        "regex": compiler.compile_regex,
        "grammar": compiler.compile_grammar,
    }[name]
    try:
        return compile_(text)
    except (RuntimeError, ValueError) as error:
        raise SettingError(name, text, WANTED[name], _because(error)) from error


WANTED = {
    "json_schema": "a JSON schema that xgrammar can read",
    "regex": "a regular expression that xgrammar can read",
    "grammar": 'a grammar in EBNF (GBNF) with a rule "root"',
}
WHERE = re.compile(r"^\[[\d:]+\] \S+?:\d+: ")  # when and where in xgrammar's sources
WHAT_ALL = re.compile(r"(?s)\. The JSON string is:.*")


def _because(error: Exception) -> str:
    """What xgrammar found, without the line of its sources in which it did."""
    said = WHAT_ALL.sub("", WHERE.sub("", str(error))).strip().replace("\n", " ")
    return words("it found: {said}", said=said[:300])


def _within_bounds(name: str, text: str, work: Callable[[], Any]) -> Any:
    """What `work` returns, if it does so in time."""
    if not _turns.acquire(timeout=MOST_SECONDS):
        raise _too_long(name, text)
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)
        finally:
            _turns.release()

    thread = threading.Thread(target=run, name=f"compile {name}", daemon=True)
    thread.start()
    thread.join(MOST_SECONDS)
    if not found:
        raise _too_long(name, text)
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _too_long(name: str, text: str) -> SettingError:
    accepts = words("such that it is compiled within {n} seconds", n=f"{MOST_SECONDS:g}")
    return SettingError(name, text, accepts, "take a smaller one: fewer alternatives, fewer counted repetitions")
