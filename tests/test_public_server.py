"""The page for everyone as a stranger finds it: the real server, asked what it must not do."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.serving.headers import HEADERS
from tests.conftest import ROOT, _free_port, _wait_until_it_answers

pytestmark = pytest.mark.slow  # servers of their own

KEY = "the key to the numbers"
EVIL = "https://evil.example"
# A bug in one endpoint, and the Space as it is started.
PLANTED = """
import runpy, sys
import app.api.endpoints
app.api.endpoints.to_node_link = lambda graph: {}["/home/someone/secret"]
sys.argv = ["app/space.py"]
import app.space
app.space.main()
"""
VARIABLES = {
    "DECODING_EXPLORER_PROXIES": "1", "DECODING_EXPLORER_METRICS": KEY, "DECODING_EXPLORER_TAB_RUNS": "3",
    "DECODING_EXPLORER_ADDRESS_RUNS": "5", "DECODING_EXPLORER_TAB_REQUESTS": "20",
    "DECODING_EXPLORER_ADDRESS_OPEN": "4",
    "DECODING_EXPLORER_ADDRESS_UPLOADS": "3", "DECODING_EXPLORER_BODY_SECONDS": "4",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    port: int
    process: subprocess.Popen
    log: Path

    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def ask(
        self, method: str, path: str, body: Any = None, *, of: str = "198.51.100.1", chunked: bool = False,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """A request from an address of its own, so that tests do not use up each other's bounds."""
        sent = {"X-Forwarded-For": of, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, iter([body]) if chunked else body, sent, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def call(self, name: str, *data: Any, of: str) -> tuple[str, str]:
        """An API call to its end: the event and its data."""
        status, _, said = self.ask("POST", f"/gradio_api/call/{name}", {"data": list(data)}, of=of)
        assert status == 200, said
        _, _, stream = self.ask("GET", f"/gradio_api/call/{name}/{json.loads(said)['event_id']}", of=of)
        *_, last = re.findall(r"event: (\w+)\ndata: (.*)\n", stream.decode())
        return last


@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[Server]:
    port, log = _free_port(), folder / "server.log"
    environment = {**os.environ, **variables, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", PLANTED], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/health", process, log)
        yield Server(port=port, process=process, log=log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(lm, tmp_path_factory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("public"), **VARIABLES) as server:
        yield server


# --- what every answer says


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200), ("GET", "/config", 200), ("GET", "/dx/js/dx.js", 200), ("GET", "/nothing", 404),
        ("GET", "/health", 200), ("GET", "/gradio_api/info", 200), ("GET", "/metrics", 401), ("HEAD", "/", 200),
        ("GET", "/gradio_api/file=/etc/passwd", 403), ("POST", "/gradio_api/queue/join", 422), ("PUT", "/", 405),
        ("GET", "/monitoring", 404),
    ],
)  # fmt: skip
def test_every_answer_says_what_the_page_may_do(server, method, path, status):
    got, headers, _ = server.ask(method, path)
    assert got == status
    assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS


def test_the_pages_of_strangers_get_no_credentials(server):
    asked = (("GET", "/config"), ("POST", "/gradio_api/queue/join"), ("GET", "/nothing"), ("GET", "/health"))
    for method, path in asked:
        _, headers, _ = server.ask(method, path, Origin=EVIL)
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    status, headers, _ = server.ask("OPTIONS", "/gradio_api/call/record", Origin=EVIL, **asked)
    assert (status, headers["access-control-allow-headers"]) == (204, "content-type")
    assert "access-control-allow-credentials" not in headers


def test_ones_own_machine_does_not_do_what_a_strangers_page_asks(app_url):
    own = Server(port=int(app_url.rpartition(":")[2]), process=None, log=None)
    status, headers, said = own.ask("POST", "/gradio_api/upload", b"x", Origin=EVIL)
    assert status == 403
    assert "https://evil.example" in json.loads(said)["detail"]
    status, headers, _ = own.ask("GET", "/config", Origin=EVIL)
    assert (status, "access-control-allow-origin" in headers) == (200, False)
    status, _, _ = own.ask("OPTIONS", "/gradio_api/call/record", Origin=EVIL, Access_Control_Request_Method="POST")
    assert status == 403
    status, headers, _ = own.ask("GET", "/config", Origin="http://localhost:3000")
    assert headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "access-control-allow-credentials" not in headers


# --- files


@pytest.mark.parametrize(
    "name",
    [
        "https://example.org/", "http://127.0.0.1/health", "/etc/passwd", "%2Fetc%2Fpasswd", "file:///etc/passwd",
        str(ROOT / "README.md"), "README.md", "../README.md", "/proc/self/environ", "%00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("door", ["file=", "file/"])
def test_no_file_of_others_and_nothing_from_elsewhere_is_served(server, door, name):
    status, _, said = server.ask("GET", f"/gradio_api/{door}{name}")
    assert status == 403
    assert json.loads(said)["detail"] == "Only files that this page made are served."


UPLOAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="run.trace"\r\n\r\n'


def upload(server: Server, content: bytes, of: str, **how: Any) -> tuple[int, dict[str, str], bytes]:
    body = UPLOAD + content + b"\r\n--x--\r\n"
    return server.ask("POST", "/gradio_api/upload", body, of=of, Content_Type="multipart/form-data; boundary=x", **how)


def test_what_was_sent_is_served_to_whoever_knows_its_name(server):
    status, _, said = upload(server, b"hello", "198.51.100.2")
    assert status == 200
    (path,) = json.loads(said)
    status, headers, content = server.ask("GET", f"/gradio_api/file={path}")
    assert (status, content) == (200, b"hello")
    assert headers["content-disposition"].startswith("attachment")
    assert server.ask("GET", f"/gradio_api/file={path}/../../../../../../../etc/passwd")[0] == 403


# --- too large, too deep, too slow


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def memory(server: Server) -> int:
    """Bytes, once the model is there: a server answers before, and loading it takes more than any request may."""
    until(lambda: json.loads(server.ask("GET", "/health")[2])["model"] == "ready", 120)
    return psutil.Process(server.process.pid).memory_info().rss


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/call/record", "/nothing"])
def test_thirty_megabytes_are_refused_and_take_no_memory(server, path, chunked):
    server.ask("GET", "/health")
    before = memory(server)
    body = b"[" + b" " * 30_000_000 + b"]"
    status, headers, said = server.ask("POST", path, body, of="198.51.100.3", chunked=chunked)
    assert status == 413
    said = json.loads(said)
    assert (said["bound"], said["allowed"]) == ("body_bytes", 2 * 2**20)
    assert "2,097,152" in said["detail"]
    assert memory(server) - before < 15 * 2**20


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_that_is_too_large_is_refused_and_nothing_of_it_stays(server, chunked):
    before = memory(server)
    status, _, said = upload(server, b"x" * (65 * 2**20), f"198.51.100.{4 + chunked}", chunked=chunked)
    assert status == 413
    assert json.loads(said)["bound"] == "upload_bytes"
    assert memory(server) - before < 30 * 2**20
    assert value(server, "passing_bytes") < 2**20


def test_of_a_file_that_is_not_sent_to_its_end_nothing_stays(server):
    before = value(server, "passing_bytes")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as leaves:
        head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.14\r\n"
        leaves.sendall(head + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n")
        leaves.sendall(UPLOAD + b"x" * 2_000_000)
        until(lambda: value(server, "passing_bytes") > before + 10**6)
    until(lambda: value(server, "passing_bytes") == before)


def test_a_long_prompt_is_told_how_long_it_may_be(server):
    event, said = server.call("record", "a " * 500_000, {}, "", None, of="198.51.100.6")
    assert event == "error"
    assert "1,000,000 characters, and at most 40,000 are taken" in said
    status, _, said = server.ask("POST", "/gradio_api/call/record", {"data": ["a " * 600_000]}, of="198.51.100.6")
    assert (status, json.loads(said)["bound"]) == (413, "value_bytes")


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/call/record", "/gradio_api/run/predict"])
@pytest.mark.parametrize("body", [b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'{"a":' * 10_000])
def test_ten_thousand_levels_are_refused(server, path, body):
    status, _, said = server.ask("POST", path, body, of="198.51.100.7")
    assert (status, json.loads(said)["bound"]) == (400, "json_depth")


def test_a_body_that_dribbles_in_is_not_waited_for(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
        slow.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        start = time.monotonic()
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - start < 15


# --- junk


JUNK = [
    ("/gradio_api/queue/join", {"data": [], "fn_index": 10**6, "session_hash": "a"}),
    ("/gradio_api/queue/join", {"data": [], "fn_index": 0, "session_hash": "../../etc"}),
    ("/gradio_api/queue/join", {"data": [], "fn_index": 0, "session_hash": ["a"]}),
    ("/gradio_api/queue/join", {"fn_index": "x", "session_hash": "a"}),
    ("/gradio_api/queue/join", {"data": [], "session_hash": "a", "trigger_id": 10**9}),
    ("/gradio_api/queue/join", []),
    ("/gradio_api/run/predict", {"data": ["x"] * 3, "fn_index": 1, "session_hash": "b"}),
    ("/gradio_api/run/predict", {"data": [{"a": 1}] * 50, "fn_index": 2}),
    ("/gradio_api/run/nothing", {"data": []}),
    ("/gradio_api/run/step", {"data": [], "fn_index": "0"}),  # another function than the one that is named
    ("/gradio_api/run/record", {"data": ["Once", {"max_new_tokens": 1}, "", None]}),  # past the queue
    ("/gradio_api/call/nothing", {"data": []}),
    ("/gradio_api/call/v2/nothing", {"prompt": "x"}),
    ("/gradio_api/call/v2/record", {"nothing": "x"}),
    ("/gradio_api/cancel", {"session_hash": 1, "fn_index": "x", "event_id": None}),
    ("/gradio_api/upload", {"data": []}),
]


@pytest.mark.parametrize(("path", "body"), JUNK)
def test_junk_is_answered_without_a_word_about_the_server(server, path, body):
    status, _, said = server.ask("POST", path, body, of="198.51.100.8")
    assert 400 <= status < 600
    for secret in (str(ROOT), str(Path(sys.executable).parents[1]), "Traceback", ".py", str(Path.home()) + "/"):
        assert secret not in said.decode()


def test_junk_in_the_queue_fails_in_words_and_writes_no_traceback(server):
    config = json.loads(server.ask("GET", "/config")[2])
    events = [d["id"] for d in config["dependencies"] if d["backend_fn"]]
    assert len(events) > 20
    for index in events:
        body = {"data": [], "fn_index": index, "session_hash": f"junk{index}", "event_data": 7}
        status, _, said = server.ask("POST", "/gradio_api/run/predict", body, of=f"192.0.2.{index}")
        past_the_queue = "does not accept direct HTTP POST requests" in said.decode()
        assert (status == 404 and past_the_queue) or "does not fit what it asks for" in json.loads(said)["error"]
        assert server.ask("POST", "/gradio_api/queue/join", body, of=f"192.0.2.{index}")[0] == 200
        stream = server.ask("GET", f"/gradio_api/queue/data?session_hash=junk{index}", of=f"192.0.2.{index}")[2]
        assert b'"success":false' in stream
    for line in server.lines():
        assert "Traceback" not in line, line


def test_a_bug_is_told_as_a_number_that_the_log_has(server):
    of = "198.51.100.9"
    _, said = server.call("record", "Once", {"num_beams": 2, "max_new_tokens": 2}, "", None, of=of)
    event, said = server.call("tree", json.loads(said)[0]["run"], 0, -1, of=of)
    assert event == "error"
    number = re.search(r"error ([0-9a-f]{8})", said)[1]
    assert "secret" not in said
    (line,) = [json.loads(line) for line in server.lines() if number in line]
    assert line["level"] == "error"
    assert "/home/someone/secret" in line["traceback"]


# --- how often


def run_body(n: int, tab: str) -> dict[str, Any]:
    return {"data": ["Once", {"max_new_tokens": 1}, "", None], "session_hash": f"{tab}", "event_id": str(n)}


def record_index(server: Server) -> int:
    config = json.loads(server.ask("GET", "/config")[2])
    return next(d["id"] for d in config["dependencies"] if d["api_name"] == "record")


def test_a_tab_that_asks_for_too_many_runs_is_told_when_to_come_again(server):
    index, of = record_index(server), "203.0.113.1"
    asked = [
        server.ask("POST", "/gradio_api/queue/join", {**run_body(n, "tab"), "fn_index": index}, of=of) for n in range(4)
    ]
    assert [status for status, _, _ in asked] == [200, 200, 200, 429]
    status, headers, said = asked[-1]
    assert 1 <= int(headers["retry-after"]) <= 60
    assert (json.loads(said)["bound"], json.loads(said)["allowed"]) == ("tab_runs", 3)
    _, _, said = server.ask(
        "POST", "/gradio_api/queue/join", {**run_body(4, "tab"), "fn_index": index}, of=of, Accept_Language="zh-CN"
    )
    assert "每分钟最多接受 3 次" in json.loads(said)["detail"]


def test_an_address_cannot_ask_for_more_by_more_tabs_or_by_writing_its_own_header(server):
    body = {"data": ["Once", {"max_new_tokens": 1}, "", None]}
    asked = [server.ask("POST", "/gradio_api/call/record", body, of=f"9.9.9.{n}, 203.0.113.2") for n in range(6)]
    assert [status for status, _, _ in asked] == [200] * 5 + [429]
    assert server.ask("POST", "/gradio_api/call/record", body, of="203.0.113.2, 203.0.113.3")[0] == 200


def test_a_tab_that_asks_too_often_is_refused_and_answered_a_moment_later(server):
    body = {"data": [], "fn_index": 10**6, "session_hash": "often"}
    asked = [server.ask("POST", "/gradio_api/queue/join", body, of="203.0.113.4")[0] for _ in range(60)]
    assert asked[0] == 404
    assert 429 in asked
    time.sleep(2.1)
    assert server.ask("POST", "/gradio_api/queue/join", body, of="203.0.113.4")[0] == 404


def test_an_address_has_so_many_requests_open_and_files_sent_and_no_more(server):
    with ExitStack() as open_ones:
        for n in range(4):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            head = f"GET /gradio_api/heartbeat/open{n} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n"
            one.sendall(head.encode())
            assert one.recv(100).startswith(b"HTTP/1.1 200")
        status, headers, said = server.ask("GET", "/config", of="203.0.113.5")
        assert (status, json.loads(said)["bound"]) == (503, "address_open")
        assert int(headers["retry-after"]) >= 1
        assert server.ask("GET", "/config", of="203.0.113.6")[0] == 200
        assert server.ask("GET", "/health", of="203.0.113.5")[0] == 200  # whoever looks after it always gets in
    assert [upload(server, b"x", "203.0.113.7")[0] for _ in range(4)] == [200, 200, 200, 429]


# --- for whoever looks after it


def numbers(server: Server) -> bytes:
    status, headers, said = server.ask("GET", "/metrics", Authorization=f"Bearer {KEY}")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    return said


def value(server: Server, name: str) -> float:
    found = re.search(rf"^{re.escape('decoding_explorer_' + name)} (\S+)$", numbers(server).decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_health_says_how_the_model_stands(server):
    server.call("record", "Once", {"max_new_tokens": 1}, "", None, of="203.0.113.10")
    status, headers, said = server.ask("GET", "/health")
    assert (status, json.loads(said)) == (200, {"status": "ok", "model": "ready"})
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer 1", f"Bearer {KEY}x", KEY[:-1], "Bearer \xff"])
def test_the_numbers_are_for_those_who_have_the_key(server, shown):
    assert server.ask("GET", "/metrics", Authorization=shown)[0] == 401


def test_the_numbers_are_closed_unless_they_were_opened(app_url):
    own = Server(port=int(app_url.rpartition(":")[2]), process=None, log=None)
    assert own.ask("GET", "/metrics")[0] == 404
    assert own.ask("GET", "/health")[0] == 200


def test_a_run_is_counted_and_is_one_line_of_the_log_without_its_words(server):
    prompt, finished = "Zanzibar quokka", 'runs_total{kind="run",outcome="finished"}'
    before, tokens = value(server, finished), value(server, "tokens_total")
    _, said = server.call("record", prompt, {"max_new_tokens": 5}, "", None, of="203.0.113.11")
    recorded = json.loads(said)[0]
    assert value(server, finished) == before + 1
    assert value(server, "tokens_total") == tokens + len(recorded["tokens"])
    assert value(server, 'run_seconds_count{kind="run"}') >= 1
    runs = [json.loads(line) for line in server.lines() if '"event": "run"' in line]
    assert runs[-1] | {"time": "", "run": "", "milliseconds": 0} == {
        "time": "", "level": "info", "event": "run", "logger": "app.serving.operation", "run": "", "kind": "run",
        "model": "smollm2-135m", "steps": 5, "tokens": 5, "milliseconds": 0, "outcome": "finished",
    }  # fmt: skip
    assert runs[-1]["milliseconds"] > 0
    assert "Zanzibar" not in "\n".join(server.lines())


def test_refusals_are_counted_by_bound_and_what_stands_there_is_looked_up(server):
    before = value(server, 'refusals_total{bound="json_depth"}')
    server.ask("POST", "/gradio_api/queue/join", b"[" * 100, of="203.0.113.12")
    assert value(server, 'refusals_total{bound="json_depth"}') == before + 1
    text = numbers(server).decode()
    for name in ("queue_length", "sessions", "kept_bytes", "passing_bytes"):
        assert re.search(rf"^decoding_explorer_{name} [0-9.e+]+$", text, re.MULTILINE), name
    assert "process_resident_memory_bytes" in text


def test_every_line_of_the_log_is_json(server):
    lines = [line for line in server.lines() if line.strip()]
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict)


# --- its end


def test_a_server_that_is_stopped_ends_its_run_after_a_step_and_says_so(lm, tmp_path):
    with serving(tmp_path) as server:
        said = []
        settings = {"max_new_tokens": 500, "eos_token_id": [49151], "do_sample": True, "seed": 1}
        of = "203.0.113.20"

        def call() -> None:
            said.append(server.call("record", "Once upon a time", settings, "", None, of=of))

        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        end = time.monotonic() + 60
        while json.loads(server.ask("GET", "/health")[2])["model"] != "ready":
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(2)  # it decodes
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=30)
        assert time.monotonic() - start < 12
        caller.join(timeout=10)
        assert said[0][0] == "error"
        assert "the server is being stopped; what came before is kept" in said[0][1]
        (run,) = [json.loads(line) for line in server.lines() if '"event": "run"' in line]
        assert run["outcome"] == "server_stopped"
        assert 1 <= run["steps"] < 500
        assert not any("Traceback" in line for line in server.lines())


def test_a_run_that_takes_too_long_keeps_what_came_and_says_so(lm, tmp_path):
    with serving(tmp_path, DECODING_EXPLORER_RUN_SECONDS="1") as server:
        _, said = server.call(
            "record", "Once", {"max_new_tokens": 500, "eos_token_id": [49151]}, "", None, of="203.0.113.21"
        )
        recorded = json.loads(said)[0]
        assert 1 <= recorded["n_steps"] < 500
        assert "broken off after 1 seconds" in recorded["warnings"][-1]
