"""What the guard is made of: how deep JSON goes, who asks, how often, which files and whose pages."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving.bounds import Bounds
from app.serving.doors import check_door
from app.serving.failures import failures, noted
from app.serving.headers import check_origin
from app.serving.json_bodies import checked_json, depth_of
from app.serving.log_lines import JsonLines
from app.serving.rates import Rates
from app.serving.refusal import Refusal, Refusals
from app.serving.visitors import address_of
from app.text import Text
from tests.conftest import ROOT

PUBLIC = Bounds.read(public=True, environment={})
TEXTS = st.text(alphabet='[]{}"\\,: aé\n', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=20,
)


def deep(value) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deep, inner), default=0)


@given(VALUES)
def test_the_depth_of_json_is_what_a_parser_finds(value):
    assert depth_of(json.dumps(value).encode(), 64) == deep(value)


@given(st.text(alphabet='[]{}"\\,:a', max_size=40))
def test_what_is_no_json_is_never_taken_for_flatter_than_a_parser_goes(text):
    """A parser fails where the text stops being JSON; up to there it has gone no deeper."""
    depth, within, open_text, escaped = 0, 0, False, False
    for character in text:
        if open_text:
            open_text, escaped = escaped or character != '"', character == "\\" and not escaped
        elif character == '"':
            open_text, escaped = True, False
        elif character in "[{":
            within += 1
            depth = max(depth, within)
        elif character in "]}":
            within -= 1
            if within < 0:
                break
    assert depth_of(text.encode(), 64) >= depth


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000 + b"\\", b"[" * 10**6, b"[]" * 500_000, b'{"a":"' * 150_000])
def test_a_hostile_megabyte_is_looked_through_in_no_time(body):
    start = time.perf_counter()
    depth_of(body, 64)
    assert time.perf_counter() - start < 1  # some milliseconds; going back over it would take hours


def test_ten_thousand_levels_are_refused_before_anything_parses_them():
    with pytest.raises(Refusal) as refused:
        checked_json(b"[" * 10_000 + b"]" * 10_000, PUBLIC)
    assert (refused.value.status, refused.value.bound, refused.value.allowed) == (400, "json_depth", 64)
    assert checked_json(b"[" * 64 + b"]" * 64, PUBLIC)


@pytest.mark.parametrize(
    ("body", "bound"),
    [({"data": ["ok", "x" * 2**20]}, "value_bytes"), ({"data": [], "event_data": {"a": "é" * 2**17}}, "event_bytes")],
)
def test_a_value_and_an_event_are_bounded_each(body, bound):
    with pytest.raises(Refusal) as refused:
        checked_json(json.dumps(body, ensure_ascii=False).encode(), PUBLIC)
    assert (refused.value.status, refused.value.bound) == (413, bound)
    assert refused.value.asked > refused.value.allowed


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"a":1}}', b"\xff\xfe[]", b'["\xc3"]'])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(Refusal) as refused:
        checked_json(body, PUBLIC)
    assert refused.value.status == 400


# --- who asks


def scope(*headers: tuple[str, str], client: str = "10.0.0.9", method: str = "GET") -> dict:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": method, "client": (client, 1), "headers": raw}


FORWARDED = ("x-forwarded-for", "6.6.6.6, 203.0.113.7")


def test_an_address_is_taken_from_proxies_only_and_from_the_right():
    assert address_of(scope(FORWARDED), proxies=0) == "10.0.0.9"
    assert address_of(scope(FORWARDED), proxies=1) == "203.0.113.7"  # what stands further left anyone can write
    assert address_of(scope(("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7")), 1) == "203.0.113.7"
    assert address_of(scope(FORWARDED), proxies=3) == "10.0.0.9"
    assert address_of(scope(("x-forwarded-for", "nonsense")), proxies=1) == "unknown"


def test_on_a_space_addresses_of_its_own_network_are_passed_over():
    inner = scope(("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.1.2.3, 10.4.5.6"))
    assert address_of(inner, 1, behind_private=True) == "9.9.9.9"
    assert address_of(inner, 1) == "10.4.5.6"
    assert address_of(scope(("x-forwarded-for", "10.4.5.6")), 1, behind_private=True) == "10.4.5.6"


def test_all_addresses_of_a_home_are_one():
    one, two = (address_of(scope(client=f"2001:db8:1:2::{end}"), 0) for end in ("1", "ffff"))
    assert one == two != address_of(scope(client="2001:db8:1:3::1"), 0)
    assert address_of(scope(client="::ffff:192.0.2.1"), 0) == "192.0.2.1"


# --- how often


def test_one_too_many_is_refused_and_says_when_to_come_again():
    rates = Rates(Bounds.read(public=True, environment={"DECODING_EXPLORER_TAB_RUNS": "3"}))
    for _ in range(3):
        rates.count("tab_runs", "me")
    with pytest.raises(Refusal) as refused:
        rates.count("tab_runs", "me")
    assert (refused.value.status, refused.value.bound, refused.value.allowed) == (429, "tab_runs", 3)
    assert 1 <= refused.value.seconds <= 60
    rates.count("tab_runs", "another")
    assert "Retry-After" in refused.value.response(Text("en")).headers


def test_rates_come_back_with_time():
    rates = Rates(Bounds.read(public=True, environment={"DECODING_EXPLORER_TAB_REQUESTS": "2"}))
    for _ in range(2):
        rates.count("tab_requests", "me")
    with pytest.raises(Refusal):
        rates.count("tab_requests", "me")
    time.sleep(2.1)
    rates.count("tab_requests", "me")


@pytest.mark.parametrize("second", [0, 29, 57, 59.9])
@pytest.mark.parametrize("most", [1, 3])
def test_no_minute_has_one_too_many_wherever_the_clocks_own_minute_ends(monkeypatch, second, most):
    rates = Rates(Bounds.read(public=True, environment={"DECODING_EXPLORER_TAB_RUNS": str(most)}))
    begin, counted = time.time() // 60 * 60 + second, []
    for n in range(400):
        now = begin + n / 2
        monkeypatch.setattr("time.time", lambda now=now: now)
        with suppress(Refusal):
            rates.count("tab_runs", "me")
            counted.append(now)
    assert len(counted) == 4 * most  # in 200 seconds
    assert all(later - first > 60 for first, later in zip(counted, counted[most:], strict=False))


def test_a_clock_that_is_set_back_keeps_nobody_out(monkeypatch):
    rates = Rates(Bounds.read(public=True, environment={"DECODING_EXPLORER_TAB_RUNS": "1"}))
    rates.count("tab_runs", "me")
    an_hour_ago = time.time() - 3600
    monkeypatch.setattr("time.time", lambda: an_hour_ago)
    rates.count("tab_runs", "me")
    with pytest.raises(Refusal):
        rates.count("tab_runs", "me")


def test_nothing_is_left_of_visitors_who_have_gone(monkeypatch):
    monkeypatch.setattr("app.serving.rates.TIDY_EVERY", 2)
    rates = Rates(PUBLIC)
    for n in range(500):
        rates.count("tab_requests", f"tab{n}")
    time.sleep(2.5)
    for _ in range(2):  # what is over is taken out beside the first, its empty entries before the second
        rates.count("tab_requests", "last")
        time.sleep(2.1)
    storage = rates._limiter.storage
    assert len(storage.storage) + len(storage.events) + len(storage.locks) < 10


def test_a_slider_is_never_too_often():
    rates = Rates(PUBLIC)
    for _ in range(90):  # three seconds of a slider's thirty a second, all at once
        rates.count("tab_requests", "me")
        rates.count("address_requests", "home")


def test_ones_own_machine_counts_nothing():
    rates = Rates(Bounds.read(public=False, environment={}))
    for _ in range(2000):
        rates.count("tab_runs", "me")


# --- which files, whose pages


def test_only_files_in_passing_are_served(tmp_path):
    folder = tmp_path / "passing"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "run.json").write_text("{}")
    (tmp_path / "secret").write_text("x")
    (folder / "a" / "link").symlink_to(tmp_path / "secret")
    check_door(f"/gradio_api/file={folder}/a/run.json", folder)
    for name in (
        "https://example.org/x", "http://127.0.0.1/x", "//example.org/x", "/etc/passwd", f"{tmp_path}/secret",
        f"{folder}/../secret", f"{folder}/a/link", "a/run.json", "", "\0", f"{folder}-other/x", "file:///etc/passwd",
    ):  # fmt: skip
        for address in (f"/gradio_api/file={name}", f"/gradio_api/file/{name}"):
            with pytest.raises(Refusal) as refused:
                check_door(address, folder)
            assert refused.value.status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=https://x.hf.space/", "/gradio_api/component_server", "/gradio_api/process_recording",
        "/gradio_api/deep_link", "/gradio_api/vibe-edit", "/gradio_api/dev/reload", "/gradio_api/runs", "/monitoring",
        "/monitoring/summary", "/login", "/gradio_api/stream/x", "/gradio_api/run-history/connect",
    ],
)  # fmt: skip
def test_addresses_that_nothing_uses_are_closed(path, tmp_path):
    with pytest.raises(Refusal) as refused:
        check_door(path, tmp_path)
    assert refused.value.status == 404


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/run/predict", "/gradio_api/queue/join", "/assets/a.js"])
def test_those_of_the_page_are_not(path, tmp_path):
    check_door(path, tmp_path)


HERE, EVIL = ("host", "127.0.0.1:7860"), ("origin", "https://evil.example")


def test_ones_own_machine_answers_its_own_pages():
    assert check_origin(scope(HERE, ("origin", "http://127.0.0.1:7860"), method="POST"), public=False) is None
    local = ("origin", "http://localhost:3000")
    assert check_origin(scope(HERE, local, method="POST"), public=False) == "http://localhost:3000"
    assert check_origin(scope(HERE, EVIL), public=False) is None
    for origin in (EVIL, ("origin", "null"), ("origin", "http://127.0.0.1.evil.example"), ("origin", "http://[")):
        with pytest.raises(Refusal):
            check_origin(scope(HERE, origin, method="POST"), public=False)


def test_a_public_server_answers_all_and_trusts_none():
    host = ("host", "explorer.hf.space")
    assert check_origin(scope(host, EVIL, method="POST"), public=True) == "*"
    assert check_origin(scope(host, ("origin", "https://explorer.hf.space")), public=True) is None
    inner = (("host", "10.0.0.1:7860"), ("x-forwarded-host", "explorer.example"))
    assert check_origin(scope(*inner, ("origin", "https://explorer.example")), public=True) is None


# --- what is said, and what is logged


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_refusal_is_said_in_both_languages(lang):
    for why in ("body", "upload", "value", "event", "slow", "depth", "runs", "requests", "uploads", "open", "room"):
        refusal = Refusal(status=413, why=why, bound="x", asked=3_000_000, allowed=2_097_152, seconds=9)
        said = refusal.said(Text(lang))
        assert "None" not in said
        assert "2,097,152" in said or "9" in said


def test_a_tab_hears_of_its_own_last_refusal_once():
    refusals = Refusals()
    for n in range(3000):
        refusals.note(f"tab{n}", Refusal(status=429, why="runs", allowed=n, seconds=1))
    assert refusals.take("tab2999").allowed == 2999
    assert refusals.take("tab2999") is None
    assert refusals.take("tab0") is None  # forgotten, and so is the memory that it took
    assert refusals.take(None) is None


def test_a_line_of_the_log_is_one_line_of_json_whatever_is_in_it(caplog):
    try:
        raise ValueError('two\nlines, "quotes" and 多语言')
    except ValueError as error:
        number = noted("it failed", error)
    (line,) = [JsonLines().format(record) for record in caplog.records]
    assert "\n" not in line
    said = json.loads(line)
    assert (said["event"], said["level"], said["error_id"]) == ("it failed", "error", number)
    assert "ValueError: two\nlines" in said["traceback"]


def test_junk_is_told_by_a_number_and_a_flood_of_it_fills_no_log(caplog):
    seen = {failures().said(KeyError("/home/someone"), Text("en")) for _ in range(100)}
    assert len(seen) == 100
    assert not any("home" in said for said in seen)
    assert len(caplog.records) <= 30
    assert "Traceback" not in caplog.text


# --- files of strangers


def test_nothing_that_is_read_can_run_code():
    """Of models safetensors are read, of traces plain arrays; ZeroGPU's own worker alone is sent pickles, by us."""
    wrong = (
        r"\bpickle\b", r"(?<!safetensors\.)torch\.load\(", "weights_only=False", "trust_remote_code=True",
        "allow_pickle=True",
    )  # fmt: skip
    runs_code = re.compile("|".join(wrong))
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "decoding")
        for path in (ROOT / folder).rglob("*.py")
        if runs_code.search(re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    }
    assert found == {"app/serving/zero_gpu.py"}
