"""In the browser: the bytes of a character under it, each its own button; an encoder's source comes first."""

from __future__ import annotations

import pytest

from app.standalone.page import standalone_html
from decoding import Settings, record
from tests.page.conftest import served_here
from tests.page.test_accessibility import grave_findings
from tests.page.test_standalone import open_file  # noqa: F401
from tests.test_characters import SAYS, saying
from tests.tiny_tokenizers import tiny_lm_of

pytestmark = pytest.mark.browser

BUTTONS = ".dx-token-row [data-part=tokens] button.dx-token"


@pytest.fixture(scope="module")
def url(tmp_path_factory, lm):
    with served_here(saying(SAYS, prompt="北a"), tmp_path_factory.mktemp("characters"), lm) as address:
        yield address


def test_the_bytes_of_a_character_stand_in_a_bracket_under_it(url, open_page):
    page = open_page(url)
    groups = page.locator(".dx-character")
    assert [groups.nth(i).get_attribute("aria-label") for i in range(groups.count())] == ["北", "🙂", "é"]
    first = groups.first
    assert first.locator(".dx-character-text").inner_text() == "北"
    assert first.locator("button").all_inner_texts() == ["‹E5›", "‹8C›", "‹97›"]
    above = first.locator(".dx-character-text").bounding_box()
    below = first.locator("button").nth(1).bounding_box()
    assert above["y"] + above["height"] <= below["y"] + 1
    assert page.locator(".dx-token-row [data-part=prompt] [data-kind=joined]").all_inner_texts() == ["北"]


def test_each_byte_is_a_button_with_its_own_name_and_step(url, open_page):
    page = open_page(url)
    buttons = page.locator(BUTTONS)
    assert buttons.count() == len(SAYS.encode())
    assert buttons.nth(1).get_attribute("aria-label") == "Step 2: ‹8C›, part of 北"
    buttons.nth(1).click()
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    page.wait_for_function("document.querySelector('#dx-waterfall').textContent.includes('‹8C›')")
    for key, step in (("ArrowRight", 2), ("ArrowRight", 3), ("End", len(SAYS.encode()) - 1), ("Home", 0)):
        page.keyboard.press(key)
        page.wait_for_function("step => document.activeElement.dataset.step === step", arg=str(step))
    assert page.locator(f"{BUTTONS}[aria-pressed=true]").count() == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_no_bracket_is_wider_than_the_page(url, open_page, width):
    page = open_page(url, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not grave_findings(page)


def test_the_row_begins_with_what_the_encoder_read(tmp_path, open_page, open_file, lm):  # noqa: F811
    trace = record(tiny_lm_of("t5", "t5"), "the Ж cat", Settings(max_new_tokens=4))
    with served_here(trace, tmp_path, lm) as address:
        page = open_page(address)
        source = page.locator(".dx-token-row [data-part=source]")
        assert source.locator(".dx-prompt-token").all_inner_texts() == ["␣the", "␣", "<unk>", "␣cat", "</s>"]
        assert source.locator(".dx-source-label").inner_text() == "encoder read"
        start = page.locator(".dx-token-row [data-part=prompt]")
        assert start.inner_text().replace("\n", "") == "decoder<pad>"
        assert source.bounding_box()["y"] + source.bounding_box()["height"] <= start.bounding_box()["y"] + 1
    alone = open_file(standalone_html(trace))
    assert "<unk>" in alone.locator(".dx-token-row [data-part=source]").inner_text()
    assert "<unk>" in alone.locator("#dx-facts").inner_text()
