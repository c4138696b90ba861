"""Files on their way to a visitor have an owner and an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from app.serving import passing_files
from app.serving.passing_files import FORGOTTEN, LIVES, PREFIX, PassingFiles
from tests.conftest import ROOT, _free_port, _wait_until_it_answers

pytestmark = pytest.mark.slow  # processes of their own, which import everything anew

SECRET = b"a prompt that nobody else may read"


def within(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_file_lies_in_a_folder_of_its_own_that_others_cannot_read(tmp_path):
    files = PassingFiles(tmp_path)
    paths = [files.new("run.json") for _ in range(2)]
    assert {path.name for path in paths} == {"run.json"} and paths[0] != paths[1]
    assert all(len(path.parent.name) == 32 and path.parent.is_dir() for path in paths)
    if os.name == "posix":
        assert files.folder.stat().st_mode & 0o777 == 0o700


def test_what_has_lain_for_long_enough_goes_with_its_folder_and_the_rest_stays(tmp_path, monkeypatch):
    files, now = PassingFiles(tmp_path), time.monotonic()
    old = files.new("run.json")
    old.write_bytes(SECRET)
    os.utime(old, (1, 1))  # as of a copy, which keeps the time of its original
    files.sweep()
    assert old.exists()
    monkeypatch.setattr(passing_files.time, "monotonic", lambda: now + LIVES - 5)
    files.sweep()
    assert old.exists()
    monkeypatch.setattr(passing_files.time, "monotonic", lambda: now + LIVES + 5)
    files.sweep()
    assert within(files.folder) == []


def test_a_file_that_is_written_again_lives_from_then_on(tmp_path, monkeypatch):
    files, now = PassingFiles(tmp_path), time.monotonic()
    path = files.new("run.json")
    path.write_bytes(SECRET)
    files.sweep()
    monkeypatch.setattr(passing_files.time, "monotonic", lambda: now + LIVES - 5)
    path.write_bytes(SECRET * 2)
    files.sweep()
    monkeypatch.setattr(passing_files.time, "monotonic", lambda: now + LIVES + 5)
    files.sweep()
    assert path.exists()


def test_a_clock_that_is_set_by_a_day_takes_nothing_away_and_keeps_nothing(tmp_path, monkeypatch):
    files, now = PassingFiles(tmp_path), time.monotonic()
    for jump in (86_400, -86_400):
        path = files.new("run.json")
        path.write_bytes(SECRET)
        os.utime(path, (time.time() - jump,) * 2)
        monkeypatch.setattr(passing_files.time, "time", lambda jump=jump: 1.8e9 + jump)
        files.sweep()
        assert path.exists()
        monkeypatch.setattr(passing_files.time, "monotonic", lambda: now + 3 * LIVES)
        files.sweep()
        assert not path.exists()
        monkeypatch.undo()


def test_the_folder_goes_with_the_process_and_not_with_one_forked_from_it(tmp_path):
    files = PassingFiles(tmp_path)
    files.new("run.json").write_bytes(SECRET)
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            files.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert files.folder.exists()
    files.close()
    assert within(tmp_path) == []


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else(tmp_path):
    old, young, link, other = (tmp_path / name for name in (f"{PREFIX}old", f"{PREFIX}young", f"{PREFIX}link", "mine"))
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "run.json").write_bytes(SECRET)
    link.symlink_to(other)
    long_ago = time.time() - FORGOTTEN - 60
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    PassingFiles(tmp_path)
    assert not old.exists() and young.exists() and link.exists() and (other / "run.json").exists()


def test_a_folder_that_is_in_use_is_not_taken_for_a_forgotten_one(tmp_path):
    files = PassingFiles(tmp_path)
    os.utime(files.folder, (1, 1))
    files.sweep()
    PassingFiles(tmp_path)
    assert files.folder.exists()


def test_a_folder_that_a_cleaner_took_away_is_made_again(tmp_path):
    files = PassingFiles(tmp_path)
    files.folder.rmdir()
    files.new("run.json").write_bytes(SECRET)
    files.folder.chmod(0o700)
    assert len(within(files.folder)) == 2


def heeds_ctrl_c() -> None:
    """In a child: a shell has what it starts in the background ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_told_to_end_leaves_nothing(tmp_path, end):
    port, log, temporary = _free_port(), tmp_path / "server.log", tmp_path / "temporary"
    temporary.mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    with log.open("wb") as out:
        command = [sys.executable, "-X", "faulthandler", "-m", "app", "serve", "--port", str(port), "--no-browser"]
        server = subprocess.Popen(
            command, cwd=ROOT, env={**variables, "TMPDIR": str(temporary)}, stdout=out, stderr=out,
            preexec_fn=heeds_ctrl_c,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(url, server, log)
        upload(url)
        (folder,) = temporary.glob(f"{PREFIX}*")
        assert SECRET in [path.read_bytes() for path in within(folder) if path.is_file()]
        server.send_signal(end)
        try:
            assert server.wait(timeout=60) in (0, 130)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGABRT)  # it writes where its threads are
            server.wait()
            pytest.fail(f"it goes on:\n{log.read_text()[-8000:]}")
    finally:
        server.kill()
        server.wait()
    assert not folder.exists()
    assert [path for path in within(temporary) if path.is_file()] == []  # libraries make folders, and leave them empty


LOSES_ONE = """
import threading, time
from app.serving import tidying
tidying.INSIST = 3.0
tidying.end_in_order()
threading.Thread(target=time.sleep, args=(100,)).start()  # for which Python would wait
try:
    print("ready", flush=True)
    time.sleep(100)
except KeyboardInterrupt:
    print("lost", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_end_that_was_lost_is_said_again(end):
    process = subprocess.Popen(
        [sys.executable, "-c", LOSES_ONE], cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=heeds_ctrl_c
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(end)
        assert process.stdout.readline() == "lost\n"
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()


def upload(url: str) -> None:
    """A file, as a browser sends it."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.trace"\r\n\r\n'
    body = head + SECRET + b"\r\n--x--\r\n"
    request = urllib.request.Request(
        f"{url}/gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
