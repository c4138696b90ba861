"""Trace files: what is saved comes back byte for byte, and what is damaged or hostile is refused with a reason."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import random
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from decoding import NotRecordedError, Recorder, Settings, Trace, TraceFileError, load_trace, record
from decoding.errors import DecodingError
from decoding.fork import fork
from tests.laws import same_bits
from tests.tiny_models import tiny_lm, tiny_model

ROOT = Path(__file__).parent.parent
HOSTILE = '<img src=x onerror=alert(1)> ${process.env} </script><!-- \u202e\u0000 \ud800 é 中文'


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.set_num_threads(1)
    given = Settings(
        do_sample=True, seed=3, top_k=20, top_p=0.9, temperature=0.7, repetition_penalty=1.2, num_return_sequences=2,
        max_new_tokens=6,
    )  # fmt: skip
    return record(tiny_lm(), ["The cat", "A longer prompt of words"], given)


@pytest.fixture(scope="module")
def saved(trace: Trace, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "run.trace"
    trace.save(path)
    return path


def assert_same_trace(got: Trace, wanted: Trace) -> None:
    for name in ("prompt_ids", "prompt_mask", "sequences", "encoder_ids", "encoder_mask", "rng_state"):
        a, b = getattr(got, name), getattr(wanted, name)
        assert (a is None) == (b is None) and (a is None or same_bits(a, b)), name
    for name in (
        "stages", "mode", "settings", "generation_config", "model", "silent", "warnings", "stop_reasons", "tokens",
        "prompts", "seed", "seconds", "n_rows", "n_prompts", "prefill", "forward",
    ):  # fmt: skip
        assert getattr(got, name) == getattr(wanted, name), name
    assert json.dumps(got.messages) == json.dumps(wanted.messages)
    assert len(got.steps) == len(wanted.steps)
    for ours, theirs in zip(got.steps, wanted.steps, strict=True):
        assert (ours.token_ids, ours.ended, ours.parents) == (theirs.token_ids, theirs.ended, theirs.parents)
        assert same_bits(ours.logits(), theirs.logits())
        for row in range(got.n_rows):
            pairs = zip(ours.all_scores(row=row), theirs.all_scores(row=row), strict=True)
            assert all(same_bits(a, b) for a, b in pairs)


def round_trip(trace: Trace, folder: Path) -> Trace:
    """Saves, opens, saves again: the two files must be equal, byte for byte."""
    trace.save(folder / "first.trace")
    opened = load_trace(folder / "first.trace")
    opened.save(folder / "second.trace")
    assert (folder / "first.trace").read_bytes() == (folder / "second.trace").read_bytes()
    return opened


# --- there and back -------------------------------------------------------------------------------------------------


def test_what_was_saved_comes_back_and_is_saved_as_the_same_bytes(trace, tmp_path):
    assert_same_trace(round_trip(trace, tmp_path), trace)


@pytest.mark.parametrize(
    "given",
    [
        {}, {"do_sample": True}, {"num_beams": 3},
        {"guidance_scale": 1.5, "negative_prompt": HOSTILE.replace("\ud800", "")},
        {"sequence_bias": [[[5], -math.inf], ["a", 1.5]]}, {"watermarking_config": {"bias": 2.0}},
        {"watermarking_config": {"ngram_len": 3, "keys": [1, 2]}},
        {"stop_strings": ["</script>", "é"], "eos_token_id": [2, 5], "suppress_tokens": [7]},
    ],
)  # fmt: skip
def test_any_settings_come_back(given, tmp_path):
    trace = record(tiny_lm(), HOSTILE.replace("\ud800", ""), Settings(**given, max_new_tokens=3))
    assert_same_trace(round_trip(trace, tmp_path), trace)


def test_a_drop_in_recording_of_an_encoder_decoder_comes_back(tmp_path):
    recorder = Recorder()
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    tiny_model("t5").generate(ids, max_new_tokens=4, do_sample=True, eos_token_id=torch.tensor([1, 7]),
                              custom_generate=recorder)  # fmt: skip
    assert_same_trace(round_trip(recorder.trace, tmp_path), recorder.trace)


def test_ids_and_masks_of_other_types_come_back(tmp_path):
    recorder = Recorder()
    ids = torch.tensor([[0, 5, 6], [7, 8, 9]], dtype=torch.int32)
    tiny_model().generate(ids, attention_mask=ids != 0, max_new_tokens=3, custom_generate=recorder)
    assert recorder.trace.prompt_mask.tolist() == [[0, 1, 1], [1, 1, 1]]
    assert_same_trace(round_trip(recorder.trace, tmp_path), recorder.trace)


def test_a_run_without_a_step_comes_back(tmp_path):
    recorder = Recorder()
    stream = recorder.stream(tiny_model(), input_ids=torch.tensor([[5, 6]]), logits_processor=[Raises(0)])
    with pytest.raises(ZeroDivisionError):
        list(stream)
    assert recorder.trace.steps == ()
    assert_same_trace(round_trip(recorder.trace, tmp_path), recorder.trace)


class Raises:
    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, input_ids, scores):
        if self.at == 0:
            raise ZeroDivisionError
        self.at -= 1
        return scores


def test_hostile_texts_come_back_as_they_were(trace, tmp_path):
    chat = ({"role": HOSTILE, "content": HOSTILE},)
    hostile = replaced(trace, prompts=(HOSTILE, ""), warnings=(HOSTILE,), messages=(chat, chat))
    opened = round_trip(hostile, tmp_path)
    assert opened.prompts == (HOSTILE, "")
    assert opened.messages == hostile.messages
    assert opened.warnings == (HOSTILE,)


def replaced(trace: Trace, **changes) -> Trace:
    out = copy.copy(trace)
    for name, value in changes.items():
        object.__setattr__(out, name, value)
    return out


def test_a_large_vocabulary_spilled_or_not_gives_the_same_file(tmp_path):
    """Large arrays lie next to each other in memory, which safetensors must not take for shared."""
    model = tiny_model("llama", vocab_size=49_152)
    files = []
    for budget in (0, 2**30):
        recorder = Recorder(seed=0, memory_budget=budget)
        model.generate(
            torch.tensor([[5, 6]]), do_sample=True, top_p=0.99, top_k=0, min_p=0.001, max_new_tokens=3,
            custom_generate=recorder,
        )  # fmt: skip
        path = tmp_path / f"{budget}.trace"
        replaced(recorder.trace, seconds=0.0).save(path)
        files.append(path.read_bytes())
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_trace_opens_without_transformers_tokenizers_and_models(saved):
    """Scores, token texts and all, in a process where importing a tokenizer or a model fails."""
    program = """
        import sys
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.startswith(("transformers.models", "tokenizers", "gradio", "plotly", "accelerate")):
                    raise ImportError(name)
        import torch, transformers.generation.utils  # what the Recorder needs of transformers
        for name in [n for n in sys.modules if n.startswith(("transformers.models", "tokenizers"))]:
            del sys.modules[name]
        sys.meta_path.insert(0, Refuse())
        from decoding import load_trace
        trace = load_trace(sys.argv[1])
        print(trace.scores(step=1, row=3).shape[0], repr(trace.text(0)), trace.tokens.text(40))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(saved)], cwd=ROOT, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("320 ")


def test_the_file_is_a_zip_of_json_and_safetensors(saved, trace):
    with zipfile.ZipFile(saved) as archive:
        names = archive.namelist()
        assert names == ["trace.json", "run.safetensors", *(f"steps/{i:06d}.safetensors" for i in range(6))]
        assert json.loads(archive.read("trace.json"))["version"] == 1
        assert safetensors.torch.load(archive.read("steps/000002.safetensors"))["logits"].shape == (4, 320)
        assert not any(b"pickle" in archive.read(name) for name in names)


# --- saving that fails ----------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_named_by_its_file_only(trace, tmp_path):
    with pytest.raises(TraceFileError) as caught:
        trace.save(tmp_path / "no" / "run.trace")
    assert str(caught.value) == "run.trace cannot be written: No such file or directory; the trace is unchanged"


@pytest.mark.parametrize("target", ["folder", "/dev/null"])
def test_what_is_no_ordinary_file_is_not_replaced(trace, tmp_path, target):
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceFileError, match="is not an ordinary file"):
        trace.save(tmp_path / target)


def test_a_save_that_fails_leaves_the_old_file_and_no_other(trace, tmp_path, monkeypatch):
    path = tmp_path / "run.trace"
    path.write_bytes(b"old")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", no_space)
    with pytest.raises(TraceFileError, match=r"^run.trace cannot be written: No space left on device"):
        trace.save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.trace"]


def no_space(*args, **kwargs):
    raise OSError(28, os.strerror(28))


# --- damaged files --------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    """Opening fails, or opening works and reading every score fails; either way with a reason and no path."""
    with pytest.raises((TraceFileError, NotRecordedError)) as caught:
        read_everything(load_trace(path))
    message = str(caught.value)
    assert len(message) > 15
    assert len(message) < 1000
    assert str(path.parent) not in message
    return message


def read_everything(trace: Trace) -> None:
    for step in trace.steps:
        for row in range(trace.n_rows):
            step.all_scores(row=row)
    assert trace.text() is not None
    assert trace.nbytes >= 0
    assert trace.generated_ids.shape[0] == trace.n_rows
    assert trace.n_prompts >= 1


@pytest.mark.parametrize("fraction", [i / 21 for i in range(21)])
def test_a_truncated_file_is_refused(saved, tmp_path, fraction):
    whole = saved.read_bytes()
    path = tmp_path / "cut.trace"
    path.write_bytes(whole[: int(len(whole) * fraction)])
    assert "cut.trace" in refused(path)


@pytest.mark.parametrize("case", range(60))
def test_a_file_with_flipped_bits_is_refused_or_still_the_same(saved, trace, tmp_path, case):
    rng, blob = random.Random(case), bytearray(saved.read_bytes())
    for _ in range(rng.choice([1, 1, 8])):
        blob[rng.randrange(len(blob))] ^= 1 << rng.randrange(8)
    path = tmp_path / "flipped.trace"
    path.write_bytes(bytes(blob))
    try:
        got = load_trace(path)
        read_everything(got)
    except DecodingError as err:
        assert isinstance(err, (TraceFileError, NotRecordedError))
        assert str(tmp_path) not in str(err)
    else:  # it hit a field of the zip that nobody reads
        assert_same_trace(got, trace)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no trace file, or is damaged"),
        (b"hello", "no trace file, or is damaged"),
        (pickle.dumps({"a": 1}), "no trace file, or is damaged"),
        (b"PK\x05\x06" + 18 * b"\0", "has no trace.json"),
        (b"PK\x05\x06" + 18 * b"\xff", ""),
        (b"\0" * 5000, "no trace file, or is damaged"),
    ],
)
def test_what_is_no_trace_file_is_refused(tmp_path, content, says):
    path = tmp_path / "other.trace"
    path.write_bytes(content)
    assert says in refused(path)


def test_a_missing_file_is_named_by_its_name_only(tmp_path):
    with pytest.raises(TraceFileError) as caught:
        load_trace(tmp_path / "gone.trace")
    assert str(caught.value) == "gone.trace cannot be read: No such file or directory"


@pytest.mark.parametrize("name", ["", "folder", "/dev/zero", "nul\0byte"])
def test_what_is_no_ordinary_file_is_not_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceFileError):
        load_trace(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.trace")
    with pytest.raises(TraceFileError, match="ordinary file"):
        load_trace(tmp_path / "pipe.trace")


# --- files that lie -------------------------------------------------------------------------------------------------


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


PACKED = ("trace.json", "run.safetensors")


def new_file(folder: Path) -> Path:
    return folder / f"forged{len(os.listdir(folder))}.trace"


def forge(folder: Path, entries: dict[str, bytes], deflated: tuple[str, ...] = PACKED) -> Path:
    path = new_file(folder)
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in entries.items():
            how = zipfile.ZIP_DEFLATED if name in deflated else zipfile.ZIP_STORED
            archive.writestr(name, blob, compress_type=how)
    return path


def with_header(saved: Path, folder: Path, change) -> Path:
    entries = entries_of(saved)
    header = json.loads(entries["trace.json"])
    change(header)
    return forge(folder, entries | {"trace.json": json.dumps(header).encode()})


def with_run(saved: Path, folder: Path, **arrays: torch.Tensor | None) -> Path:
    entries = entries_of(saved)
    run = safetensors.torch.load(entries["run.safetensors"]) | arrays
    run = {name: array for name, array in run.items() if array is not None}
    return forge(folder, entries | {"run.safetensors": safetensors.torch.save(run)})


def with_step(saved: Path, folder: Path, **arrays: torch.Tensor | None) -> Path:
    entries, name = entries_of(saved), "steps/000002.safetensors"
    step = safetensors.torch.load(entries[name]) | {n.replace("_", "."): a for n, a in arrays.items()}
    step = {name: array for name, array in step.items() if array is not None}
    return forge(folder, entries | {name: safetensors.torch.save(step)})


def put(*keys, value):
    def change(header):
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    return change


def test_a_forged_file_without_a_lie_is_opened(saved, trace, tmp_path):
    assert_same_trace(load_trace(forge(tmp_path, entries_of(saved))), trace)


def test_a_newer_version_says_so(saved, tmp_path):
    message = refused(with_header(saved, tmp_path, put("version", value=3)))
    assert message == "the trace has format version 3, this program reads up to 2; update Decoding Explorer"


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5, True, [1], 10**400])
def test_a_version_of_nonsense_is_refused(saved, tmp_path, version):
    assert "version" in refused(with_header(saved, tmp_path, put("version", value=version)))


@pytest.mark.parametrize("value", ["zip", "", None, 1, ["decoding-explorer-trace"]])
def test_another_format_is_refused(saved, tmp_path, value):
    assert "format 'decoding-explorer-trace'" in refused(with_header(saved, tmp_path, put("format", value=value)))


LIES: dict[str, list] = {
    "n_steps": [7, -1, 10**9, 5.0, "6", True, None],
    "n_rows": [3, 0, -4, 10**12, None],
    "model": [None, {}, []],
    "model.vocab_size": [321, -1, 0, "320", 10**15],
    "model.name": [{"a": 1}, None, 3],
    "model.device": [["cpu"]],
    "model.n_parameters": ["many", 10**30, 1.5],
    "model.is_encoder_decoder": [1],
    "stages": [[], {}, None],
    "stages.0": [None, {}, {"name": "x"}],
    "stages.0.name": [3],
    "stages.0.params": [[1], {"a": {"b": {}}}, {"a": "text"}, {"a": [["b"]]}],
    "stages.0.own": ["no"],
    "generation_config": [[], None],
    "generation_config.num_beams": ["x", -2, 3, 10**30, 2.0, None],
    "generation_config.num_return_sequences": [3, 0],
    "generation_config.max_new_tokens": ["many", True],
    "generation_config.do_sample": [1],
    "settings": [3, {"top_p": 7}, {"no_such": 1}, []],
    "silent": [None, [{}], [1], {}],
    "silent.0": [
        {"name": "x", "value": 2, "why": "neutral", "reason": "y"},
        {"name": "top_p", "value": 2, "why": "x", "reason": "y"},
        {"name": "top_p", "value": 2, "why": "neutral", "reason": []},
    ],
    "warnings": [[1], "text", None],
    "stop_reasons": [[None], 7, "eos"],
    "prompts": ["text", [1], {}, [], ["a", "b", "c", "d", "e", "f", "g"]],
    "messages": [3, ["x"], [["x"]], [[{"role": 1}]], {}],
    "seed": ["x", -1, 2**64, 1.5, True],
    "seconds": ["x", None, 10**400, -1, True, [1]],
    "mode": ["no such", None, []],
    "prefill": [3, "by magic"],
    "forward": [3, "by magic", None, True],
    "fork": [
        {"step": "x"}, [1], {"step": 1, "row": 0, "token_id": 1.5, "prompt_length": 2},
        {"step": 1, "row": 0, "token_id": 1, "prompt_length": 99},
        {"step": 1, "row": 0, "token_id": 1, "prompt_length": -99},
    ],
    "first_step": [1, -1, "x", True, 1.5, None, 2**64],  # the run is no fork
    "beams": [{}, {"n_beams": 2, "reasons": []}, 3, {"n_beams": 0, "reasons": []}],
}


@pytest.mark.parametrize(("where", "value"), [(where, value) for where, values in LIES.items() for value in values])
def test_a_header_that_lies_is_refused(saved, tmp_path, where, value):
    if where != "silent" and not where.startswith("silent."):
        change = put(*[int(key) if key.isdigit() else key for key in where.split(".")], value=value)
    else:
        change = put("silent", value=[value] if "." in where else value)
    refused(with_header(saved, tmp_path, change))


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    """A fork of a fork: three tokens of its prompt are of the run before, and two of the one before that."""
    lm = tiny_lm()
    first = record(lm, "the cat", Settings(max_new_tokens=9, eos_token_id=[250]))
    path = tmp_path_factory.mktemp("forks") / "fork.trace"
    fork(fork(first, lm, step=1, token_id=5), lm, step=2, token_id=6).save(path)
    return path


@pytest.mark.parametrize("value", [0, -1, 99, 10**7, "4", True, 4.0, None])
def test_where_a_forks_steps_begin_is_within_its_prompt(forked, tmp_path, value):
    assert load_trace(forked).first_step == 5
    refused(with_header(forked, tmp_path, put("first_step", value=value)))


def test_a_fork_in_a_file_of_an_earlier_version_counts_on_from_the_run_that_it_leaves(forked, tmp_path):
    assert load_trace(with_header(forked, tmp_path, lambda header: header.pop("first_step"))).first_step == 3


@pytest.mark.parametrize("name", ["stages", "seconds", "model", "n_steps", "seed", "settings"])
def test_a_header_that_lacks_a_part_is_refused(saved, tmp_path, name):
    refused(with_header(saved, tmp_path, lambda header: header.pop(name)))


@pytest.mark.parametrize("name", ["custom_generate", "trust_remote_code", "assistant_model", "compile_config"])
def test_parameters_that_are_none_of_decoding_are_dropped_so_that_verify_never_passes_them_on(saved, tmp_path, name):
    trace = load_trace(with_header(saved, tmp_path, put("generation_config", name, value="evil/repo")))
    assert name not in trace.generation_config
    assert trace.generation_config["top_k"] == 20


IDS = torch.zeros(4, 6, dtype=torch.long)


@pytest.mark.parametrize(
    "arrays",
    [
        {"chosen": torch.full((6, 4), 10**12)}, {"chosen": torch.full((6, 4), -7)}, {"chosen": torch.full((6, 4), 320)},
        {"chosen": torch.zeros(6, 4)}, {"chosen": torch.zeros(6, 3, dtype=torch.long)}, {"chosen": None},
        {"chosen": torch.zeros(24, dtype=torch.long)}, {"prompt_ids": torch.full((4, 8), 2**40)},
        {"prompt_ids": torch.zeros(3, 8, dtype=torch.long)}, {"prompt_ids": torch.zeros(4, 8)}, {"prompt_ids": None},
        {"prompt_mask": torch.zeros(4, 7, dtype=torch.long)}, {"prompt_mask": None}, {"sequences": None},
        {"prompt_mask": torch.full((4, 8), math.nan)},
        {"sequences": torch.zeros(4, 6, dtype=torch.uint8)}, {"sequences": torch.zeros(24, dtype=torch.long)},
        {"sequences": torch.full((4, 9), 2**35)}, {"ended": torch.zeros(6, 3, dtype=torch.uint8)}, {"ended": None},
        {"encoder_ids": torch.zeros(3)}, {"encoder_ids": torch.full((2, 2), -5)}, {"encoder_mask": torch.zeros(2, 3)},
        {"rng_state": torch.zeros(3)}, {"rng_state": torch.zeros(3, 3, dtype=torch.uint8)},
        {"tokens.offsets": torch.tensor([0, 10**12])}, {"tokens.bytes": None}, {"tokens.flags": torch.zeros(2)},
        {"tokens.flags": torch.full((320,), 255, dtype=torch.uint8)},
    ],
    ids=lambda arrays: ", ".join(arrays),
)  # fmt: skip
def test_arrays_of_the_run_that_lie_are_refused(saved, tmp_path, arrays):
    refused(with_run(saved, tmp_path, **arrays))


@pytest.mark.parametrize(
    "arrays",
    [
        {"logits": torch.zeros(4, 319)}, {"logits": torch.zeros(3, 320)}, {"logits": torch.zeros(1280)},
        {"logits": None}, {"logits": torch.zeros(4, 320, dtype=torch.int32)}, {"kinds": None}, {"scalars": None},
        {"kinds": torch.full((4, 4), 77, dtype=torch.uint8)}, {"kinds": torch.zeros(4, 4)},
        {"kinds": torch.full((4, 4), 5, dtype=torch.uint8)}, {"scalars": torch.zeros(4, 4, 3, dtype=torch.float64)},
        {"4_0_left": torch.tensor([10**9])}, {"4_0_left": torch.tensor([0.5])},
        {"1_0_values": torch.zeros(3), "1_0_edited": torch.zeros(2, dtype=torch.int32)},
    ],
    ids=lambda arrays: ", ".join(arrays),
)  # fmt: skip
def test_arrays_of_a_step_that_lie_are_refused(saved, tmp_path, arrays):
    refused(with_step(saved, tmp_path, **arrays))


@pytest.mark.parametrize(
    "arrays",
    [
        {"parents": torch.full((3, 2), 2)}, {"parents": torch.full((3, 2), -2)}, {"parents": torch.zeros(3, 2)},
        {"parents": torch.zeros(3, 3, dtype=torch.long)}, {"parents": None}, {"ledger.token": None},
        {"ledger.fate": torch.full((3, 1, 4), 99, dtype=torch.uint8)}, {"ledger.score": torch.zeros(3, 1, 5)},
    ],
    ids=lambda arrays: ", ".join(arrays),
)  # fmt: skip
def test_a_ledger_that_lies_is_refused(tmp_path, arrays):
    record(tiny_lm(), "The cat", Settings(num_beams=2, max_new_tokens=3, min_new_tokens=3)).save(tmp_path / "a.trace")
    refused(with_run(tmp_path / "a.trace", tmp_path, **arrays))


def raw_safetensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "blob",
    [
        b"", b"\0" * 7, b"\xff" * 8, struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 10**9) + b"{" * 50,
        raw_safetensors({"logits": {"dtype": "F32", "shape": [4, 320], "data_offsets": [0, 10**15]}}),
        raw_safetensors({"logits": {"dtype": "F32", "shape": [4, 320], "data_offsets": [5120, 0]}}, b"\0" * 5120),
        raw_safetensors({"logits": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, b"\0" * 4),
        raw_safetensors({"logits": {"dtype": "F32", "shape": [-4, -320], "data_offsets": [0, 5120]}}, b"\0" * 5120),
        raw_safetensors({"logits": 3}), raw_safetensors({"logits": {}}), raw_safetensors({}), b"\x02\0\0\0\0\0\0\0[]",
        b"\x04\0\0\0\0\0\0\0null", struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["run.safetensors", "steps/000002.safetensors"])
def test_arrays_that_point_outside_are_refused(saved, tmp_path, name, blob):
    refused(forge(tmp_path, entries_of(saved) | {name: blob}))


@pytest.mark.parametrize(
    "blob",
    [
        b"", b"null", b"[]", b"3", b'"text"', b"{", b"\xff\xfe", b"{} {}", b"[" * 1_000_000, b'{"a":' * 200_000,
        b'{"format": "decoding-explorer-trace", "version": 1}', b"NaN", b"1" * 10_000,
        b'{"version": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_json_that_is_no_header_is_refused(saved, tmp_path, blob):
    refused(forge(tmp_path, entries_of(saved) | {"trace.json": blob}))


@pytest.mark.parametrize("missing", ["trace.json", "run.safetensors"])
def test_a_missing_entry_is_named(saved, tmp_path, missing):
    entries = entries_of(saved)
    del entries[missing]
    assert refused(forge(tmp_path, entries)) == f"the file has no {missing}; it is no trace, or damaged"


def test_a_missing_step_leaves_the_others_readable(saved, trace, tmp_path):
    entries = entries_of(saved)
    del entries["steps/000002.safetensors"]
    got = load_trace(forge(tmp_path, entries))
    assert same_bits(got.scores(step=3, row=1), trace.scores(step=3, row=1))
    with pytest.raises(NotRecordedError, match="the scores of step 3 were not kept when the run was recorded"):
        got.scores(step=2)


def test_pickles_and_paths_inside_are_ignored_and_nothing_is_extracted(saved, trace, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/exploded",)

    more = {
        "../../evil.txt": b"x", "/absolute.txt": b"x", "C:\\evil.txt": b"x", "data.pkl": pickle.dumps(Bomb()),
        "steps/../trace.json": b"{}", "steps/999999.safetensors": b"garbage", "trace.json/": b"", "code.py": b"1/0",
    }  # fmt: skip
    assert_same_trace(load_trace(forge(tmp_path, entries_of(saved) | more)), trace)
    assert os.listdir(tmp_path) == ["forged0.trace"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_with_one_name_one_is_taken_for_all(saved, tmp_path):
    path = forge(tmp_path, entries_of(saved))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("trace.json", b"{}")
    assert "format" in refused(path)


# --- bombs ----------------------------------------------------------------------------------------------------------


def bombs(saved: Path, folder: Path) -> dict[str, tuple[Path, int]]:
    """Each bomb, and the megabytes that opening it may take."""
    entries, out = entries_of(saved), {}
    without_run = {name: blob for name, blob in entries.items() if name != "run.safetensors"}
    for name in ("trace.json", "run.safetensors"):
        out[f"{name} unpacks to 140 MB"] = forge(folder, entries | {name: bytes(140 * 2**20)}), 50
    path = forge(folder, entries | {"run.safetensors": bytes(140 * 2**20)})
    honest = path.read_bytes()
    path.write_bytes(honest.replace(struct.pack("<I", 140 * 2**20), struct.pack("<I", 50_000)))
    assert path.read_bytes() != honest
    out["run.safetensors unpacks to more than it says"] = path, 50
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = forge(folder, without_run)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("run.safetensors", bytes(60 * 2**20), compress_type=method)
        out[f"packed by method {method}"] = path, 50
    lists = entries["trace.json"].replace(b'"messages": null', b'"messages": [' + b"[]," * 6_000_000 + b"[]]")
    out["six million lists"] = forge(folder, entries | {"trace.json": lists}), 100
    n = 20_000_000
    out["twenty million steps"] = forge(
        folder,
        entries_of(with_header(saved, folder, put("n_steps", value=n)))
        | {"run.safetensors": run_of_zeros(saved, chosen=(n, 1), ended=(n, 1))},
    ), 100  # fmt: skip
    # Each entry takes 47 bytes in the list of entries and ten times that in memory.
    one = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(one) * 10**6, 0, 0)
    path = new_file(folder)
    path.write_bytes(one * 10**6 + end)
    out["a million entries"] = path, 100
    return out


def run_of_zeros(saved: Path, **shapes: tuple[int, ...]) -> bytes:
    run = safetensors.torch.load(entries_of(saved)["run.safetensors"])
    run |= {name: torch.zeros(shape, dtype=torch.uint8) for name, shape in shapes.items()}
    return safetensors.torch.save(run)


OPEN_ALL = """
    import json, os, resource, sys
    from decoding import DecodingError, load_trace
    for name, (path, megabytes) in json.loads(sys.stdin.read()).items():
        if os.fork() == 0:
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20,) * 2)
            try:
                trace = load_trace(path)
                print(json.dumps([name, "opened", ""]), flush=True)
            except DecodingError as err:
                print(json.dumps([name, type(err).__name__, str(err)]), flush=True)
            except BaseException as err:
                print(json.dumps([name, repr(err), ""]), flush=True)
            os._exit(0)
        os.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory through /proc")
@pytest.mark.slow
def test_bombs_are_refused_before_they_take_the_memory(saved, tmp_path):
    set_of = bombs(saved, tmp_path)
    assert all(path.stat().st_size < 2**20 for name, (path, _) in set_of.items() if "entries" not in name)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(OPEN_ALL)], cwd=ROOT, capture_output=True, text=True, timeout=300,
        input=json.dumps({name: [str(path), size] for name, (path, size) in set_of.items()}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert {name: kind for name, kind, _ in got} == dict.fromkeys(set_of, "TraceFileError")
    assert not [says for _, _, says in got if "more memory than there is" in says]


def test_a_compressed_step_is_refused(saved, tmp_path):
    path = forge(tmp_path, entries_of(saved), deflated=(*PACKED, "steps/000003.safetensors"))
    assert refused(path) == "steps/000003.safetensors is compressed; a trace stores its steps plainly"


def test_the_scores_of_a_file_are_read_when_asked_for(tmp_path):
    """A file of which a step is damaged opens, and says so where it is read."""
    recorder = Recorder()
    tiny_model(vocab_size=4096).generate(torch.tensor([[5, 6]]), max_new_tokens=2, custom_generate=recorder)
    trace = recorder.trace
    trace.save(tmp_path / "run.trace")
    blob = bytearray((tmp_path / "run.trace").read_bytes())
    blob[blob.index(trace.steps[1].logits()[0, 4000:].numpy().tobytes())] ^= 1
    (tmp_path / "run.trace").write_bytes(bytes(blob))
    opened = load_trace(tmp_path / "run.trace")
    assert same_bits(opened.scores(step=0), trace.scores(step=0))
    with pytest.raises(TraceFileError, match="^step 2 cannot be read: Bad CRC-32"):
        opened.scores(step=1)


def test_logits_keep_their_dtype(tmp_path):
    for dtype in (torch.float16, torch.bfloat16):
        recorder = Recorder()
        model = tiny_model().to(dtype)
        model.generate(torch.tensor([[5, 6]]), max_new_tokens=2, custom_generate=recorder)
        assert recorder.trace.steps[0].logits().dtype == dtype
        assert_same_trace(round_trip(recorder.trace, tmp_path), recorder.trace)
