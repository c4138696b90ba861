"""Without a mouse, and by the rules of axe."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.conftest import quiet, run_to_the_end

pytestmark = pytest.mark.browser

FOCUS = "(() => { const at = document.activeElement; return at.id || at.className || at.tagName })()"


# Between two colours a button has neither's contrast; what turns for ever is no such change.
AT_REST = """() => document.getAnimations().every(
    (a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity)"""


def grave_findings(page: Page) -> list[str]:
    page.wait_for_function(AT_REST)
    return [
        f"{found['id']} ({found['impact']}): {node['html'][:120]}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def tab_to(page: Page, selector: str, most: int = 60, key: str = "Tab") -> None:
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached by {key}; the focus is on {page.evaluate(FOCUS)}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave(app_url, open_page, dark):
    page = open_page(app_url)
    if dark:
        page.locator("[data-part=scheme]").click()
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    page.wait_for_selector("#dx-run:not([disabled])")
    assert grave_findings(page) == []
    page.locator(".dx-candidate input").fill("unbelievable")
    page.locator(".dx-candidate input").press("Enter")
    expect(page.locator(".dx-candidate-card")).to_be_visible()
    assert grave_findings(page) == []
    page.locator("h1").click()
    page.keyboard.press("l")
    expect(page.locator(".dx-lecture-bar")).to_be_visible()
    assert grave_findings(page) == []
    page.keyboard.press("Escape")
    page.locator("#dx-knob-max_new_tokens").fill("5")
    page.locator("input[name=dx-mode][value=beam_search]").check(force=True)
    run_to_the_end(page)
    for tab in ("pool", "sum", "ledger"):
        page.locator(f"#dx-beam-step button[data-tab={tab}]").click()
        expect(page.locator(f"#dx-beam-step button[data-tab={tab}]")).to_have_attribute("aria-pressed", "true")
        assert grave_findings(page) == []
    page.locator("[data-tool=first]").click()
    page.locator(".dx-take").click()
    page.wait_for_selector(".dx-runs:not([hidden])")
    page.wait_for_selector("#dx-stop[disabled]")
    page.locator("#dx-knob-num_beams").fill("0")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_be_visible()
    assert grave_findings(page) == []


def test_the_keyboard_walks_through_a_run_and_verifies_it(app_url, open_page):
    page = open_page(app_url)
    page.keyboard.press("Tab")
    expect(page.locator(".dx-skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".dx-token[aria-pressed=true]")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 2")
    tab_to(page, "#dx-waterfall .dx-term")
    expect(page.locator("#dx-tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dx-tip")).to_be_hidden()
    tab_to(page, "#dx-cutoff .dx-tab")
    page.keyboard.press("Enter")
    expect(page.locator("#dx-cutoff .dx-reading")).to_contain_text("top_k = 40")
    tab_to(page, "#dx-verify-button")
    page.keyboard.press("Enter")
    expect(page.locator(".dx-verdict")).to_contain_text("Equal")


def test_the_keyboard_runs_and_stops_a_beam_search_and_walks_the_tree(app_url, open_page):
    page = open_page(app_url)
    tab_to(page, "#dx-run")
    tab_to(page, "input[name=dx-mode]")
    for _ in range(2):  # from Sample over Contrastive
        page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=dx-mode][value=beam_search]")).to_be_checked()
    page.locator("#dx-knob-max_new_tokens").fill("200")
    page.locator("input[name=dx-mode][value=beam_search]").focus()
    tab_to(page, "#dx-run", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".dx-beam-tree:not([hidden])")
    tab_to(page, "#dx-stop", 3)
    page.keyboard.press("Enter")
    expect(page.locator("#dx-run")).to_be_enabled()
    quiet(page)
    page.locator(".dx-skip").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    expect(page.locator(".dx-beam-reading")).to_contain_text("Step 1:")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".dx-ledger caption")).to_contain_text("Step 2:")
    marked = page.locator(".dx-ledger tr.dx-marked .dx-node")
    rank = int(marked.get_attribute("data-rank"))
    page.keyboard.press("ArrowDown")
    expect(marked).to_have_attribute("data-rank", str(rank + 1))
    tab_to(page, ".dx-ledger .dx-node")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".dx-ledger tr.dx-marked .dx-node")).to_be_focused()
    tab_to(page, ".dx-take", key="Shift+Tab")
