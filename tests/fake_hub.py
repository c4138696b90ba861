"""A Hub of a few folders on 127.0.0.1, for the code that downloads models."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def fake_hub(repos: dict[str, Path], gated: set[str] = frozenset()) -> Iterator[str]:
    """The address of a server that answers as the Hub does for these repositories."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/"):
                self._info(path.removeprefix("/api/models/"))
            elif "/resolve/" in path:
                self._file(*path.lstrip("/").split("/resolve/"))
            else:
                self._answer(404)

        do_HEAD = do_GET

        def _info(self, repo: str) -> None:
            repo, _, revision = repo.partition("/revision/")
            if repo not in repos:
                self._answer(401, error="RepoNotFound")
            elif revision not in ("", "main", COMMIT):
                self._answer(404, error="RevisionNotFound")
            else:
                files = [
                    {"rfilename": str(path.relative_to(repos[repo])), "size": path.stat().st_size}
                    for path in sorted(repos[repo].rglob("*"))
                    if path.is_file()
                ]
                info = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": files, "tags": []}
                self._answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

        def _file(self, repo: str, revision_and_name: str) -> None:
            revision, _, name = revision_and_name.partition("/")
            path = repos.get(repo, Path()) / name
            error = (
                "RepoNotFound" if repo not in repos
                else "GatedRepo" if repo in gated
                else "RevisionNotFound" if revision not in ("main", COMMIT)
                else "EntryNotFound" if not path.is_file()
                else None
            )  # fmt: skip
            if error:
                self._answer({"RepoNotFound": 401, "GatedRepo": 403}.get(error, 404), error=error)
                return
            body = path.read_bytes()
            self._answer(200, body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT})

        def _answer(
            self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, error: str = ""
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if error:
                self.send_header("X-Error-Code", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
