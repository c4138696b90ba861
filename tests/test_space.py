"""The Space: `python app/space.py` as Hugging Face runs it, and the real fork-and-pickle path of ZeroGPU."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
import torch

from decoding import Settings, load_trace, record
from decoding.errors import RecordingError
from decoding.fork import fork
from tests.conftest import ROOT, _free_port, _wait_until_it_answers
from tests.fake_zero import Scheduler, scheduler
from tests.zero_runs import FORK_AT, FORK_TOKEN, PROMPT, RUNS

pytestmark = pytest.mark.slow  # processes of their own, which import everything anew

A_SPACE = {"SPACE_ID": "someone/decoding-explorer", "SYSTEM": "spaces", "GRADIO_SERVER_NAME": "127.0.0.1"}
ASKED = {"do_sample": True, "top_p": 0.9, "seed": 0, "max_new_tokens": 5}


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[str]:
    """The address of the page as a Space serves it."""
    port, log = _free_port(), folder / "server.log"
    variables = {**os.environ, **A_SPACE, **environment, "GRADIO_SERVER_PORT": str(port)}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "app/space.py"], cwd=ROOT, env=variables, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, server, log)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # its workers with it, which would stay otherwise
        server.wait()


def test_a_space_serves_the_page_with_one_model_and_bounded_runs(lm, tmp_path):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    with serving(tmp_path) as url:
        with urllib.request.urlopen(url) as answer:
            assert "Decoding Explorer" in answer.read().decode()
        client = Client(url, verbose=False)
        run = client.predict("The capital of France is", ASKED, api_name="/record")
        assert run["text"] == record(lm, "The capital of France is", Settings(**ASKED)).text()
        with pytest.raises(AppError, match="must be one of smollm2-135m on this public page"):
            client.predict("a", model="Qwen/Qwen2.5-0.5B-Instruct", api_name="/record")


def test_the_page_does_not_tell_where_it_is_installed(app_url):
    for address in ("", "/config", "/gradio_api/info"):
        with urllib.request.urlopen(app_url + address) as answer:
            said = answer.read().decode()
        for folder in (ROOT, Path(gr.__file__).parents[1], Path.home()):
            assert str(folder) not in said
    with urllib.request.urlopen(f"{app_url}/dx/js/dx.js") as answer:
        assert answer.read() == (ROOT / "assets" / "js" / "dx.js").read_bytes()


# --- ZeroGPU


@pytest.fixture(scope="module")
def tiny_folder(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def borrowed(tiny_folder, tmp_path_factory) -> tuple[Path, dict, Scheduler]:
    """Runs that workers decoded: their folder, what was noted, and what the scheduler was asked."""
    folder = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "tests.zero_runs", str(tiny_folder), str(folder)]
    with scheduler() as zero:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **zero.environment}, capture_output=True, text=True, timeout=240
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads((folder / "notes.json").read_text()), zero


@pytest.fixture(scope="module")
def here(tiny_folder):
    """The model in this process, with as many threads as a worker has: sums come out the same to the last bit."""
    from decoding import load_model

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_model(str(tiny_folder), device="cpu")
    torch.set_num_threads(before)


def assert_the_same(theirs, ours) -> None:
    assert theirs.sequences.equal(ours.sequences)
    assert [s.token_ids for s in theirs.steps] == [s.token_ids for s in ours.steps]
    assert theirs.stop_reasons == ours.stop_reasons
    for a, b in zip(theirs.steps, ours.steps, strict=True):
        for row in range(ours.n_rows):
            assert all(map(torch.equal, a.all_scores(row=row), b.all_scores(row=row)))
        assert a.candidates == b.candidates
        assert a.pool == b.pool
        assert a.contrastive == b.contrastive
    assert theirs.stages == ours.stages
    assert theirs.silent == ours.silent
    assert theirs.generation_config == ours.generation_config
    assert theirs.text() == ours.text()


@pytest.mark.parametrize("name", RUNS)
def test_a_borrowed_gpu_gives_the_same_trace_as_none(borrowed, here, name):
    folder, notes, _ = borrowed
    assert_the_same(load_trace(folder / f"{name}.trace"), record(here, PROMPT, Settings(**RUNS[name])))
    assert notes[f"verify {name}"] is True


def test_a_fork_on_a_borrowed_gpu_is_the_same_fork(borrowed, here):
    source = record(here, PROMPT, Settings(**RUNS["greedy"]))
    ours = fork(source, here, step=FORK_AT, token_id=FORK_TOKEN)
    theirs = load_trace(borrowed[0] / "fork.trace")
    assert_the_same(theirs, ours)
    assert theirs.fork == ours.fork


def test_a_run_that_is_stopped_keeps_the_steps_that_were_seen(borrowed):
    assert borrowed[1]["stopped"] == [3, ["user"], True]


def test_a_beam_run_keeps_its_ledger_while_it_grows(borrowed):
    assert borrowed[1]["ledger is one object"] is True


def test_the_workers_errors_arrive_in_their_own_words(borrowed):
    kind, words = borrowed[1]["error prompt"]
    assert kind == "PromptError"
    assert "takes at most" in words
    kind, words = borrowed[1]["error setting"]
    assert kind == "SettingError"
    assert words.startswith("bad_words_ids must be made of token ids")


def test_the_page_runs_and_verifies_on_a_borrowed_gpu(borrowed, here):
    text, reasons, _, verdict = borrowed[1]["page beams"]
    ours = record(here, PROMPT, Settings(**RUNS["beam_search"]))
    assert text == ours.text()
    assert reasons == list(ours.stop_reasons)
    assert verdict == "good"


def test_the_page_shows_the_workers_errors_and_keeps_the_run_before(borrowed, here):
    text, _, message, _ = borrowed[1]["page error"]
    assert "bad_words_ids must be made of token ids" in message
    assert text == record(here, PROMPT, Settings(**RUNS["greedy"])).text()


def test_a_worker_that_is_killed_leaves_the_steps_before_and_the_next_run_is_right(borrowed, here):
    n_seen, said, reasons, whole, following = borrowed[1]["killed"]
    assert n_seen >= 3 and said == "RecordingError" and reasons == ["error"] and whole
    assert following == record(here, PROMPT, Settings(**RUNS["greedy"])).text()


def test_a_gpu_that_is_taken_back_leaves_the_steps_before(tiny, monkeypatch):
    """With the steps of a worker that dies after the second; ZeroGPU says so in a gr.Error, with a link in it."""
    from app.serving import zero_gpu as zero

    trace = record(tiny, "ab", Settings(max_new_tokens=4))

    def dies(order):
        for step in trace.steps[:2]:
            seen = replace(trace, steps=trace.steps[: step.index + 1], stop_reasons=("running",))
            yield pickle.dumps(zero._message(seen, step))
        raise gr.Error('GPU task aborted, <a href="https://example.org">sign in</a> for more')

    monkeypatch.setattr(zero, "_decode", dies)
    recorder, seen = zero.Recorder(memory_budget=2**24), []
    with pytest.raises(RecordingError, match="GPU task aborted, sign in for more") as error:
        for step in zero.stream(tiny, "ab", Settings(max_new_tokens=4), recorder):
            seen.append(step.token_ids)
    assert seen == [step.token_ids for step in trace.steps[:2]]
    assert len(error.value.trace.steps) == 2
    assert error.value.trace.stop_reasons == ("error",)
    assert error.value.trace.scores(step=1).equal(trace.scores(step=1))


def test_the_gpu_is_asked_for_as_long_as_the_run_may_take(borrowed):
    asked = borrowed[2].seconds
    # Runs and their verification; the page's two and theirs; a fork; a run stopped and its; one killed and the one
    # after it; two errors.
    assert len(asked) == 2 * len(RUNS) + 4 + 1 + 2 + 2 + 2
    assert min(asked) >= 12  # what it takes to begin
    assert max(asked) == int(12 + 100 * (0.06 + 0.01))  # the run of a hundred tokens


def test_a_space_with_zero_gpu_records_through_a_worker(lm, tmp_path):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    prompt = "The capital of France is"
    with scheduler() as zero, serving(tmp_path, **zero.environment) as url:
        client = Client(url, verbose=False)
        run = client.predict(prompt, ASKED, api_name="/record")
        assert len(zero.seconds) == 1
        report = client.predict(run["run"], api_name="/verify")
        with pytest.raises(AppError, match="bad_words_ids must be made of token ids"):  # the worker found out
            client.predict("a", {"bad_words_ids": [[10**6]], "max_new_tokens": 1}, api_name="/record")
    ours = record(lm, prompt, Settings(**ASKED))
    assert [token["id"] for token in run["tokens"]] == [step.token_ids[0] for step in ours.steps]
    assert report["equal"] is True


# --- what the Space is told


def front_matter() -> dict[str, str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.split("---\n")[1].splitlines()
    return dict(re.match(r"(\w+): *(.*)", line).groups() for line in lines if re.match(r"\w+:", line))


def test_the_readme_tells_the_space_what_requirements_pin():
    said = front_matter()
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert said["sdk"] == "gradio"
    assert said["sdk_version"] == pins["gradio"]
    assert (ROOT / said["app_file"]).is_file()
    assert said["license"] == "apache-2.0"
    assert len(said["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {said["colorFrom"], said["colorTo"]} <= colours
    assert "  - HuggingFaceTB/SmolLM2-135M-Instruct\n" in (ROOT / "README.md").read_text()


def test_requirements_are_whole_without_the_repository():
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        assert not line.startswith(("-", ".", "/"))
