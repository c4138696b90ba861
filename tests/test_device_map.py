"""Models spread over devices and the disk: recorded is what `generate()` gives, and it is said where they are."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch
from transformers import MixtralConfig, MixtralForCausalLM

from app.text import Text
from app.views.facts import facts_rows
from decoding import LanguageModel, ModelError, Settings, load_model, load_trace, record, verify
from decoding.models.placement import layers_by_place
from decoding.recorded.run import Step
from tests.laws import same_bits
from tests.test_models import save
from tests.tiny_models import BUILDERS, ENCODER_DECODERS, tiny_model, tiny_tokenizer

PROMPT = "The capital of France is"
RUNS = [
    {},
    {"do_sample": True, "top_k": 20, "repetition_penalty": 1.3, "seed": 0},
    {"num_beams": 3, "num_return_sequences": 2},
    {"num_beams": 2, "do_sample": True, "seed": 1},
    {"penalty_alpha": 0.6, "top_k": 4},
]
# The second of the tiny model's two layers is read from the disk whenever it computes.
SPLIT = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu"}
SPLIT |= {"model.rotary_emb": "cpu", "lm_head": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="module")
def whole(folder: Path) -> LanguageModel:
    return load_model(str(folder), device="cpu")


@pytest.fixture(scope="module")
def split(folder: Path) -> LanguageModel:
    return load_model(str(folder), device_map=SPLIT)


def scores_of(step: Step, n_rows: int) -> list[torch.Tensor]:
    return [scores for row in range(n_rows) for scores in step.all_scores(row=row)]


def assert_same_runs(one: LanguageModel, other: LanguageModel, given: dict) -> None:
    first, second = (record(lm, PROMPT, Settings(**given, max_new_tokens=6)) for lm in (one, other))
    assert torch.equal(first.sequences, second.sequences)
    for a, b in zip(first.steps, second.steps, strict=True):
        assert a.token_ids == b.token_ids
        pairs = zip(scores_of(a, first.n_rows), scores_of(b, first.n_rows), strict=True)
        assert all(same_bits(x, y) for x, y in pairs)


@pytest.mark.parametrize("given", RUNS)
def test_a_model_split_with_the_disk_records_the_bits_of_the_whole_one(
    whole: LanguageModel, split: LanguageModel, given: dict
) -> None:
    assert split.model.hf_device_map["model.layers.1"] == "disk"
    assert next(split.model.model.layers[1].parameters()).device.type == "meta"  # it really is not in memory
    assert_same_runs(split, whole, given)


@pytest.mark.parametrize("given", RUNS)
def test_a_split_models_run_is_what_its_own_generate_gives(split: LanguageModel, given: dict) -> None:
    trace = record(split, [PROMPT, "A dog"], Settings(**given, max_new_tokens=6))
    report = verify(trace, split)
    assert report.grade == "bits", report.text


def test_a_trace_says_which_places_held_how_many_layers(
    whole: LanguageModel, split: LanguageModel, tmp_path: Path
) -> None:
    trace, other = (record(lm, PROMPT, Settings(max_new_tokens=3)) for lm in (split, whole))
    assert trace.model.layers == (("cpu", 1), ("disk", 1)) and trace.model.n_processes == 1
    assert trace.model.split == "cpu (1) + disk (1)"
    assert (other.model.layers, other.model.split) == ((), "")
    trace.save(tmp_path / "split.trace")
    opened = load_trace(tmp_path / "split.trace")
    assert opened.model == trace.model and hash(opened.model) == hash(trace.model)
    assert asdict(trace.model)["layers"] == (("cpu", 1), ("disk", 1))
    facts = {row["label"]: row["value"] for row in facts_rows(opened, Text("en"))}
    assert facts["split"] == "cpu (1) + disk (1)"
    assert "split" not in {row["label"] for row in facts_rows(other, Text("en"))}


def test_verify_says_that_the_model_was_split_in_another_way(whole: LanguageModel, split: LanguageModel) -> None:
    trace = record(split, PROMPT, Settings(max_new_tokens=3))
    assert "split" not in {reason.why for reason in verify(trace, split).because}
    found = next(reason for reason in verify(trace, whole).because if reason.why == "split")
    assert (found.then, found.now) == ("cpu (1) + disk (1)", "–")


@pytest.mark.parametrize("kind", BUILDERS)
def test_layers_are_counted_in_every_architecture(kind: str) -> None:
    """Each block by its name, whatever the map names: the block, what holds it, or all that is left."""
    model = tiny_model(kind)
    blocks = [name for name, module in model.named_modules() if name.rpartition(".")[2] in ("0", "1")]
    blocks = [name for name in blocks if not any(name.startswith(f"{other}.") for other in blocks if other != name)]
    first, *_ = blocks
    model.hf_device_map = {"": 0, first: "cpu"}
    n = 4 if kind in ENCODER_DECODERS else 2
    assert dict(layers_by_place(model)) == {"cpu": 1, "cuda:0": n - 1}
    model.hf_device_map = {"": "cpu"}
    assert layers_by_place(model) == ()


def test_auto_fills_the_memory_it_may_and_leaves_the_rest_to_the_disk(
    lm: LanguageModel,
) -> None:
    most = {"cpu": "450MB"} | dict.fromkeys(range(torch.cuda.device_count()), 0)
    split = load_model(device_map="auto", max_memory=most)
    assert (split.device, split.place, split.dtype) == ("cpu", "cpu + disk", "float32")
    assert set(split.model.hf_device_map.values()) == {"cpu", "disk"}
    assert_same_runs(split, lm, {})
    assert_same_runs(split, lm, {"num_beams": 2})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there it takes the CUDA device")
def test_auto_takes_the_one_device_that_there_is(folder: Path, whole: LanguageModel) -> None:
    spread = load_model(str(folder), device_map="auto")
    assert (spread.device, spread.place) == ("cpu", "cpu")
    assert_same_runs(spread, whole, {})


def test_where_the_weights_are_is_said(whole: LanguageModel, split: LanguageModel) -> None:
    assert (whole.place, whole.n_processes) == ("cpu", 1)
    assert (split.place, split.device, split.n_processes) == ("cpu + disk", "cpu", 1)
    assert split.identity()["device"] == "cpu"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"device_map": "auto", "device": "cpu"}, "only one of .*got device and device_map"),
        ({"device_map": "everywhere"}, "device_map must be one of auto, .*got 'everywhere'"),
        ({"device_map": {}}, "device_map must be one of"),
        ({"device_map": {"": "gpu"}}, "device must be one of cpu, cuda, cuda:N, mps, got 'gpu'"),
        ({"device_map": {"": 99}}, "'cuda:99' is not to be had on this machine"),
        ({"device_map": {"": "disk"}}, "the whole model on the disk; the first layer, at least"),
        ({"device_map": SPLIT | {"model.embed_tokens": "disk"}}, "the first layer of the model .* on the disk"),
        ({"device_map": {"model.layers.0": "cpu"}}, "device_map .* has no place for .*embed_tokens.weight"),
        ({"device_map": "auto", "max_memory": {"cpu": "plenty"}}, "max_memory must be .*got 'plenty' for 'cpu'"),
        ({"device_map": "auto", "max_memory": "20GB"}, "max_memory must be .*got '20GB'"),
        ({"max_memory": {"cpu": "1GB"}}, "max_memory only counts for a model that is spread"),
        ({"offload_folder": "x"}, "offload_folder only counts for a model that is spread"),
        ({"device_map": "auto", "offload_folder": "/dev/null/x"}, "offload_folder '/dev/null/x' cannot be made"),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_is_told_with_what_to_do(folder: Path, given: dict, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        load_model(str(folder), **given)


def test_without_accelerate_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "accelerate" else there(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(ModelError, match="device_map needs the package accelerate.*pip install accelerate"):
        load_model(str(folder), device_map="auto")


def test_weights_that_are_converted_need_a_folder_on_the_disk(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    config = MixtralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, num_local_experts=2, max_position_embeddings=128, pad_token_id=0,
    )  # fmt: skip
    folder = tmp_path / "mixture"
    MixtralForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="have to be written there anew; name a folder for them in offload_folder"):
        load_model(str(folder), device_map=SPLIT)
    split = load_model(str(folder), device_map=SPLIT, offload_folder=tmp_path / "disk")
    assert list((tmp_path / "disk").iterdir())
    assert_same_runs(split, load_model(str(folder), device="cpu"), {})
