"""The lab's tabs "Compare" and "In words" on the real page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from app.lab import in_words
from app.runs import Runs
from app.text import Text
from app.views.look import Look
from decoding import Settings
from tests.page.conftest import run_to_the_end
from tests.page.test_accessibility import grave_findings
from tests.page.test_whatif import confirmed, move

pytestmark = pytest.mark.browser


def open_tab(page: Page, name: str) -> None:
    page.locator(f".dx-lab button[data-tab={name}]").click()
    page.wait_for_selector(f".dx-lab [data-part=body][data-tab={name}]")


def plain(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


def told(trace, step: int, whatif=None) -> list[str]:
    look = Look(
        trace=trace, row=0, step=step, token_id=trace.steps[step].token_ids[0], runs=Runs(trace, "m"), text=Text("en"),
        whatif=whatif,
    )  # fmt: skip
    return [f"{item['label']} {plain(item['pieces'])}" for item in in_words.sheet(look, {})["items"]]


def items(page: Page) -> list[str]:
    return page.locator(".dx-words li").all_text_contents()


def test_two_runs_under_other_settings_stand_side_by_side(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "compare")
    expect(page.locator(".dx-compare .dx-reading")).to_contain_text("takes two to compare")
    assert page.locator(".dx-statistics tbody tr").first.locator("td").first.inner_text() == "9"
    example = page.locator(".dx-token").all_inner_texts()
    page.locator("#dx-knob-temperature").fill("0.3")
    page.locator("#dx-knob-top_p").fill("0.5")
    run_to_the_end(page)
    mine = page.locator(".dx-token").all_inner_texts()
    assert mine != example
    assert page.locator("[data-pick=a]").input_value() == "0" and page.locator("[data-pick=b]").input_value() == "1"
    assert page.locator(".dx-pair-a").all_inner_texts() == example
    assert page.locator(".dx-pair-b").all_inner_texts() == mine
    parting = next(i for i, (a, b) in enumerate(zip(example, mine, strict=True)) if a != b)
    columns = page.locator(".dx-pair:not(.dx-pair-names)")
    assert "dx-parts" in columns.nth(parting).get_attribute("class") and page.locator(".dx-parts").count() == 1
    reading = page.locator(".dx-compare .dx-reading")
    expect(reading).to_contain_text(f"A took “{example[parting]}”")
    expect(reading).to_contain_text(f"B took “{mine[parting]}”")
    given = page.locator(".dx-given-table tbody tr").all_inner_texts()
    assert [line.split() for line in given] == [["temperature", "0.9", "0.3"], ["top_p", "0.9", "0.5"]]
    assert page.locator(".dx-run-detail").all_inner_texts() == [
        "recorded example · Sample", "temperature 0.3 · top_p 0.5"
    ]


def test_the_two_can_be_chosen_and_swapped_and_a_new_run_comes_into_view(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "compare")
    page.locator("#dx-knob-max_new_tokens").fill("4")
    run_to_the_end(page)
    page.locator(".dx-token").nth(0).click()
    page.wait_for_selector(".dx-take[aria-disabled=false]")
    page.click(".dx-take")
    page.wait_for_function("document.querySelectorAll('.dx-run').length === 3")
    expect(page.locator("#dx-run")).to_be_enabled()
    a, b = page.locator("[data-pick=a]"), page.locator("[data-pick=b]")
    expect(b).to_have_value("2")
    assert a.input_value() == "1"  # the run it was forked from
    expect(page.locator(".dx-compare .dx-reading")).to_contain_text("put there by hand")
    a.select_option("0")
    expect(page.locator(".dx-pair-a")).to_have_count(9)
    first = page.locator(".dx-pair-a").all_inner_texts()
    page.locator(".dx-swap").click()
    expect(b).to_have_value("0")
    assert a.input_value() == "2" and page.locator(".dx-pair-b").all_inner_texts()[: len(first)] == first
    assert "Swap" in page.locator(".dx-swap").get_attribute("aria-label")
    run_to_the_end(page)
    expect(b).to_have_value("3")  # the newest, beside the one before it


def test_beams_and_rows_are_chosen_by_their_own_select(app_url, open_page):
    page = open_page(app_url)
    open_tab(page, "compare")
    page.locator("#dx-knob-max_new_tokens").fill("4")
    page.locator("#dx-knob-num_return_sequences").fill("2")
    run_to_the_end(page)
    page.locator("input[name=dx-mode][value=beam_search]").check(force=True)
    run_to_the_end(page)
    rows = page.locator("[data-pick=row_b]")
    expect(rows).to_be_visible()
    assert rows.locator("option").all_inner_texts() == ["hypothesis #1", "hypothesis #2"]
    assert page.locator("[data-pick=row_a] option").all_inner_texts() == ["row 1", "row 2"]
    said = "[...document.querySelectorAll('.dx-pair-b')].map(b => b.innerText).join()"
    before = page.evaluate(said)
    rows.select_option("1")
    page.wait_for_function(f"before => {said} !== before", arg=before)


def test_the_step_is_told_in_words_and_so_is_the_next(app_url, open_page, example):
    page = open_page(app_url)
    step = int(page.locator(".dx-token[aria-pressed=true]").get_attribute("data-step"))
    assert items(page) == told(example, step)
    page.locator(".dx-token").nth(1).click()
    expect(page.locator(".dx-words h3")).to_contain_text("Step 2,")
    assert items(page) == told(example, 1)


def test_other_settings_are_told_as_other_settings(app_url, open_page, example):
    page = open_page(app_url)
    step = int(page.locator(".dx-token[aria-pressed=true]").get_attribute("data-step"))
    move(page, temperature=0.3, top_p=0.6)
    confirmed(page)
    expect(page.locator(".dx-words h3")).to_contain_text("under the settings tried")
    tried = Settings(**{**example.settings.given(), "temperature": 0.3, "top_p": 0.6})
    expected, patience = told(example, step, example.whatif(tried)), 100
    while items(page) != expected and patience:  # the lab follows the answer to the last movement
        page.wait_for_timeout(100)
        patience -= 1
    assert items(page) == expected


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave_in_either_tab(app_url, open_page, dark):
    page = open_page(app_url)
    if dark:
        page.locator("[data-part=scheme]").click()
    page.wait_for_timeout(500)  # the colours fade
    assert grave_findings(page) == []
    page.locator("#dx-knob-max_new_tokens").fill("4")
    run_to_the_end(page)
    open_tab(page, "compare")
    page.locator(".dx-compare summary").click()
    expect(page.locator(".dx-compare details table")).to_be_visible()
    assert grave_findings(page) == []


def test_chinese_and_a_phone(app_url, open_page):
    page = open_page(app_url, width=390, height=844, locale="zh-CN")
    expect(page.locator(".dx-words h3")).to_contain_text("从模型的分数到词元")
    page.locator(".dx-knobs [data-part=brief]").click()  # on a phone the settings are one line
    page.locator("#dx-knob-max_new_tokens").fill("4")
    run_to_the_end(page)
    open_tab(page, "compare")
    expect(page.locator(".dx-compare .dx-reading")).to_contain_text("个词元相同")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
