"""Forks on the real page: another token is taken, and the new run stands beside the first."""

from __future__ import annotations

import json

import pytest

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
