"""`decoding-explorer export`: the suffix says which format."""

from __future__ import annotations

import ast
import csv
import json

import networkx
import pytest

from app.cli.main import main
from app.formats import FORMATS, Choices, export
from decoding.errors import DecodingError
from decoding.parameters.settings import Settings
from decoding.record import record
from tests.tiny_models import tiny_lm


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("export")
    runs = {
        "beams": Settings(num_beams=2, max_new_tokens=4),
        "sampled": Settings(do_sample=True, top_k=5, seed=1, max_new_tokens=4),
    }
    for name, settings in runs.items():
        record(tiny_lm(), "the cat", settings).save(folder / f"{name}.trace")
    return {name: str(folder / f"{name}.trace") for name in runs}


def test_a_trace_becomes_what_the_suffix_says(traces, tmp_path, capsys):
    for suffix in FORMATS:
        assert main(["export", traces["beams"], "-o", str(tmp_path / f"out{suffix}")]) == 0
        assert f"out{suffix}, " in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["mode"] == "beam_search"
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file))[:3] == ["step", "prompt", "rank"]  # the ledger
    assert networkx.read_graphml(tmp_path / "out.graphml").nodes["p0"]["kind"] == "prompt"
    assert "model.generate" in ast.unparse(ast.parse((tmp_path / "out.py").read_text(encoding="utf-8")))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted(FORMATS)  # no temporary file is left


def test_a_suffix_may_be_in_capitals(traces, tmp_path):
    assert main(["export", traces["sampled"], "-o", str(tmp_path / "RUN.JSON")]) == 0
    assert (tmp_path / "RUN.JSON").exists()


@pytest.mark.parametrize(
    ("table", "first"),
    [(None, "step,row,parent_row,"), ("steps", "step,row,parent_row,"), ("tokens", "step,row,rank,")],
)
def test_there_is_a_choice_of_tables(traces, tmp_path, table, first):
    options = [] if table is None else ["--table", table]
    assert main(["export", traces["sampled"], "-o", str(tmp_path / "out.csv"), *options]) == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith(first)


def test_there_is_a_choice_of_code_and_of_the_heads_length(traces, tmp_path):
    assert main(["export", traces["sampled"], "-o", str(tmp_path / "out.py"), "--code", "record"]) == 0
    assert "from decoding import Settings, load_model, record" in (tmp_path / "out.py").read_text(encoding="utf-8")
    assert main(["export", traces["sampled"], "-o", str(tmp_path / "out.json"), "--head", "3"]) == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["n_head"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.docx"], "the file's name must end in one of .json, .csv, .graphml, .py"),
        (["-o", "out"], "the file's name must end in one of"),
        (["-o", "out.csv", "--table", "ledger"], "a ledger needs a beam method"),
        (["-o", "out.graphml"], "a beam tree needs a beam method"),
        (["-o", "out.json", "--head", "0"], "--head must be in [1, 1000], got 0"),
        (["-o", "no-such-folder/out.json"], "-o must name a file in a folder that exists"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line_with_status_2(
    traces, tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["export", traces["sampled"], *options]) == 2
    err = capsys.readouterr().err
    assert message in err and len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_trace_is_refused(tmp_path, capsys):
    (tmp_path / "x.trace").write_text("not a trace")
    assert main(["export", str(tmp_path / "x.trace"), "-o", str(tmp_path / "out.json")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_export_that_breaks_off_leaves_the_file_that_was_there(traces, tmp_path, monkeypatch):
    from app.export import trace_json

    def broken(trace, file, **options):
        file.write("half")
        raise RuntimeError("broken")

    out = tmp_path / "out.json"
    out.write_text("before")
    monkeypatch.setattr(trace_json, "write_json", broken)
    with pytest.raises(RuntimeError):
        main(["export", traces["sampled"], "-o", str(out)])
    assert out.read_text() == "before" and list(tmp_path.iterdir()) == [out]


def test_the_disks_refusal_is_told_without_a_path(traces, tmp_path, monkeypatch):
    from decoding.trace import load_trace

    def full(*arguments, **options):
        raise OSError(28, "No space left on device", "/some/path")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DecodingError, match="^out.json cannot be written: No space left on device$"):
        export(load_trace(traces["sampled"]), tmp_path / "out.json", Choices())
    assert list(tmp_path.iterdir()) == []


def test_an_exported_file_can_be_read_by_others_as_any_new_file(traces, tmp_path):
    main(["export", traces["sampled"], "-o", str(tmp_path / "out.py")])
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "out.py").stat().st_mode == plain.stat().st_mode
