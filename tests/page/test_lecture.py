"""Lecture mode on the real page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.conftest import quiet

pytestmark = pytest.mark.browser


COLUMNS = "new Set(document.querySelector('#dx-waterfall [data-part=plot]').data[0]?.base).size"  # with a bar


def test_a_step_is_told_stage_by_stage_and_the_token_that_came_last(open_page, app_url):
    page = open_page(app_url)
    came = page.locator(".dx-token[aria-pressed=true]").inner_text()
    whole = page.evaluate(COLUMNS)
    page.keyboard.press("l")
    expect(page.locator(".dx-lecture-sentence")).to_contain_text("The model scores")
    page.wait_for_function(f"{COLUMNS} === 1")
    assert page.locator(".dx-lecture-text mark").inner_text().strip() == "?"
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"{COLUMNS} === 2")
    page.keyboard.press("End")
    expect(page.locator(".dx-lecture-text mark")).to_have_text(came)
    page.wait_for_function(f"{COLUMNS} === {whole}")
    assert not page.locator("#dx-prompt textarea").is_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".dx-lecture-bar")).to_be_hidden()
    expect(page.locator("#dx-prompt textarea")).to_be_visible()


def test_predict_first_hides_a_step_until_it_is_asked_for(open_page, app_url):
    page = open_page(app_url)
    page.locator(".dx-token").nth(0).click()
    quiet(page)
    page.keyboard.press("l")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".dx-token").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".dx-lecture-tools")).to_contain_text("step 2 of")
    expect(page.locator(".dx-lecture-sentence")).to_contain_text("Make a guess")
    assert page.evaluate(COLUMNS) == 0
    page.keyboard.press("Enter")
    expect(page.locator(".dx-lecture-sentence")).to_contain_text("The model scores")


def test_a_letter_that_is_typed_is_a_letter(open_page, app_url):
    page = open_page(app_url)
    page.locator("#dx-prompt textarea").fill("")
    page.locator("#dx-prompt textarea").press_sequentially("l p")
    assert page.locator("#dx-prompt textarea").input_value() == "l p"
    assert page.locator(".dx-lecture-bar").is_hidden()


def test_a_sampled_run_plays(open_page, app_url):
    page = open_page(app_url)
    last = page.locator(".dx-token").count() - 1
    page.locator(".dx-token").nth(last - 1).click()
    page.locator("#dx-tokens [data-part=play]").click()
    expect(page.locator(".dx-token").nth(last)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#dx-tokens [data-part=play]")).to_have_text("▶︎")
