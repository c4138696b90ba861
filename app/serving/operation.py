"""`Operation`: the runs of this process from outside: logged, counted, bounded in time, ended when the server stops."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from decoding.errors import DecodingError, RecordingError

from .metrics import Metrics

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.recorded.run import Step
    from decoding.recorder import Recorder

__all__ = ["Operation", "OutOfTime", "Stopping", "operation"]

log = logging.getLogger(__name__)


class OutOfTime(RecordingError):
    """A run took longer than runs may take here; what came before is kept."""


class Stopping(RecordingError):
    """The server is being stopped; what came before is kept."""


class Operation:
    """What goes on in this process.

    Attributes:
        stopping: set once the server is being stopped: then nothing is begun, and what runs ends after its step.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = Metrics() if metrics is None else metrics
        self.stopping = threading.Event()
        self._n_running = 0
        self._changed = threading.Condition()

    def run(
        self, kind: str, lm: LanguageModel, steps: Generator[Step, None, Any], recorder: Recorder, most: int | None
    ) -> Generator[Step, None, Any]:
        """The steps, watched. Closing it ends decoding.

        Args:
            kind: of the run, for the log.
            steps: as they are decoded.
            recorder: has what came so far.
            most: seconds that its steps may take together, or None.

        Raises:
            As the steps do; OutOfTime, Stopping: with the trace so far.
        """
        n_steps = n_tokens = 0
        with self._noted(kind, lm) as told:
            try:
                computed, since = 0.0, time.monotonic()
                for step in steps:
                    computed += time.monotonic() - since
                    n_steps, n_tokens = n_steps + 1, n_tokens + step.ended.count(False)
                    told |= {"steps": n_steps, "tokens": n_tokens}
                    yield step
                    since = time.monotonic()  # others' steps may have come between
                    if self.stopping.is_set():
                        raise Stopping("the server is being stopped; what came before is kept")
                    if most is not None and computed > most:
                        raise OutOfTime(
                            "broken off after {most} seconds, the most that a run may take here; what came before is "
                            "kept",
                            most=most,
                        )  # fmt: skip
            except (Stopping, OutOfTime) as error:
                steps.close()
                error.trace = recorder.trace
                raise
            finally:
                steps.close()

    @contextmanager
    def verification(self, lm: LanguageModel) -> Iterator[None]:
        """A second run, for a comparison; it has no steps that are seen here."""
        with self._noted("verify", lm):
            yield

    def drain(self, seconds: float) -> bool:
        """Stops what runs, waits for it, and says whether all of it has ended."""
        self.stopping.set()
        with self._changed:
            return self._changed.wait_for(lambda: self._n_running == 0, timeout=seconds)

    @contextmanager
    def _noted(self, kind: str, lm: LanguageModel) -> Iterator[dict[str, Any]]:
        if self.stopping.is_set():
            raise Stopping("the server is being stopped; what came before is kept")
        start, outcome = time.perf_counter(), "finished"
        told: dict[str, Any] = {"run": secrets.token_hex(4), "kind": kind, "model": lm.name, "steps": 0, "tokens": 0}
        self._count(1)
        try:
            yield told
        except GeneratorExit:
            outcome = "stopped"
            raise
        except OutOfTime:
            outcome = "out_of_time"
            raise
        except Stopping:
            outcome = "server_stopped"
            raise
        except DecodingError as error:
            outcome, told["error"] = "refused" if not told["steps"] else "broken_off", type(error).__name__
            raise
        except BaseException as error:
            outcome, told["error"] = "failed", type(error).__name__
            raise
        finally:
            self._count(-1)
            seconds = time.perf_counter() - start
            self.metrics.run_ended(kind, outcome, told["tokens"], seconds)
            log.info("run", extra={**told, "milliseconds": round(1000 * seconds), "outcome": outcome})

    def _count(self, change: int) -> None:
        with self._changed:
            self._n_running += change
            self._changed.notify_all()


@cache
def operation() -> Operation:
    """That of this process."""
    return Operation()
