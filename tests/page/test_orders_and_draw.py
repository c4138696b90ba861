"""The lab's tabs "orders" and "draw" on the real page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from decoding import Settings, record
from tests.engine import needs_llama_cpp
from tests.hand_made import HOSTILE, hand_made_trace
from tests.page.conftest import quiet, served_here
from tests.page.test_accessibility import grave_findings

pytestmark = pytest.mark.browser

OWN = '.dx-lane[data-own="true"]'
SENT = "document.querySelector('.dx-lab [data-part=body]').dataset.drawn"


def open_tab(page: Page, tab: str) -> None:
    page.click(f'.dx-lab [data-part=tabs] [data-tab="{tab}"]')
    page.wait_for_selector(f'.dx-lab [data-part=body][data-tab="{tab}"] .dx-{tab}')


def order_of(page: Page) -> list[str]:
    return page.locator(f"{OWN} .dx-sampler").evaluate_all("chips => chips.map(chip => chip.dataset.key)")


def wait_for_order(page: Page, *keys: str) -> None:
    """Waits until Python has answered: the chips' numbers are those of this order."""
    shown = f"[...document.querySelectorAll('{OWN} .dx-sampler')].map(chip => chip.dataset.key).join()"
    page.wait_for_function(f"{shown} === '{','.join(keys)}' && !document.querySelector('.dx-dragged')")
    quiet(page)


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.className")


def test_the_own_order_is_moved_with_buttons_and_with_alt_and_arrows(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "orders")
    assert order_of(page) == ["temperature", "top_k", "top_p"]
    before = page.locator(f"{OWN} .dx-lane-sum b").inner_text()
    page.focus(f'{OWN} [data-key=top_p] [data-by="-1"]')
    page.keyboard.press("Enter")
    wait_for_order(page, "temperature", "top_p", "top_k")
    assert focused(page) == "top_p: earlier"
    page.keyboard.press("Alt+ArrowLeft")
    wait_for_order(page, "top_p", "temperature", "top_k")
    assert focused(page) == "top_p: earlier"
    expect(page.locator(f'{OWN} [data-key=top_p] [data-by="-1"]')).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")  # it is the first already
    quiet(page)
    assert order_of(page) == ["top_p", "temperature", "top_k"]
    expect(page.locator(f"{OWN} .dx-lane-sum b")).not_to_have_text(before)
    expect(page.locator(OWN)).to_have_attribute("data-mark", "differs")
    page.click("[data-reset]")
    wait_for_order(page, "temperature", "top_k", "top_p")
    expect(page.locator(f"{OWN} .dx-lane-sum b")).to_have_text(before)


def test_the_own_order_is_dragged(app_url, open_page):
    page = open_page(app_url, height=1400)
    open_tab(page, "orders")
    first = page.locator(f"{OWN} [data-key=temperature] .dx-sampler-text")
    page.locator(f"{OWN} [data-key=top_p] .dx-sampler-text").drag_to(first, target_position={"x": 3, "y": 10})
    wait_for_order(page, "top_p", "temperature", "top_k")
    expect(page.locator(OWN)).to_have_attribute("data-mark", "differs")


def test_each_token_that_differs_says_what_each_order_does_to_it(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "orders")
    page.click(f'{OWN} [data-key=top_p] [data-by="-1"]')
    wait_for_order(page, "temperature", "top_p", "top_k")
    rows = page.locator(".dx-fates tbody tr:not(.dx-why)")
    assert rows.count() > 0
    for row in rows.all():
        cells = row.locator("td").all_inner_texts()[1:]
        assert len(cells) == 4 and {cell.startswith("✕") for cell in cells} == {True, False}
    assert "top_p" in page.locator(".dx-why").first.inner_text()


@needs_llama_cpp
def test_the_lane_of_llama_cpp_was_run_and_what_it_rounds_away_is_told(lm, tmp_path_factory, open_page):
    given = Settings(do_sample=True, temperature=1.3, top_k=0, top_p=0.99, seed=1, max_new_tokens=4)
    trace = record(lm, "Once upon a time", given)
    with served_here(trace, tmp_path_factory.mktemp("lab"), lm) as url:
        page = open_page(url)
        open_tab(page, "orders")
        how = page.locator(".dx-lane-how")
        assert how.all_inner_texts()[2].startswith("ran llama.cpp b")
        assert "xllamacpp" in how.nth(2).get_attribute("data-tip")
        how.nth(2).focus()  # the keyboard reaches what explains itself
        assert page.evaluate("document.activeElement.className").startswith("dx-lane-how")
        parted = page.locator(".dx-parting")
        expect(parted.first).to_contain_text("transformers is right. llama.cpp adds up")
        assert parted.first.locator("tbody tr").count() > 0
        parted.locator(".dx-table-box").first.focus()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Tokens that only one")
        assert grave_findings(page) == []


def test_drawing_a_hundred_times_fills_the_outlines(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "draw")
    page.wait_for_selector(".dx-draw-plot .js-plotly-plot, .dx-draw-plot.js-plotly-plot")
    assert page.locator(".dx-draw-plot .errorbar").count() == 0
    page.click('[data-n="100"]')
    expect(page.locator(".dx-draw .dx-reading")).to_contain_text("of 100 times")
    expect(page.locator('[data-n="100"]')).to_have_attribute("aria-pressed", "true")
    assert page.locator(".dx-draw-plot .errorbar").count() > 0
    page.click(".dx-draw summary")
    rows = page.locator(".dx-draw table tbody tr")
    expect(rows).to_have_count(15)  # the 14 of the chart and the rest
    drawn = [int(row.locator("td").nth(2).inner_text()) for row in rows.all()]
    assert sum(drawn) == 100
    first = page.locator(".dx-draw .dx-reading").inner_text()
    page.click('[data-n="100"]')
    expect(page.locator(".dx-draw-bar .dx-term")).to_have_text("seed 2")
    assert page.locator(".dx-draw .dx-reading").inner_text() != first


def test_draws_stay_while_the_step_does_and_go_with_it(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "draw")
    page.click('[data-n="10"]')
    expect(page.locator(".dx-draw .dx-reading")).to_contain_text("of 10 times")
    said = page.locator(".dx-draw .dx-reading").inner_text()
    open_tab(page, "orders")
    open_tab(page, "draw")
    assert page.locator(".dx-draw .dx-reading").inner_text() == said
    other = page.locator(".dx-token:not([aria-pressed=true])").first
    other.click()
    expect(page.locator(".dx-draw .dx-reading")).not_to_contain_text("of 10 times")
    expect(page.locator('[data-n="10"]')).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_grave_in_the_tabs(app_url, open_page, width):
    page = open_page(app_url, width=width)
    for scheme in range(2):
        for tab in ("orders", "draw"):
            open_tab(page, tab)
            if tab == "draw":
                page.click('[data-n="100"]')
                expect(page.locator(".dx-draw .dx-reading")).to_contain_text("of 100 times")
            page.evaluate("document.querySelectorAll('.dx-lab details').forEach(box => box.open = true)")
            page.wait_for_timeout(200)
            assert grave_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if not scheme:
            page.locator("[data-part=scheme]").click()


@pytest.fixture(scope="module")
def hostile_url(tmp_path_factory, lm):
    n = len(HOSTILE)
    logits = [[float((i * 3 + j * 5) % n) / 3 for j in range(n)] for i in range(n)]
    cut = [TemperatureLogitsWarper(3.0), TopKLogitsWarper(n - 1), TopPLogitsWarper(0.8)]
    trace = hand_made_trace(logits, list(range(n)), cut, texts=HOSTILE)
    with served_here(trace, tmp_path_factory.mktemp("lab"), lm) as url:
        yield url


def test_hostile_tokens_are_text_in_both_tabs(hostile_url, open_page):
    page = open_page(hostile_url)
    seen = set()
    for step in range(len(HOSTILE)):
        page.locator(".dx-token").nth(step).click()
        page.wait_for_function(f"{SENT}.endsWith('.{step}')")
        open_tab(page, "orders")
        seen |= set(page.locator(".dx-fates tbody th[scope=row]").all_inner_texts())
        open_tab(page, "draw")
        page.click('[data-n="10"]')
        expect(page.locator(".dx-draw .dx-reading")).to_contain_text("of those 10 draws")
    assert {text.replace("␣", " ") for text in seen} <= set(HOSTILE) and len(seen) >= 3
    page.evaluate("document.querySelector('.dx-draw details').open = true")
    expect(page.locator(".dx-draw table tbody th").first).to_be_visible()
    cells = page.locator(".dx-draw table tbody th").all_inner_texts()
    assert {text.replace("␣", " ") for text in cells} == set(HOSTILE)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx-lab img, .dx-lab script").count() == 0
