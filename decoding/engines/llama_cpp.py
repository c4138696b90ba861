"""llama.cpp's own samplers on scores of ours: a chain of them, run by the engine's compiled code.

    with SamplerChain([sampler("top_k", k=40), sampler("top_p", p=0.95), sampler("temp", t=0.8)], n_vocab) as chain:
        outcome = chain.apply(logits)
        outcome.survivors, outcome.probabilities
        chain.accept(token_id)  # for those that remember: dry, penalties, adaptive_p

What is done to the scores is the engine's doing alone; here they are only put into its array and read out again.
Tokens that stand at −inf are not put into it: they are out already, and its `typical` would make NaN of all others.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decoding.engines.llama_library import TokenDataArray, library
from decoding.errors import EngineError, shown

__all__ = [
    "PARAMETERS",
    "Outcome",
    "Sampler",
    "SamplerChain",
    "Vocabulary",
    "sampler",
]

MOST_REMEMBERED = 1 << 20
MOST_TOKENS = 1 << 24
SEEDS = (1 << 32) - 2  # the one above it asks the engine for a seed of its own

_ENTRY = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of one of llama.cpp's samplers: whole or not, its range, and what it is where it is not given."""

    whole: bool
    least: float
    most: float
    default: float | None = None


_SHARE, _SEED = Parameter(False, 0.0, 1.0), Parameter(True, 0, SEEDS, 0)
_MIN_KEEP, _ANY = Parameter(True, 0, MOST_TOKENS, 0), Parameter(False, -1e6, 1e6)
_LAST_N = Parameter(True, 0, MOST_REMEMBERED, 64)

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType({
    "top_k": {"k": Parameter(True, -(1 << 31), (1 << 31) - 1)},
    "top_p": {"p": _SHARE, "min_keep": _MIN_KEEP},
    "min_p": {"p": _SHARE, "min_keep": _MIN_KEEP},
    "typical": {"p": _SHARE, "min_keep": _MIN_KEEP},
    "temp": {"t": _ANY},
    "temp_ext": {"t": _ANY, "delta": Parameter(False, 0.0, 1e6), "exponent": Parameter(False, 0.0, 1e6, 1.0)},
    "xtc": {"p": _SHARE, "t": Parameter(False, 0.0, 1.0, 0.1), "min_keep": _MIN_KEEP, "seed": _SEED},
    "top_n_sigma": {"n": _ANY},
    "mirostat_v2": {
        "seed": _SEED, "tau": Parameter(False, 0.0, 1e6, 5.0), "eta": Parameter(False, 0.0, 1e6, 0.1),
    },
    "adaptive_p": {
        "target": Parameter(False, -1.0, 1.0), "decay": Parameter(False, 0.0, 0.99, 0.9), "seed": _SEED,
    },
    "penalties": {
        "last_n": _LAST_N, "repeat": Parameter(False, 1e-6, 1e6, 1.0),
        "freq": Parameter(False, -1e6, 1e6, 0.0), "present": Parameter(False, -1e6, 1e6, 0.0),
    },
    "dry": {
        "multiplier": Parameter(False, 0.0, 1e6), "base": Parameter(False, 0.0, 1e6, 1.75),
        "allowed_length": Parameter(True, 0, MOST_REMEMBERED, 2), "last_n": _LAST_N,
    },
    "dist": {"seed": _SEED},
})  # fmt: skip
"""Every sampler that can be asked for, with its parameters in the order in which llama.cpp takes them."""

_CHOOSES = frozenset({"dist", "mirostat_v2", "adaptive_p"})  # they end a chain: each draws a token itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """One of llama.cpp's samplers and its parameters; made by `sampler`, which checks them.

    Attributes:
        name: a key of `PARAMETERS`.
        parameters: all of them by name.
        breakers: texts that end a repetition, for `dry` alone.
    """

    name: str
    parameters: Mapping[str, float]
    breakers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the engine made of the scores.

    Attributes:
        survivors: tokens that can still be drawn, bool [vocab].
        logits: as the engine left them, −inf for those that are out, float32 [vocab].
        probabilities: that the engine draws each token with, as it computed them itself, float32 [vocab].
        order: the tokens in the order in which they stand in the engine's array, int64 [n].
        shares: what the samplers themselves last computed of each of these, float32 [n]: `top_p` the probability
            before its cut, and so on; 0 where none computed any.
        selected: the token that a sampler chose which chooses itself (dist, mirostat_v2, adaptive_p), or None.
    """

    survivors: Tensor
    logits: Tensor
    probabilities: Tensor
    order: Tensor
    shares: Tensor
    selected: int | None = None


def sampler(name: str, *, breakers: Iterable[str] = (), **parameters: float) -> Sampler:
    """One of llama.cpp's samplers, for a `SamplerChain`.

    Args:
        name: a key of `PARAMETERS`.
        breakers: for `dry`: texts that end a repetition; the chain then needs a `Vocabulary`.
        **parameters: of the sampler; those with a default may be left out.

    Raises:
        EngineError: there is no such sampler or parameter, one is missing, or its value is out of range.
    """
    if name not in PARAMETERS:
        raise EngineError(
            "llama.cpp has no sampler {name} here; choose one of {names}",
            name=shown(name), names=", ".join(PARAMETERS),
        )  # fmt: skip
    known = PARAMETERS[name]
    for given in parameters:
        if given not in known:
            raise EngineError(
                "llama.cpp's {sampler} has no parameter {name}; it takes {names}",
                sampler=name, name=shown(given), names=", ".join(known),
            )  # fmt: skip
    texts = tuple(breakers)
    if texts and (name != "dry" or not all(isinstance(text, str) and text and "\0" not in text for text in texts)):
        raise EngineError(
            "breakers must be texts that are not empty, for llama.cpp's dry alone, got {breakers}",
            breakers=shown(texts),
        )
    values = {key: _checked(name, key, parameters.get(key, what.default), what) for key, what in known.items()}
    return Sampler(name=name, parameters=MappingProxyType(values), breakers=texts)


class SamplerChain:
    """llama.cpp's samplers, one after another, with what they remember.

    It may be used by several threads, one at a time: they wait for each other. Whoever gives it tokens from several
    threads mixes their histories; take one chain for each.

    Args:
        samplers: in the order in which they run. One that chooses a token itself must be the last.
        n_vocab: how many tokens there are.
        vocabulary: for `dry` with breakers.

    Raises:
        EngineError: llama.cpp cannot be run here, or not with these.
    """

    def __init__(self, samplers: Iterable[Sampler], n_vocab: int, vocabulary: Vocabulary | None = None) -> None:
        self.samplers = tuple(samplers)
        self.n_vocab = _checked_n_vocab(n_vocab)
        self._vocabulary = vocabulary  # lives as long as samplers that may point to it
        self._library = library()
        self._lock = threading.Lock()
        self._entries: NDArray[Any] = np.zeros(self.n_vocab, dtype=_ENTRY)
        if early := [one.name for one in self.samplers[:-1] if one.name in _CHOOSES]:
            raise EngineError(
                "llama.cpp's {sampler} chooses a token itself; put it at the end of the chain", sampler=early[0]
            )
        self._chain: int = self._library.llama_sampler_chain_init(True)
        self._finalize = weakref.finalize(self, self._library.llama_sampler_free, self._chain)
        for one in self.samplers:
            self._library.llama_sampler_chain_add(self._chain, self._made(one))
        self._dist: int = self._library.llama_sampler_init_dist(0)  # says with what probabilities it would draw
        self._finalize_dist = weakref.finalize(self, self._library.llama_sampler_free, self._dist)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the engine's memory back; happens by itself when nobody holds the chain any more."""
        with self._lock:
            self._finalize()
            self._finalize_dist()

    @property
    def names(self) -> tuple[str, ...]:
        """What the engine calls its samplers; one that its parameters switch off begins with `?`."""
        with self._open() as engine:
            return tuple(engine.llama_sampler_name(one).decode() for one in self._each())

    def apply(self, logits: Tensor) -> Outcome:
        """The scores through the whole chain.

        Args:
            logits: [vocab], float32, float16 or bfloat16.

        Raises:
            EngineError: they are of another shape or type, hold NaN or +inf, or are −inf everywhere.
        """
        scores = self._checked_logits(logits)
        with self._open() as engine:
            array = self._filled(scores)
            engine.llama_sampler_apply(self._chain, ctypes.byref(array))
            return self._outcome(array)

    def apply_each(self, logits: Tensor) -> tuple[Outcome, ...]:
        """The scores after each sampler of the chain, in order; the last is what `apply` gives.

        Args:
            logits: [vocab], float32, float16 or bfloat16.

        Raises:
            EngineError: as `apply`.
        """
        scores = self._checked_logits(logits)
        out = []
        with self._open() as engine:
            array = self._filled(scores)
            for one in self._each():
                engine.llama_sampler_apply(one, ctypes.byref(array))
                out.append(self._outcome(array))
        return tuple(out)

    def accept(self, token_id: int) -> None:
        """Tells the samplers that remember that this token was taken; of the prompt, too.

        Raises:
            EngineError: there is no such token.
        """
        if not _is_whole(token_id) or not 0 <= token_id < self.n_vocab:
            raise EngineError(
                "token_id must be in [0, {last}], got {value}", last=self.n_vocab - 1, value=shown(token_id)
            )
        with self._open() as engine:
            engine.llama_sampler_accept(self._chain, int(token_id))

    def reset(self) -> None:
        """Forgets what was accepted, and draws as from the beginning."""
        with self._open() as engine:
            engine.llama_sampler_reset(self._chain)

    @contextmanager
    def _open(self) -> Iterator[ctypes.CDLL]:
        with self._lock:
            if not self._finalize.alive:
                raise EngineError("this chain of llama.cpp's samplers is closed; make another")
            yield self._library

    def _each(self) -> Iterator[int]:
        return (self._library.llama_sampler_chain_get(self._chain, i) for i in range(len(self.samplers)))

    def _made(self, one: Sampler) -> int:
        """A sampler of the engine's, which the chain is to own."""
        make = getattr(self._library, f"llama_sampler_init_{one.name}")
        values = [int(v) if PARAMETERS[one.name][key].whole else v for key, v in one.parameters.items()]
        if one.name == "penalties":
            values = [self.n_vocab, *values]
        if one.name != "dry":
            return int(make(*values))
        texts = [text.encode() for text in one.breakers]
        if texts and self._vocabulary is None:
            raise EngineError("llama.cpp's dry needs a vocabulary to find its breakers in; give one")
        pointer = self._vocabulary.pointer if self._vocabulary is not None else None
        return int(make(pointer, *values, (ctypes.c_char_p * len(texts))(*texts), len(texts)))

    def _checked_logits(self, logits: Tensor) -> NDArray[np.float32]:
        if tuple(logits.shape) != (self.n_vocab,):
            raise EngineError(
                "logits must be of shape [{n}], one for each token, got {shape}",
                n=self.n_vocab, shape=list(logits.shape),
            )  # fmt: skip
        if logits.dtype not in (torch.float32, torch.float16, torch.bfloat16):
            raise EngineError(
                "logits must be float32, float16 or bfloat16, got {dtype}; "
                "llama.cpp computes in float32, and others would be rounded on the way",
                dtype=str(logits.dtype).removeprefix("torch."),
            )
        scores = logits.detach().to("cpu", torch.float32).numpy()
        if np.isnan(scores).any() or np.isposinf(scores).any():
            raise EngineError("logits must be without NaN and +inf; llama.cpp would make NaN of every probability")
        if np.isneginf(scores).all():
            raise EngineError("logits must leave a token to choose: all are −inf")
        return scores

    def _filled(self, scores: NDArray[np.float32]) -> TokenDataArray:
        ids = np.flatnonzero(~np.isneginf(scores))
        entries = self._entries[: len(ids)]
        entries["id"], entries["logit"], entries["p"] = ids, scores[ids], 0.0
        return TokenDataArray(data=entries.ctypes.data, size=len(ids), selected=-1, sorted=False)

    def _outcome(self, array: TokenDataArray) -> Outcome:
        """What stands in the array, which is left as it is."""
        left = self._left(array)
        ids = torch.from_numpy(left["id"].astype(np.int64))
        shares = torch.from_numpy(left["p"].copy())
        logits = torch.full((self.n_vocab,), -math.inf)
        logits[ids] = torch.from_numpy(left["logit"].copy())
        selected = int(ids[array.selected]) if 0 <= array.selected < len(left) else None
        probabilities = torch.zeros(self.n_vocab)
        probabilities[ids] = self._drawn_with(left) if selected is None else shares
        return Outcome(
            survivors=logits > -math.inf, logits=logits, probabilities=probabilities, order=ids, shares=shares,
            selected=selected,
        )  # fmt: skip

    def _left(self, array: TokenDataArray) -> NDArray[Any]:
        """The part of our entries that the engine's array points to."""
        start, size = (array.data or 0) - self._entries.ctypes.data, int(array.size)
        first, rest = divmod(start, _ENTRY.itemsize)
        if rest or first < 0 or first + size > self.n_vocab:
            raise EngineError("llama.cpp answered outside of what it was given; its version cannot be used")
        return self._entries[first : first + size]

    def _drawn_with(self, left: NDArray[Any]) -> Tensor:
        """The probabilities with which the engine's own draw takes these tokens, float32 [len(left)]."""
        entries = left.copy()
        array = TokenDataArray(data=entries.ctypes.data, size=len(entries), selected=-1, sorted=False)
        self._library.llama_sampler_apply(self._dist, ctypes.byref(array))
        return torch.from_numpy(entries["p"].copy())


class Vocabulary:
    """The vocabulary of a GGUF file, as llama.cpp reads it: without the weights.

    Args:
        path: the file.

    Raises:
        EngineError: llama.cpp cannot be run here, or not read the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        engine = library()
        params = engine.llama_model_default_params()
        params.vocab_only = True
        model = None
        if Path(path).is_file():  # its own complaint would be lines in the log
            with _silent(engine):
                model = engine.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise EngineError(
                "llama.cpp cannot read a vocabulary from {path}; give a GGUF file", path=shown(os.fspath(path))
            )
        self._finalize = weakref.finalize(self, engine.llama_model_free, model)
        self.pointer: int = engine.llama_model_get_vocab(model)
        self.n_tokens: int = engine.llama_vocab_n_tokens(self.pointer)


@contextmanager
def _silent(engine: ctypes.CDLL) -> Iterator[None]:
    """Without the dozens of lines that llama.cpp writes about each file. Its log is one for the whole process."""
    callback, data = ctypes.c_void_p(), ctypes.c_void_p()
    engine.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    engine.llama_log_set(ctypes.cast(quiet, ctypes.c_void_p), None)
    try:
        yield
    finally:
        engine.llama_log_set(callback, data)


def _checked_n_vocab(n_vocab: int) -> int:
    if not _is_whole(n_vocab) or not 1 <= n_vocab <= MOST_TOKENS:
        raise EngineError(
            "n_vocab must be a whole number in [1, {most}], got {value}", most=MOST_TOKENS, value=shown(n_vocab)
        )
    return int(n_vocab)


def _checked(name: str, key: str, value: Any, what: Parameter) -> float:
    if value is None:
        raise EngineError("llama.cpp's {sampler} needs {parameter}; give it", sampler=name, parameter=key)
    right = _is_whole(value) if what.whole else isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not what.least <= value <= what.most:
        raise EngineError(
            "{parameter} of llama.cpp's {sampler} must be in [{least:g}, {most:g}], got {value}",
            parameter=key, sampler=name, least=what.least, most=what.most, value=shown(value),
        )  # fmt: skip
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
