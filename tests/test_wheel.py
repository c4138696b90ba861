"""The wheel: what it carries, and that it works where only the library's own requirements are installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow  # processes of their own, which import everything anew

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIBRARY = {"torch", "transformers", "safetensors", "networkx", "numpy", "pyyaml"}
EXTRAS = ("gradio", "plotly", "gguf", "platformdirs", "accelerate", "mcp", "spaces", "app")
LEAN = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None  # as if it were not installed
sys.path[:0] = [{installed!r}]
sys.argv = ["decoding-explorer", *{arguments!r}]
import decoding, decoding_explorer
assert decoding.__file__.startswith({installed!r}) and decoding_explorer.__file__.startswith({installed!r})
from decoding_explorer.entry import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from decoding import Settings, record
    from tests.tiny_models import tiny_lm

    path = tmp_path_factory.mktemp("run") / "run.trace"
    record(tiny_lm(), "the cat", Settings(max_new_tokens=3)).save(path)
    return path


def lean(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = LEAN.format(blocked=EXTRAS, installed=str(installed), arguments=arguments)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=300)


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


def test_only_two_names_are_installed_and_both_are_ours(wheel):
    assert {name.split("/")[0] for name in names_in(wheel)} == {
        "decoding", "decoding_explorer", f"decoding_explorer-{PROJECT['version']}.dist-info",
    }  # fmt: skip


def test_no_recording_scripts_no_screenshots_no_leftovers(wheel):
    unwanted = [
        name for name in names_in(wheel)
        if name.endswith((".png", ".pyi", ".pyc")) or "record_first" in name or "gallery/record" in name
        or "gallery/claims" in name or "space.py" in name or "tests/" in name
    ]  # fmt: skip
    assert unwanted == []


def test_everything_that_the_page_reads_is_carried(wheel):
    names = set(names_in(wheel))
    for folder in ("js", "css", "gallery", "examples"):
        mine = {path.name for path in (ROOT / "assets" / folder).iterdir() if not path.name.endswith(".d.ts")}
        assert {f"decoding_explorer/_assets/{folder}/{name}" for name in mine} <= names
    assert "decoding_explorer/_assets/trace.schema.json" in names and "decoding/py.typed" in names


def test_the_library_asks_for_nothing_of_the_page(wheel):
    with zipfile.ZipFile(wheel) as file:
        (metadata,) = [name for name in file.namelist() if name.endswith("METADATA")]
        asked = Parser().parsestr(file.read(metadata).decode()).get_all("Requires-Dist")
    plain = {requirement.name for requirement in map(Requirement, asked) if requirement.marker is None}
    assert plain == LIBRARY


def test_no_import_in_the_wheel_names_the_checkouts_folder(installed):
    named = [
        path.name for path in installed.rglob("*.py")
        if "\nfrom app" in path.read_text(encoding="utf-8") or "\nimport app" in path.read_text(encoding="utf-8")
    ]  # fmt: skip
    assert named == []


def test_the_lean_command_exports_json_code_and_tables(installed, run, tmp_path):
    for name in ("run.json", "run.py", "run.csv"):
        done = lean(installed, "export", str(run), "-o", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(("serve",), "app"), (("export", "{run}", "-o", "run.html"), "app"), (("record", "--prompt", "Hi"), "offline")],
)
def test_what_needs_an_extra_says_which(installed, run, tmp_path, monkeypatch, arguments, extra):
    monkeypatch.delenv("DECODING_EXPLORER_CACHE", raising=False)
    done = lean(installed, *(argument.format(run=run) for argument in arguments))
    assert done.returncode == 2 and f'pip install "decoding-explorer[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
