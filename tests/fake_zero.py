"""A stand-in for ZeroGPU's scheduler: with it the package `spaces` forks its workers here, on the CPU."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

__all__ = ["Scheduler", "scheduler"]

# With torch in sight `spaces` would emulate CUDA in this process, and want a real one in the worker.
AT_START = """
import sys
sys.modules["torch"] = None
import spaces
del sys.modules["torch"]
"""
GRANTED = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}


@dataclass(slots=True)
class Scheduler:
    """What a process needs to believe in ZeroGPU, and what it asked for.

    Attributes:
        environment: its variables.
        seconds: that each run asked for, in order.
    """

    environment: dict[str, str]
    seconds: list[int] = field(default_factory=list)


@contextmanager
def scheduler() -> Iterator[Scheduler]:
    """Grants every request at once."""
    known = Scheduler(environment={})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            address = urlsplit(self.path)
            answer = {}
            if address.path == "/schedule":
                answer = GRANTED
                known.seconds.append(int(parse_qs(address.query).get("durationSeconds", ["60"])[0]))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "sitecustomize.py").write_text(AT_START)
            known.environment = {
                "SPACES_ZERO_GPU": "true",
                "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_address[1]}",
                "PYTHONPATH": os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])]),
            }
            yield known
    finally:
        server.shutdown()
        server.server_close()
