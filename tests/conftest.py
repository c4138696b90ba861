"""Fixtures for all tests, and who runs which. Heavy imports stay inside: tests/gpu also runs where no browser is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from transformers import PreTrainedModel
    from xdist.scheduler import Scheduling

    from decoding.models.load import LanguageModel

# Nothing in the tests may reach for the network, and Gradio's and the Hub's calls home would.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

ROOT = Path(__file__).parent.parent
OUTCOME = "what came of the call"
KINDS = ("llama", "qwen2", "mistral", "gemma2", "gpt_neox", "opt", "gpt2", "t5", "bart")


def random_cases(n: int, quick: int = 6) -> list[Any]:
    """The numbers of so many random cases, all but the first few of them `slow`."""
    return [pytest.param(case, marks=[pytest.mark.slow] if case >= quick else []) for case in range(n)]


def pytest_configure() -> None:
    """One thread of torch in every process, the workers and the servers that tests start among them.

    With more, the last bits of a sum depend on how many there are, and two workers are in each other's way.
    """
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.hookimpl(optionalhook=True)  # tests/gpu runs where there is no xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Ours under `pytest -n 2`, xdist's own where another --dist is asked for."""
    if config.getoption("dist") != "load":
        return None
    from tests.schedule import Schedule

    return Schedule(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What came of the calls that were made plainly and with a Recorder, if they were."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for what, value in report.user_properties if report.when == "call" else ():
                if what == OUTCOME:
                    counts[value[0]][value[1]] += 1
    if not counts:
        return
    terminalreporter.write_line(f"{len(counts)} calls, in {_counted(sum(counts.values(), Counter()))}")
    for name, by in sorted(counts.items()):
        if set(by) != {"equal"}:
            terminalreporter.write_line(f"  {name}: {_counted(by)}")


def _counted(outcomes: Counter[str]) -> str:
    """How often a call was made, and how often it came out how."""
    each = ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items()))
    return f"{outcomes.total()} modes: {each}"


@pytest.fixture(scope="session")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """The offline default model, in float32 on the CPU."""
    from filelock import FileLock

    from decoding.models.load import load_model

    # One worker converts it, the others find it in the cache.
    with FileLock(tmp_path_factory.getbasetemp().parent / "offline-model.lock"):
        return load_model(device="cpu")


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """A tiny llama with the tiny tokenizer."""
    from tests.tiny_models import tiny_lm

    return tiny_lm()


@pytest.fixture(scope="session", params=KINDS)
def tiny_model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """Each architecture in turn."""
    from tests.tiny_models import tiny_model

    return tiny_model(request.param)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, driven by playwright; where there is none the test fails, it is not skipped."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser

    executable = find_browser()
    if executable is None:
        pytest.fail("No Chromium: run `make browser`, or set the variable CHROMIUM to the path of one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app_url(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real page, served by a process of its own with the offline model.

    `lm` is asked for so that the model is already converted when the page wants it.
    """
    port = _free_port()
    log = tmp_path_factory.mktemp("app") / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--port", str(port), "--no-browser"],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, server, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_it_answers(url: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(
        f"The page did not come up at {url}; the server said:\n{log.read_text(errors='replace')[-4000:]}"
    )
