"""Names that are somebody else's: what lies beside a user's own code is never run by this project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from decoding import Settings, record
from tests.tiny_models import tiny_lm

ROOT = Path(__file__).parent.parent
PLANTED = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch(); raise SystemExit('foreign code ran')\n"
SHOW = """
import json, sys
sys.path.append({root!r})  # behind the user's own folder, as an installed package is
from decoding import load_trace
trace = load_trace({trace!r})
shown = {{"repr": repr(trace), "notebook": trace._repr_html_()}}
try:
    shown["page"] = trace.to_html()
except Exception as error:
    shown["error"] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foreign") / "run.trace"
    record(tiny_lm(), "<b>the cat", Settings(max_new_tokens=3)).save(path)
    return path


def plant(folder: Path, kind: str) -> None:
    """Somebody else's `app` of some kind."""
    if kind == "a module":
        (folder / "app.py").write_text(PLANTED)
    elif kind == "a package with a module of the same name":
        (folder / "app" / "standalone").mkdir(parents=True)
        for name in ("__init__", "standalone/__init__", "standalone/page"):
            (folder / "app" / f"{name}.py").write_text(PLANTED)


def shown(folder: Path, trace: Path, before: str = "") -> dict[str, str]:
    script = before + SHOW.format(root=str(ROOT), trace=str(trace))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.rglob("*.ran")) == []
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", ["a module", "a package with a module of the same name"])
def test_a_users_own_app_is_not_run_and_the_way_to_the_page_is_said(tmp_path, trace, kind):
    plant(tmp_path, kind)
    made = shown(tmp_path, trace)
    assert made["repr"].startswith("Trace of ") and len(made["repr"].splitlines()) == 3
    assert made["notebook"].startswith("<pre>Trace of ") and made["notebook"].count("<") == 2
    assert made["error"].startswith("DecodingError: the page that shows a trace is in the package 'app', but here ")
    for said in (made["notebook"], made["error"]):
        assert str(tmp_path.resolve()) in said
        assert "decoding-explorer open run.trace" in said and "decoding-explorer export run.trace" in said


@pytest.mark.parametrize(
    "before",
    [
        "import sys, types; sys.modules['app'] = types.ModuleType('app')",
        "import sys; sys.modules['app'] = object()",
        "import sys, types, app_of_mine; sys.modules['app'] = app_of_mine",
    ],
)
def test_an_app_that_the_user_has_imported_is_left_alone(tmp_path, trace, before):
    (tmp_path / "app_of_mine.py").write_text("def __getattr__(name): raise RuntimeError(name)\n")
    made = shown(tmp_path, trace, before)
    assert made["notebook"].startswith("<pre>Trace of ") and "has that name, and was not run" in made["error"]


def test_where_the_name_is_free_the_page_comes(tmp_path, trace):
    (tmp_path / "app").mkdir()  # a folder without code hides nothing
    made = shown(tmp_path, trace)
    assert made["notebook"].startswith("<iframe") and made["page"].startswith("<!doctype html>")
    assert "error" not in made


@pytest.mark.parametrize("name", ["app", "decoding"])
def test_the_command_runs_its_own_packages_whatever_comes_first_on_the_path(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(PLANTED)
    script = textwrap.dedent(f"""
        import sys
        sys.path.append({str(ROOT)!r})  # behind PYTHONPATH, as an installed package is
        sys.argv = ["decoding-explorer", "export", "no-such.trace", "-o", "run.json"]
        from decoding_explorer import main
        sys.exit(main())
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert list(tmp_path.rglob("*.ran")) == []
    assert (done.returncode, done.stdout) == (2, "") and "decoding-explorer: " in done.stderr
