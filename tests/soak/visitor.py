"""One visitor over HTTP: runs, steps, what-ifs, forks; cancels and leaves at random."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from typing import Any

import httpx

from .record import Record, RunSeen
from .site import API, Refused, ServerFault, Site, ask, follow, properties

__all__ = ["Visitor"]

PATIENCE = 240.0  # seconds for one run, its waiting counted in
PAUSE = (0.3, 3.0)  # seconds between two things that somebody does
AGAIN = 3.0  # seconds before a visitor who was turned away asks again


class Visitor:
    """Comes, does things until the end, and comes back as somebody else after leaving.

    Args:
        seed: of what is done.
        until: on the monotonic clock.
    """

    def __init__(self, site: Site, http: httpx.AsyncClient, record: Record, seed: int, until: float) -> None:
        self._site, self._http, self._record, self._until = site, http, record, until
        self._random, self._runs, self._alive = random.Random(seed), list[RunSeen](), None
        self._turn = 0
        self._key = ""

    async def visit(self) -> None:
        """Until the end."""
        while time.monotonic() < self._until:
            await self.come()
            try:
                await self._stay()
            finally:
                self.leave()

    async def _stay(self) -> None:
        for _ in range(self._random.randint(4, 12)):
            if time.monotonic() >= self._until:
                return
            what = self._random.choices(
                (self._look, self._slide, self.run, self._fork, self._cancel, self._vanish), (8, 4, 6, 2, 1, 1)
            )[0]
            if not self._runs and what not in (self._cancel, self._vanish):
                what = self.run
            try:
                await what()
            except Refused:
                self._record.n_refused += 1
                await asyncio.sleep(AGAIN)
            except (ServerFault, httpx.HTTPError) as fault:
                self._record.troubles[f"{type(fault).__name__}: {fault}"[:300]] += 1
            if what == self._vanish:
                return
            await asyncio.sleep(self._random.uniform(*PAUSE))

    # -- coming and going

    async def come(self) -> None:
        """Opens the page, as somebody new."""
        self._key, self._runs, self._turn = secrets.token_hex(6), [], 0
        self._alive = asyncio.create_task(self._hold_on(self._key))
        opened = self._site.event(".load", queued=False)
        if opened is not None:
            await self._timed("open", opened, [None, ""])

    async def _hold_on(self, key: str) -> None:
        """As an open tab does."""
        try:
            async with self._http.stream("GET", f"{API}/heartbeat/{key}", timeout=None) as stream:
                async for _ in stream.aiter_lines():
                    pass
        except httpx.HTTPError:
            pass

    def leave(self) -> None:
        """Closes the tab."""
        if self._alive is not None:
            self._alive.cancel()

    # -- what a visitor does

    async def run(self) -> None:
        """Asks for a run, and waits for all of it."""
        asked, repeated = self._record.next_question()
        run = RunSeen(asked=asked, repeated=repeated)
        await self._decode("run.click", run, [None, None, "text", asked.prompt, "", asked.form])

    async def _fork(self) -> None:
        source = self._random.choice(self._runs)
        if not source.lines:  # a beam run's tree is another matter
            return
        step = self._random.randrange(len(source.lines))
        place = {"run": source.number, "row": 0, "step": step}
        about = {"token_id": self._random.randrange(300, 40_000), "about": place}
        run = RunSeen(asked=source.asked, how="fork")
        if step + 1 < source.asked.n_tokens:
            await self._decode("candidate.take", run, [None], about)

    async def _cancel(self) -> None:
        asked, repeated = self._record.next_question()
        run = RunSeen(asked=asked, repeated=repeated, how="cancelled")
        await self._decode("run.click", run, [None, None, "text", asked.prompt, "", asked.form])

    async def _vanish(self) -> None:
        """Closes the tab in the middle of a run."""
        asked, repeated = self._record.next_question()
        run = RunSeen(asked=asked, repeated=repeated, how="left")
        await self._decode("run.click", run, [None, None, "text", asked.prompt, "", asked.form])

    async def _look(self) -> None:
        run = self._runs[-1]
        if run.lines:
            step = self._random.randrange(len(run.lines))
            where = {"run": run.number, "row": 0, "step": step, "measure": "probability"}
            event = self._site.event("token_row.step", queued=False)
            answer = await self._timed("step", event, [None, json.dumps(where)])
            self._noted("step", run, any(map(properties, answer or ())))

    async def _slide(self) -> None:
        run, event = self._runs[-1], self._site.event("whatif.ask", queued=False)
        if not run.lines:
            return
        form = {"mode": "sample", "given": dict(run.asked.given) | {"temperature": self._random.randint(3, 20) / 10}}
        self._turn += 1
        about = {"run": run.number, "row": 0, "step": 0}
        payload = {"form": json.dumps(form), "about": about, "turn": self._turn, "have": None}
        answer = await self._timed("what-if", event, [None], payload)
        self._noted("what-if", run, any("answer" in properties(part) for part in answer or ()))

    # -- how

    async def _timed(self, what: str, event: Any, data: list[Any], about: Any = None) -> list[Any] | None:
        if event is None:
            return None
        began = time.monotonic()
        answer = await ask(self._http, event, self._key, data, about)
        self._record.seconds[what].append(time.monotonic() - began)
        return answer

    def _noted(self, what: str, run: RunSeen, shown: bool) -> None:
        """A question about a visitor's own run that is answered with nothing: the run is not there any more."""
        if not shown:
            self._record.lost.append(f"{what} of run {run.number} ({run.asked.prompt}): nothing was shown")

    async def _decode(self, name: str, run: RunSeen, data: list[Any], about: Any = None) -> None:
        event, wait = self._site.event(name, queued=True), self._site.event(name, queued=False)
        if event is None:
            return
        began = time.monotonic()
        if wait is not None:
            await ask(self._http, wait, self._key, [None], about)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._watch(event, run, data, about)
        except TimeoutError:
            self._record.lost.append(f"{name} ({run.asked.prompt}): no whole answer in {PATIENCE:g} s")
            return
        run.seconds = time.monotonic() - began
        self._ended(run)

    async def _watch(self, event: Any, run: RunSeen, data: list[Any], about: Any) -> None:
        """Takes the answer in; presses Stop, or goes, once some tokens are there."""
        after = self._random.randint(2, max(2, run.asked.n_tokens // 2))
        n_at_stop: int | None = None
        answers = follow(self._http, event, self._key, data, about)
        try:
            async for parts in answers:
                self._take(run, parts)
                if run.how == "left" and len(run.lines) >= after:
                    return
                if run.how == "cancelled" and n_at_stop is None and len(run.lines) >= after:
                    stop = self._site.event("stop.click", queued=False)
                    await self._timed("stop", stop, [None])
                    n_at_stop = len(run.lines)
        finally:
            await answers.aclose()
        if n_at_stop is not None:
            self._record.late_tokens.append(len(run.lines) - n_at_stop)

    @staticmethod
    def _take(run: RunSeen, parts: dict[str, Any]) -> None:
        shown = json.loads(parts.get("answer", {}).get("data") or "null")
        if shown and shown["prompts"]:
            run.number = shown["run"]
            run.prompt = "".join(part["text"] for part in shown["prompts"][0]["parts"])
            run.text = shown["answers"][0]["text"] if shown["answers"] else ""
        told = json.loads(parts.get("message", {}).get("data") or "null")
        if told and told["kind"] == "error":
            run.told = told["text"]
        lines = parts.get("token_row", {}).get("lines")
        if lines is not None:
            run.lines = [json.loads(line) for line in lines.splitlines()]

    def _ended(self, run: RunSeen) -> None:
        """Takes a run that is over into the record.

        Raises:
            Refused: there was no room for it.
        """
        if "queue is full" in run.told:
            raise Refused(run.told)
        if run.told:
            self._record.lost.append(f"{run.how} ({run.asked.prompt}): {run.told}")
        elif run.how in ("run", "fork", "cancelled"):
            self._judge(run)

    def _judge(self, run: RunSeen) -> None:
        """Whether it is the answer to what was asked."""
        if not run.prompt:
            self._record.lost.append(f"{run.how} ({run.asked.prompt}): nothing was shown")
            return
        if run.asked.prompt not in run.prompt:
            self._record.mixed.append(f"asked {run.asked.prompt!r}, shown {run.prompt!r}")
        self._runs.append(run)
        self._record.runs.append(run)
        self._record.n_tokens += len(run.lines) or run.asked.n_tokens

