"""Tokens a second of many recorded runs that are under way at the same time, with and without a `Batcher`.

The runs differ: greedy, drawn with several processors, prompts of twenty and of a hundred words. Three ways take turns,
and every second round goes the other way round: one after the other, as a page does that lets one run at a time use the
model; all at once in threads, each with the model itself; all at once through a batcher. What counts is the time until
the last one is done, prompts included. The bar is against the better of the first two.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.serving.batching import Batcher
from decoding import Settings, load_model, record
from tests.benchmarks import Row

MANY = (1, 2, 4, 8, 16)
N_TOKENS, N_ROUNDS = 64, 3  # as many as the page asks for by itself
BAR, FROM = 2.5, 8  # × the better of the other ways, from so many runs on
TEXT = "The lighthouse keeper wrote in his book every evening: the wind, the ships, the colour of the sea. "
SAMPLING = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.2}
WAYS = {"one after the other": "one by one", "at once": "in threads", "batched": "batched"}


def run(quick: bool = False) -> Iterator[Row]:
    """A row for each number of runs."""
    lm = load_model(device="cpu", dtype="float32")
    yield from rows(lm, (1, 3) if quick else MANY, n_tokens=3 if quick else N_TOKENS, n_rounds=1 if quick else N_ROUNDS)


def rows(lm: Any, many: Sequence[int], *, n_tokens: int, n_rounds: int) -> Iterator[Row]:
    """The rows of one model."""
    batcher = Batcher(lm)
    record(lm, TEXT, Settings(max_new_tokens=2, seed=0, **SAMPLING))  # the weights are read, the libraries loaded
    for n in many:
        yield row_of(n, n_tokens, measured(lm, batcher, jobs(n, n_tokens), n_rounds))


def jobs(n: int, n_tokens: int) -> list[tuple[str, Settings]]:
    """Prompt and settings of n different runs."""
    lengths = {"max_new_tokens": n_tokens, "min_new_tokens": n_tokens}
    how = [Settings(**lengths), *(Settings(**lengths, **SAMPLING, seed=i) for i in range(1, n))]
    return [(f"{i + 1}. {TEXT * (1 + 5 * (i % 4 == 3))}", settings) for i, settings in enumerate(how)]


def measured(lm: Any, batcher: Batcher, asked: Sequence[tuple[str, Settings]], n_rounds: int) -> dict[str, list[float]]:
    """Seconds of all runs together, by way, one a round."""

    def batched(prompt: str, settings: Settings) -> None:
        view = batcher.view()
        try:
            record(view, prompt, settings)
        finally:
            view.model.sharing.leave()

    def one_by_one() -> None:
        for job in asked:
            record(lm, *job)

    ways: dict[str, Callable[[], None]] = {
        "one after the other": one_by_one,
        "at once": lambda: at_once(lambda *job: record(lm, *job), asked),
        "batched": lambda: at_once(batched, asked),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(n_rounds):
        for way in reversed(ways) if number % 2 else ways:
            began = time.perf_counter()
            ways[way]()
            seconds[way].append(time.perf_counter() - began)
    return seconds


def at_once(do: Callable[..., Any], asked: Sequence[tuple[str, Settings]]) -> None:
    """Each job in a thread of its own; an error in one of them is raised here."""
    errors: list[Exception] = []

    def guarded(job: tuple[str, Settings]) -> None:
        try:
            do(*job)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def row_of(n: int, n_tokens: int, seconds: dict[str, list[float]]) -> Row:
    """Tokens a second of each way, and how many times the better of the others the batched one is."""
    rates = {way: [n * n_tokens / s for s in times] for way, times in seconds.items()}
    others = zip(*(rates[way] for way in WAYS if way != "batched"), strict=True)
    ratios = [ours / max(theirs) for ours, theirs in zip(rates["batched"], others, strict=True)]
    ratio = statistics.median(ratios)
    said = ", ".join(f"{WAYS[way]} {statistics.median(rate):.1f}" for way, rate in rates.items())
    return Row(
        name=f"{n} recorded run{'s' * (n > 1)} at once, {n_tokens} tokens each",
        measured=f"{ratio:.2f} ×: {said} tokens/s",
        spread=f"{min(ratios):.2f} to {max(ratios):.2f} ×, n = {len(ratios)}",
        bar=f"≥ {BAR} × without" if n >= FROM else "",
        met=ratio >= BAR if n >= FROM else None,
        numbers={"ratio": ratio, **{
            f"{way.replace(' ', '_')}_tokens_a_second": statistics.median(rate) for way, rate in rates.items()
        }},
    )  # fmt: skip
