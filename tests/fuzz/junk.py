"""What may be sent to a server by anybody: to each of its events and endpoints, and where there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.soak.site import API, Event

__all__ = ["Request", "requests"]

SHORT_RUN = json.dumps({"mode": "greedy", "given": {"max_new_tokens": 2}})
LONG = 200_000  # characters of the longest texts
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
PATHS = (
    "/", "/config", "/config/", "/dx/js/dx.js", "/dx/js/..%2f..%2fREADME.md", "/dx/../app/space.py", "/theme.css",
    "/robots.txt", "/manifest.json", "/favicon.ico", "/login", "/logout", "/mcp", "/mcp/sse", "/gradio_api/mcp/sse",
    f"{API}/info", f"{API}/info?serialize=x", f"{API}/openapi.json", f"{API}/startup-events", f"{API}/queue/status",
    f"{API}/file=/etc/passwd", f"{API}/file=..%2f..%2fetc%2fpasswd", f"{API}/file=%00",
    f"{API}/proxy=http://127.0.0.1:1/",
    f"{API}/upload", f"{API}/upload_progress?upload_id=x", f"{API}/component_server", f"{API}/cancel", f"{API}/reset",
    f"{API}/stream/x", f"{API}/stream/x/close", f"{API}/stream/a/b/1/playlist.m3u8", f"{API}/deep_link?session_hash=x",
    f"{API}/queue/data?session_hash=nobody", f"{API}/queue/data", f"{API}/call/record/nothing", f"{API}/call/nothing",
    f"{API}/runs", f"{API}/run-history/records", f"{API}/run-history/connect", f"{API}/run/nothing", f"{API}/token",
    f"{API}/custom_component/x/y/z/w", f"{API}/app_id", f"{API}/dev/reload", f"{API}/vibe-code",
    "/monitoring", "/monitoring/x",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2**31, 2**63, -(2**63), 10**300, 1.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"))
WORDS = (
    "", " ", "\0", "\ud800", "\u202e", "\u200d" * 50, "<script>alert(1)</script>", "../../etc/passwd", "{{7*7}}",
    "%s%n", "null", "[]", "{}", "[" * 3000, '{"row": 1e999}', '{"run": 0, "row": 0, "step": 1}', "x" * LONG,
    "🧑‍🚀" * 500,
    '{"mode": "sample", "given": {"top_p": "a"}}', '{"mode": "beam_search", "given": {"num_beams": 1e9}}', SHORT_RUN,
    '{"mode": "contrastive_search", "given": {"top_k": -1, "penalty_alpha": NaN}}', "---\n---\n---",
)  # fmt: skip
KNOBS = ("temperature", "top_p", "top_k", "min_p", "num_beams", "seed", "stop_strings", "bad_words_ids")
NAMES = (
    "run", "row", "step", "rank", "prompt", "about", "form", "turn", "have", "token_id", "number", "name", "tab",
    "place",
    "wanted", "id", "lang", "kind", "text", "word", "query", "key", "value", "path", "url", "meta", "_type", "__type__",
    "orig_name", "size", "is_file", "data", "format", "what", "tid", "offset", "upto", "from", "row_from",
)  # fmt: skip

numbers = st.sampled_from(NUMBERS) | st.integers(-3, 60)
texts = st.sampled_from(WORDS) | st.text(max_size=30)
places = st.fixed_dictionaries(
    {"run": st.integers(-1, 3), "row": st.integers(-1, 2), "step": st.integers(-1, 30)},
    optional={"rank": numbers, "prompt": numbers},
)
forms = st.builds(
    lambda mode, given: json.dumps({"mode": mode, "given": given}),
    st.sampled_from(("greedy", "sample", "beam_search", "x", None, 3)),
    st.dictionaries(
        st.sampled_from(KNOBS),
        numbers | texts | st.lists(numbers, max_size=3), max_size=3,
    ).map(lambda given: {"max_new_tokens": 2, **given}),
)  # fmt: skip
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars | places | forms,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
# As an event of the page would say it, with some of it wrong.
payloads = st.dictionaries(st.sampled_from(NAMES), values, max_size=6).flatmap(
    lambda fields: st.just(fields) | places.map(lambda place: {**fields, "about": place})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        what: for the report: the door, in few words.
        body: sent as it is.
        stream: the answer may go on for ever, and is not read to its end.
    """

    what: str
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def requests(events: list[Event], names: list[str], visitors: list[str]) -> st.SearchStrategy[Request]:
    """Any of them.

    Args:
        events: of the page and the API.
        names: of the API's endpoints.
        visitors: who are there already, with runs of their own.
    """
    visitor = st.sampled_from(visitors) | texts | st.none() | numbers
    return st.one_of(
        _to_events(events, visitor, visitors), _to_events(events, visitor, visitors),
        _to_events(events, visitor, visitors), _to_endpoints(names), _to_endpoints(names),
        _elsewhere(), _raw(), _links(),
    )  # fmt: skip


def _to_events(events: list[Event], visitor: st.SearchStrategy[Any], known: list[str]) -> st.SearchStrategy[Request]:
    def of(event: Event) -> st.SearchStrategy[Request]:
        fitting = st.lists(values | forms, min_size=event.n_inputs, max_size=event.n_inputs)
        data = fitting | fitting | st.lists(values, max_size=8) | values
        body = st.fixed_dictionaries(
            {"data": data, "fn_index": st.just(event.index), "session_hash": st.sampled_from(known) | visitor},
            optional={"event_data": payloads | values, "trigger_id": numbers, "event_id": texts, "batched": values},
        )
        path = f"{API}/queue/join" if event.queued else f"{API}/run/predict"
        return body.map(lambda said: _json(f"event {event.index} {event.name}", path, said))

    return st.sampled_from(events).flatmap(of)


def _to_endpoints(names: list[str]) -> st.SearchStrategy[Request]:
    def of(name: str) -> st.SearchStrategy[Request]:
        settings = forms.map(lambda form: json.loads(form)["given"]) | values
        data = st.tuples(texts, settings).map(list) | st.lists(values, max_size=5) | values
        path = st.sampled_from([f"{API}/{how}/{name}" for how in ("call", "run", "call/v2", "api")])
        body = st.fixed_dictionaries({"data": data}) | values
        return st.builds(lambda where, said: _json(f"endpoint {name}", where, said), path, body)

    return st.sampled_from(names).flatmap(of)


def _elsewhere() -> st.SearchStrategy[Request]:
    junk = st.text(max_size=20).map(lambda text: "/" + _quoted(text))
    path = st.sampled_from(PATHS) | junk | junk.map(lambda text: API + text)
    return st.builds(
        lambda method, where, said: Request(
            what=f"{method} {where[:40]}", method=method, path=where, headers={"content-type": "application/json"},
            body=b"" if method in ("GET", "HEAD", "OPTIONS") else _written(said),
        ),
        st.sampled_from(METHODS), path, values,
    )  # fmt: skip


def _raw() -> st.SearchStrategy[Request]:
    """What is no JSON, or says that it is something else."""
    doors = (f"{API}/queue/join", f"{API}/run/predict", f"{API}/call/record", f"{API}/upload",
             f"{API}/component_server", f"{API}/cancel", f"{API}/reset")  # fmt: skip
    kinds = ("application/json", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", "",
             "application/x-www-form-urlencoded", "x" * 3000)  # fmt: skip
    bodies = st.binary(max_size=200) | st.sampled_from((
        b"", b"{", b"[" * 50_000, b'{"a":' * 20_000, b"\xff\xfe", b"null", b"1e999", b'{"data": NaN, "fn_index": 0}',
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="../a"\r\n\r\nabc\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.trace"\r\n\r\nPK\x03\x04\r\n--x--\r\n',
        b"--x",
        b'{"fn_index": 99999, "data": [], "session_hash": "a"}', b'{"fn_index": -1, "data": [], "session_hash": "a"}',
        b'{"fn_index": null, "data": null, "session_hash": "a"}', b'{"data": [], "data": [], "session_hash": ""}',
    ))  # fmt: skip
    return st.builds(
        lambda path, kind, body: Request(
            what=f"raw {path}", method="POST", path=path, body=body, headers={"content-type": kind} if kind else {},
        ),
        st.sampled_from(doors), st.sampled_from(kinds), bodies,
    )  # fmt: skip


def _links() -> st.SearchStrategy[Request]:
    """The page under an address that says anything."""
    words = st.sampled_from(("?c=", "?lang=", "?__theme=", "?c=%00&lang=", "?c=eyJ"))
    return st.builds(
        lambda word, text: Request(what=f"GET /{word}", method="GET", path=f"/{word}{_quoted(text[:2000])}"),
        words, texts,
    )  # fmt: skip


def _json(what: str, path: str, said: Any) -> Request:
    kind = {"content-type": "application/json"}
    return Request(what=what, method="POST", path=path, body=_written(said), headers=kind)


def _written(said: Any) -> bytes:
    return json.dumps(said).encode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="/=&?")
