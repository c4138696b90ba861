"""What others' runs cost: how long a step takes to come into view while four runs go on, and a run that is stored.

Over HTTP, without a browser, on a server in a process of its own: the time is that of the page's own event. The server
has this machine's cores, and so has this process, which does next to nothing.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks import Row

N_RUNS, N_STEPS, LEISURE = 4, 60, 0.2  # seconds between two clicks
LOOKING_BAR, STORED_BAR = 300, 300  # milliseconds
PROMPT = "The best thing about learning a new language is"
LONG = {"max_new_tokens": 500, "min_new_tokens": 500}


def run(*, quick: bool = False) -> Iterator[Row]:
    """Milliseconds."""
    from app.gallery.first_page import example_trace
    from tests.page.conftest import served
    from tests.visitor import Visitor

    first, n = example_trace(), 10 if quick else N_STEPS
    with tempfile.TemporaryDirectory() as folder, served(first, Path(folder), "--stored-runs", "on") as url:
        visitor = Visitor(url)
        with visitor.run(mode="sample", prompt=PROMPT, seed=1, max_new_tokens=24) as answer:
            _until_over(answer)
        yield _row("a step comes into view, nobody decodes", _clicks(visitor, len(first.steps), n), None)
        stored = [_stored(Visitor(url)) for _ in range(5 if quick else 20)]
        yield _row("a stored run of 24 tokens opened", stored, STORED_BAR)
        with ExitStack() as stack:
            for i in range(N_RUNS):
                answer = stack.enter_context(Visitor(url).run(prompt=f"{PROMPT} {i}", **LONG))
                threading.Thread(target=_until_over, args=(answer,), daemon=True).start()
            time.sleep(3)
            looking = _clicks(visitor, len(first.steps), n)
            yield _row(f"the same while {N_RUNS} runs are decoded", looking, LOOKING_BAR)
            short = [_short(Visitor(url), i) for i in range(2 if quick else 5)]
            yield _row("a run of 5 tokens, recorded meanwhile", short, None)


def _clicks(visitor: Any, n_steps: int, n: int) -> list[float]:
    """Milliseconds of each click on a step of the run in view, number 0 or 1."""
    times = []
    for i in range(n):
        began = time.perf_counter()
        visitor.step({"run": 1, "row": 0, "step": (7 * i) % min(n_steps, 24)})
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(LEISURE)
    return times


def _stored(visitor: Any) -> float:
    """Milliseconds from pressing Run until the run is there."""
    began = time.perf_counter()
    with visitor.run(mode="sample", prompt=PROMPT, seed=1, max_new_tokens=24) as answer:
        said = _until_over(answer)
    assert "Recorded before" in said, "it was decoded"
    return 1000 * (time.perf_counter() - began)


def _short(visitor: Any, i: int) -> float:
    """Milliseconds from pressing Run until a short run is over."""
    began = time.perf_counter()
    with visitor.run(prompt=f"Short {i}", max_new_tokens=5) as answer:
        said = _until_over(answer)
    assert "Recorded before" not in said
    return 1000 * (time.perf_counter() - began)


def _until_over(answer: Any) -> str:
    """All that is sent until the run is over."""
    said = []
    try:
        for line in answer:
            said.append(line.decode())
            if line.startswith(b"data:") and json.loads(line[5:])["msg"] == "process_completed":
                break
    except (OSError, ValueError, AttributeError):  # cut at the end
        pass
    return "".join(said)


def _row(name: str, times: list[float], bar: int | None) -> Row:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    median = statistics.median(times)
    return Row(
        name=name, measured=f"{p95:.0f} ms (p95)", spread=f"median {median:.0f} ms, n = {len(times)}",
        bar="" if bar is None else f"≤ {bar} ms", met=None if bar is None else p95 <= bar,
        numbers={"p50_ms": median, "p95_ms": p95},
    )  # fmt: skip
