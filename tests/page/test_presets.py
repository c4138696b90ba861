"""Settings of another engine pasted on the real page, and the run's settings for other engines in its Code tab."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from app.export.permalink import decode
from tests.hand_made import HOSTILE
from tests.page.conftest import quiet

pytestmark = pytest.mark.browser

REQUEST = {"n_predict": 5, "temperature": 0.5, "top_p": 0.8, "repeat_penalty": 1.2, "presence_penalty": 1, "seed": 3}


def paste(page: Page, text: str) -> None:
    """Opens the field, if it is not, and pastes into it."""
    page.evaluate("document.querySelector('.dx-presets').open = true")
    page.locator(".dx-presets textarea").fill(text)
    quiet(page, 500)


def use(page: Page) -> None:
    page.locator(".dx-presets-use").click()
    quiet(page)


def test_what_is_pasted_can_be_used_as_settings_and_goes_into_the_link_and_the_run(app_url, open_page):
    page = open_page(app_url)
    page.locator("input[value=greedy]").check()
    paste(page, json.dumps(REQUEST))
    expect(page.locator(".dx-presets [data-part=found]")).to_contain_text("Read as llama.cpp")
    expect(page.locator(".dx-told[data-kind=missing]")).to_contain_text("presence_penalty")
    expect(page.locator(".dx-told[data-kind=differs]")).to_contain_text("repeat_last_n")
    expect(page.locator("#dx-knob-temperature")).not_to_have_value("0.5")  # nothing is set before it is asked for
    use(page)
    expect(page.locator("input[value=sample]")).to_be_checked()
    for name, value in {"temperature": "0.5", "top_p": "0.8", "top_k": "40", "min_p": "0.05", "seed": "3"}.items():
        expect(page.locator(f"#dx-knob-{name}")).to_have_value(value)
    page.locator("#dx-run").click()
    page.wait_for_function("!dx.about.streaming && document.querySelectorAll('.dx-token').length === 5")
    quiet(page, 300)
    link = decode(page.url.partition("c=")[2])[0]
    assert (link.given["temperature"], link.given["max_new_tokens"]) == (0.5, 5)
    page.locator(".dx-presets-defaults input").uncheck()
    quiet(page, 300)
    use(page)
    expect(page.locator("#dx-knob-top_k")).to_have_value("")


def test_a_length_stays_where_the_preset_has_none(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-knob-max_new_tokens").fill("7")
    paste(page, "temperature: 0.7\nmin_p: 0.1\ndo_sample: true")
    use(page)
    expect(page.locator("#dx-knob-min_p")).to_have_value("0.1")
    expect(page.locator("#dx-knob-max_new_tokens")).to_have_value("7")


def test_the_engine_can_be_chosen_and_what_cannot_be_read_is_said(app_url, open_page):
    page = open_page(app_url)
    paste(page, '{"temperature": 0.5}')
    expect(page.locator(".dx-presets [data-part=found]")).to_contain_text("would suit others")
    page.locator(".dx-presets select").select_option("ollama")
    expect(page.locator(".dx-presets [data-part=found]")).to_contain_text("Read as Ollama")
    paste(page, "{")
    expect(page.locator(".dx-presets-error")).to_contain_text("no whole JSON")
    assert page.locator(".dx-presets-use").count() == 0
    paste(page, "")
    expect(page.locator(".dx-presets [data-part=found]")).to_be_empty()


def test_what_a_stranger_wrote_into_a_preset_stays_text(app_url, open_page):
    page = open_page(app_url)
    paste(page, json.dumps({**{text: text for text in HOSTILE}, "stop": list(HOSTILE), "n_predict": 2}))
    found = page.locator(".dx-presets [data-part=found]")
    expect(found).to_contain_text("Unknown keys")
    for text in HOSTILE[:6]:
        assert text[:10] in found.inner_text()
    use(page)
    quiet(page, 300)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx-presets img").count() == 0


def test_in_chinese_on_a_phone_and_by_keyboard(app_url, open_page):
    page = open_page(app_url, locale="zh-CN", width=390, height=800)
    page.locator(".dx-presets > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type('{"top_k": -1, "max_tokens": 3, "min_tokens": 1, "ignore_eos": true}')
    expect(page.locator(".dx-presets [data-part=found]")).to_contain_text("按 vLLM 读取")
    expect(page.locator(".dx-told[data-kind=missing] h4")).to_have_text("没有对应项")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    take = page.locator(".dx-presets-use")
    take.focus()
    page.keyboard.press("Enter")
    expect(take).to_have_text("已使用 ✓")
    assert page.evaluate("dx.knobForm.given.max_new_tokens") == 3


def test_the_code_tab_has_the_settings_for_other_engines(app_url, open_page):
    page = open_page(app_url)
    page.locator(".dx-lab [data-tab=code]").click()
    box = page.locator(".dx-code-engines")
    box.locator("summary").click()
    expect(box.locator("figure")).to_have_count(4)
    body = json.loads(box.locator("figure code").nth(0).inner_text())
    assert body["temperature"] == 0 or "samplers" in body
    page.keyboard.press("Escape")
    page.locator(".dx-token").nth(3).click()
    quiet(page, 300)
    expect(page.locator(".dx-code-engines")).to_have_attribute("open", "")  # at the next step, too
