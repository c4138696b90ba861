"""Constrained text on the real page: the field and its example, what a run says of it, a link, junk, Chinese."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import quiet, run_to_the_end

pytestmark = pytest.mark.browser
pytest.importorskip("xgrammar")


def unfold(page: Page, label: str = "JSON schema, regex, grammar") -> None:
    group = page.locator(".dx-group", has=page.locator("summary", has_text=label))
    if group.get_attribute("open") is None:
        group.locator("summary").click()


def said(page: Page) -> str:
    names = [token.get_attribute("aria-label") for token in page.locator(".dx-token").all()]
    return "".join(name.split(": ", 1)[1] for name in names).replace("␠", " ").replace("⏎", "\n")


def test_a_regex_holds_a_run_and_the_page_says_what_it_cost(app_url, open_page):
    page = open_page(app_url)
    unfold(page)
    page.locator("#dx-knob-regex").fill("(no|yes)-[0-9]{3}!")
    page.locator("#dx-knob-max_new_tokens").fill("20")
    run_to_the_end(page)
    assert re.search("(no|yes)-[0-9]{3}!", said(page))
    expect(page.locator(".dx-facts")).to_contain_text("price of the constraint")
    expect(page.locator(".dx-facts")).to_contain_text(re.compile("−[0-9.]+ nats"))
    barred = page.locator(".dx-token.dx-barred").first
    expect(barred).to_have_attribute("data-tip", re.compile("✕ regex forbids [0-9,]+ tokens here.*the model wanted “"))
    barred.click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("regex removed")
    page.locator("#dx-verify-button").click()
    expect(page.locator(".dx-verdict")).to_contain_text("Equal: generate() gives the same tokens")


def test_an_example_fills_a_field_and_takes_the_place_of_another(app_url, open_page):
    page = open_page(app_url)
    unfold(page)
    page.locator("#dx-knob-regex").fill("a+")
    page.locator(".dx-knob", has=page.locator("#dx-knob-json_schema")).locator(".dx-example").click()
    assert json.loads(page.locator("#dx-knob-json_schema").input_value())["type"] == "object"
    expect(page.locator("#dx-knob-regex")).to_have_value("")


def test_junk_gets_a_clear_message_and_the_page_goes_on(app_url, open_page):
    page = open_page(app_url)
    unfold(page)
    page.locator("#dx-knob-json_schema").fill('{"type": "frob"}')
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text('Unsupported type "frob"')
    page.locator("#dx-knob-json_schema").fill("")
    page.locator("#dx-knob-regex").fill("ab")
    run_to_the_end(page)
    assert "ab" in said(page)


def test_the_fields_are_there_in_chinese(app_url, open_page):
    page = open_page(app_url, locale="zh-CN")
    unfold(page, "JSON 模式、正则、文法")
    page.locator("#dx-knob-grammar").fill('root ::= "好" | "不"')
    page.locator("#dx-run").click()
    quiet(page)
    expect(page.locator(".dx-facts")).to_contain_text("约束的代价")
