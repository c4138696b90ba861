"""A run as code: executed, it gives the run's tokens; whatever a prompt holds stays a text in it."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import LogitsProcessorList, TemperatureLogitsWarper

from app.export.recipe import recipe_of
from app.export.snippet import DOUBTS, doubts, generate_snippet, literal, record_snippet, snippet_of
from decoding.errors import NotRecordedError
from decoding.fork import fork
from decoding.models.offline_model import convert, find_gguf, gguf_digest
from decoding.parameters.settings import Settings
from decoding.record import record, stream
from decoding.recorder import Recorder
from decoding.trace import Trace
from tests.hand_made import HOSTILE, hand_made_trace
from tests.tiny_models import tiny_lm, tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def offline_folder(lm: Any) -> str:
    """Where the offline model was converted to."""
    gguf = find_gguf()
    return str(convert(gguf, gguf_digest(gguf), lambda stage, fraction: None))


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Where a tiny model of an architecture lies."""
    root = tmp_path_factory.mktemp("snippets")

    def folder(kind: str) -> str:
        if not (root / kind).exists():
            tiny_model(kind, vocab_size=len(tiny_tokenizer())).save_pretrained(root / kind)
            tokenizer = tiny_tokenizer()
            tokenizer.padding_side = "right"  # as most are saved; the code has to see to it itself
            tokenizer.save_pretrained(root / kind)
        return str(root / kind)

    return folder


def run(code: str) -> dict[str, Any]:
    """The names that the code leaves behind."""
    names: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4711)  # nothing may depend on what the state was before
        exec(compile(code, "snippet", "exec"), names)
    return names


def parameters(code: str) -> list[str]:
    """The names given to `generate` besides the inputs."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    generate = next(call for call in calls if ast.unparse(call.func) == "model.generate")
    return [keyword.arg for keyword in generate.keywords if keyword.arg]


CHAT = [{"role": "system", "content": 'Say "no".\n'}, {"role": "user", "content": "Hi"}]
RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "greedy": ("The capital of France is", {"do_sample": False, "max_new_tokens": 8}),
    "no settings at all": ("The capital of France is", {}),
    "sampling": ("Once upon", {"do_sample": True, "temperature": 0.8, "top_p": 0.9, "seed": 0, "max_new_tokens": 8}),
    "several answers": (
        "Hello", {"do_sample": True, "num_return_sequences": 3, "top_k": 5, "seed": 2**40, "max_new_tokens": 6},
    ),
    "every rule that cuts": (
        "It was",
        {"do_sample": True, "top_k": 0, "min_p": 0.02, "typical_p": 0.9, "epsilon_cutoff": 0.001, "eta_cutoff": 0.001,
         "top_h": 0.8, "renormalize_logits": True, "seed": 1, "max_new_tokens": 5},
    ),
    "chat": (CHAT, {"do_sample": True, "seed": 5, "max_new_tokens": 6}),
    "two chats": ([CHAT, CHAT[1:]], {"max_new_tokens": 5}),
    "beams": ("The cat", {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5, "max_new_tokens": 6}),
    "beam sampling": (
        "The cat", {"num_beams": 3, "do_sample": True, "seed": 9, "early_stopping": True, "max_new_tokens": 6},
    ),
    "penalties": (
        "a b a b", {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 3, "max_new_tokens": 8},
    ),
    "stop strings": ("One, two, three", {"stop_strings": [" five", "7"], "max_new_tokens": 20}),
    "a batch": (["One", "Two words", "Three \"words\" 'here'"], {"do_sample": True, "seed": 3, "max_new_tokens": 5}),
    "constraints": (
        "The capital of France is",
        {"bad_words_ids": ["Paris"], "sequence_bias": {"the": -math.inf, (1, 2): 3.0}, "suppress_tokens": ["a", 30],
         "begin_suppress_tokens": [11], "forced_eos_token_id": [2], "max_new_tokens": 6},
    ),
    "a schema": (
        "Bob", {"json_schema": {"type": "object", "properties": {"a\"'": {"type": "integer"}}}, "max_new_tokens": 9},
    ),
    "an expression": (["A", "B c"], {"regex": "[a-c'\"\\n]{3}", "num_beams": 3, "max_new_tokens": 6}),
    "a grammar": ("x", {"grammar": 'root ::= "a" root | "b"', "do_sample": True, "seed": 2, "eos_token_id": [2, 3]}),
    "other end tokens": ("The capital of France is Paris", {"eos_token_id": [".", 2], "max_new_tokens": 12}),
    "guidance": ("The weather is", {"guidance_scale": 1.5, "negative_prompt": "The \"sun\"\nis", "max_new_tokens": 4}),
    "guidance of a batch": (["A", "The cat"], {"guidance_scale": 2.0, "negative_prompt": "No", "max_new_tokens": 3}),
    "a watermark": ("I", {"watermarking_config": {"bias": 4.0, "context_width": 2}, "max_new_tokens": 4}),
    "an end that comes nearer": ("Hi", {"exponential_decay_length_penalty": (2, 1.5), "max_length": 12}),
    "contrastive": ("The cat sat", {"penalty_alpha": 0.6, "top_k": 4, "stop_strings": ["zebra"], "max_new_tokens": 5}),
    "diverse": ("The cat", {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0, "max_new_tokens": 4}),
}  # fmt: skip


# --- the code does what the run did -----------------------------------------------------------------------


WITH_THE_REAL_MODEL = (
    "greedy", "sampling", "several answers", "every rule that cuts", "chat", "beams", "beam sampling", "penalties",
    "stop strings", "a batch", "constraints", "contrastive", "diverse",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_THE_REAL_MODEL)
def test_the_code_gives_the_runs_tokens(lm, offline_folder, name):
    prompt, given = RUNS[name]
    trace = record(lm, prompt, Settings(**given))
    output = run(generate_snippet(trace, model=offline_folder))["output"]
    assert output.tolist() == trace.sequences.tolist()


@pytest.mark.parametrize("name", RUNS)
def test_the_code_gives_a_tiny_models_tokens_too(tiny_folder, name):
    prompt, given = RUNS[name]
    trace = record(tiny_lm(), prompt, Settings(**given))
    output = run(generate_snippet(trace, model=tiny_folder("llama")))["output"]
    assert output.tolist() == trace.sequences.tolist()


@pytest.mark.parametrize("name", RUNS)
def test_the_librarys_code_records_the_run_again(tiny_folder, name):
    prompt, given = RUNS[name]
    trace = record(tiny_lm(), prompt, Settings(**given))
    code = record_snippet(trace, model=tiny_folder("llama"))
    assert "generate" not in code
    again = run(code)["trace"]
    assert again.sequences.tolist() == trace.sequences.tolist()
    assert [stage.name for stage in again.stages] == [stage.name for stage in trace.stages]


@pytest.mark.parametrize("kind", ["t5", "bart", "gpt2"])
@pytest.mark.parametrize(
    "given", [{"max_new_tokens": 5}, {"num_beams": 2, "do_sample": True, "seed": 1, "max_length": 20}]
)
def test_other_architectures_too(tiny_folder, kind, given):
    trace = record(tiny_lm(kind), "the cat sat", Settings(**given))
    code = generate_snippet(trace, model=tiny_folder(kind))
    assert run(code)["output"].tolist() == trace.sequences.tolist()
    assert ("Seq2Seq" in code) == (kind != "gpt2")


@pytest.mark.parametrize(
    "length",
    [
        {"max_new_tokens": 8, "min_new_tokens": 6}, {"max_length": 30, "min_new_tokens": 20}, {"min_new_tokens": 20},
        {"exponential_decay_length_penalty": (6, 1.5)},
    ],
)  # fmt: skip
def test_a_fork_goes_on_from_its_prefix(tiny_folder, length):
    lm = tiny_lm()
    asked = Settings(do_sample=True, seed=1, **length)
    first = record(lm, "The capital of France is", asked)
    trace, folder = fork(first, lm, step=2, token_id=123), tiny_folder("llama")
    for code in (generate_snippet(trace, model=folder), record_snippet(trace, model=folder)):
        names = run(code)
        assert names["output"].tolist() == trace.sequences.tolist()
    assert names["trace"].sequences.tolist() == trace.sequences.tolist()


def test_a_fork_of_an_encoder_decoder_goes_on_from_its_prefix(tiny_folder):
    lm = tiny_lm("t5")
    trace = fork(record(lm, "the cat sat", Settings(max_new_tokens=6)), lm, step=2, token_id=50)
    assert run(generate_snippet(trace, model=tiny_folder("t5")))["output"].tolist() == trace.sequences.tolist()


def test_a_drop_in_recording_is_made_again_from_its_token_ids(tiny_folder):
    lm = tiny_lm()
    inputs = lm.tokenizer(["the cat", "a"], padding=True, return_tensors="pt")
    recorder = Recorder(seed=3)
    out = lm.model.generate(
        **inputs, do_sample=True, top_p=0.9, max_length=14, eos_token_id=[5, 6], custom_generate=recorder
    )
    code = generate_snippet(recorder.trace, model=tiny_folder("llama"))
    assert run(code)["output"].tolist() == out.tolist()
    assert "prompt" not in code and "own LlamaForCausalLM" in generate_snippet(recorder.trace)


def test_a_run_without_a_seed_has_the_seed_that_the_global_state_had(tiny_folder):
    lm = tiny_lm()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12)
        trace = record(lm, "Hello", Settings(do_sample=True, max_new_tokens=4))
        later = record(lm, "Hello", Settings(do_sample=True, max_new_tokens=4))
    code = generate_snippet(trace, model=tiny_folder("llama"))
    assert "torch.manual_seed(12)" in code
    assert run(code)["output"].tolist() == trace.sequences.tolist()
    assert "manual_seed" not in generate_snippet(later) and "without a seed" in generate_snippet(later)


# --- and says where it may not -----------------------------------------------------------------------------


def test_where_there_is_no_doubt_the_code_gives_the_runs_tokens(lm, tiny_folder):
    for prompt, asked in RUNS.values():
        trace = record(tiny_lm(), prompt, Settings(**asked))
        for style in ("generate", "record"):
            assert doubts(trace, style) == ()  # and the tests above show that the tokens are the same
    trace = record(lm, "The capital of France is", Settings(max_new_tokens=3))
    assert (doubts(trace), doubts(trace, "record")) == (("weights",), ())
    output = run(record_snippet(trace))["trace"]  # with the offline model itself
    assert output.sequences.tolist() == trace.sequences.tolist()


def test_the_code_says_itself_what_the_page_says_of_it(lm, tiny):
    forked = fork(record(lm, "The cat", Settings(max_new_tokens=4)), lm, step=1, token_id=9)
    one_step = Recorder()
    steps = stream(tiny, "the cat", Settings(max_new_tokens=9), one_step)
    next(steps)
    steps.close()
    bare = record(tiny, "a", Settings(max_new_tokens=2))
    drawn = replace(bare, mode="sample", seed=None, rng_state=None)
    own = record(tiny, "a", Settings(max_new_tokens=2), logits_processor=LogitsProcessorList([Mine(2.0)]))
    words = {
        "weights": "tokens can differ", "unseeded": "draws other tokens", "reused": "not computed again",
        "interrupted": "may go on longer", "own": "have to be added",
    }  # fmt: skip
    found = set()
    for trace in (bare, drawn, forked, replace(forked, prefill="reused"), one_step.trace, own):
        for style in ("generate", "record"):
            code = " ".join(snippet_of(trace, style).replace("\n# ", " ").split())
            found.update(doubts(trace, style))
            assert {name for name in DOUBTS if words[name] in code} == set(doubts(trace, style)), (style, code)
    assert found == set(DOUBTS)


class Mine(TemperatureLogitsWarper):
    """A processor of the caller's own."""


# --- and says no more than it has to ----------------------------------------------------------------------


def test_only_what_can_have_had_an_effect_is_said(lm):
    asked = Settings(do_sample=False, temperature=0.7, num_beams=1, length_penalty=2.0, seed=3, min_p=0.0, top_k=50,
                     max_length=30, max_new_tokens=2)  # fmt: skip
    assert parameters(generate_snippet(record(lm, "Hello", asked))) == ["max_new_tokens"]


def test_what_a_model_may_set_otherwise_is_said_even_where_it_is_transformers_default(tiny):
    trace = record(tiny, "the cat", Settings(do_sample=False, repetition_penalty=1.0, max_new_tokens=2))
    assert parameters(generate_snippet(trace)) == ["do_sample", "repetition_penalty", "max_new_tokens"]


def test_the_whole_code_of_a_simple_run(lm):
    asked = Settings(do_sample=True, temperature=0.8, seed=0, max_new_tokens=3)
    trace = record(lm, "The capital of France is", asked)
    model = replace(trace.model, transformers_version="5.23.0", torch_version="2.13.0+cpu")
    assert generate_snippet(replace(trace, model=model)) == '''\
# Made from a run with transformers 5.23.0 and torch 2.13.0+cpu, on cpu in float32.
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# The run used the offline copy of this model, whose weights are packed into 4 bits: tokens can
# differ from those that the Hub's finer weights give. With this library, the very same ones are
#     lm = load_model("smollm2-135m"); model, tokenizer = lm.model, lm.tokenizer
model_name = "HuggingFaceTB/SmolLM2-135M-Instruct"
tokenizer = AutoTokenizer.from_pretrained(model_name)
model = AutoModelForCausalLM.from_pretrained(model_name, dtype=torch.float32)

prompt = "The capital of France is"
inputs = tokenizer(prompt, return_tensors="pt")

torch.manual_seed(0)
output = model.generate(**inputs, do_sample=True, temperature=0.8, max_new_tokens=3)
for text in tokenizer.batch_decode(output, skip_special_tokens=True):
    print(text)
'''
    assert record_snippet(replace(trace, model=model)) == '''\
# Made from a run with transformers 5.23.0 and torch 2.13.0+cpu, on cpu in float32.
from decoding import Settings, load_model, record

lm = load_model("smollm2-135m", device="cpu")
prompt = "The capital of France is"
settings = Settings(do_sample=True, seed=0, temperature=0.8, max_new_tokens=3)
trace = record(lm, prompt, settings)
print(trace.text())
'''


def test_a_model_of_the_hub_is_named_with_its_revision_and_device():
    trace = hand_made_trace([[0.0] * 8], [1])
    model = replace(trace.model, source="hub", name="owner/name", revision="abc", device="cuda:1", dtype="bfloat16")
    code = generate_snippet(replace(trace, model=model, settings=Settings(max_new_tokens=1)))
    assert 'AutoTokenizer.from_pretrained(model_name, revision="abc")' in code
    assert '.from_pretrained(model_name, revision="abc", dtype=torch.bfloat16).to("cuda")' in code
    assert 'inputs = tokenizer(prompt, return_tensors="pt").to(model.device)' in code
    code = record_snippet(replace(trace, model=model, settings=Settings(max_new_tokens=1)))
    assert 'load_model("owner/name", device="cuda", dtype="bfloat16", revision="abc")' in code


def test_a_run_that_was_stopped_says_that_the_code_goes_on(tiny):
    recorder = Recorder()
    steps = stream(tiny, "the cat", Settings(max_new_tokens=9), recorder)
    next(steps)
    steps.close()
    assert "# It was stopped by hand after 1 steps; this code may go on longer." in generate_snippet(recorder.trace)


def test_processors_of_the_callers_own_are_named(tiny):
    class Mine(TemperatureLogitsWarper):
        pass

    trace = record(tiny, "a", Settings(max_new_tokens=2), logits_processor=LogitsProcessorList([Mine(2.0)]))
    assert "which have to be added: Mine." in generate_snippet(trace)


def test_code_that_cannot_be_written_is_refused_with_the_reason(tiny):
    trace = record(tiny, "a", Settings(max_new_tokens=2))
    bare = replace(trace, prompts=None, prompt_ids=torch.zeros(1, 0, dtype=torch.long))
    with pytest.raises(NotRecordedError, match="started from embeddings"):
        generate_snippet(bare)
    with pytest.raises(NotRecordedError, match="what the encoder read is not"):
        recipe_of(replace(bare, model=replace(trace.model, is_encoder_decoder=True)))


# --- whatever the trace holds -----------------------------------------------------------------------------

NASTY = [
    *HOSTILE,
    '"""); import os; os.system("touch owned") #',
    "'); raise SystemExit #",
    "\\",
    "\\\"\nimport os\n'",
    "line\r\nbreaks\u2028of\u2029every\x85kind\x0b\x0c",
    "{prompt} %s {0.__class__}",
    "\u202eright to left\u2066",
    "\x00\x07\x1b[2J",
    "\ud800 half",
    "x" * 300 + "\n" + '"' * 50 + "\n",
]


def shape(code: str) -> str:
    """The code's syntax tree with every constant taken out."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(tree)


def with_texts(text: str) -> Trace:
    trace = hand_made_trace([[0.0] * 8], [1])
    return replace(trace, prompts=(text,), settings=Settings(max_new_tokens=1, negative_prompt=text, guidance_scale=2.0,
                   stop_strings=[text]), generation_config={"guidance_scale": 2.0, "stop_strings": [text]},
                   model=replace(trace.model, name=text))  # fmt: skip


@pytest.mark.parametrize("style", [generate_snippet, record_snippet])
@pytest.mark.parametrize("text", NASTY)
def test_a_hostile_text_is_nothing_but_a_constant(style, text):
    code = style(with_texts(text))
    assert shape(code) == shape(style(with_texts("harmless")))
    constants = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    assert text in constants
    assert all(character.isprintable() or character == "\n" for character in code)


@pytest.mark.parametrize("style", [generate_snippet, record_snippet])
def test_a_hostile_text_does_nothing_when_the_code_runs(tiny_folder, tmp_path, monkeypatch, style):
    monkeypatch.chdir(tmp_path)
    text = '"""); import os; os.mkdir("owned") #\n\'); os.mkdir("owned")'
    trace = record(tiny_lm(), text, Settings(max_new_tokens=2))
    run(style(trace, model=tiny_folder("llama")))
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize("text", NASTY)
def test_hostile_names_stay_in_their_comment(text):
    trace = with_texts("a")
    named = ("transformers_version", "torch_version", "dtype", "device", "class_name", "revision")
    model = replace(trace.model, **dict.fromkeys(named, text))
    trace = replace(trace, model=model, stop_reasons=(text, "user"))
    for source in ("caller", "hub", "directory", "package"):
        code = generate_snippet(replace(trace, model=replace(model, source=source)))
        assert shape(code) == shape(generate_snippet(replace(trace, model=replace(trace.model, source=source,
                                                     name="a", dtype="", revision="a", device="cpu"))))  # fmt: skip


texts = st.text(st.characters(), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(values)
@example("it's")
@example('"')
@example("\"'")
@example("\\'")
def test_a_literal_is_the_value(value):
    assert eval(literal(value), {"__builtins__": {"float": float}}) == value


def test_only_plain_values_become_literals():
    with pytest.raises(TypeError, match="object cannot be written"):
        literal([object()])
