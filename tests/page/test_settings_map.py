"""The lab's tab "settings_map" on the real page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.conftest import quiet
from tests.page.test_accessibility import grave_findings

pytestmark = pytest.mark.browser

CELL = ".dx-map-grid td > button"


def test_a_cell_tries_its_setting_and_the_whole_run_is_read(app_url, open_page, example):
    page = open_page(app_url)
    page.click('.dx-lab [data-tab="settings_map"]')
    expect(page.locator(CELL)).to_have_count(400)
    now = page.locator(f"{CELL}[data-now=exact], {CELL}[data-now=near]")
    expect(now).to_have_count(1)
    assert grave_findings(page) == []
    now.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    cell = page.locator(f"{CELL}:focus")
    line, column = (int(cell.get_attribute(f"data-{name}")) for name in ("line", "column"))
    page.keyboard.press("Enter")
    expect(page.locator("#dx-knob-temperature")).to_have_value(f"{0.1 * (line + 1):g}")
    expect(page.locator("#dx-knob-top_p")).to_have_value(f"{0.05 * (column + 1):g}")
    expect(now).to_have_attribute("data-line", str(line))
    expect(now).to_have_attribute("data-now", "exact")
    left = now.inner_text()
    expect(page.locator("#dx-whatif [data-fact=alive] b")).to_have_text(left)
    page.click(".dx-map [data-id=run]")
    expect(page.locator(".dx-map .dx-reading")).to_contain_text(f"All {len(example.steps)} recorded tokens")
    page.click(".dx-map [data-id=survives]")
    expect(page.locator(CELL).last).to_have_text("100%")
    quiet(page)
    assert page.locator(".dx-map progress").is_hidden()
