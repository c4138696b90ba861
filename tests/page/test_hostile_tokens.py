"""A vocabulary of hostile tokens: shown as text in row, charts, hover texts and tables."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from transformers.generation import TopKLogitsWarper, TopPLogitsWarper

from tests.hand_made import HOSTILE, hand_made_trace
from tests.page.conftest import quiet, served_here

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory, lm):
    n = len(HOSTILE)
    logits = [[float((i * 3 + j * 5) % n) / 3 for j in range(n)] for i in range(n)]
    trace = hand_made_trace(logits, list(range(n)), [TopKLogitsWarper(n - 1), TopPLogitsWarper(0.9)], texts=HOSTILE)
    with served_here(trace, tmp_path_factory.mktemp("hostile"), lm) as url:
        yield url


def test_every_token_is_text_wherever_it_is_shown(url, open_page):
    page = open_page(url)
    shown = [text.replace("␣", " ") for text in page.locator(".dx-token").all_inner_texts()]
    assert shown == list(HOSTILE)
    for chart in ("#dx-waterfall", "#dx-cutoff"):
        page.locator(f"{chart} summary").click()
    for step in range(len(HOSTILE)):
        page.locator(".dx-token").nth(step).click()
        expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"step {step + 1}")
        quiet(page)
        cells = page.locator("#dx-waterfall table").first.locator("tbody th").all_inner_texts()
        assert {cell.replace("␣", " ") for cell in cells} == set(HOSTILE)
    hover_over_everything(page)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx img, .dx script, .dx s").count() == 0


def hover_over_everything(page) -> None:
    for chart in ("#dx-waterfall", "#dx-cutoff"):
        box = page.locator(f"{chart} [data-part=plot]").bounding_box()
        for part in (0.35, 0.5, 0.65, 0.8, 0.95):
            page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + part * box["height"])
            page.wait_for_timeout(60)


def test_the_charts_show_the_exact_characters(url, open_page):
    page = open_page(url)
    page.locator(".dx-token").nth(6).click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("“<s>”")
    quiet(page)
    labels = page.locator("#dx-waterfall svg text").all_text_contents()
    assert "▸ <s>" in labels
    assert "<b>&amp;</b>" in labels
