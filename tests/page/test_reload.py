"""A page that is loaded again: the runs of its tab are there, and nothing is decoded for that."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from app.export.permalink import Configuration, encode
from tests.page.conftest import quiet, settle
from tests.page.test_accessibility import grave_findings
from tests.page.test_runs import in_view, labels, pick, prompt, run

pytestmark = pytest.mark.browser

KEPT = "sessionStorage.getItem('dx-runs')"


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(".dx-token")
    settle(page)


def texts(page: Page) -> list[str]:
    return page.locator(".dx-run-text").all_inner_texts()


def test_a_reload_brings_runs_names_and_the_step_in_view_back_to_this_tab_alone(app_url, open_page):
    page = open_page(app_url)
    run(page, 1, "My first one", max_new_tokens="8")  # sampled without a seed: decoded again, it would be another
    run(page, 2, "My second one", max_new_tokens="5")
    page.locator("[data-act=rename][data-number='1']").click()
    page.locator(".dx-run-name").fill("the long one")
    page.keyboard.press("Enter")
    pick(page, 1)
    page.locator(".dx-token").nth(5).click()
    page.locator("#dx-knob-temperature").fill("0.4")  # tried, not run
    quiet(page, 400)
    before = labels(page), texts(page), page.url
    assert before[0] == ["Run 1", "Run 2: the long one", "Run 3"]
    reload(page)
    in_view(page, 1)
    assert (labels(page), texts(page), page.url) == before
    assert page.evaluate("[dx.about.run, dx.about.row, dx.about.step]") == [1, 0, 5]
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 6")
    assert prompt(page).input_value() == "My first one"
    expect(page.locator("#dx-knob-temperature")).to_have_value("0.4")
    expect(page.locator(".dx-whatif")).to_be_visible()
    page.go_back()  # an entry of before the reload
    in_view(page, 2)
    run(page, 3, "My third one", max_new_tokens="3")
    assert len(labels(page)) == 4

    kept = page.evaluate(KEPT)
    other = page.context.new_page()  # as a tab that the browser made of this one
    other.add_init_script(f"sessionStorage['dx-runs'] ??= {json.dumps(kept)}")
    other.goto(app_url)
    settle(other)
    in_view(other, 3)
    other.locator("[data-act=remove][data-number='1']").click()
    other.locator("[data-act=remove][data-number='1']").click()
    expect(other.locator("[data-act=pick]")).to_have_count(3)
    pick(page, 1)
    assert len(labels(page)) == 4
    assert json.loads(page.evaluate(KEPT))["key"] != json.loads(other.evaluate(KEPT))["key"]
    stranger = page.context.new_page()  # as after closing the tab
    stranger.goto(app_url)
    settle(stranger)
    assert labels(stranger) == []


def test_what_the_server_has_no_longer_is_offered_and_decoded_only_when_asked(app_url, open_page):
    page = open_page(app_url)
    run(page, 1, "My first one", max_new_tokens="4")
    run(page, 2, "My second one", max_new_tokens="3")
    quiet(page, 250)
    page.evaluate(
        """() => {
          const kept = JSON.parse(sessionStorage.getItem("dx-runs"));
          sessionStorage.setItem("dx-runs", JSON.stringify({ ...kept, key: "A".repeat(43) }));
        }"""
    )
    reload(page)
    assert labels(page) == []
    expect(page.locator(".dx-message-box")).to_contain_text("Nothing was decoded again")
    expect(page.locator(".dx-reload li")).to_have_count(2)
    assert prompt(page).input_value() == "My second one"
    assert grave_findings(page) == []
    page.locator(".dx-reload li button", has_text="Run 2").click()
    expect(prompt(page)).to_have_value("My first one")
    expect(page.locator("#dx-knob-max_new_tokens")).to_have_value("4")
    expect(page.locator(".dx-reload li")).to_have_count(1)
    page.locator("#dx-run").click()
    in_view(page, 3)
    page.locator(".dx-reload").get_by_role("button", name="Forget them").click()
    expect(page.locator(".dx-reload")).to_be_hidden()
    assert [kept["number"] for kept in json.loads(page.evaluate(KEPT))["runs"]] == [3]


def test_a_link_that_is_followed_in_the_tab_comes_before_what_it_keeps(app_url, open_page):
    page = open_page(app_url)
    page.locator("[data-item=greedy-loop]").click()
    quiet(page, 300)
    link = encode(Configuration(run=False, prompt="From a friend"))
    page.goto(f"{app_url}/?c={link}")
    page.wait_for_selector(".dx-token")
    settle(page)
    assert labels(page) == []
    assert prompt(page).input_value() == "From a friend"
    for junk in ("[" * 10_000, '{"key": 7}', '{"key": "' + "A" * 43 + '", "runs": [[], {}]}'):
        page.evaluate("(junk) => sessionStorage.setItem('dx-runs', junk)", junk)
        reload(page)
        assert labels(page) == []
        assert prompt(page).input_value() == "From a friend"
