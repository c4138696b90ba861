"""`ModelShelf`: loaded models, shared by all visitors, and how far each one's loading has come."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from decoding.errors import DecodingError, ModelError
from decoding.models.load import LanguageModel

from .batching import Batchers
from .bounds import Bounds
from .decoder import load_model
from .failures import noted
from .freed import free
from .limits import limits_of

__all__ = ["ModelShelf", "ModelState"]

LOOK_EVERY = 0.15  # seconds between two looks at a model that is being loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """Where a model stands.

    Attributes:
        phase: `idle`, `loading`, `ready` or `failed`.
        doing: while loading: `downloading`, `converting` or `loading`.
        fraction: how much of that is done, or None where it is not known.
        lm: the model, once ready.
        error: what to tell the visitor, once failed.
    """

    name: str
    phase: str = "idle"
    doing: str = "loading"
    fraction: float | None = None
    lm: LanguageModel | None = None
    error: DecodingError | None = None


class ModelShelf:
    """Loads models in threads, one at a time, and keeps the default one and those that were asked for last.

    A model that makes room while a run still uses it stays in memory until that is over; asked for before, it is
    back on the shelf and not loaded a second time.

    Args:
        default: the model that a visitor gets without asking. Its place is its own: its coming drives out no other.
        n_kept: how many models stay in memory, the default one among them; the one that came last stays in any case.
        allowed: the only names that may be loaded, for a public server, whose runs are bounded; None for any.
        load_options: what every one is loaded on and in, as `load_model` takes it.
        batchers: computes the steps of runs that are under way at the same time together; None computes each alone.
    """

    def __init__(
        self,
        default: str,
        *,
        n_kept: int = 2,
        allowed: frozenset[str] | None = None,
        load_options: Mapping[str, Any] | None = None,
        batchers: Batchers | None = None,
    ) -> None:
        self.default, self.batchers = default, batchers
        self.limits = limits_of(Bounds.read(public=allowed is not None))
        self._allowed = allowed
        self._n_kept = n_kept
        self._load_options = dict(load_options or {})
        self._states: OrderedDict[str, ModelState] = OrderedDict()  # asked for longest ago first
        self._in_use: WeakValueDictionary[str, LanguageModel] = WeakValueDictionary()  # those that made room, too
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def state(self, name: str) -> ModelState:
        """Where the model of this name stands."""
        with self._lock:
            found = self._states.get(name, ModelState(name=name))
        # Whoever raises an error hangs what it stands in on it: each gets one of their own.
        return found if found.error is None else replace(found, error=copy(found.error))

    def start(self, name: str) -> None:
        """Begins to load a model, unless it is there or on its way; one that failed is tried again.

        Raises:
            ModelError: the model is not among those allowed.
        """
        if self._allowed is not None and name not in self._allowed:
            names = ", ".join(sorted(self._allowed))
            raise ModelError(
                "the model must be one of {names} on this public page, got {name!r}; run Decoding Explorer on your "
                "own machine for any other",
                names=names, name=name,
            )
        with self._lock:
            known = self._states.get(name)
            if known is not None and known.phase in ("loading", "ready"):
                self._states.move_to_end(name)
                return
            self._states.pop(name, None)  # one that failed takes its place anew
            if (lm := self._in_use.get(name)) is not None:
                self._states[name] = ModelState(name=name, phase="ready", fraction=1.0, lm=lm)
                self._make_room(name)
                return
            self._states[name] = ModelState(name=name, phase="loading")
        threading.Thread(target=self._load, args=(name,), name=f"load {name}", daemon=True).start()

    def start_later(self, name: str, seconds: float) -> None:
        """Begins to load a model in so many seconds, if nobody asks for it before."""
        timer = threading.Timer(seconds, self.start, (name,))
        timer.daemon = True
        timer.start()

    def loading(self, name: str) -> Iterator[ModelState]:
        """States until the model is ready or has failed; begins loading where needed."""
        self.start(name)
        while True:
            state = self.state(name)
            yield state
            if state.phase != "loading":
                return
            time.sleep(LOOK_EVERY)

    def _load(self, name: str) -> None:
        def progress(doing: str, fraction: float | None) -> None:
            self._put(name, doing=doing, fraction=fraction)

        with self._loading:
            try:
                lm = load_model(name, progress=progress, **self._load_options)
            except Exception as error:
                self._put(name, phase="failed", error=self._said(name, error))
            else:
                self._take_in(name, lm)
                return
        free()

    def _said(self, name: str, error: Exception) -> DecodingError:
        """What a visitor is told: of a stranger's machine not where it has its files."""
        if self._allowed is None and isinstance(error, DecodingError):
            return copy(error)  # without the half-loaded model that hangs on it
        number = noted("a model could not be loaded", error)
        if self._allowed is None:
            return ModelError("{name} could not be loaded: {error}", name=name, error=error)
        return ModelError(
            "{name} could not be loaded (error {number}); whoever runs this server finds the details under that number "
            "in its log",
            name=name, number=number,
        )  # fmt: skip

    def _put(self, name: str, **changes: object) -> None:
        with self._lock:
            self._states[name] = replace(self._states.get(name, ModelState(name=name)), **changes)

    def _take_in(self, name: str, lm: LanguageModel) -> None:
        if self.batchers is not None:
            self.batchers.prepare(lm)  # now: the first visitor would wait for the trial
        self._put(name, phase="ready", lm=lm, fraction=1.0)
        with self._lock:
            self._in_use[name] = lm
            made_room = self._make_room(name)
        if made_room:
            free()

    def _make_room(self, newest: str) -> bool:
        """Whether there was a model that had to go."""
        if newest == self.default:
            return False
        asked_for = [name for name, state in self._states.items() if state.phase == "ready" and name != self.default]
        n_too_many = len(asked_for) - (self._n_kept - 1)
        gone = [name for name in asked_for if name != newest][: max(0, n_too_many)]
        for name in gone:
            del self._states[name]
        return bool(gone)
