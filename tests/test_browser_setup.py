"""Which browser the browser tests take, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import browser as setup


def test_the_variable_names_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/my/chromium")
    assert setup.find_browser() == "/opt/my/chromium"


def test_a_browser_on_the_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = tmp_path / "google-chrome"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.find_browser() == str(found)


def test_where_none_can_be_had_the_set_up_fails_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(setup, "find_browser", lambda: None)
    monkeypatch.setattr(setup, "install_browser", lambda: None)
    assert setup.main() == 1
    assert "set the variable CHROMIUM" in capsys.readouterr().err


def test_debian_as_root_installs_from_its_own_packages_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    answers = iter(["/usr/bin/chromium"])
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup.subprocess, "run", lambda command, **options: ran.append(command))
    monkeypatch.setattr(setup, "find_browser", lambda: next(answers))
    setup.install_browser()
    assert [command[:2] for command in ran] == [["apt-get", "update"], ["apt-get", "install"]]


def test_elsewhere_playwright_downloads_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setattr(setup.subprocess, "run", lambda command, **options: ran.append(command))
    monkeypatch.setattr(setup, "find_browser", lambda: None)
    setup.install_browser()
    assert [command[1:] for command in ran] == [["-m", "playwright", "install", "chromium"]]
