"""decoding/ stands alone: it neither names nor needs what the page is made of."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel

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


@pytest.mark.slow
def test_a_run_is_recorded_saved_and_verified_without_the_page(tmp_path: Path) -> None:
    script = RECORD_WITHOUT.format(blocked=PAGE_ONLY, path=str(tmp_path / "run.trace"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "steps 5\n"


PRIVATE = "decoding/transformers_private.py"
MAY_LACK = {"_reorder_cache"}  # of models with a cache of their own


def private_names() -> set[str]:
    """What transformers' classes have that begins with one underscore."""
    things = (GenerationMixin, PreTrainedModel, GenerationConfig, GenerationConfig(), PreTrainedConfig)
    prepared = {"_eos_token_tensor", "_pad_token_tensor", "_bos_token_tensor", "_decoder_start_token_tensor"}
    return {n for thing in things for n in dir(thing) if n.startswith("_") and not n.startswith("__")} | prepared


def private_uses(path: Path) -> set[str]:
    """The private names of somebody else's that a file says, as attributes or as texts."""
    own = {"self", "cls"}
    said = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in own):
            said.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said.add(node.value)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transformers"):
            said |= {alias.name for alias in node.names}
    return {name for name in said if name.startswith("_") and not name.startswith("__")}


def test_private_names_of_transformers_stand_in_one_file_alone() -> None:
    known = private_names()
    files = [path for folder in ("app", "decoding") for path in (ROOT / folder).rglob("*.py")]
    said = {path.relative_to(ROOT).as_posix(): private_uses(path) & known for path in files}
    assert len(said.pop(PRIVATE)) > 12
    assert {path: names for path, names in said.items() if names} == {}


def test_every_private_name_is_in_the_installed_transformers() -> None:
    assert private_uses(ROOT / PRIVATE) - MAY_LACK <= private_names()


def test_importing_what_the_command_line_needs_first_does_not_import_gradio() -> None:
    modules = "decoding.models.load, decoding.models.prompts, decoding.parameters.knobs"
    script = f"import sys, {modules}; print('gradio' in sys.modules, 'plotly' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False False\n", done.stderr
