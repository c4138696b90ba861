"""Which loaded models stay: the default one, those asked for last, and what a run still uses."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from app.serving.model_shelf import ModelShelf
from tests.tiny_models import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four models in folders."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in "abcd":
        tiny_model("llama", vocab_size=320).save_pretrained(folder / name)
        tiny_tokenizer().save_pretrained(folder / name)
    return [str(folder / name) for name in "abcd"]


def load(shelf: ModelShelf, name: str):
    """Asks for a model as a visitor does, and waits for it."""
    *_, state = shelf.loading(name)
    assert state.phase == "ready", state.error
    return state.lm


def on(shelf: ModelShelf, names: list[str]) -> str:
    return "".join(Path(name).name for name in names if shelf.state(name).phase == "ready")


@pytest.mark.parametrize("n_kept", [1, 2, 3])
def test_the_default_drives_nothing_out_when_it_comes(names, n_kept):
    default, asked_for, *_ = names
    shelf = ModelShelf(default, n_kept=n_kept)
    lm = load(shelf, asked_for)
    load(shelf, default)
    assert on(shelf, names) == "ab"
    assert load(shelf, asked_for) is lm


def test_the_default_stays_and_of_the_others_those_asked_for_last(names):
    a, b, c, d = names
    shelf = ModelShelf(a, n_kept=3)
    for name in (b, c, a, b, d):  # b is asked for again, so c is the oldest
        load(shelf, name)
    assert on(shelf, names) == "abd"


def test_while_the_default_has_not_come_its_place_is_kept_free(names):
    """Or its coming would take more memory than was meant, or drive out what is in use."""
    a, b, c, d = names
    shelf = ModelShelf(a, n_kept=3)
    for name in (b, c, d):
        load(shelf, name)
    assert on(shelf, names) == "cd"
    load(shelf, a)
    assert on(shelf, names) == "acd"


def test_the_one_that_came_last_stays_whatever_the_limit(names):
    a, b, c, _ = names
    shelf = ModelShelf(a, n_kept=1)
    for name in (a, b, c):
        load(shelf, name)
    assert on(shelf, names) == "ac"


def test_what_a_run_still_uses_is_not_loaded_a_second_time(names):
    a, b, c, _ = names
    shelf = ModelShelf(a, n_kept=2)
    used = load(shelf, b)  # and kept, as a run does
    load(shelf, c)
    assert on(shelf, names) == "c"
    shelf.start(b)
    assert shelf.state(b).lm is used  # at once
    assert on(shelf, names) == "b"


def test_what_nobody_uses_any_more_is_loaded_anew(names):
    a, b, c, _ = names
    shelf = ModelShelf(a, n_kept=2)
    load(shelf, b)
    load(shelf, c)
    gc.collect()
    shelf.start(b)
    assert shelf.state(b).phase == "loading"
    load(shelf, b)


def test_a_model_that_failed_is_tried_again(tmp_path, names):
    shelf = ModelShelf(names[0])
    missing = str(tmp_path / "e")
    *_, state = shelf.loading(missing)
    assert state.phase == "failed"
    tiny_model("llama", vocab_size=320).save_pretrained(missing)
    tiny_tokenizer().save_pretrained(missing)
    load(shelf, missing)
