"""`Metrics`: numbers that a Prometheus server may fetch: runs, tokens, seconds, refusals, the queue, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAMES = "decoding_explorer"
SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics(Collector):
    """The numbers of one process.

    What is counted is counted as it happens; what stands somewhere is looked up when it is asked for, see `look_at`.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._runs = self._counter("runs", "Runs that ended, by kind and outcome.", ("kind", "outcome"))
        self._tokens = self._counter("tokens", "Tokens decoded, of all rows.")
        self._refusals = self._counter("refusals", "Requests refused, by bound or other reason.", ("bound",))
        self._seconds = Histogram(
            "run_seconds", "How long runs took.", ("kind",), namespace=NAMES, buckets=SECONDS, registry=self._registry
        )
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def _counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, about, labels, namespace=NAMES, registry=self._registry)

    def run_ended(self, kind: str, outcome: str, tokens: int, seconds: float) -> None:
        """Counts a run."""
        self._runs.labels(kind, outcome).inc()
        self._tokens.inc(tokens)
        self._seconds.labels(kind).observe(seconds)

    def refused(self, bound: str) -> None:
        """Counts a refusal."""
        self._refusals.labels(bound).inc()

    def look_at(self, name: str, about: str, now: Callable[[], float]) -> None:
        """Adds a number that is looked up each time."""
        self._gauges[name] = (about, now)

    def collect(self) -> Iterator[Any]:
        """The numbers that are looked up, as Prometheus' library asks for them."""
        for name, (about, now) in self._gauges.items():
            yield GaugeMetricFamily(f"{NAMES}_{name}", about, value=now())

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
