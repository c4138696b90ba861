"""Many schemas: with the real model the mask is the matcher's own at every step, and what comes out fits the schema."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import jsonschema
import pytest
import torch

from decoding import Settings, record
from decoding.constraints.unenforced import unenforced
from decoding.recorded.constrained import constrained_stage
from tests.conftest import random_cases

xgrammar = pytest.importorskip("xgrammar")

N_SCHEMAS, N_STEPS = 100, 10
WORDS = ("name", "age", "größe", "城市", "a b", "x")


def schema(chance: random.Random, depth: int = 2) -> dict[str, Any]:
    """A schema of the kinds that people write, and that xgrammar holds a text to completely."""
    simple = [
        lambda: {"type": "string", "maxLength": chance.randint(0, 5)},
        lambda: {"type": "string", "pattern": "^[a-c]{1,3}$"},
        lambda: {"type": "integer", "minimum": chance.randint(-50, 5), "maximum": chance.randint(6, 900)},
        lambda: {"type": "number", "minimum": -1.5, "maximum": chance.choice((2, 1e3))},
        lambda: {"type": "boolean"},
        lambda: {"type": "null"},
        lambda: {"enum": chance.sample(["a", "ü", "\u4e2d", 1, 2.5, None, True, {"a": 1}], 3)},
        lambda: {"const": chance.choice(["\U0001f600", -3, [1, "x"]])},
        lambda: {"type": "string", "format": chance.choice(("date", "ipv4", "uuid"))},
    ]
    if depth == 0:
        return chance.choice(simple)()
    inner = [schema(chance, depth - 1) for _ in range(3)]
    names = chance.sample(WORDS, 3)
    deep = [
        lambda: {"type": "object", "properties": dict(zip(names, inner, strict=True)), "required": names[:2]},
        lambda: {"type": "array", "items": inner[0], "minItems": 1, "maxItems": chance.randint(1, 3)},
        lambda: {"type": "array", "prefixItems": inner[:2], "items": False, "minItems": 2},
        lambda: {"anyOf": inner},
    ]
    if depth == 2:  # a reference counts from the whole schema
        of_it = {"type": "array", "items": {"$ref": "#/$defs/it"}, "maxItems": 2}
        deep.append(lambda: {"$defs": {"it": inner[0]}, **of_it})
    return chance.choice([*simple, *deep, *deep])()


def allowed_by(matcher: Any, width: int) -> torch.Tensor:
    """What xgrammar's own matcher lets come next: bool [tokens]."""
    bits = xgrammar.allocate_token_bitmask(1, width)
    matcher.fill_next_token_bitmask(bits)
    words = bits[0].long() & 0xFFFFFFFF
    return ((words[:, None] >> torch.arange(32)) & 1).flatten()[:width].bool()


@pytest.fixture(scope="module")
def own(lm):
    """xgrammar's own reading of the vocabulary, which knows nothing of ours."""
    info = xgrammar.TokenizerInfo.from_huggingface(
        lm.tokenizer, vocab_size=lm.model.config.vocab_size, stop_token_ids=[lm.model.generation_config.eos_token_id]
    )
    return xgrammar.GrammarCompiler(info, max_threads=1)


@pytest.mark.parametrize("case", random_cases(N_SCHEMAS, quick=8))
def test_the_mask_is_the_matcher_s_at_every_step(lm, own, case):
    wanted = schema(random.Random(case))
    settings = Settings(
        json_schema=wanted, do_sample=True, seed=case, temperature=1.2, top_k=0, max_new_tokens=N_STEPS
    )
    trace = record(lm, "As JSON:\n", settings)
    stage, width = constrained_stage(trace), trace.model.vocab_size
    matcher = xgrammar.GrammarMatcher(own.compile_json_schema(json.dumps(wanted, ensure_ascii=False)))
    # Special tokens are texts to xgrammar's own reading; here they are none, but for those that end the text. Nor are
    # control characters, which it lets into some of JSON's strings.
    end = trace.generation_config["eos_token_id"]
    control = [bool(re.search(rb"[\0-\x09\x0b\x0c\x0e-\x1f]", trace.tokens.bytes(i))) for i in range(width)]
    plain = torch.tensor([(not trace.tokens.is_special(i) or i == end) and not control[i] for i in range(width)])
    for step in trace.steps:
        before, after = step.scores(stage=stage - 1), step.scores(stage=stage)
        mask = allowed_by(matcher, width)
        assert torch.equal(after > -math.inf, mask & plain), f"step {step.index}"
        assert torch.equal(after[mask & plain], before[mask & plain])
        assert matcher.accept_token(step.token_ids[0])
    assert matcher.is_terminated() == (trace.steps[-1].token_ids[0] == end)


def shortly(lm) -> dict[str, Any]:
    """Settings with which texts end: a random model would write blanks for ever."""
    blanks = [i for i in range(320) if not lm.tokenizer.decode([i]).strip() and i > 3]
    one = lm.tokenizer(" ", add_special_tokens=False)["input_ids"]
    others = [i for i in blanks if [i] != one]
    return {"do_sample": True, "top_k": 0, "max_new_tokens": 90, "suppress_tokens": others, "bad_words_ids": [one * 2]}


@pytest.mark.parametrize("case", random_cases(60, quick=20))
def test_a_finished_text_fits_its_schema(tiny, case):
    wanted = schema(random.Random(1000 + case))
    assert unenforced(wanted) == ()
    trace = record(tiny, "A", Settings(json_schema=wanted, seed=case, **shortly(tiny)))
    if trace.stop_reason == "eos":
        jsonschema.validate(json.loads(trace.text()), wanted)
    else:
        assert trace.stop_reason == "max_length"


def test_most_of_them_finish(tiny):
    given = shortly(tiny)
    reasons = [
        record(tiny, "A", Settings(json_schema=schema(random.Random(1000 + case)), seed=case, **given)).stop_reason
        for case in range(12)
    ]
    assert reasons.count("eos") > 6


def test_no_control_character_comes_into_a_string_of_bounded_length(tiny):
    trace = record(tiny, "A", Settings(json_schema={"type": "string", "maxLength": 9}, max_new_tokens=4))
    after = trace.scores(step=1, stage=constrained_stage(trace))
    said = b"".join(trace.tokens.bytes(i) for i in (after > -math.inf).nonzero().flatten().tolist())
    assert len(said) > 200 and not re.search(rb"[\0-\x1f]", said)


# --- what a schema says and xgrammar does not see to ------------------------------------------------------------------

BROKEN = [
    ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "[1, 1]", "uniqueItems"),
    ({"type": "string", "not": {"const": "a"}}, '"a"', "not"),
    ({"if": {"type": "string"}, "then": {"const": "a"}}, '"b"', "if"),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}}, '{"a": 1}',
     "dependentRequired"),
    ({"type": "string", "pattern": "^a+$", "minLength": 3}, '"a"', "minLength beside pattern"),
    ({"type": "string", "format": "date", "maxLength": 3}, '"2020-01-01"', "maxLength beside format"),
    ({"allOf": [{"type": "string"}, {"minLength": 2}]}, '"a"', "allOf"),
    ({"type": "integer", "allOf": [{"minimum": 3}]}, "1", "allOf"),
    ({"type": "string", "anyOf": [{"minLength": 2}, {"maxLength": 0}]}, '"a"', "anyOf beside type"),
    ({"$defs": {"s": {"type": "string"}}, "$ref": "#/$defs/s", "minLength": 2}, '"a"', "minLength beside $ref"),
    ({"$ref": "http://127.0.0.1:9/x.json"}, "3", "$ref elsewhere"),
    ({"type": "object", "required": ["q"]}, "{}", "required without properties"),
    ({"enum": ["a", "bb"], "minLength": 2}, '"a"', "minLength beside enum"),
    ({"type": "string", "const": 1}, "1", "type beside const"),
    ({"minLength": 3}, '"a"', "minLength without type"),
    ({"minimum": 3}, "1", "minimum without type"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "1", "oneOf"),
    ({"type": "array", "items": {"type": "object", "properties": {"k": {"not": {}}}}}, '[{"k": 1}]', "not"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "text", "says"), BROKEN, ids=lambda value: str(value)[:40])
def test_what_is_not_seen_to_is_named(wanted, text, says):
    from xgrammar.testing import _is_grammar_accept_string as takes

    assert takes(xgrammar.Grammar.from_json_schema(json.dumps(wanted)), text)
    if not str(wanted.get("$ref", "")).startswith("http"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(text), wanted)
    assert says in unenforced(wanted)


def test_a_trace_says_what_of_its_schema_was_not_seen_to(tiny):
    trace = record(tiny, "A", Settings(json_schema=BROKEN[0][0], max_new_tokens=2))
    assert any("uniqueItems" in warning for warning in trace.warnings)
    assert not record(tiny, "A", Settings(json_schema={"type": "null"}, max_new_tokens=2)).warnings
