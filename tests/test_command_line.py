"""The command line, run as a person would."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app.page.layout
from app.cli.knob_options import given_knobs
from app.cli.main import main
from decoding import KNOBS, Recorder, load_trace
from tests.tiny_models import tiny_model, tiny_tokenizer

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("command") / "tiny"
    tiny_model("llama", vocab_size=320).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def record(model: str, tmp_path: Path):
    """Records with the tiny model into run.trace; further options as they come."""

    def run(*options: str) -> int:
        return main(
            ["record", "--model", model, "--device", "cpu", "-o", str(tmp_path / "run.trace"), *options]
        )

    return run


# --- record -----------------------------------------------------------------------------------------------


def test_record_prints_the_text_and_saves_the_trace(record, tmp_path: Path, capsys) -> None:
    assert record("--prompt", "the cat", "--max-new-tokens", "6", "--seed", "1", "--temperature", "0.8") == 0
    trace = load_trace(tmp_path / "run.trace")
    assert len(trace.steps) == 6
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("the cat")
    assert "model    tiny, cpu, float32" in out
    assert "stages   TemperatureLogitsWarper" in out
    assert f"trace    {tmp_path / 'run.trace'}" in out
    assert "Loading the model" in err and "Decoding ... step 1" in err
    assert str(Path(trace.model.name)) == "tiny"


def test_a_constraint_is_given_as_a_text_or_a_file(record, tmp_path: Path, capsys) -> None:
    pytest.importorskip("xgrammar")
    (tmp_path / "schema.json").write_text('{"enum": ["漢", "no"]}', encoding="utf-8")
    assert record("--prompt", "the cat", "--json-schema", str(tmp_path / "schema.json"), "--max-new-tokens", "9") == 0
    trace = load_trace(tmp_path / "run.trace")
    assert trace.text() in ('"漢"', '"no"')
    assert "stages   JsonSchemaConstraint" in capsys.readouterr().out
    assert record("--prompt", "the cat", "--grammar", 'root ::= "a" "b"') == 0
    assert load_trace(tmp_path / "run.trace").text() == "ab"
    assert record("--prompt", "the cat", "--regex", "[0-9]{2}") == 0
    assert load_trace(tmp_path / "run.trace").text().isdecimal()
    assert record("--prompt", "the cat", "--json-schema", str(tmp_path / "missing.json")) == 2
    assert "json_schema must be a JSON schema" in capsys.readouterr().err


def test_record_says_whose_value_each_parameter_has(tmp_path: Path, capsys) -> None:
    model = tiny_model("llama", vocab_size=320)
    model.generation_config.repetition_penalty = 1.2
    model.save_pretrained(tmp_path / "own")
    tiny_tokenizer().save_pretrained(tmp_path / "own")
    options = ("--prompt", "the cat", "--top-p", "0.9", "--seed", "0", "--max-new-tokens", "2")
    assert main(["record", "--model", str(tmp_path / "own"), "--device", "cpu", *options]) == 0
    out = capsys.readouterr().out
    assert "given    do_sample=True, seed=0, top_p=0.9, max_new_tokens=2\n" in out
    assert "default  the model's own: repetition_penalty=1.2, eos_token_id=2\n" in out
    assert "default  transformers': top_k=50\n" in out


def test_a_sampling_parameter_turns_sampling_on(record, tmp_path: Path) -> None:
    record("--prompt", "a", "--top-p", "0.9", "--max-new-tokens", "2")
    assert load_trace(tmp_path / "run.trace").mode == "sample"
    record("--prompt", "a", "--top-p", "0.9", "--max-new-tokens", "2", "--no-do-sample")
    trace = load_trace(tmp_path / "run.trace")
    assert trace.mode == "greedy"
    assert [knob.name for knob in trace.silent] == ["top_p"]


def test_without_sampling_parameters_it_is_greedy(record, tmp_path: Path) -> None:
    record("--prompt", "a", "--max-new-tokens", "2")
    assert load_trace(tmp_path / "run.trace").mode == "greedy"


def test_several_prompts_are_a_batch(record, tmp_path: Path, capsys) -> None:
    assert record("--prompt", "a", "--prompt", "the cat sat", "--max-new-tokens", "2") == 0
    assert load_trace(tmp_path / "run.trace").n_rows == 2
    out = capsys.readouterr().out
    assert "--- row 0\na" in out and "--- row 1\nthe cat sat" in out


def test_a_chat_comes_from_a_file(record, tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Hi"}]
    (tmp_path / "chat.json").write_text(json.dumps(chat))
    assert record("--chat", str(tmp_path / "chat.json"), "--max-new-tokens", "2") == 0
    assert load_trace(tmp_path / "run.trace").prompts == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    )


def test_a_dash_reads_the_prompt_from_stdin(record, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("the dog"))
    assert record("--prompt", "-", "--max-new-tokens", "2") == 0
    assert load_trace(tmp_path / "run.trace").prompts == ("the dog",)


def test_terminal_control_characters_of_a_text_are_not_printed(record, capsys) -> None:
    record("--prompt", "\x1b[2Jthe\x07", "--max-new-tokens", "1")
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out
    assert out.startswith("\ufffd[2Jthe\ufffd")


def test_ctrl_c_keeps_the_steps_so_far(record, tmp_path: Path, monkeypatch, capsys) -> None:
    def interrupted(recorder: Recorder, steps, streamers):
        for step in steps:
            yield step
            if step.index == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "_reported", interrupted)
    assert record("--prompt", "a", "--max-new-tokens", "50") == 130
    assert len(load_trace(tmp_path / "run.trace").steps) == 4
    assert "kept the 4 steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "a", "--top-p", "1.7"], "top_p must be in (0, 1], got 1.7"),
        (["--prompt", "a", "--temperature", "0"], "do_sample=False (greedy decoding)"),
        (["--prompt", "a", "--temperature", "warm"], "temperature must be > 0, got 'warm'"),
        (["--prompt", "a", "--seed", "-1"], "seed must be"),
        (["--prompt", ""], "prompt is empty"),
        (["--prompt", "a" * 500], "takes at most 128"),
        (["--chat", "no-such.json"], "the chat 'no-such.json' cannot be read"),
        (["--prompt", "a", "--model", "no/such/folder"], "neither a local directory nor a Hub id"),
        (["--prompt", "a", "-o", os.devnull], "-o must name a file in a folder that exists"),
        (["--prompt", "a", "-o", "no-such-folder/run.trace"], "-o must name a file in a folder that exists"),
        (["--prompt", "a", "--dtype", "int4"], "dtype must be one of"),
    ],
)
def test_a_mistake_is_said_in_one_line_with_status_2(
    record, capsys, options: list[str], message: str
) -> None:
    assert record(*options) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("decoding-explorer: ")


def test_a_bug_keeps_its_traceback(record, monkeypatch) -> None:
    monkeypatch.setattr(Recorder, "_reported", lambda self, steps, streamers: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record("--prompt", "a")


# --- options from KNOBS -----------------------------------------------------------------------------------


def options(*argv: str) -> dict:
    import argparse

    from app.cli.knob_options import add_knob_options

    parser = argparse.ArgumentParser()
    add_knob_options(parser)
    return given_knobs(parser.parse_args(argv))


def test_there_is_an_option_for_every_knob(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["record", "--help"])
    out = capsys.readouterr().out
    for name in KNOBS:
        assert f"--{name.replace('_', '-')} " in out or f"--{name.replace('_', '-')}," in out, name


@pytest.mark.parametrize(
    ("argv", "given"),
    [
        (["--top-k", "40"], {"do_sample": True, "top_k": 40}),
        (["--penalty-alpha", "0.6", "--top-k", "4"], {"top_k": 4, "penalty_alpha": 0.6}),
        (["--seed", "3"], {"seed": 3}),
        (["--no-renormalize-logits"], {"renormalize_logits": False}),
        (["--stop-strings", "a", "--stop-strings", "b"], {"stop_strings": ["a", "b"]}),
        (["--suppress-tokens", "5", "--suppress-tokens", " the"], {"suppress_tokens": [5, " the"]}),
        (["--bad-words-ids", "cat", "--bad-words-ids", "[1, 2]"], {"bad_words_ids": ["cat", [1, 2]]}),
        (["--sequence-bias", "a=b=2.5"], {"sequence_bias": [("a=b", 2.5)]}),
        (["--sequence-bias", "[3]=-1"], {"sequence_bias": [([3], -1)]}),
        (["--exponential-decay-length-penalty", "5", "1.1"], {"exponential_decay_length_penalty": [5, 1.1]}),
        (["--early-stopping", "never"], {"early_stopping": "never"}),
        (["--early-stopping", "True"], {"early_stopping": True}),
        (["--watermarking-config", '{"bias": 2.0}'], {"watermarking_config": {"bias": 2.0}}),
        ([], {}),
    ],
)
def test_an_option_becomes_the_value_that_settings_takes(argv: list[str], given: dict) -> None:
    from decoding import Settings

    assert options(*argv) == given
    Settings(**given)


# --- verify -----------------------------------------------------------------------------------------------


def test_verify_answers_with_its_status(record, model: str, tmp_path: Path, capsys) -> None:
    path = str(tmp_path / "run.trace")
    record("--prompt", "the cat", "--top-p", "0.9", "--seed", "3", "--max-new-tokens", "5")
    assert main(["verify", path, "--model", model]) == 0
    assert "equal" in capsys.readouterr().out

    other = tmp_path / "other"
    tiny_model("llama", vocab_size=320, seed=1).save_pretrained(other)
    tiny_tokenizer().save_pretrained(other)
    assert main(["verify", path, "--model", str(other)]) == 1


def test_verify_needs_to_be_told_where_a_directory_is(record, tmp_path: Path, capsys) -> None:
    record("--prompt", "a", "--max-new-tokens", "2")
    assert main(["verify", str(tmp_path / "run.trace")]) == 2
    assert "name it with --model" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "open"])
def test_a_file_that_is_no_trace_is_said_to_be_none(tmp_path: Path, capsys, command: str) -> None:
    (tmp_path / "x.trace").write_text("not a trace")
    assert main([command, str(tmp_path / "x.trace")]) == 2
    assert main([command, str(tmp_path / "missing.trace")]) == 2
    assert "Traceback" not in capsys.readouterr().err


# --- serve ------------------------------------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch) -> list[dict]:
    """What the page was launched with, and under `probed` where a free port was looked for before that.

    Whether one is free here and now is no matter of these tests.
    """
    calls: list[dict] = []
    probed: list[tuple[str, int]] = []
    monkeypatch.setattr("app.cli.serve._check_port", lambda *where: probed.append(where))
    monkeypatch.setattr(
        app.page.layout, "launch", lambda **arguments: calls.append({**arguments, "probed": probed[-1]})
    )
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return calls


def test_the_page_is_served_to_this_machine_alone_unless_asked(launched: list[dict]) -> None:
    assert main([]) == 0
    assert (launched[0]["host"], launched[0]["port"]) == launched[0]["probed"] == ("127.0.0.1", 7860)
    assert (launched[0]["model"], launched[0]["trace_path"]) == ("smollm2-135m", None)


@pytest.mark.parametrize("command", [["serve"], ["open", "run.trace"]])
def test_a_port_in_use_is_said_before_the_page_is_loaded(monkeypatch, capsys, command: list[str]) -> None:
    monkeypatch.setattr(app.page.layout, "launch", lambda **arguments: pytest.fail("launched"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main([*command, "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"cannot serve at 127.0.0.1, port {port}: " in said and "name a free port with --port" in said


def test_a_free_port_is_served(monkeypatch) -> None:
    launched: list[dict] = []
    monkeypatch.setattr(app.page.layout, "launch", lambda **arguments: launched.append(arguments))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert main(["--port", str(port)]) == 0
    assert launched[0]["port"] == port


def test_options_without_a_command_are_those_of_serve(launched: list[dict]) -> None:
    assert main(["--port", "8000", "--model", "gpt2"]) == 0
    assert (launched[0]["port"], launched[0]["model"]) == (8000, "gpt2")


def test_open_serves_the_page_with_that_trace(launched: list[dict]) -> None:
    assert main(["open", "run.trace", "--port", "8001"]) == 0
    assert launched[0]["trace_path"] == "run.trace"


def test_a_browser_is_opened_on_a_desktop_only_and_not_when_unwanted(
    launched: list[dict], monkeypatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    main([])
    monkeypatch.setenv("DISPLAY", ":0")
    main([])
    main(["--no-browser"])
    assert [call["open_browser"] for call in launched] == [False, True, False]


def test_help_answers_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "verify" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "gradio", "plotly"}


# --- preset -----------------------------------------------------------------------------------------------


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    """A request to llama.cpp's server."""
    path = tmp_path / "request.json"
    path.write_text('{"temperature": 0.5, "top_k": 3, "n_predict": 4, "seed": 7, "presence_penalty": 1}')
    return str(path)


def test_a_preset_becomes_our_settings_and_what_has_no_counterpart_is_said(request_file: str, capsys) -> None:
    assert main(["preset", request_file, "--as-given"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"do_sample": True, "seed": 7, "temperature": 0.5, "top_k": 3, "max_new_tokens": 4}
    assert "read as llama.cpp" in err
    assert "missing  presence_penalty = 1: there is no such setting here" in err


def test_a_preset_is_written_for_another_engine(request_file: str, tmp_path: Path, capsys) -> None:
    assert main(["preset", request_file, "--to", "vllm"]) == 0
    assert json.loads(capsys.readouterr().out)["max_tokens"] == 4
    ours = tmp_path / "ours.json"
    ours.write_text('{"do_sample": true, "top_p": 0.9}')
    assert main(["preset", str(ours), "--from", "transformers", "--to", "text-generation-webui"]) == 0
    assert "top_p: 0.9\n" in capsys.readouterr().out


def test_record_takes_the_settings_of_a_preset_which_options_overrule(
    record, request_file: str, tmp_path: Path, capsys
) -> None:
    assert record("--prompt", "a", "--preset", request_file, "--max-new-tokens", "2") == 0
    given = load_trace(tmp_path / "run.trace").settings.given()
    assert (given["temperature"], given["top_k"], given["max_new_tokens"], given["seed"]) == (0.5, 3, 2, 7)
    assert given["min_p"] == 0.05  # llama.cpp's own
    assert "presence_penalty" in capsys.readouterr().err
    record("--prompt", "a", "--preset", request_file, "--preset-as-given", "--max-new-tokens", "2")
    assert load_trace(tmp_path / "run.trace").settings.min_p is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"{"])
def test_a_preset_that_cannot_be_read_is_an_error_in_words(content: bytes, tmp_path: Path, capsys) -> None:
    (tmp_path / "junk").write_bytes(content)
    assert main(["preset", str(tmp_path / "junk")]) == 2
    assert main(["preset", str(tmp_path / "nothing")]) == 2
    assert "preset" in capsys.readouterr().err


def test_the_engines_that_the_command_offers_are_all_that_there_are() -> None:
    from app.cli.preset import NAMES
    from decoding.presets import ENGINES

    assert NAMES == tuple(ENGINES)
