"""assert_same: two answers of `generate()` are the same in every bit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, EncoderDecoderCache

from tests.laws import same_bits

__all__ = ["assert_same"]


def assert_same(got: Any, expected: Any, where: str = "answer") -> None:
    """Fails, saying where, unless both have the same types, shapes and bits all the way down."""
    assert type(got) is type(expected), f"{where}: {type(got).__name__} against {type(expected).__name__}"
    if isinstance(expected, Tensor):
        _assert_same_tensor(got.detach(), expected.detach(), where)
    elif isinstance(expected, EncoderDecoderCache):
        assert_same(got.self_attention_cache, expected.self_attention_cache, f"{where}.self_attention_cache")
        assert_same(got.cross_attention_cache, expected.cross_attention_cache, f"{where}.cross_attention_cache")
    elif isinstance(expected, Cache):
        assert_same([_held(layer) for layer in got.layers], [_held(layer) for layer in expected.layers], where)
    elif isinstance(expected, dict):
        assert list(got) == list(expected), f"{where}: {list(got)} against {list(expected)}"
        for key in expected:
            assert_same(got[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected), f"{where}: {len(got)} against {len(expected)}"
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    else:
        assert got == expected, f"{where}: {got!r} against {expected!r}"


def _assert_same_tensor(got: Tensor, expected: Tensor, where: str) -> None:
    assert got.dtype == expected.dtype, f"{where}: {got.dtype} against {expected.dtype}"
    assert got.shape == expected.shape, f"{where}: {tuple(got.shape)} against {tuple(expected.shape)}"
    if not expected.is_floating_point():
        assert torch.equal(got, expected), f"{where}: {got.tolist()} against {expected.tolist()}"
        return
    assert same_bits(got, expected), f"{where}: {int((got != expected).sum())} of {got.numel()} values differ"


def _held(layer: Any) -> dict[str, Tensor]:
    """The tensors that a cache's layer holds, by attribute."""
    return {name: value for name, value in sorted(vars(layer).items()) if isinstance(value, Tensor)}
