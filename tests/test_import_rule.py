"""decoding/ stands alone: it neither names nor needs what the page is made of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE_ONLY = ("gradio", "gradio_client", "plotly", "spaces", "gguf", "platformdirs", "accelerate", "app")

RECORD_WITHOUT = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None  # any import of it raises ImportError
import torch
import decoding
from tests.tiny_models import tiny_lm
torch.set_num_threads(1)
settings = decoding.Settings(do_sample=True, top_p=0.9, seed=0, max_new_tokens=5)
trace = decoding.record(tiny_lm(), "the cat", settings)
trace.save({path!r})
again = decoding.load_trace({path!r})
assert again.sequences.equal(trace.sequences)
assert decoding.verify(again, tiny_lm()).equal
print("steps", len(again.steps))
"""


def test_the_contracts_between_the_packages_hold() -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command, "import-linter is part of the test requirements"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_is_recorded_saved_and_verified_without_the_page(tmp_path: Path) -> None:
    script = RECORD_WITHOUT.format(blocked=PAGE_ONLY, path=str(tmp_path / "run.trace"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "steps 5\n"


def test_importing_what_the_command_line_needs_first_does_not_import_gradio() -> None:
    modules = "decoding.models.load, decoding.models.prompts, decoding.parameters.knobs"
    script = f"import sys, {modules}; print('gradio' in sys.modules, 'plotly' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False False\n", done.stderr
