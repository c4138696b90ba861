"""The heat map on the real page."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import quiet, run_to_the_end

pytestmark = pytest.mark.browser

CELLS = ".dx-heat [data-part=map]"
MAP = ".dx-heat [data-part=scroll]"
LISTEN = """() => {
  window.told = [];
  for (const name of ["dx-go", "dx-candidate", "dx-beam-pick"])
    document.addEventListener(name, (event) => window.told.push([name, event.detail]));
}"""
SET = "given => document.dispatchEvent(new CustomEvent('dx-set-knobs', { detail: { mode: 'sample', given } }))"
GIVEN = "dx.knobForm.given"


def drawn(page: Page) -> str:
    """The key, the row and how many columns are drawn."""
    return page.locator(".dx-heat").get_attribute("data-drawn")


def whole(page: Page, n: int) -> None:
    page.wait_for_selector(f'.dx-heat[data-drawn$=".{n}"]')


def told(page: Page) -> list:
    return page.evaluate("window.told.splice(0)")


def test_it_shows_every_step_goes_where_it_is_clicked_and_follows_the_settings_tried(app_url, open_page, example):
    page = open_page(app_url, height=1000)
    n = len(example.steps)
    whole(page, n)
    page.locator(".dx-heat summary").click()
    rows = page.locator(".dx-heat tbody tr")
    expect(rows).to_have_count(n)
    chosen = example.steps[0].token_ids[0]
    expect(rows.first.locator("td").first).to_have_text(example.tokens.text(chosen).replace("␠", "␣"))
    page.evaluate(LISTEN)
    cell = {"position": {"x": 60, "y": 44}}
    page.locator(CELLS).hover(**cell)
    tip = page.locator(".dx-heat [data-part=tip]")
    expect(tip).to_contain_text("rank 1")
    page.locator(CELLS).click(**cell)
    (go, at), (candidate, what) = told(page)
    assert (go, candidate, at["step"]) == ("dx-go", "dx-candidate", what["step"])
    assert what["token_id"] == int(example.scores(step=at["step"]).argmax())
    before, left = drawn(page), rows.first.locator("td").nth(3).inner_text()
    page.evaluate(SET, {**page.evaluate(GIVEN), "top_k": 3})
    page.wait_for_function("before => document.querySelector('.dx-heat').dataset.drawn !== before", arg=before)
    whole(page, n)
    expect(rows.first.locator("td").nth(3)).not_to_have_text(left)
    assert max(int(text) for text in rows.locator("td:nth-child(5)").all_inner_texts()) <= 3


def test_the_keys_walk_through_it_and_take_a_closer_look(app_url, open_page, example):
    page = open_page(app_url, width=390)
    whole(page, len(example.steps))
    page.evaluate(LISTEN)
    page.locator(".dx-token").nth(1).click()
    quiet(page)
    page.focus(MAP)
    page.keyboard.press("ArrowRight")
    assert ["dx-go", {"row": 0, "step": 2}] in told(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".dx-heat [data-part=said]")).to_contain_text("rank")
    page.keyboard.press("Enter")
    ((name, what),) = [each for each in told(page) if each[0] == "dx-candidate"]
    assert what["token_id"] in range(49_152)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_of_a_beam_search_its_rows_are_the_beams_and_a_click_goes_to_the_candidate(app_url, open_page):
    page = open_page(app_url, locale="zh-CN")
    page.locator("#dx-knob-max_new_tokens").fill("5")
    page.locator("input[name=dx-mode][value=beam_search]").check(force=True)
    run_to_the_end(page)
    whole(page, 5)
    page.evaluate(LISTEN)
    page.locator(CELLS).click(position={"x": 60, "y": 28})
    (_, picked), (_, candidate) = told(page)
    assert picked["step"] == candidate["step"] == 0
    assert json.loads(page.evaluate("JSON.stringify(dx.about)"))["rank"] == picked["rank"]
    expect(page.locator(".dx-heat h2")).to_have_text("整个运行")
