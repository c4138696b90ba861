"""Fixtures for all tests. Heavy imports stay inside them: tests/gpu also runs where there is no browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from transformers import PreTrainedModel

    from decoding.models.load import LanguageModel

# Nothing in the tests may reach for the network, and Gradio's and the Hub's calls home would.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

ROOT = Path(__file__).parent.parent
KINDS = ("llama", "qwen2", "mistral", "gemma2", "gpt_neox", "opt", "gpt2", "t5", "bart")


@pytest.fixture(scope="session")
def lm() -> LanguageModel:
    """The offline default model, in float32 on the CPU."""
    from decoding.models.load import load_model

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
