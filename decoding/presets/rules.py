"""What several engines settle alike: where one key says how another is meant, or is no setting by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from decoding.parameters.knobs import INT_LIMIT, KNOBS
from decoding.presets.chain import our_order, turned, two_orders
from decoding.presets.draft import Draft
from decoding.presets.told import Told
from decoding.words import words

__all__ = [
    "at_random", "bans", "biases", "constraint", "greedy_at_zero", "length", "mirostat", "order", "parts", "plain",
    "random_seed", "repetition", "stops", "within_chain",
]  # fmt: skip

Rule = Callable[[Draft], None]


def at_random(draft: Draft) -> None:
    """Engines draw unless they are told otherwise."""
    draft.settings.setdefault("do_sample", True)


def greedy_at_zero(least: float) -> Rule:
    """A temperature up to `least` takes the most likely token."""

    def rule(draft: Draft) -> None:
        value = draft.value("temperature")
        if value is None or value > least:
            return
        draft.settle("temperature")
        draft.settings["do_sample"] = False
        draft.tell("differs", "temperature", "it takes the most likely token there, which is do_sample=False here")

    return rule


def repetition(penalty: str, window: str, *, everything: int, nothing: int | None) -> Rule:
    """A repetition penalty that looks at the last tokens alone.

    Args:
        penalty, window: the keys.
        everything: the window that is all tokens; so is any that is longer, and -1.
        nothing: the window at which the penalty is off, if there is one.
    """

    def is_all(n: int) -> bool:
        return n in (everything, -1) or n > everything > 0

    def rule(draft: Draft) -> None:
        n, given = draft.there(window), draft.value(penalty)
        if draft.is_settled(penalty) or not draft.is_on(penalty):
            idle(draft, penalty, (window,))
        elif n == nothing:
            draft.tell("idle", penalty, words("{window} is {n} there, which switches it off", window=window, n=n))
            draft.off(penalty, "repetition_penalty")
        elif given is not None and draft.take(penalty, "repetition_penalty", given) and not is_all(n):
            why = "the penalty looks at the last {n} tokens there, and here at all of them, the prompt among them"
            draft.tell("differs", window, words(why, n=n))
        draft.settle(window)

    return rule


def length(*names: str) -> Rule:
    """The first of these keys that is given says how many tokens come; below 0 there is no end."""

    def rule(draft: Draft) -> None:
        given = [name for name in names if draft.is_given(name)]
        for name in given[1:]:
            draft.tell("idle", name, words("{other} comes first there", other=given[0]))
        draft.settle(*names)
        name = given[0] if given else names[0]
        value = draft.value(name)
        if value is None:
            return
        if value >= 0:
            draft.take(name, "max_new_tokens", value)
        elif draft.is_given(name):
            draft.missing(name, "it goes on until the model ends there; here max_new_tokens says how many come at most")

    return rule


def random_seed(name: str, *, at_random: tuple[int, ...], other_generator: bool) -> Rule:
    """A seed; at some values, and below 0, each run draws anew."""

    def rule(draft: Draft) -> None:
        value = draft.value(name)
        draft.settle(name)
        if value is None or value in at_random or value < 0:
            return
        why = "another generator of random numbers draws there: the same seed gives other tokens here"
        draft.take(name, "seed", value, why if other_generator else "")

    return rule


def stops(name: str, kept: str = "") -> Rule:
    """Texts that end the answer.

    Args:
        kept: the key that keeps them in the answer; "" where they are always cut off.
    """

    def rule(draft: Draft) -> None:
        value = draft.value(name)
        draft.settle(name, kept)
        texts = [text for text in (value or ()) if text]
        if texts:
            cut = "the answer ends before this text there, and here with it"
            draft.take(name, "stop_strings", texts, "" if kept and draft.there(kept) else cut)

    return rule


def biases(name: str) -> Rule:
    """What is added to the logits of tokens: pairs, or an object; false bans a token."""

    def rule(draft: Draft) -> None:
        value = draft.value(name)
        draft.settle(name)
        if not value:
            return
        pairs = list(value.items()) if isinstance(value, dict) else value
        added, banned, left = _parted(pairs) if isinstance(pairs, list) else ([], [], True)
        if left or not (added or banned):
            draft.missing(name, "only token ids and numbers are read of it: a text biases each of its tokens there")
        if added:
            draft.take(name, "sequence_bias", added)
        if banned:
            draft.take(name, "suppress_tokens", banned)

    return rule


def _parted(pairs: list[Any]) -> tuple[list[Any], list[int], bool]:
    """Biases of token ids, banned ids, and whether there is more."""
    added: list[Any] = []
    banned: list[int] = []
    left = False
    for pair in pairs:
        if isinstance(pair, dict):  # as llama.cpp's server writes them
            pair = (pair.get("token"), pair.get("bias"))
        token, bias = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (None, None)
        token = int(token) if isinstance(token, str) and re.fullmatch(r"\d{1,9}", token) else token
        known = isinstance(token, int) and not isinstance(token, bool) and 0 <= token <= INT_LIMIT
        if known and bias is False:
            banned.append(int(token or 0))
        elif known and isinstance(bias, (int, float)) and not isinstance(bias, bool):
            added.append([[int(token or 0)], float(bias)])
        else:
            left = True
    return added, banned, left


def bans(name: str) -> Rule:
    """Token ids parted by commas, that never come."""

    def rule(draft: Draft) -> None:
        value = draft.value(name)
        draft.settle(name)
        if not value:
            return
        ids = [item.strip() for item in str(value).split(",") if item.strip()]
        if all(re.fullmatch(r"\d{1,9}", item) for item in ids):
            draft.take(name, "suppress_tokens", [int(item) for item in ids])
        else:
            draft.tell("wrong", name, words("it must be token ids parted by commas"))

    return rule


def constraint(name: str, knob: str, differs: str = "") -> Rule:
    """A schema, a grammar or an expression that the answer has to fit; empty is none."""

    def rule(draft: Draft) -> None:
        value = draft.value(name)
        draft.settle(name)
        if value is None or value == "":
            return
        if knob in KNOBS and isinstance(value, (dict, list, bool)) and KNOBS[knob].kind in ("text", "constraint"):
            value = json.dumps(value, ensure_ascii=False)
        draft.take(name, knob, value, differs)

    return rule


def mirostat(name: str, cuts: tuple[str, ...]) -> Rule:
    """Mirostat 2, which takes the place of every other cut; its first version is another method.

    Args:
        cuts: the keys that it takes the place of.
    """

    def rule(draft: Draft) -> None:
        mode = draft.value(name) or 0
        draft.settle(name)
        parts = ("mirostat_tau", "mirostat_eta")
        if mode == 0:
            idle(draft, name, parts)
            return
        for cut in cuts:
            if draft.is_on(cut) and draft.is_given(cut):
                draft.tell("idle", cut, words("mirostat takes the place of every other cut there"))
            key = draft.engine.key(cut)
            if key is not None and draft.value(cut) is not None:
                draft.off(cut, key.knob)
            draft.settle(cut)
        if mode != 2 or "mirostat_tau" not in KNOBS:
            draft.settle(*parts)
            draft.missing(name, "the first version of mirostat is another method" if mode == 1 else "")
            return
        for part in parts:
            draft.take(part, part, draft.there(part))

    return rule


def parts(draft: Draft) -> None:
    """Keys that say how another one works: while that one is off, they do nothing."""
    for key in draft.engine.keys:
        if not key.part_of or draft.is_settled(key.name):
            continue
        if not draft.is_on(key.part_of):
            idle(draft, key.part_of, (key.name,))
        elif not key.has_knob and not draft.is_given(key.name):
            draft.settle(key.name)


def idle(draft: Draft, whole: str, names: tuple[str, ...]) -> None:
    """Tells of the keys that were given that they do nothing, since what they belong to is off."""
    for name in names:
        if draft.is_given(name) and not draft.is_settled(name):
            draft.tell("idle", name, words("it does nothing while {whole} is off", whole=whole))
        draft.settle(name)


def within_chain(draft: Draft) -> None:
    """Samplers that the order leaves out do nothing."""
    chain = _chain_given(draft)
    if chain is None:
        return
    missing = set(draft.engine.stages.values()) - set(chain) - {""}
    for key in draft.engine.keys:
        if key.knob not in missing or draft.is_settled(key.name):
            continue
        if draft.is_on(key.name) and draft.is_given(key.name):
            draft.tell("idle", key.name, words("{order} leaves it out", order=draft.engine.order_key))
        if draft.value(key.name) is not None:
            draft.off(key.name, key.knob)
        draft.settle(key.name)


def plain(draft: Draft) -> None:
    """Every key that no rule has settled, by itself."""
    for key in draft.open_keys():
        value = draft.value(key.name)
        if key.is_off(value):
            draft.off(key.name, key.knob)
        elif not key.knob or not key.has_knob:
            draft.missing(key.name)
        else:
            scaled = value * key.scale if key.scale != 1 else value
            draft.take(key.name, key.knob, scaled, key.differs)


def order(draft: Draft) -> None:
    """Tells where the samplers that act stand in another order there, and that changes what they leave."""
    draft.settle(draft.engine.order_key)
    given = _chain_given(draft)
    chain = list(draft.engine.order) if given is None else given
    there = [name for name in dict.fromkeys(chain) if _acts(draft, name)]
    ours = [name for name in our_order([n for n in draft.settings if _acts(draft, n)]) if name in there]
    if draft.settings.get("do_sample") and turned(there, ours):
        draft.told.append(Told("differs", draft.engine.order_key or "order", *two_orders(there, ours)))


def _acts(draft: Draft, knob: str) -> bool:
    value = draft.settings.get(knob) if knob in KNOBS else None
    return value is not None and value != KNOBS[knob].neutral


def _chain_given(draft: Draft) -> list[str] | None:
    """The knobs of the order that was given; None where none was."""
    value = draft.value(draft.engine.order_key) if draft.engine.order_key else None
    if value is None:
        return None
    return [draft.engine.stages[name] for name in value if draft.engine.stages.get(name)]
