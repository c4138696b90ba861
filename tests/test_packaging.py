"""The pins, the ranges and the commands agree."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.assets import assets_dir

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith(("#", "-")))


@pytest.mark.parametrize(
    ("file", "asked_for"),
    [
        ("requirements.txt", [*PROJECT["dependencies"], *EXTRAS["offline"], *EXTRAS["app"][1:]]),
        ("requirements-test.txt", EXTRAS["test"]),
        ("requirements-docs.txt", EXTRAS["docs"]),
    ],
)
def test_every_direct_dependency_is_pinned_inside_its_range(file: str, asked_for: list[str]) -> None:
    asked = {requirement.name: requirement.specifier for requirement in map(Requirement, asked_for)}
    pinned = pins(file)
    assert pinned.keys() == asked.keys()
    outside = {name: version for name, version in pinned.items() if version not in asked[name]}
    assert outside == {}


def test_the_packages_whose_calls_are_tried_are_pinned_inside_their_ranges() -> None:
    pinned = pins("requirements-drop-in.txt")  # with what they need themselves, as they are installed without it
    asked = {r.name: r.specifier for r in map(Requirement, EXTRAS["drop-in-tests"])}
    assert {name for name, version in pinned.items() if name in asked and version in asked[name]} == set(asked)


def test_the_oldest_releases_are_tried_with_what_the_library_asks_for_and_nothing_else() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tried = [Requirement(r) for r in re.findall(r"^OLDEST := (.*)$", makefile, re.MULTILINE)[0].split()]
    asked = {requirement.name: requirement.specifier for requirement in map(Requirement, PROJECT["dependencies"])}
    assert {requirement.name for requirement in tried} == asked.keys()
    pinned = {r.name: str(r.specifier).removeprefix("==") for r in tried if r.specifier}
    assert all(version in asked[name] for name, version in pinned.items()), pinned
    assert f">={pinned['transformers'].removesuffix('.0')}" in str(asked["transformers"])


def test_the_requirements_suit_a_space_where_the_repository_comes_later() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z-]+==[0-9.]+", line), line


def test_ci_runs_exactly_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.read_text(encoding="utf-8") == "#!/usr/bin/env bash\nexec make test\n"
    assert script.stat().st_mode & 0o111


def test_the_page_is_made_of_the_library_the_offline_model_and_four_packages_more() -> None:
    """Of the extra's own name the rest is the offline model's: so are the pins above."""
    assert EXTRAS["app"][0] == f"{PROJECT['name']}[offline]"
    names = {Requirement(line).name for line in EXTRAS["app"][1:]}
    assert names == {"gradio", "limits", "plotly", "prometheus-client"}


def test_the_command_is_in_a_package_of_a_name_of_our_own() -> None:
    """`tests/test_foreign_names.py` says why that matters, `tests/test_wheel.py` that it is packed."""
    (command,) = PROJECT["scripts"].values()
    module = command.partition(":")[0]
    assert module.partition(".")[0] == PROJECT["name"].replace("-", "_")
    assert importlib.util.find_spec(module) is not None  # in a checkout, too


def test_the_pages_files_are_found() -> None:
    assert list(assets_dir().glob("*.js")) or list(assets_dir().rglob("*.js"))
