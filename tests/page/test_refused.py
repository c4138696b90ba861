"""What a bound refuses is said on the page, in its words, and it can be asked again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.conftest import served

pytestmark = pytest.mark.browser

ONE_RUN = "import os; os.environ['DECODING_EXPLORER_TAB_RUNS'] = '1'"


@pytest.mark.parametrize(
    ("locale", "often", "large"),
    [("en-US", "at most 1 a minute", "A field holds"), ("zh-CN", "每分钟最多接受 1 次", "有一个字段含")],
)
def test_too_many_runs_and_too_large_a_field_are_told(open_page, example, tmp_path, locale, often, large):
    with served(example, tmp_path, first=ONE_RUN) as url:
        page = open_page(url, locale=locale)
        box = page.locator(".dx-message-box")
        page.locator("#dx-prompt textarea").evaluate(
            "(area) => { area.value = 'x'.repeat(1100000); area.dispatchEvent(new Event('input', {bubbles: true})); }"
        )
        page.locator("#dx-run").click()
        expect(box).to_contain_text(large)
        expect(box).to_contain_text("1,048,576")
        expect(page.locator("#dx-run")).to_be_enabled()
        page.locator("#dx-prompt textarea").fill("Once upon a time")
        page.locator("#dx-run").click()
        expect(page.locator(".dx-run-detail")).to_have_count(2)
        expect(page.locator("#dx-run")).to_be_enabled()
        page.locator("#dx-run").click()
        expect(box).to_contain_text(often)
        expect(page.locator("#dx-run")).to_be_enabled()
        expect(page.locator("#dx-stop")).to_be_disabled()
