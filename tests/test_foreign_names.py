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

pytestmark = pytest.mark.slow  # processes of their own, which import everything anew

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


def shown(folder: Path, trace: Path, before: str = "") -> dict[str, str]:
    script = before + SHOW.format(root=str(ROOT), trace=str(trace))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.rglob("*.ran")) == []
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("planted", [("app.py", "standalone.py", "page.py"), ("app/__init__.py",)], ids=len)
def test_a_users_own_modules_are_not_run_and_the_page_comes(tmp_path, trace, planted):
    for name in planted:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(PLANTED)
    made = shown(tmp_path, trace)
    assert made["repr"].startswith("Trace of ") and len(made["repr"].splitlines()) == 3
    assert made["notebook"].startswith("<iframe") and made["page"].startswith("<!doctype html>")
    assert "error" not in made


@pytest.mark.parametrize("missing", ["gradio", "plotly"])
def test_without_the_page_a_notebook_shows_text_and_says_how_to_get_it(tmp_path, trace, missing):
    made = shown(tmp_path, trace, f"import sys; sys.modules[{missing!r}] = None\n")
    assert made["notebook"].startswith("<pre>Trace of ") and made["notebook"].count("<") == 2
    assert made["error"].startswith("DecodingError: to_html needs the page's code")
    for said in (made["notebook"].replace("&quot;", '"'), made["error"]):
        assert 'pip install "decoding-explorer[app]"' in said


@pytest.mark.parametrize("name", ["app", "decoding"])
def test_the_command_runs_its_own_packages_whatever_comes_first_on_the_path(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(PLANTED)
    script = textwrap.dedent(f"""
        import sys
        sys.path.append({str(ROOT)!r})  # behind PYTHONPATH, as an installed package is
        sys.argv = ["decoding-explorer", "export", "no-such.trace", "-o", "run.json"]
        from decoding_explorer.entry import main
        sys.exit(main())
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert list(tmp_path.rglob("*.ran")) == []
    assert (done.returncode, done.stdout) == (2, "") and "decoding-explorer: " in done.stderr
