"""The report of a sweep, opened from disk with the network off: by pointer, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.sweep_report.page import report_html
from decoding.sweeps import Plan, grid
from decoding.sweeps.folder import table_of
from decoding.sweeps.summary import Summary, summary_of
from tests.page.test_accessibility import grave_findings
from tests.page.test_standalone import open_file  # noqa: F401  the fixture
from tests.test_sweeps_report import row_of

pytestmark = pytest.mark.browser

READY = "body[data-at]"
BAD = "<img src=x onerror=alert(1)></script><b>bold</b>"


def summary(n_prompts: int = 4, error: str = "too long") -> Summary:
    """Temperature × top_p × top_k, a surprisal that rises with each; a prompt that fails everywhere."""
    cells = grid({"temperature": [0.2, 0.6, 1.0, 1.4], "top_p": [0.5, 0.9, 1.0], "top_k": [0, 20]}, {"do_sample": True})
    prompts = tuple(f"{BAD} {i}" for i in range(n_prompts))
    plan = Plan(prompts=prompts, cells=cells, axes=("temperature", "top_p", "top_k"))
    rows = []
    for number, cell in enumerate(cells):
        base = cell.temperature + cell.top_p + cell.top_k / 10
        rows += [row_of(number, i, 0, base + i / 10) | {"text": f"{BAD} said {number}"} for i in range(n_prompts - 1)]
        rows.append(row_of(number, n_prompts - 1, 0, error))
    return summary_of(plan, [table_of(plan, rows)])


@pytest.fixture
def report(open_file) -> Iterator[Page]:  # noqa: F811
    yield open_file(report_html(summary()), ready=READY)


def test_it_says_what_was_recorded_and_draws_a_map_and_curves(report):
    expect(report.locator("#dx-lead")).to_contain_text("96 rows: 4 prompts under 24 settings")
    expect(report.locator("#dx-lead")).to_contain_text("24 rows have no run")
    expect(report.locator("#dx-map h2")).to_contain_text("temperature × top_p")
    expect(report.locator("#dx-map .dx-reading")).to_contain_text("Least 0.80 at temperature 0.2, top_p 0.5, top_k 0")
    assert report.locator("#dx-map .heatmaplayer image").count() == 1
    assert report.locator("#dx-map .dx-plot-words text").count() == 12
    assert report.locator("#dx-curve .scatterlayer .trace").count() == 3
    assert report.locator("#dx-curve .errorbars").count() == 3
    expect(report.locator("#dx-curve .dx-reading")).to_contain_text("Student's t over 3 prompts")
    expect(report.locator("#dx-failures tbody tr")).to_have_count(24)


def test_a_click_on_a_cell_shows_its_runs_and_how_to_open_them(report):
    box = report.locator("#dx-map .nsewdrag").first.bounding_box()
    report.mouse.click(box["x"] + box["width"] * 7 / 8, box["y"] + box["height"] * 5 / 6)
    expect(report.locator("#dx-runs h2")).to_have_text("Runs at temperature 1.4, top_p 0.5, top_k 0")
    expect(report.locator("#dx-runs li")).to_have_count(4)
    expect(report.locator("#dx-runs li").first).to_contain_text("said 18")
    expect(report.locator("#dx-runs code").first).to_have_text("decoding-explorer open traces/000003.trace --row 1")
    assert report.locator("#dx-runs a").first.get_attribute("href") == "traces/000003.trace"
    expect(report.locator("#dx-runs li").last).to_contain_text("no run: too long")


def test_the_keyboard_alone_reaches_everything(report):
    def tab_to(selector: str) -> None:
        for _ in range(80):
            report.keyboard.press("Tab")
            if report.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached")

    tab_to("#dx-choices select")
    report.keyboard.press("t")  # the next statistic that begins with it
    expect(report.locator("#dx-map h2")).to_contain_text("tokens left after top_p")
    tab_to("#dx-map summary")
    report.keyboard.press("Enter")
    tab_to("#dx-map .dx-pick")
    report.keyboard.press("Tab")
    report.keyboard.press("Enter")
    expect(report.locator("#dx-runs h2")).to_have_text("Runs at temperature 0.6, top_p 0.5, top_k 0")
    assert report.evaluate("document.activeElement.id") == "dx-runs"


def test_other_axes_and_what_the_third_is_held_at_can_be_chosen(report):
    menus = report.locator("#dx-choices select")
    menus.nth(1).select_option(label="top_k")
    expect(report.locator("#dx-map h2")).to_contain_text("top_k × top_p")
    menus.nth(3).select_option(label="1.0")
    expect(report.locator("#dx-map .dx-reading")).to_contain_text("Least 1.60 at temperature 1.0, top_p 0.5, top_k 0")


def test_hostile_texts_are_text(report):
    report.locator("#dx-map summary").click()
    assert report.locator("#dx-runs img, #dx-runs b, #dx-failures b").count() == 0
    expect(report.locator("#dx-runs li").first).to_contain_text("<img src=x onerror=alert(1)>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_has_no_grave_fault(open_file, tmp_path: Path, scheme, width):  # noqa: F811
    page = open_file(
        report_html(summary(), "zh" if width == 390 else "en"), ready=READY, width=width, color_scheme=scheme
    )
    for details in page.locator("summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert grave_findings(page) == []
