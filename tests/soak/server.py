"""The public server, in a process of its own: what a Space runs, its memory and its log."""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import psutil

__all__ = ["Server"]

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # seconds until it answers
# What a log says of a fault: Python's own, or a record of that level, also as a line of JSON.
FAULT = re.compile(
    r'^(?:Traceback \(most recent call last\)|.*\b(?:ERROR|CRITICAL)\b|.*"level": ?"(?:error|critical)")', re.MULTILINE
)
OURS = re.compile(r"\b(?:app/(?:handlers|api|session|sheets|views|lab|figures|export|standalone)|decoding)/\w")
# A soak's visitors all come from one address, and ask as often as a hundred do.
NO_RATES = {f"DECODING_EXPLORER_{name}": "none" for name in (
    "TAB_RUNS", "ADDRESS_RUNS", "TAB_REQUESTS", "ADDRESS_REQUESTS", "ADDRESS_UPLOADS", "ADDRESS_OPEN", "OPEN_REQUESTS",
)}  # fmt: skip


class Server:
    """`app/space.py` on a free port of this machine, with its memory looked at every second.

    Args:
        folder: for its log.
        variables: of its environment, besides this process's.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.log, self._variables = folder / "server.log", variables
        self.url, self.resident = "", list[tuple[float, int]]()  # seconds since it answered, bytes
        self._ended = threading.Event()

    def __enter__(self) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", **NO_RATES, **self._variables,
        }  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "app/space.py"], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._wait()
        self.began = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def faults(self, *, ours: bool = False) -> list[str]:
        """Of each fault in the log its last line; only of those that passed through our own handlers, if asked."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        found, starts = [], [match.start() for match in FAULT.finditer(text)]
        for start, end in pairwise([*starts, len(text)]):
            part = text[start:end]
            lines = part.splitlines()
            last = next((line for line in lines[1:] if line and not line.startswith((" ", "\t"))), lines[0])
            if not ours or OURS.search(part):
                found.append((last if lines[0].startswith("Traceback") else lines[0])[:300])
        return found

    def resident_around(self, second: float, width: float = 10.0) -> int:
        """The median of its memory within so many seconds, in bytes."""
        near = [size for at, size in self.resident if abs(at - second) <= width / 2]
        return int(statistics.median(near or [size for _, size in self.resident[-3:]]))

    def seconds(self) -> float:
        """Since it first answered."""
        return time.monotonic() - self.began

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        if self.process.poll() is None:
            self.process.kill()
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text(errors='replace')[-4000:]}")

    def _watch(self) -> None:
        mine = psutil.Process(self.process.pid)
        while not self._ended.wait(1.0):
            try:
                family = [mine, *mine.children(recursive=True)]
                size = sum(process.memory_info().rss for process in family)
            except psutil.Error:  # one of them has just ended
                continue
            self.resident.append((self.seconds(), size))
