"""The API as programs use it: gradio_client against the served page with the real model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from app.api.endpoints import Api
from app.api.kept_runs import KeptRuns
from app.serving import limits
from app.serving.bounds import Bounds
from app.serving.model_shelf import ModelState
from decoding import Recorder, Settings, record, stream
from decoding.errors import NotRecordedError, PromptError, SettingError

ENDPOINTS = {"/record", "/step", "/whatif", "/tree", "/preset", "/open_response", "/verify"}
SAMPLED = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "seed": 0, "max_new_tokens": 8}
PROMPT = "The capital of France is"
PUBLIC = limits.limits_of(Bounds.read(public=True, environment={}))


@pytest.fixture(scope="module")
def client(app_url):
    from gradio_client import Client

    return Client(app_url, verbose=False)


@pytest.fixture(scope="module")
def sampled(client):
    return client.predict(PROMPT, SAMPLED, api_name="/record")


@pytest.fixture(scope="module")
def beams(client):
    return client.predict(prompt=PROMPT, settings={"num_beams": 3, "max_new_tokens": 6}, api_name="/record")


def refused(client, name: str, **arguments) -> str:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as error:
        client.predict(**arguments, api_name=name)
    return str(error.value)


def test_the_page_names_six_endpoints_and_keeps_its_own_events_private(app_url):
    with urllib.request.urlopen(f"{app_url}/gradio_api/info") as answer:
        info = json.load(answer)
    assert set(info["named_endpoints"]) == ENDPOINTS
    assert info["unnamed_endpoints"] == {}
    for endpoint in info["named_endpoints"].values():
        assert len(endpoint["description"]) > 100


def test_record_gives_what_the_library_gives(client, sampled, lm):
    trace = record(lm, PROMPT, Settings(**SAMPLED))
    assert sampled["text"] == trace.text()
    assert [t["id"] for t in sampled["tokens"]] == [step.token_ids[0] for step in trace.steps]
    names = ["TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper"]
    assert [stage["name"] for stage in sampled["stages"]] == names
    assert sampled["mode"] == "sample"
    assert sampled["stop_reasons"] == ["max_length"]
    assert sampled["settings"] == SAMPLED
    assert sampled["tokens"][3]["rank"] == 1 + int((trace.scores(step=3, stage=0) > trace.scores(step=3, stage=0)[
        trace.steps[3].token_ids[0]]).sum())  # fmt: skip


def test_a_step_says_which_stage_removed_a_token(client, sampled, lm):
    trace = record(lm, PROMPT, Settings(**SAMPLED))
    step = client.predict(sampled["run"], 3, 0, 60, api_name="/step")
    assert [stage["name"] for stage in step["stages"]] == [
        "logits", "TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper",
    ]  # fmt: skip
    for i, stage in enumerate(step["stages"]):
        scores = trace.scores(step=3, stage=i)
        assert stage["n_alive"] == int((scores > -float("inf")).sum())
    assert step["stages"][2]["n_removed"] == 49152 - 50
    by = {token["rank"]: token["removed_by"] for token in step["head"]}
    assert by[1] is None
    assert by[50] == 3  # within top_k, beyond top_p
    assert by[55] == 2
    assert [token["id"] for token in step["chosen"]] == [trace.steps[3].token_ids[0]]
    assert any("top_k 50" in line for line in step["reading"])


def test_whatif_says_where_the_run_would_have_parted(client, sampled, lm):
    trace = record(lm, PROMPT, Settings(**SAMPLED))
    tried = trace.whatif(Settings(**{**SAMPLED, "top_p": 0.1}))
    answer = client.predict(sampled["run"], {"top_p": 0.1}, api_name="/whatif")
    assert answer["diverges_at"] == tried.diverges_at
    assert [t["survives"] for t in answer["chosen"][0]] == [row[0] for row in tried.chosen_survives]
    assert [t["probability"] for t in answer["chosen"][0]] == [float(row[0]) for row in tried.chosen_probability]
    assert answer["settings"] == {**SAMPLED, "top_p": 0.1}
    assert answer["statements"] == []
    back = client.predict(sampled["run"], {"top_p": None}, api_name="/whatif")
    assert "top_p" not in back["settings"]


def test_whatif_ranks_beam_answers_anew(client, beams, lm):
    trace = record(lm, PROMPT, Settings(num_beams=3, max_new_tokens=6))
    tried = trace.whatif(Settings(num_beams=3, max_new_tokens=6, length_penalty=-2.0))
    answer = client.predict(beams["run"], {"length_penalty": -2.0}, api_name="/whatif")
    assert answer["replay"]["decided"] == tried.replay.decided
    assert answer["replay"]["answers"][0]["tokens"] == list(tried.replay.hypotheses[0].token_ids)


def test_the_tree_is_the_recorded_one_and_can_be_cut(client, beams, lm):
    import networkx

    from decoding.reading.beam_tree import tree

    whole = tree(record(lm, PROMPT, Settings(num_beams=3, max_new_tokens=6)))
    graph = networkx.node_link_graph(client.predict(beams["run"], api_name="/tree"), edges="edges")
    assert dict(graph.nodes(data=True)) == dict(whole.nodes(data=True))
    assert set(graph.edges) == set(whole.edges)
    first = client.predict(beams["run"], last_step=0, api_name="/tree")
    assert len(first["nodes"]) == 1 + 6  # the prompt and twice as many candidates as beams


def test_a_beam_token_names_the_row_that_it_was_taken_from(client, beams):
    for token in beams["tokens"]:
        step = client.predict(beams["run"], token["step"], token["row"], 5, api_name="/step")
        own = next(c for c in step["candidates"] if c["rank"] == token["rank"])
        assert own["id"] == token["id"]
        assert own["parent"] == token["row"]


def test_verify_compares_with_generate(client, sampled):
    report = client.predict(sampled["run"], api_name="/verify")
    assert report["equal"] is True
    assert report["grade"] == "bits"
    assert report["against"] == "generate()"
    assert {check["name"] for check in report["checks"]} == {"tokens", "logits", "stages", "scores"}


def test_a_chat_goes_through_the_template(client):
    run = client.predict(
        messages=[{"role": "user", "content": "Hi"}], settings={"max_new_tokens": 2}, api_name="/record"
    )
    assert "<|im_start|>user\nHi<|im_end|>" in run["prompts"][0]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("/record", {"prompt": "a", "settings": {"top_p": 1.7}}, "top_p must be in (0, 1], got 1.7"),
        ("/record", {"prompt": "a", "settings": {"nonsense": 1}}, "nonsense must be the name of a decoding parameter"),
        ("/record", {"prompt": "a", "settings": [1]}, "settings must be an object"),
        ("/record", {"prompt": "a", "settings": {"num_beams": 17}}, "num_beams must be at most 16"),
        ("/record", {"prompt": "a", "settings": {"do_sample": True, "num_return_sequences": 17}}, "at most 16"),
        ("/record", {"prompt": "a", "settings": {"penalty_alpha": 0.5, "top_k": 17}}, "top_k must be at most 16"),
        ("/record", {"prompt": "a", "settings": {"max_new_tokens": 513}}, "max_new_tokens must be at most 512"),
        ("/record", {"prompt": "a", "settings": {"max_length": 5000}}, "max_length must be at most 512"),
        ("/record", {"prompt": "a", "settings": {"negative_prompt": "x" * 30_000}}, "characters of JSON"),
        ("/record", {"prompt": "a", "settings": {"stop_strings": ["x"] * 17}}, "stop_strings must be at most 16"),
        ("/record", {"prompt": "a" * 40_001}, "at most 40,000"),
        ("/record", {"prompt": "word " * 2500, "settings": {"num_beams": 16}}, "at most 32,768"),
        ("/record", {"prompt": ""}, "prompt is empty"),
        ("/record", {"prompt": {"a": 1}}, "prompt must be a text"),
        ("/record", {"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "either prompt or messages"),
        ("/record", {"messages": [{"role": "king", "content": "b"}]}, "role must be one of"),
        ("/record", {"prompt": "a", "model": "no such model"}, "neither a local directory nor a Hub id"),
        ("/step", {"run": "nope"}, "an id that /record gave"),
        ("/whatif", {"run": ["nope"], "settings": {}}, "an id that /record gave"),
        ("/tree", {"run": "nope"}, "record it again"),
        ("/verify", {"run": None}, "an id that /record gave"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_words(client, name, arguments, words):
    assert words in refused(client, name, **arguments)


def test_what_a_run_does_not_have_is_refused_in_words(client, sampled):
    run = sampled["run"]
    assert "step must be a whole number in [0, 7], got 8" in refused(client, "/step", run=run, step=8)
    assert "row must be a whole number in [0, 0], got 1" in refused(client, "/step", run=run, row=1)
    assert "n must be a whole number in [1, 200], got 201" in refused(client, "/step", run=run, n=201)
    assert "a beam tree needs a beam method" in refused(client, "/tree", run=run)
    assert "top_k must be" in refused(client, "/whatif", run=run, settings={"top_k": -1})


def test_settings_of_another_engine_are_translated(client):
    asked = '{"n_predict": 3, "temperature": 0.5, "repeat_penalty": 1.1, "bogus": 1}'
    found = client.predict(asked, api_name="/preset")
    assert found["engine"] == "llama.cpp" and found["sure"] is True
    assert found["settings"]["top_k"] == found["filled"]["top_k"] == 40
    kinds = {each["name"]: each["kind"] for each in found["told"]}
    assert (kinds["bogus"], kinds["repeat_last_n"]) == ("unknown", "differs")
    assert found["written"] is None
    assert client.predict(PROMPT, found["settings"], api_name="/record")["stop_reasons"] == ["max_length"]
    there = client.predict(asked, "llama.cpp", False, "vllm", api_name="/preset")
    assert json.loads(there["written"]["text"])["max_tokens"] == 3
    assert there["filled"] == {}
    assert "must be one of" in refused(client, "/preset", text="{}", engine="nobody")
    assert "no whole JSON" in refused(client, "/preset", text="{")


# --- the endpoints on their own


@pytest.fixture
def api(tiny) -> Api:
    ready = ModelState(name="tiny", phase="ready", lm=tiny)
    look = {"state": lambda name: ready, "loading": lambda name: iter([ready])}
    return Api(SimpleNamespace(default="tiny", batchers=None, **look))


def test_a_call_that_takes_too_long_is_broken_off_and_says_so(api, monkeypatch):
    monkeypatch.setattr(api._decoder, "limits", replace(PUBLIC, seconds=-1))
    run = api.record("ab", {"max_new_tokens": 9})
    assert run["n_steps"] == 1
    assert run["stop_reasons"] == ["user"]
    assert "broken off" in run["warnings"][-1]
    assert api.step(run["run"])["step"] == 0


def test_a_bug_is_no_answer_and_tells_nothing_of_the_server(api, monkeypatch, caplog):
    monkeypatch.setattr("app.api.endpoints.run_json", lambda trace: {}["/home/someone/secret"])
    with pytest.raises(gr.Error) as error:
        api.record("ab", {"max_new_tokens": 1})
    assert "record failed with KeyError" in str(error.value)
    assert "secret" not in str(error.value)
    assert "secret" in caplog.text


def test_every_mode_gives_plain_json(api):
    for settings in (
        {"do_sample": True, "num_return_sequences": 2, "seed": 1}, {"num_beams": 3},
        {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}, {"penalty_alpha": 0.6, "top_k": 4},
        {"sequence_bias": [[[5], float("-inf")]]}, {"stop_strings": ["zz"]},
    ):  # fmt: skip
        run = api.record("ab", {**settings, "max_new_tokens": 3})
        answers = [run, api.whatif(run["run"], {"temperature": 0.5}), api.verify(run["run"])]
        answers += [api.step(run["run"], t["step"], t["row"]) for t in run["tokens"]]
        if run["mode"].endswith(("beam_search", "beam_sample")):
            answers.append(api.tree(run["run"]))
        for answer in answers:
            assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_a_tree_that_is_too_large_can_be_asked_for_in_part(api, monkeypatch):
    monkeypatch.setattr("app.api.endpoints.MOST_NODES", 10)
    run = api.record("ab", {"num_beams": 3, "max_new_tokens": 4})["run"]
    with pytest.raises(gr.Error, match="lower last_step"):
        api.tree(run)
    assert len(api.tree(run, last_step=0)["nodes"]) == 7


def test_a_row_that_had_ended_is_refused_in_words(api, tiny):
    ends = record(tiny, "ab", Settings(max_new_tokens=1)).steps[0].token_ids[0]
    run = api.record("ab", {"max_new_tokens": 3, "eos_token_id": [ends]})
    assert run["stop_reasons"] == ["eos"]
    assert api.step(run["run"])["chosen"][0]["id"] == ends
    with pytest.raises(gr.Error, match="step must be"):
        api.step(run["run"], 1)


# --- the runs that are kept


def kept(tiny, n: int, **how) -> tuple[KeptRuns, list[str]]:
    trace = record(tiny, "ab", Settings(max_new_tokens=1))
    runs = KeptRuns(**how)
    return runs, [runs.add(trace, "tiny").id for _ in range(n)]


def test_the_runs_used_longest_ago_make_room(tiny):
    runs, ids = kept(tiny, 2, most=2)
    runs.get(ids[0])
    runs.add(runs.get(ids[0]).trace, "tiny")
    assert runs.get(ids[0]).id == ids[0]
    with pytest.raises(NotRecordedError, match="record it again"):
        runs.get(ids[1])


def test_runs_take_no_more_bytes_than_allowed_and_the_newest_stays(tiny):
    runs, ids = kept(tiny, 3, most_bytes=1)
    assert len(runs) == 1
    assert runs.get(ids[2]).model_name == "tiny"


def test_a_run_that_nobody_asks_for_is_forgotten(tiny):
    runs, ids = kept(tiny, 1, lives=-1)
    with pytest.raises(NotRecordedError):
        runs.get(ids[0])


def test_it_is_forgotten_in_time_although_no_other_call_comes_and_so_are_its_files(tiny):
    runs, recorder = KeptRuns(lives=0.3), Recorder(memory_budget=1)
    list(stream(tiny, "ab", Settings(max_new_tokens=2), recorder))
    file = recorder.trace.store._file
    runs.add(recorder.trace, "tiny")
    runs.add(recorder.trace, "tiny")
    del recorder
    assert not file.closed
    end = time.monotonic() + 60
    while not file.closed:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(runs) == 0


def test_ids_cannot_be_guessed(tiny):
    _, ids = kept(tiny, 20)
    assert len(set(ids)) == 20
    assert min(map(len, ids)) >= 22  # 128 bits


# --- bounds


def test_bounds_hold_at_their_edge():
    public = PUBLIC
    public.check({"num_beams": 16, "max_new_tokens": 512}, length=2048)
    public.check({"top_k": 1000})  # no rows of it outside contrastive search
    public.check({"max_new_tokens": 5, "max_length": 4000})  # max_new_tokens takes precedence
    for values in ({"num_beams": 17}, {"max_new_tokens": 513}, {"penalty_alpha": 0.6, "top_k": 17}):
        with pytest.raises(SettingError, match="at most"):
            public.check(values)
    with pytest.raises(PromptError, match="at most 32,768"):
        public.check({"num_beams": 16}, length=2049)
    with pytest.raises(PromptError, match="at most 16"):
        public.check({"num_beams": 4}, n_prompts=5)
    limits.NONE.check({"num_beams": 1000, "max_new_tokens": 10**6}, n_prompts=1000, length=10**6)


def test_a_file_from_a_stranger_cannot_ask_for_more(tiny):
    trace = record(tiny, "ab", Settings(num_beams=4, max_new_tokens=1))
    PUBLIC.check_trace(trace)
    wide = SimpleNamespace(
        generation_config={"num_beams": 64}, most_new_tokens=1, n_prompts=1, prompt_ids=trace.prompt_ids
    )
    with pytest.raises(SettingError, match="num_beams"):
        PUBLIC.check_trace(wide)
    ids = SimpleNamespace(shape=(16, 2049))
    long = SimpleNamespace(generation_config={"num_beams": 16}, most_new_tokens=1, n_prompts=1, prompt_ids=ids)
    with pytest.raises(PromptError, match="at most 32,768"):
        PUBLIC.check_trace(long)


# --- MCP

needs_mcp = pytest.mark.skipif(importlib.util.find_spec("mcp") is None, reason="the extra `mcp` is not installed")


@needs_mcp
def test_an_assistant_sees_the_six_as_tools_and_can_use_them(lm, tmp_path):
    import asyncio

    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    from tests.conftest import ROOT, _free_port, _wait_until_it_answers

    async def ask(url: str) -> tuple[dict[str, str], dict]:
        async with streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = {tool.name: tool for tool in (await session.list_tools()).tools}
                arguments = {"prompt": PROMPT, "settings": {"max_new_tokens": 2}}
                answer = await session.call_tool("record", arguments)
                return {name: tool.description for name, tool in tools.items()}, answer

    port, log = _free_port(), tmp_path / "server.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "app", "serve", "--mcp", "--port", str(port), "--no-browser"]
        server = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(url, server, log)
        tools, answer = asyncio.run(ask(url))
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert {f"/{name}" for name in tools} == ENDPOINTS
    assert "why this token came" in tools["step"]
    assert not answer.isError
    assert "Paris" in answer.content[0].text


@pytest.mark.skipif(importlib.util.find_spec("mcp") is not None, reason="the extra `mcp` is installed")
@pytest.mark.slow
def test_without_the_extra_mcp_says_what_to_install(lm):
    command = [sys.executable, "-m", "app", "serve", "--mcp", "--no-browser", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ.copy())
    assert done.returncode == 2
    assert 'pip install "decoding-explorer[mcp]"' in done.stderr


def test_whatif_of_a_run_that_lost_steps_says_null_where_nothing_is_known(tiny):
    from app.api.endpoints import _chosen
    from tests.hand_made import with_lost_steps

    trace = with_lost_steps(record(tiny, "The cat sat", Settings(**SAMPLED)), first=3)
    chosen = _chosen(trace, trace.whatif(Settings(do_sample=True, top_p=0.5)), row=0)
    assert [c["probability"] is None for c in chosen] == [t >= 3 for t in range(len(trace.steps))]
    assert all((c["survives"] is None) == (c["rank"] is None) == (c["step"] >= 3) for c in chosen)
