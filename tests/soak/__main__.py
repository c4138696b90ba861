"""`python -m tests.soak [--clients N] [--minutes M] [--repeat R] [--json FILE]`: many visitors, one table."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import httpx

from tests.benchmarks import Row
from tests.benchmarks.__main__ import table
from tests.benchmarks.surroundings import as_text, surroundings

from .alone import differences
from .browsers import in_a_browser
from .record import Record
from .server import Server
from .site import Site
from .visitor import Visitor

MB = 10**6
MOST_MEMORY = 1.1  # times what the server took after the first minute
MOST_WAIT, MOST_LOOK = 10.0, 0.3  # seconds
COMING = 10.0  # seconds in which the visitors come
READY = 300.0  # seconds for the model to be there


def main(arguments: list[str]) -> int:
    """1 where a bar was missed."""
    asked = parsed(arguments)
    before, record = surroundings(), Record(asked.seed, asked.repeat, asked.tokens)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        began, ended = asyncio.run(soak(server, record, asked))
        after_load = server.resident_around(ended, 6)
        time.sleep(min(15.0, 60 * asked.minutes / 4))  # whoever closed a tab has been noticed by then
        rows = measured(server, record, began, ended, after_load)
        if asked.log:
            asked.log.write_bytes(server.log.read_bytes())
        resident = server.resident
    rows += compared(record, asked.seed, asked.sample)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "asked": {name: str(value) for name, value in vars(asked).items()}, "before": before,
            "after": surroundings(), "rows": [asdict(row) for row in rows],
            "resident": [[round(at, 1), size] for at, size in resident], "troubles": record.troubles,
            "lost": record.lost, "mixed": record.mixed,
        }  # fmt: skip
        asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, what in (("troubles", record.troubles), ("lost", record.lost), ("mixed", record.mixed)):
        for line in list(what)[:10]:
            print(f"{name}: {line}")
    print(table(rows))
    print(f"\n{as_text(before, surroundings())}", flush=True)
    return 0 if all(row.met is not False for row in rows) else 1


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Many visitors of a public server.")
    parser.add_argument("--clients", type=int, default=50, metavar="N", help="visitors over HTTP (%(default)s)")
    parser.add_argument("--browsers", type=int, default=2, metavar="N", help="and in Chromium (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="how long (%(default)s)")
    parser.add_argument(
        "--repeat", type=float, default=0.5, metavar="R",
        help="the part of the runs that are among the last hundred asked for (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--tokens", type=int, default=24, metavar="N", help="of each run (%(default)s)")
    parser.add_argument(
        "--sample", type=int, default=12, metavar="N", help="how many runs are recorded again, alone (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is done at random (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where rows and memory are written as well")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where the server's log is copied to")
    return parser.parse_args(arguments)


async def soak(server: Server, record: Record, asked: argparse.Namespace) -> tuple[float, float]:
    """Lets everybody in, and waits until they have left; seconds of the server's life when it began and ended."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as http:
        site = await Site.read(http)
        await ready(http, site)
        began, until = server.seconds(), time.monotonic() + 60 * asked.minutes
        visitors = [Visitor(site, http, record, 1000 * asked.seed + n, until) for n in range(asked.clients)]
        everybody = [after(min(COMING, 6 * asked.minutes) * n / asked.clients, v) for n, v in enumerate(visitors)]
        await asyncio.gather(*everybody, browse(server.url, record, asked, until))
        return began, server.seconds()


async def after(seconds: float, visitor: Visitor) -> None:
    """They do not all come at once."""
    await asyncio.sleep(seconds)
    await visitor.visit()


async def ready(http: httpx.AsyncClient, site: Site) -> None:
    """Until the model is there: what the first visitor waits for is not what is asked here."""
    first = Record(-1, 0.0, 2)
    end = time.monotonic() + READY
    while not first.runs and time.monotonic() < end:
        visitor = Visitor(site, http, first, 0, time.monotonic() + 1)
        await visitor.come()
        await visitor.run()
        visitor.leave()
    if not first.runs:
        raise RuntimeError(f"no run came to an end: {dict(first.troubles)} {first.lost}")


async def browse(url: str, record: Record, asked: argparse.Namespace, until: float) -> None:
    """The visitors with a browser."""
    if not asked.browsers:
        return
    from playwright.async_api import async_playwright

    from tests.browser import ARGUMENTS, find_browser

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        seeds = (asked.seed * 77 + n for n in range(asked.browsers))
        await asyncio.gather(*(in_a_browser(browser, url, record, seed, until) for seed in seeds))
        await browser.close()


# --- the table ----------------------------------------------------------------------------------------------


def measured(server: Server, record: Record, began: float, ended: float, after_load: int) -> list[Row]:
    """What is known before anything is recorded again."""
    seconds = ended - began
    faults, minute = server.faults(), began + min(60.0, seconds / 3)
    rows = [
        counted("server errors", sum(record.troubles.values()) + len(faults), [*record.troubles, *faults]),
        counted("runs and answers that were lost", len(record.lost), record.lost),
        counted("runs mixed up with another visitor's", len(record.mixed), record.mixed),
        Row(
            name="the server's process at the end", measured="alive" if server.is_alive else "gone", spread="",
            bar="alive", met=server.is_alive,
        ),
    ]  # fmt: skip
    late = record.late_tokens
    rows.append(
        Row(
            name="tokens that came after Stop was answered", measured=f"at most {max(late, default=0)}",
            spread=f"n = {len(late)}", bar="≤ 1", met=max(late, default=0) <= 1,
        )
    )  # fmt: skip
    rows += [timed(record, what, MOST_LOOK) for what in ("step", "what-if")]
    rows += [timed(record, what, None) for what in ("open", "stop", "step in a browser", "run in a browser")]
    runs = [run.seconds for run in record.runs if run.how == "run"]
    again = [run.seconds for run in record.runs if run.how == "run" and run.repeated]
    bar = MOST_WAIT if record.repeat else None
    rows.append(row_of_seconds("a run, its waiting counted in", runs, bar, statistics.median, "median"))
    rows.append(row_of_seconds("of these, runs that were asked for before", again, None, statistics.median, "median"))
    rows.append(
        Row(
            name="tokens a second, of all visitors together", measured=f"{record.n_tokens / seconds:.1f}",
            spread=f"{record.n_tokens:,} tokens, {len(record.runs)} runs, {record.n_refused} turned away", bar="",
            met=None,
        )
    )  # fmt: skip
    first, last = server.resident_around(minute), server.resident_around(server.seconds(), 6)
    top = max((size for _, size in server.resident), default=0)
    rows.append(
        Row(
            name="resident memory after the visitors, over that after the first minute",
            measured=f"{after_load / first:.2f} ×; {last / first:.2f} × when they had left",
            spread=f"{first / MB:.0f} → {after_load / MB:.0f} → {last / MB:.0f} MB, at most {top / MB:.0f} MB",
            bar=f"≤ {MOST_MEMORY} ×", met=after_load <= MOST_MEMORY * first,
        )
    )  # fmt: skip
    return rows


def compared(record: Record, seed: int, n: int) -> list[Row]:
    """Some of the runs, recorded again alone."""
    whole = [run for run in record.runs if run.how == "run" and run.lines]
    sample = random.Random(seed).sample(whole, min(n, len(whole)))
    wrong, n_same = differences(sample)
    for line in wrong:
        print(f"another run alone: {line}")
    return [
        Row(
            name="runs that are the same recorded alone", measured=f"{len(sample) - len(wrong)} of {len(sample)}",
            spread=f"{n_same} in every digit shown", bar="all", met=bool(sample) and not wrong,
        )
    ]  # fmt: skip


def counted(name: str, n: int, what: list[str]) -> Row:
    """Of what should not be."""
    return Row(name=name, measured=str(n), spread="; ".join(what)[:80], bar="0", met=n == 0)


def timed(record: Record, what: str, bar: float | None) -> Row:
    """How long something took."""
    return row_of_seconds(what, record.seconds[what], bar, p95, "p95")


def row_of_seconds(
    name: str, seconds: list[float], bar: float | None, of: Callable[[list[float]], float], called: str
) -> Row:  # fmt: skip
    """A row of times, with a bar or without."""
    if not seconds:
        return Row(name=name, measured="–", spread="n = 0", bar="" if bar is None else "measured", met=None)
    value, median = of(seconds), statistics.median(seconds)
    return Row(
        name=name, measured=f"{called} {_s(value)}",
        spread=f"median {_s(median)}, at most {_s(max(seconds))}, n = {len(seconds)}",
        bar="" if bar is None else f"≤ {_s(bar)}", met=None if bar is None else value <= bar,
    )  # fmt: skip


def p95(seconds: list[float]) -> float:
    """What 95 of 100 kept."""
    return sorted(seconds)[min(len(seconds) - 1, round(0.95 * len(seconds)))]


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
