"""Another token than the one that came, on the real page: by pointer, by keys, and by typing a word."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.conftest import quiet

pytestmark = pytest.mark.browser


def test_a_row_of_a_chart_opens_its_tokens_card_by_pointer_and_by_keys(open_page, app_url):
    page = open_page(app_url)
    rows = page.evaluate("document.querySelector('#dx-waterfall [data-part=plot]').layout.meta.rows")
    plot = page.locator("#dx-waterfall [data-part=plot]")
    y = page.evaluate(
        """row => { const { yaxis } = document.querySelector('#dx-waterfall [data-part=plot]')._fullLayout;
        return yaxis._offset + yaxis.l2p(row) }""",
        3,
    )
    plot.click(position={"x": 60, "y": y})  # on the token's name, where there is no bar
    card = page.locator(".dx-candidate-card")
    expect(card.locator("h2")).to_have_text(rows[3][2])
    expect(page.locator(".dx-candidate select")).to_have_value(str(rows[3][1]))
    page.locator("#dx-waterfall [data-part=scroll]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(card.locator("h2")).to_have_text(rows[1][2])
    page.locator("#dx-waterfall summary").click()
    page.locator("#dx-waterfall .dx-pick").nth(5).click()
    expect(card.locator("h2")).to_have_text(rows[5][2])
    card.locator(".dx-candidate-close").click()
    expect(card).to_be_hidden()
    expect(page.locator("#dx-everywhere section")).to_be_hidden()


def test_a_typed_word_is_answered_for_every_step_and_a_step_there_is_gone_to(open_page, app_url):
    page = open_page(app_url)
    page.fill(".dx-candidate input", "cat")
    page.keyboard.press("Enter")
    expect(page.locator(".dx-candidate-card h2")).to_have_text("␣cat")
    page.locator(".dx-candidate-card .dx-tab", has_text="cat").last.click()
    expect(page.locator(".dx-candidate-card h2")).to_have_text("cat")
    page.locator("#dx-everywhere summary").click()
    buttons = page.locator("#dx-everywhere .dx-pick")
    quiet(page)  # the table is filled anew with the chart: it would take a click with it
    assert buttons.count() == page.locator(".dx-token").count()
    buttons.nth(1).click()
    expect(page.locator(".dx-token").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".dx-candidate-reading")).to_contain_text("At step 2 ")
    page.fill(".dx-candidate input", "<img src=x onerror=alert(1)>")
    page.keyboard.press("Enter")
    quiet(page)
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("width", [768, 390])
def test_a_row_of_the_stage_that_stays_in_view_opens_its_tokens_card(open_page, app_url, width):
    page = open_page(app_url, width=width)
    pinned = page.locator("#dx-waterfall .dx-pinned")
    pinned.scroll_into_view_if_needed()
    rows = page.evaluate("document.querySelector('#dx-waterfall .dx-pinned').layout.meta.rows")
    y = page.evaluate(
        """row => { const { yaxis } = document.querySelector('#dx-waterfall .dx-pinned')._fullLayout;
        return yaxis._offset + yaxis.l2p(row) }""",
        2,
    )
    pinned.click(position={"x": 30, "y": y})
    expect(page.locator(".dx-candidate-card h2")).to_have_text(rows[2][2])
