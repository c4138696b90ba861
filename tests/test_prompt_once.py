"""A layer of the cache whose beams have their prompt in common holds what `DynamicLayer` would, bit for bit."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from decoding import Recorder
from decoding.strategies.prompt_once import ROOM, PromptOnceLayer, forget_prompts, repeat_prompts
from tests.laws import same_bits
from tests.tiny_models import tiny_lm

EACH, HEADS, WIDTH, VALUE_WIDTH = 3, 2, 4, 5


def states(rows: int, n: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, HEADS, n, WIDTH), torch.randn(rows, HEADS, n, VALUE_WIDTH)


def both(n_prompts: int, n_prompt: int) -> tuple[PromptOnceLayer, DynamicLayer]:
    """The layer, and the usual one that it stands for."""
    usual = DynamicLayer()
    usual.update(*states(n_prompts, n_prompt))
    layer = PromptOnceLayer(usual, EACH)
    usual.batch_repeat_interleave(EACH)
    return layer, usual


def assert_same(layer: DynamicLayer, usual: DynamicLayer) -> None:
    assert layer.get_seq_length() == usual.get_seq_length()
    assert same_bits(layer.keys, usual.keys) and same_bits(layer.values, usual.values)


def parents(rng: random.Random, n_prompts: int) -> torch.Tensor:
    """Of each row, a row of its own prompt."""
    return torch.tensor([p * EACH + rng.randrange(EACH) for p in range(n_prompts) for _ in range(EACH)])


@pytest.mark.parametrize("n_prompt", [1, 7, 400])
@pytest.mark.parametrize("n_prompts", [1, 2])
def test_it_holds_what_the_usual_layer_would(n_prompts: int, n_prompt: int):
    layer, usual = both(n_prompts, n_prompt)
    assert_same(layer, usual)
    for step in range(2 * ROOM + 3):  # more than there is room for at first
        new = states(n_prompts * EACH, n=1 + step % 2)
        for got, wanted in zip(layer.update(*new), usual.update(*new), strict=True):
            assert same_bits(got, wanted)
        for each in (layer, usual) if step % 3 else ():
            each.reorder_cache(parents(random.Random(step), n_prompts))
        assert_same(layer, usual)
    assert layer.n_prompt == n_prompt


def test_a_prompt_is_not_copied_at_a_step():
    layer, _ = both(1, 400)
    where = layer.keys.data_ptr()
    for _ in range(ROOM):
        layer.update(*states(EACH))
        layer.reorder_cache(torch.tensor([1, 0, 0]))
    assert layer.keys.data_ptr() == where


@pytest.mark.parametrize(
    "other",
    [
        lambda layer: layer.crop(-4),
        lambda layer: layer.batch_select_indices(torch.tensor([4, 0])),
        lambda layer: layer.batch_repeat_interleave(2),
        lambda layer: layer.reset(),
        lambda layer: forget_prompts(_cache_of(layer)),
    ],
    ids=["crop", "select", "repeat", "reset", "forget"],
)
def test_whatever_else_is_done_makes_it_a_layer_like_any_other(other):
    layer, usual = both(2, 3)
    for each in (layer, usual):
        torch.manual_seed(1)
        each.update(*states(2 * EACH, n=2))
        other(each)
        rows = each.keys.shape[0] if each.is_initialized else 4
        each.update(*states(rows, n=2))
        each.reorder_cache(torch.arange(rows).flip(0))  # rows of the other prompt
    assert_same(layer, usual)


def _cache_of(layer: DynamicLayer) -> DynamicCache:
    cache = DynamicCache()
    cache.layers = [layer]
    return cache


def test_a_copy_goes_its_own_way():
    layer, usual = both(1, 5)
    twin = copy.deepcopy(layer)
    twin.update(*states(EACH))
    new = states(EACH)
    layer.update(*new)
    usual.update(*new)
    assert_same(layer, usual)


def test_layers_that_forget_what_is_out_of_sight_are_copied():
    from transformers.cache_utils import DynamicSlidingWindowLayer

    cache = DynamicCache()
    cache.layers = [DynamicSlidingWindowLayer(sliding_window=4), DynamicLayer(), DynamicLayer()]
    for layer in cache.layers[:2]:
        layer.update(*states(2, n=3))
    repeat_prompts(cache, EACH)
    assert [type(layer) for layer in cache.layers] == [DynamicSlidingWindowLayer, PromptOnceLayer, DynamicLayer]
    assert [layer.get_seq_length() for layer in cache.layers] == [3, 3, 0]
    assert cache.layers[0].keys.shape[0] == cache.layers[1].keys.shape[0] == 2 * EACH


@pytest.mark.parametrize("groups", [{}, {"num_beam_groups": 3, "diversity_penalty": 0.5}], ids=["beams", "groups"])
def test_the_cache_that_is_given_back_can_be_used_like_any_other(groups):
    lm = tiny_lm()
    ids, settings = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]]), {"num_beams": 3, "max_new_tokens": 5, **groups}
    recorder = Recorder(share_prefill=True)
    out = lm.model.generate(ids, **settings, return_dict_in_generate=True, custom_generate=recorder)
    cache = out.past_key_values
    assert type(cache) is DynamicCache and all(isinstance(layer, PromptOnceLayer) for layer in cache.layers)
    assert all(layer.n_prompt == 0 for layer in cache.layers)
    kept = recorder.kept_cache()
    again = DynamicCache()
    lm.model(input_ids=kept.ids, past_key_values=again)
    for layer, computed in zip(cache.layers, again.layers, strict=True):
        torch.testing.assert_close(layer.keys, computed.keys, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(layer.values, computed.values, atol=1e-4, rtol=1e-4)
