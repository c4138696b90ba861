"""`python -m tests.fuzz [--requests N] [--seed S] [--json FILE]`: junk for a public server, and one table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.benchmarks import Row
from tests.benchmarks.__main__ import table
from tests.soak.server import Server
from tests.soak.site import API, Site

from .junk import Request, requests

MB = 10**6
PROMPT, ASKED = "The capital of France is", {"max_new_tokens": 4}
EVERY = 250  # requests between two good ones
AT_ONCE = 4
READ = 65_536  # bytes of an answer that are looked at
PATIENCE, GOOD = 30.0, 300.0  # seconds for an answer, and for a good one, which may have to wait for junk that decodes
MOST_MEMORY = 1.5  # times what the server took after the first tenth
STACK = ("Traceback (most recent", '  File "')


class Harm:
    """What junk did.

    Attributes:
        failed: by door, answers of 500 and more that do not say why; turned away for want of room left out.
        stacks: answers that tell of the server's inside.
        broken: connections that ended without an answer.
        status: how often each was answered.
    """

    def __init__(self) -> None:
        self.failed, self.stacks, self.broken = Counter[str](), Counter[str](), Counter[str]()
        self.status, self.samples = Counter[int](), dict[str, str]()
        self.good, self.wrong = 0, list[str]()

    def note(self, request: Request, status: int, text: str) -> None:
        """An answer."""
        self.status[status] += 1
        if any(sign in text for sign in STACK):
            self.stacks[f"{request.what}: {status}"] += 1
        if status >= 500 and status != 503 and not _in_words(text):
            what = f"{request.what}: {status}"
            self.failed[what] += 1
            self.samples.setdefault(what, f"{request.body[:300]!r} → {text[:200]}")


def _in_words(text: str) -> bool:
    """Gradio's way to say what is wrong with a call: 500, and the words."""
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return isinstance(said, dict) and any(isinstance(said.get(name), str) for name in ("error", "detail"))


def main(arguments: list[str]) -> int:
    """1 where junk did harm."""
    asked = parsed(arguments)
    harm = Harm()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as http:
            expected = good(http)
            began = send_all(http, server, asked, harm, expected)
            wait_for_runs(http, harm, expected)
        rows = measured(server, harm, began, asked.requests)
        faults, ours = Counter(server.faults()), Counter(server.faults(ours=True))
        if asked.log:
            asked.log.write_bytes(server.log.read_bytes())
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        found = {"rows": [asdict(row) for row in rows], "failed": harm.failed, "samples": harm.samples,
                 "faults": faults, "ours": ours, "stacks": harm.stacks, "broken": harm.broken}  # fmt: skip
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    kinds = {"failed": harm.failed, "in the log": faults, "in our handlers": ours, "broken": harm.broken}
    for title, what in kinds.items():
        for line, n in what.most_common(20):
            print(f"{title}, {n} ×: {line} {harm.samples.get(line, '')}"[:400])
    print(table(rows))
    return 0 if all(row.met is not False for row in rows) else 1


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Junk for a public server.")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is made at random (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows and what failed are written as well")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where the server's log is copied to")
    return parser.parse_args(arguments)


def good(http: httpx.Client) -> str:
    """The answer to a request that there is nothing wrong with."""
    asked = http.post(f"{API}/call/record", json={"data": [PROMPT, ASKED, "", None]}, timeout=GOOD)
    asked.raise_for_status()
    event, end = asked.json()["event_id"], time.monotonic() + GOOD
    with http.stream("GET", f"{API}/call/record/{event}", timeout=GOOD) as stream:
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event:"):
                kind = line.removeprefix("event:").strip()
            if line.startswith("data:") and kind in ("complete", "error"):
                said = json.loads(line.removeprefix("data:"))
                return json.dumps([said[0]["text"], said[0]["tokens"]] if kind == "complete" else said)
            if time.monotonic() > end:
                break
    raise RuntimeError("no answer to a good request")


def send_all(http: httpx.Client, server: Server, asked: argparse.Namespace, harm: Harm, expected: str) -> float:
    """Sends the junk; seconds of the server's life when a tenth of it was sent."""
    site, names = Site(http.get("/config").json()), sorted(http.get(f"{API}/info").json()["named_endpoints"])
    visitors = [f"visitor{n}" for n in range(4)]
    n_sent, tenth = 0, 0.0
    junk = requests(site.events, [name.strip("/") for name in names], visitors)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: list = []

        @seed(asked.seed)
        @settings(
            max_examples=asked.requests, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(junk)
        def send_each(request: Request) -> None:
            nonlocal n_sent, tenth
            waiting.append(pool.submit(send, http, request, harm))
            if len(waiting) >= AT_ONCE:
                waiting.pop(0).result()
            n_sent += 1
            if n_sent == asked.requests // 10:
                tenth = server.seconds()
            if n_sent % EVERY == 0 and server.is_alive:
                check(lambda: good(http), harm, expected)

        send_each()
    return tenth


def send(http: httpx.Client, request: Request, harm: Harm) -> None:
    """One request; of an answer without an end its beginning is enough."""
    try:
        # On a connection of its own: after some of these a server may hang up, and the next would meet that.
        said = {"connection": "close", **request.headers}
        kinds = {name: value.encode("latin-1", "replace") for name, value in said.items()}
        with http.stream(request.method, request.path, content=request.body, headers=kinds) as answer:
            text = b""
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                for part in answer.iter_bytes():
                    text += part
                    if len(text) > READ:
                        break
            harm.note(request, answer.status_code, text.decode("utf-8", "replace"))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        harm.broken[f"{request.what}: {type(error).__name__} {error}"[:200]] += 1


def check(ask: Callable[[], str], harm: Harm, expected: str) -> None:
    """The next good request is right."""
    try:
        said = ask()
    except (httpx.HTTPError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"
    harm.good += 1
    if said != expected:
        harm.wrong.append(said[:300])


def wait_for_runs(http: httpx.Client, harm: Harm, expected: str) -> None:
    """What junk set going has come to an end when a last good request is answered."""
    check(lambda: good(http), harm, expected)


def measured(server: Server, harm: Harm, began: float, n: int) -> list[Row]:
    """The table."""
    faults = server.faults()
    first, last = server.resident_around(began), server.resident_around(server.seconds(), 6)
    said = ", ".join(f"{status}: {times:,}" for status, times in sorted(harm.status.items()))
    return [
        Row(name="requests answered", measured=f"{harm.status.total():,} of {n:,}", spread=said, bar="", met=None),
        _none("answers with a stack trace", harm.stacks),
        _none("answers of 500 and more that do not say why", harm.failed),
        _none("connections that broke", harm.broken),
        _none("faults in the log", Counter(faults)),
        _none("of these, in our own handlers", Counter(server.faults(ours=True))),
        Row(
            name="the server's process", measured="alive" if server.is_alive else "gone", bar="alive",
            met=server.is_alive,
        ),
        Row(
            name="good requests that were answered right", measured=f"{harm.good - len(harm.wrong)} of {harm.good}",
            spread="; ".join(harm.wrong)[:80], bar="all", met=harm.good > 0 and not harm.wrong,
        ),
        Row(
            name="resident memory at the end, over that after a tenth", measured=f"{last / first:.2f} ×",
            spread=f"{first / MB:.0f} → {last / MB:.0f} MB", bar=f"≤ {MOST_MEMORY} ×", met=last <= MOST_MEMORY * first,
        ),
    ]  # fmt: skip


def _none(name: str, found: Counter[str]) -> Row:
    return Row(
        name=name, measured=str(found.total()), spread=f"{len(found)} kinds" if found else "", bar="0", met=not found
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
