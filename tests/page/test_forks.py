"""Forks on the real page: another token is taken, and the new run stands beside the first."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.page.conftest import quiet

pytestmark = pytest.mark.browser


def fork_options(page) -> list[str]:
    return page.locator(".dx-candidate option").all_inner_texts()


def test_a_token_chosen_instead_starts_a_run_beside_the_first(open_page, app_url):
    page = open_page(app_url)
    first = page.locator(".dx-token").all_inner_texts()
    step = int(page.locator(".dx-token[aria-pressed=true]").get_attribute("data-step"))
    taken = page.locator(".dx-candidate option").nth(0).inner_text().split(" · ")[0]
    page.click(".dx-take")
    page.wait_for_selector(".dx-runs:not([hidden])")
    page.wait_for_function("document.querySelector('#dx-stop')?.disabled ?? true")
    lines = page.locator(".dx-run")
    assert lines.count() == 2
    assert lines.nth(0).locator(".dx-fresh").inner_text() == "".join(first)
    assert lines.nth(1).locator(".dx-shared").inner_text() == "".join(first[:step])
    assert lines.nth(1).locator("mark").inner_text() == taken
    assert "not computed again" not in page.locator(".dx-run [data-act=pick]").nth(1).get_attribute("data-tip")
    page.click('.dx-run [data-number="0"]')
    page.wait_for_function(f"document.querySelectorAll('.dx-token').length === {len(first)}")
    assert page.locator(".dx-token").all_inner_texts() == first


def test_a_fork_of_a_run_made_here_reuses_what_was_computed(open_page, app_url):
    page = open_page(app_url)
    page.click("#dx-run")
    page.wait_for_selector("#dx-stop:not([disabled])")
    page.wait_for_selector("#dx-stop[disabled]")
    page.wait_for_selector(".dx-candidate:not([hidden])")
    page.click(".dx-take")
    page.wait_for_function("document.querySelectorAll('.dx-run').length === 3")  # the example, the run, its fork
    page.wait_for_selector("#dx-stop[disabled]")
    assert "not computed again" in page.locator(".dx-run [data-act=pick]").nth(2).get_attribute("data-tip")
    details = page.locator(".dx-run-detail").all_inner_texts()
    assert details[:2] == ["recorded example · Sample", "same settings"]
    assert details[2].startswith("fork of run 2 at step ")


def test_the_chooser_offers_the_tokens_of_the_step_in_view(open_page, app_url):
    page = open_page(app_url)
    before = fork_options(page)
    page.locator(".dx-token").nth(0).click()
    shown = "[...document.querySelectorAll('.dx-candidate option')].map(option => option.innerText).join('|')"
    page.wait_for_function(f"{shown} !== {json.dumps('|'.join(before))}")
    assert page.locator(".dx-candidate [data-part=label]").inner_text() == "Another token at step 1:"


def test_at_the_length_limit_the_chooser_says_that_nothing_is_left(open_page, app_url):
    page = open_page(app_url)
    page.locator(".dx-token").last.click()
    page.wait_for_selector(".dx-take[aria-disabled=true]")
    assert "max_new_tokens" in page.locator(".dx-take").get_attribute("data-tip")
    page.click(".dx-take", force=True)  # a person can click it; Playwright waits for aria-disabled to go
    quiet(page)
    assert page.locator(".dx-message-box:visible").count() == 0


def decoded(page, n_runs: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('.dx-run').length === {n_runs}")
    page.wait_for_function("document.querySelector('#dx-stop')?.disabled ?? true")
    quiet(page)


def test_a_forks_steps_have_the_numbers_that_they_would_have_in_the_run_that_it_leaves(open_page, app_url):
    page = open_page(app_url)
    n = page.locator(".dx-token").count()
    page.locator(".dx-token").nth(4).click()  # step 5
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 5:")
    page.click(".dx-take")
    decoded(page, 2)
    row = page.locator(".dx-token-row")
    expect(row.locator("mark[data-taken=by_hand]")).to_have_attribute("data-tip", re.compile("step 5, taken by hand"))
    assert row.locator("[data-taken=over]").count() == 4
    labels = [button.get_attribute("aria-label") for button in row.locator(".dx-token").all()]
    assert [int(re.match(r"Step (\d+):", label)[1]) for label in labels] == list(range(6, 6 + len(labels)))
    assert len(labels) <= n - 5
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("at step 6 ")
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 6:")
    expect(page.locator(".dx-run-detail").nth(1)).to_have_text(re.compile("^fork of run 1 at step 5"))
    page.click("#dx-lab [data-tab=compare]")
    expect(page.locator("#dx-lab .dx-reading").first).to_contain_text("4 tokens")
    assert page.locator(".dx-pairs .dx-pair:not(.dx-pair-names)").evaluate_all(
        "columns => columns.findIndex((column) => column.classList.contains('dx-parts')) + 1"
    ) == 5  # the columns are numbered as the steps are
    page.locator(".dx-token").nth(1).click()  # step 7
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 7:")
    page.click(".dx-take")
    decoded(page, 3)
    expect(page.locator(".dx-run-detail").nth(2)).to_have_text(re.compile("^fork of run 2 at step 7"))
    assert page.locator(".dx-token").first.get_attribute("aria-label").startswith("Step 8:")
    assert page.locator(".dx-token-row [data-taken=over]").count() == 6


def test_a_forks_search_counts_on_in_its_tree_its_tables_and_its_map(open_page, app_url):
    page = open_page(app_url)
    page.locator(".dx-modes").get_by_text("Beam search", exact=True).click()
    page.locator("#dx-knob-num_beams").fill("2")
    page.locator("#dx-knob-max_new_tokens").fill("8")
    page.locator("#dx-run").click()
    decoded(page, 2)
    page.locator(".dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 2:")
    page.click(".dx-take")
    decoded(page, 3)
    expect(page.locator(".dx-steps output")).to_have_text("Step 8 of 8")
    expect(page.locator(".dx-ledger caption")).to_have_text(re.compile("^Step 8:"))
    page.locator(".dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".dx-steps output")).to_have_text("Step 3 of 8")
    expect(page.locator(".dx-beam-reading")).to_contain_text("Step 3: ")
    expect(page.locator(".dx-ledger caption")).to_have_text(re.compile("^Step 3:"))
