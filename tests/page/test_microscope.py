"""The lab's tab `microscope` in the browser: stages by keyboard, links, all digits, a phone, hostile tokens."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from transformers.generation import (
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tests.hand_made import HOSTILE, hand_made_trace
from tests.page.conftest import served_here
from tests.page.test_accessibility import grave_findings

pytestmark = pytest.mark.browser

PROCESSORS = (
    RepetitionPenaltyLogitsProcessor(1.3), NoRepeatNGramLogitsProcessor(1), TemperatureLogitsWarper(0.7),
    TopKLogitsWarper(6), TopPLogitsWarper(0.9),
)  # fmt: skip
DRAW = str(len(PROCESSORS) + 1)


@pytest.fixture(scope="module")
def url(tmp_path_factory, lm):
    """A run whose vocabulary is hostile."""
    n = len(HOSTILE)
    logits = [[float((i * 3 + j * 5) % n) / 3 for j in range(n)] for i in range(n)]
    trace = hand_made_trace(logits, list(range(n)), PROCESSORS, texts=HOSTILE)
    with served_here(trace, tmp_path_factory.mktemp("microscope"), lm) as url:
        yield url


def open_microscope(page: Page) -> None:
    page.locator("#dx-lab button[data-tab=microscope]").click()
    expect(page.locator(".dx-scope-op").first).to_be_visible()


def open_stage(page: Page, number: str) -> None:
    page.locator(f".dx-scope-chip[data-stage='{number}']").click()
    expect(page.locator(".dx-scope-chip[aria-pressed=true]")).to_have_attribute("data-stage", number)


def test_stages_open_by_keyboard_and_stay_open_while_the_step_changes(url, open_page):
    page = open_page(url)
    open_microscope(page)
    expect(page.locator(".dx-scope-chip")).to_have_count(len(PROCESSORS) + 1)
    expect(page.locator(".dx-scope-source")).to_contain_text("TopPLogitsWarper.__call__")
    page.locator(".dx-scope-chip[data-stage='1']").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".dx-scope-source")).to_contain_text("RepetitionPenaltyLogitsProcessor.__call__")
    expect(page.locator(".dx-scope-verdict")).to_contain_text("bit for bit: all 8 scores")
    expect(page.locator(".dx-scope-chip[data-stage='1']")).to_be_focused()
    names = page.locator(".dx-scope-op h3").all_inner_texts()
    assert names[2:] == ["torch.gather", "torch.lt", "torch.where", "torch.scatter", "torch.Tensor[:]"]
    page.locator(".dx-token").nth(2).click()
    expect(page.locator("#dx-lab [data-part=body]")).to_have_attribute("data-drawn", "microscope.0.2")
    expect(page.locator(".dx-scope-chip[aria-pressed=true]")).to_have_attribute("data-stage", "1")
    open_stage(page, DRAW)
    expect(page.locator(".dx-scope-op h3").last).to_have_text("torch.multinomial")


def test_functions_are_linked_and_all_digits_can_be_had(url, open_page):
    page = open_page(url)
    open_microscope(page)
    open_stage(page, "3")
    link = page.locator(".dx-scope-op h3 a").first
    expect(link).to_have_attribute("href", "https://docs.pytorch.org/docs/stable/generated/torch.div.html")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_attribute("target", "_blank")
    expect(page.locator(".dx-scope-call").first).to_have_text("scores_processed = scores / self.temperature")
    expect(page.locator(".dx-scope-shapes").first).to_have_text("[1, 8] float32 → [1, 8] float32")
    shown = page.locator(".dx-scope-table tr[data-role=out] td")
    before = shown.all_inner_texts()
    assert all(len(text.strip("−0.")) <= 6 for text in before)
    page.locator(".dx-scope-digits").focus()
    page.keyboard.press("Space")
    expect(page.locator(".dx-scope-digits")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".dx-scope-digits")).to_be_focused()
    assert max(map(len, shown.all_inner_texts())) > max(map(len, before))


def test_on_a_phone_tokens_are_rows_and_nothing_but_the_tables_scrolls(url, open_page):
    page = open_page(url, width=390, height=800)
    open_microscope(page)
    for number in ("1", "5", DRAW):
        open_stage(page, number)
        table = page.locator(".dx-scope-table").first
        expect(table).to_have_class("dx-table dx-scope-table dx-scope-tall")
        assert table.locator("tbody tr").count() >= 3
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1200, "height": 800})
    expect(page.locator(".dx-scope-table.dx-scope-wide thead th").first).to_be_visible()


def test_hostile_tokens_are_text_at_every_stage(url, open_page):
    page = open_page(url)
    open_microscope(page)
    seen: set[str] = set()
    for step in (0, 3, 7):
        page.locator(".dx-token").nth(step).click()
        expect(page.locator("#dx-lab [data-part=body]")).to_have_attribute("data-drawn", f"microscope.0.{step}")
        for number in range(1, len(PROCESSORS) + 2):
            open_stage(page, str(number))
            cells = page.locator(".dx-scope-table").first.locator(".dx-scope-token").all_text_contents()
            shown = {cell.removeprefix("▸").replace("␣", " ") for cell in cells}
            assert len(shown) == len(cells) >= 3
            seen |= shown
    assert seen == set(HOSTILE)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx img, .dx script, .dx s").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave_at_any_stage(url, open_page, dark):
    page = open_page(url)
    if dark:
        page.locator("[data-part=scheme]").click()
    open_microscope(page)
    for number in ("1", "3", "5", DRAW):
        open_stage(page, number)
        assert grave_findings(page) == []
