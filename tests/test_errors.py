"""One error tree: everything that a caller can mend is in it, and nothing else is raised on purpose."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

import decoding
from decoding import errors
from decoding.errors import DecodingError, SettingError, shown

FILES = sorted(Path(decoding.__file__).parent.rglob("*.py"))
# Raised inside one function and turned into an error of the tree by the one that called it.
# The third is how Python says that a class has no such attribute.
INTERNAL = {("step_store.py", "OSError"), ("stages.py", "KeyError"), ("generate_call.py", "AttributeError")}


def test_all_errors_are_in_the_tree_and_exported_by_both_modules():
    classes = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert classes == set(errors.__all__)
    assert classes <= set(decoding.__all__)
    assert all(issubclass(getattr(errors, name), DecodingError) for name in classes)
    # One is of two kinds: a step that is damaged is not in the trace.
    two_kinds = {"DamagedStepError"}
    assert set(classes) == {"DecodingError", *(kind.__name__ for kind in DecodingError.__subclasses__())} | two_kinds


def test_all_public_names_of_the_library_exist():
    assert sorted(decoding.__all__, key=str.lower) == sorted(set(decoding.__all__), key=str.lower)
    assert all(hasattr(decoding, name) for name in decoding.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_module_says_what_it_exports(path: Path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    if path.name == "__init__.py" and len(body) <= 1:  # a folder's one sentence
        return
    names = [
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert "__all__" in names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_raised_on_purpose_that_is_not_in_the_tree(path: Path):
    raised = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"assert in line {node.lineno}: asserts are for tests"
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            function = node.exc.func
            if isinstance(function, ast.Name) and function.id[0].isupper():
                raised.add(function.id)
    others = {name for name in raised - set(errors.__all__) if (path.name, name) not in INTERNAL}
    assert not others


def test_a_setting_error_names_parameter_value_range_and_remedy():
    error = SettingError("top_p", 1.7, "in (0, 1]", "use 1 to switch it off")
    assert str(error) == "top_p must be in (0, 1], got 1.7; use 1 to switch it off"
    assert (error.parameter, error.value, error.accepts, error.remedy, error.trace) == (
        "top_p", 1.7, "in (0, 1]", "use 1 to switch it off", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [SettingError("top_p", 1.7, "in (0, 1]", "use 1")]
    + [kind("text") for kind in DecodingError.__subclasses__() if kind is not SettingError],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_an_error_can_be_sent_to_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), (0.1, "0.1"), (None, "None"), ("x" * 300, "'" + "x" * 199 + "…")],
)
def test_values_are_shown_as_python_writes_them_and_cut_where_they_are_long(value, text):
    assert shown(value) == text


def test_what_refers_to_itself_is_shown():
    loop: list = []
    loop.append(loop)
    assert shown(loop) == "[[...]]"


def test_what_python_itself_cannot_write_is_named_by_its_type():
    assert shown(10**5000) == "something of type int"
