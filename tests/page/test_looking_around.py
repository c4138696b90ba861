"""The recorded example: tokens, charts, tables, keys, languages, sizes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import quiet

pytestmark = pytest.mark.browser

CHOSEN = ".dx-token[aria-pressed=true]"


def step_in_view(page: Page) -> int:
    return int(page.locator(CHOSEN).get_attribute("data-step"))


def wait_for_charts(page: Page, step: int) -> None:
    page.wait_for_function(
        """step => document.querySelector('#dx-waterfall [data-part=plot]').dataset.drawn === `0.${step}`
              && document.querySelector('#dx-cutoff [data-part=plot]').dataset.drawn.startsWith(`0.${step}.`)""",
        arg=step,
    )


def test_the_page_opens_on_a_recorded_run_and_its_tokens_stay_in_sight_beside_the_charts(app_url, open_page):
    page = open_page(app_url)
    tokens = page.locator("#dx-tokens").bounding_box()
    assert tokens["y"] + tokens["height"] <= 400
    page.locator("#dx-charts").evaluate("node => node.scrollIntoView()")
    expect(page.locator("h1")).to_have_text("Decoding Explorer")
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator(".dx-facts")).to_contain_text("recorded example")
    for part in ("#dx-tokens", "#dx-waterfall [data-part=plot]", "#dx-cutoff [data-part=plot]"):
        box = page.locator(part).bounding_box()
        assert box["width"] > 200
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800, part
    left, right = (page.locator(part).bounding_box() for part in ("#dx-waterfall", "#dx-cutoff"))
    assert left["x"] + left["width"] <= right["x"]


def test_a_click_chooses_the_step(app_url, open_page):
    page = open_page(app_url)
    page.locator(".dx-token").nth(1).click()
    wait_for_charts(page, 1)
    assert step_in_view(page) == 1
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("came at step 2")


def test_the_arrow_keys_walk_through_the_steps(app_url, open_page):
    page = open_page(app_url)
    page.locator(CHOSEN).focus()
    page.keyboard.press("Home")
    wait_for_charts(page, 0)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    wait_for_charts(page, 3)
    page.wait_for_function("document.activeElement.dataset.step === '3'")
    page.keyboard.press("End")
    last = page.locator(".dx-token").count() - 1
    wait_for_charts(page, last)
    page.keyboard.press("ArrowRight")
    assert step_in_view(page) == last
    assert page.locator(".dx-token[tabindex='0']").count() == 1


def test_tokens_are_coloured_by_what_is_chosen(app_url, open_page):
    page = open_page(app_url)

    def shades() -> list[str]:
        return page.eval_on_selector_all(".dx-token", "all => all.map(b => b.style.getPropertyValue('--dx-shade'))")

    by_probability = shades()
    page.locator("[data-measure=surprisal]").click()
    assert page.locator("[data-measure=surprisal]").get_attribute("aria-pressed") == "true"
    assert shades() != by_probability
    expect(page.locator(".dx-legend")).to_contain_text("6 nats")


def test_each_rule_has_its_tab(app_url, open_page):
    page = open_page(app_url)
    expect(page.locator("#dx-cutoff .dx-tab")).to_have_count(2)
    page.locator("#dx-cutoff .dx-tab").first.click()
    expect(page.locator("#dx-cutoff .dx-reading")).to_contain_text("top_k = 40")
    page.locator("#dx-cutoff .dx-tab").nth(1).click()
    expect(page.locator("#dx-cutoff .dx-reading")).to_contain_text("crosses the line")


def test_every_chart_has_its_table(app_url, open_page):
    page = open_page(app_url)
    for chart in ("#dx-waterfall", "#dx-cutoff"):
        page.locator(f"{chart} summary").click()
        table = page.locator(f"{chart} table").first
        expect(table.locator("tbody tr")).not_to_have_count(0)
        expect(table.locator(".dx-marked")).to_have_count(1)
    before = page.locator("#dx-waterfall table").first.inner_text()
    page.locator(".dx-token").nth(0).click()
    wait_for_charts(page, 0)
    assert page.locator("#dx-waterfall table").first.inner_text() != before


def test_the_chart_has_no_mode_bar(app_url, open_page):
    page = open_page(app_url)
    assert page.locator(".modebar-btn").count() == 0


def test_terms_are_explained_on_focus_and_escape_puts_them_away(app_url, open_page):
    page = open_page(app_url)
    term = page.locator("#dx-waterfall .dx-term").first
    term.focus()
    tip = page.locator("#dx-tip")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("logits processor")
    assert term.get_attribute("aria-describedby") == "dx-tip"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_the_language_follows_the_browser_the_address_and_the_switch(app_url, open_page):
    page = open_page(app_url, locale="zh-CN")
    expect(page.locator("#dx-run")).to_have_text("运行")
    page = open_page(f"{app_url}/?lang=zh")
    expect(page.locator("#dx-run")).to_have_text("运行")
    expect(page.locator("#dx-waterfall h2")).to_contain_text("瀑布图")
    assert page.evaluate("document.documentElement.lang") == "zh"
    page.get_by_role("button", name="EN", exact=True).click()
    expect(page.locator("#dx-run")).to_have_text("Run")
    expect(page.locator("#dx-waterfall h2")).to_contain_text("Waterfall")
    expect(page.locator(".dx-knobs")).to_contain_text("Temperature and truncation")
    expect(page.locator("#dx-gallery h2")).to_have_text("Start from a question")
    expect(page.locator("#dx-share")).to_contain_text("Copy link")
    page.get_by_role("button", name="中文", exact=True).click()
    expect(page.locator("#dx-gallery h2")).to_have_text("从一个问题开始")
    expect(page.locator("#dx-share")).to_contain_text("复制链接")


def test_the_language_keeps_the_step_and_the_settings(app_url, open_page):
    page = open_page(app_url)
    page.locator(".dx-token").nth(2).click()
    wait_for_charts(page, 2)
    page.locator("#dx-knob-temperature").fill("1.3")
    page.get_by_role("button", name="中文", exact=True).click()
    expect(page.locator("#dx-run")).to_have_text("运行")
    quiet(page)
    assert step_in_view(page) == 2
    expect(page.locator("#dx-knob-temperature")).to_have_value("1.3")


def test_charts_follow_the_colour_scheme(app_url, open_page):
    from app.palette import DARK, LIGHT

    page = open_page(app_url)

    def bar() -> str:
        return page.eval_on_selector("#dx-waterfall .bars path", "bar => getComputedStyle(bar).fill")

    def rgb(colour: str) -> str:
        return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"

    assert bar() == rgb(LIGHT["alive"])
    page.locator("[data-part=scheme]").click()
    quiet(page)
    assert bar() == rgb(DARK["alive"])


def test_a_phone_shows_everything_without_scrolling_sideways(app_url, open_page):
    page = open_page(app_url, width=390, height=844, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    parts = ("#dx-ask", "#dx-settings", "#dx-tokens", "#dx-waterfall", "#dx-cutoff")
    tops = [page.locator(part).bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)


def test_every_control_has_a_name(app_url, open_page):
    page = open_page(app_url)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.dx button, .dx input, .dx select, #dx-ask input, #dx-ask textarea')]
            .filter(n => !n.closest('[hidden]'))
            .filter(n => !(n.textContent.trim() || n.getAttribute('aria-label') || n.labels?.length))
            .map(n => n.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('.dx [id]')].map(n => n.id)")
    assert len(ids) == len(set(ids))


def test_every_step_change_comes_back_even_when_they_come_fast(app_url, open_page):
    page = open_page(app_url)
    page.locator(CHOSEN).focus()
    page.keyboard.press("Home")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    last = page.locator(".dx-token").count() - 1
    wait_for_charts(page, last)
    assert re.search(rf"step {last + 1}\b", page.locator("#dx-waterfall .dx-reading").inner_text())
