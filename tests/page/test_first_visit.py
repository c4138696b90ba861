"""The first half minute: what a stranger sees, and in which language."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.page.conftest import quiet

pytestmark = pytest.mark.browser

# Every text that was ever in sight, from the first frame on.
SEEN = """window.seen = new Set();
const look = () => {
  const box = document.querySelector("#dx-run, .dx-header h1, .dx-gallery h2");
  if (box && getComputedStyle(box).visibility === "visible")
    for (const node of document.querySelectorAll("#dx-run, .dx-gallery h2")) window.seen.add(node.textContent.trim());
  requestAnimationFrame(look);
};
requestAnimationFrame(look);"""


def test_three_callouts_greet_a_stranger_once_and_come_back_when_asked(app_url, open_page):
    page = open_page(app_url)
    callouts = page.locator(".dx-callout:visible")
    expect(callouts).to_have_count(3)
    tokens = callouts.first.bounding_box()
    chosen = page.locator(".dx-token[aria-pressed=true]").bounding_box()
    assert tokens["x"] < chosen["x"] + chosen["width"] / 2 < tokens["x"] + tokens["width"]
    page.keyboard.press("ArrowDown")
    expect(callouts).to_have_count(0)
    page.reload()
    page.wait_for_selector(".dx-token")
    quiet(page)
    expect(callouts).to_have_count(0)
    page.locator("button[data-part=keys]").click()
    page.locator(".dx-share dialog").get_by_role("button", name="Show the first hints again").click()
    expect(callouts).to_have_count(3)
    page.locator(".dx-token").first.click()  # and it is chosen all the same
    expect(callouts).to_have_count(0)
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 1")


def test_a_chinese_browser_never_sees_english(app_url, contexts, open_page):
    context = contexts.take(viewport={"width": 1280, "height": 800}, locale="zh-CN", color_scheme="light")
    context.add_init_script(SEEN)
    page = context.new_page()
    page.goto(app_url)
    page.wait_for_selector(".dx-token")
    quiet(page)
    assert page.evaluate("[...window.seen].sort()") == sorted(["运行", "从一个问题开始"])


def test_the_answer_is_text_to_copy_and_a_streaming_run_ends_in_the_same(app_url, open_page):
    page = open_page(app_url, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#dx-prompt textarea").fill("One\ntwo")
    page.locator("#dx-knob-max_new_tokens").fill("6")
    page.locator("#dx-knob-num_return_sequences").fill("2")
    expect(page.locator(".dx-estimate")).to_contain_text("≤ 6 tokens × 2 rows × 49,152")
    run = "() => { const run = document.querySelector('#dx-run'); run.click(); return run.getAttribute('aria-busy') }"
    assert page.evaluate(run) == "true"  # before anything was answered
    expect(page.locator(".dx-answer li")).to_have_count(2)
    page.wait_for_selector("#dx-stop[disabled]")
    quiet(page)
    assert page.locator(".dx-asked").inner_text() == "One\ntwo"
    page.locator("[data-part=copy-all]").click()
    expect(page.locator("[data-part=copy-all]")).to_have_text("Copied ✓")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("One\ntwo\n\n")
    for text in page.locator(".dx-answer-text").all_inner_texts():
        assert text.strip() in copied
    expect(page.locator("#dx-run")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".dx-estimate")).to_have_text(re.compile(r"· ≈ [\d.]+ s$"))


def test_on_a_phone_settings_are_one_line_before_the_run_and_the_last_stage_is_in_view(app_url, open_page):
    page = open_page(app_url, width=390, height=844)
    brief = page.locator("[data-part=brief]")
    assert brief.bounding_box()["y"] < 844
    expect(page.locator("#dx-knob-temperature")).to_be_hidden()
    brief.click()
    expect(page.locator("#dx-knob-temperature")).to_be_visible()
    page.locator("#dx-knob-temperature").fill("0.5")
    expect(brief).to_contain_text("temperature 0.5")
    pinned = page.locator("#dx-waterfall .dx-pinned")
    pinned.scroll_into_view_if_needed()
    box = pinned.bounding_box()
    assert box["x"] > 0 and box["x"] + box["width"] <= 390
