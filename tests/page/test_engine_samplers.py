"""Samplers of other engines on the real page: their group, what they steer by at each step, verify, a link, what-if."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.export.permalink import decode
from tests.page.conftest import quiet, run_to_the_end

pytestmark = pytest.mark.browser

GIVEN = {"dry_multiplier": "0.8", "top_n_sigma": "1.5", "xtc_probability": "0.8", "xtc_threshold": "0.05",
         "dynatemp_range": "0.4", "mirostat_tau": "3"}  # fmt: skip


def unfold(page: Page) -> None:
    group = page.locator(".dx-group", has=page.locator("#dx-knob-mirostat_tau"))
    if group.get_attribute("open") is None:
        group.locator("summary").click()


@pytest.fixture
def ran(app_url, open_page) -> Page:
    """The page after a run with all that go together."""
    page = open_page(app_url)
    unfold(page)
    for name, value in GIVEN.items():
        page.locator(f"#dx-knob-{name}").fill(value)
    page.locator("#dx-knob-max_new_tokens").fill("6")
    run_to_the_end(page)
    return page


def test_what_they_steer_by_is_said_at_each_step_and_verify_finds_the_run_equal(ran):
    limits = []
    for step in (0, 3):
        ran.locator(".dx-token").nth(step).click()
        reading = ran.locator("#dx-waterfall .dx-reading")
        expect(reading).to_contain_text(f"step {step + 1}")
        quiet(ran)
        limits.append(re.search(r"(?:μ|limit)[^0-9−]*([0-9.]+)", reading.inner_text()))
    assert all(limits) and limits[0][1] != limits[1][1]  # mirostat's, which follows the text
    ran.locator("#dx-verify-button").click()
    expect(ran.locator(".dx-verdict")).to_contain_text("Equal: generate() gives the same tokens")


def test_a_link_has_them_and_a_reload_brings_them_back(ran):
    quiet(ran, 250)
    asked = decode(ran.url.partition("c=")[2])[0]
    assert {name: asked.given[name] for name in GIVEN} == {n: float(v) for n, v in GIVEN.items()}
    ran.reload()
    ran.wait_for_selector(".dx-token")
    quiet(ran, 400)
    unfold(ran)
    for name, value in GIVEN.items():
        expect(ran.locator(f"#dx-knob-{name}")).to_have_value(value)


def test_another_limit_is_tried_without_the_model(ran):
    ran.locator("#dx-knob-mirostat_tau").fill("0.5")
    expect(ran.locator(".dx-whatif")).to_be_visible()
    quiet(ran, 250)
    expect(ran.locator("#dx-waterfall .dx-reading")).to_contain_text("mirostat")


@pytest.mark.parametrize(
    ("given", "message"),
    [({"mirostat_tau": "-1"}, "mirostat_tau must be"), ({"xtc_threshold": "2"}, "xtc_threshold must be"),
     ({"mirostat_tau": "3", "adaptive_target": "0.5"}, "adaptive_target")],
)  # fmt: skip
def test_what_cannot_be_is_said_and_the_page_goes_on(app_url, open_page, given, message):
    page = open_page(app_url)
    unfold(page)
    for name, value in given.items():
        page.locator(f"#dx-knob-{name}").fill(value)
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text(message)
    for name in given:
        page.locator(f"#dx-knob-{name}").fill("")
    page.locator("#dx-knob-max_new_tokens").fill("2")
    run_to_the_end(page)
    expect(page.locator(".dx-message-box")).to_be_hidden()
