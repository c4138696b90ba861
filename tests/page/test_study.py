"""A study's page, opened from its folder with the network off."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.cli.study import _write_pages
from decoding.studies import STUDIES, conduct
from tests.page.conftest import PATIENCE
from tests.page.test_accessibility import grave_findings
from tests.test_studies import TEXTS
from tests.tiny_models import tiny_lm

pytestmark = pytest.mark.browser

HEIGHT = 900


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A whole study of a tiny model, with a page for each of its traces."""
    where = tmp_path_factory.mktemp("study")
    _write_pages(conduct(STUDIES["min-p"], tiny_lm(), TEXTS, where), where, with_runs=True)
    return where


@pytest.fixture
def opened(browser: Browser, folder: Path):
    """The study's page; the test fails on any error, any message, any request."""
    contexts, troubles = [], []

    def open_it(width: int = 1280, **more) -> Page:
        context = browser.new_context(viewport={"width": width, "height": HEIGHT}, offline=True, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("console", lambda message: troubles.append(f"console: {message.text}"))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else troubles.append(r.url))
        page.goto((folder / "study.html").as_uri())
        expect(page.locator("#dx-opening")).to_be_hidden()
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not troubles


def test_a_click_on_a_point_reaches_its_runs(opened):
    page = opened()
    runs = page.locator('[data-panel="1"]')
    expect(page.locator("#dx-figure-1 .scatterlayer .point").first).to_be_visible()
    last = page.locator("#dx-figure-1 .scatterlayer .trace").nth(1).locator(".point").last
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(runs.locator("[data-part=said]")).to_contain_text("min_p = 0.1, temperature 3")
    expect(runs.locator("li")).to_have_count(6)
    runs.locator("li a").first.click()
    page.wait_for_url("**/runs/min_p-temperature-3-00.html")
    expect(page.locator("#dx-tokens .dx-token").first).to_be_visible()
    expect(page.locator("#dx-notes")).to_contain_text("min_p")


def test_the_keyboard_reaches_the_runs_of_every_point(opened):
    page = opened()
    runs = page.locator('[data-panel="0"]')
    runs.locator("select").focus()
    page.keyboard.press("ArrowDown")
    expect(runs.locator("[data-part=said]")).to_contain_text("top_p = 0.9, temperature 1:")
    expect(runs.locator("option")).to_have_count(10)


def test_on_a_phone_nothing_sticks_out(opened):
    page = opened(390, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_used_by_everybody(opened, scheme):
    page = opened(color_scheme=scheme)
    assert page.locator("body.dark").count() == (scheme == "dark")
    assert grave_findings(page) == []
