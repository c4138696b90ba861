"""Runs on the real page: Run, Stop, verify, and what can go wrong."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, Route, expect

from app.views.token_row import row_view
from decoding import record
from tests.page.conftest import quiet, run_to_the_end, served

pytestmark = pytest.mark.browser


def prompt(page: Page):
    return page.locator("#dx-prompt textarea")


def test_a_run_streams_and_gives_what_the_library_gives_here(app_url, open_page, example, lm):
    """The form is the example's; whether another processor draws its tokens is not asked."""
    here = row_view(record(lm, example.prompts[0], example.settings), 0)
    page = open_page(app_url)
    run_to_the_end(page)
    labels = [token.get_attribute("aria-label") for token in page.locator(".dx-token").all()]
    assert labels == [f"Step {cell.step + 1}: {cell.text}" for cell in here.generated]
    expect(page.locator(".dx-facts")).not_to_contain_text("recorded example")
    expect(page.locator(".dx-message-box")).to_be_hidden()


def test_verify_says_equal(app_url, open_page):
    page = open_page(app_url)
    run_to_the_end(page)  # here and now: the example was recorded on another processor
    page.locator("#dx-verify-button").click()
    expect(page.locator(".dx-verdict")).to_contain_text("Equal: generate() gives the same tokens")


def test_stop_keeps_what_was_recorded(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-knob-max_new_tokens").fill("400")
    page.locator("#dx-knob-min_new_tokens").fill("400")
    page.locator("#dx-run").click()
    page.wait_for_function("document.querySelectorAll('.dx-token').length >= 12")
    page.locator("#dx-stop").click()
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator(".dx-message-box")).to_contain_text("recorded so far are kept")
    n = page.locator(".dx-token").count()
    assert 12 <= n < 400
    expect(page.locator(".dx-facts")).to_contain_text("you")
    page.locator(".dx-token").nth(n - 1).click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"step {n}")


def test_what_a_run_says_first_is_shown_though_the_page_hears_late_which_run_says_it(app_url, open_page):
    """Its answers come on another connection than its number, and overtake that on a slow line."""
    page = open_page(app_url)

    def late(route: Route) -> None:
        told = route.fetch()
        time.sleep(2)
        route.fulfill(response=told)

    page.route("**/queue/join*", late, times=1)
    for name in ("max_new_tokens", "min_new_tokens"):
        page.locator(f"#dx-knob-{name}").fill("3000")
    page.locator("#dx-run").click()
    page.wait_for_function("dx.about.streaming")
    expect(page.locator("#dx-stop")).to_be_enabled()
    expect(page.locator("#dx-run")).to_be_disabled()
    expect(page.locator("#dx-verify-button")).to_be_disabled()
    page.locator("#dx-stop").click()
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator(".dx-message-box")).to_contain_text("recorded so far are kept")


# Holds back for a second what tells the page that its stream of answers has ended.
LATE_END = """(() => {
  const plain = window.fetch;
  window.endsWaiting = 0;
  window.fetch = async (input, init) => {
    const answer = await plain(input, init);
    if (!String(input?.url ?? input).includes("/queue/data") || !answer.body) return answer;
    const held = new TransformStream({
      async transform(part, out) {
        if (new TextDecoder().decode(part).includes('"close_stream"')) {
          window.endsWaiting += 1;
          await new Promise((done) => setTimeout(done, 1000));
        }
        out.enqueue(part);
      },
    });
    return new Response(answer.body.pipeThrough(held), answer);
  };
})()"""


def test_what_is_asked_while_the_stream_of_answers_ends_is_answered(app_url, open_page):
    page = open_page(app_url, before=LATE_END)
    page.locator("#dx-knob-max_new_tokens").fill("2")
    run_to_the_end(page)
    page.evaluate("window.endsWaiting = 0")
    page.wait_for_function("window.endsWaiting")  # a while after the last answer: the server has ended the stream
    page.locator("#dx-verify-button").click()
    expect(page.locator(".dx-verdict")).to_contain_text("Equal: generate() gives the same tokens")
    quiet(page)


def test_greedy_disables_what_does_not_act_and_lists_it_as_silent(app_url, open_page):
    page = open_page(app_url)
    page.get_by_text("Greedy", exact=True).click()
    expect(page.locator("#dx-knob-temperature")).to_be_disabled()
    expect(page.locator("#dx-knob-repetition_penalty")).to_be_enabled()
    run_to_the_end(page)
    expect(page.locator(".dx-notes [data-kind=silent]")).to_contain_text("temperature = 0.9")
    expect(page.locator("#dx-cutoff .dx-reading")).to_contain_text("Greedy decoding")


def test_temperature_zero_offers_greedy(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-knob-temperature").fill("0")
    note = page.locator(".dx-zero")
    expect(note).to_contain_text("0 is no temperature")
    note.get_by_role("button", name="Use greedy").click()
    expect(page.locator("input[value=greedy]")).to_be_checked()
    expect(page.locator("#dx-knob-temperature")).to_have_value("")


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [("top_p", "1.7", "top_p must be in (0, 1], got 1.7"), ("temperature", "-1", "temperature must be"),
     ("temperature", "0", "greedy"), ("seed", "-5", "seed must be")],
)  # fmt: skip
def test_a_bad_setting_is_said_and_the_run_before_stays(app_url, open_page, knob, value, message):
    page = open_page(app_url)
    before = page.locator(".dx-token").all_inner_texts()
    page.locator(f"#dx-knob-{knob}").fill(value)
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text(message)
    expect(page.locator("#dx-run")).to_be_enabled()
    assert page.locator(".dx-token").all_inner_texts() == before


def test_an_empty_prompt_is_said(app_url, open_page):
    page = open_page(app_url)
    prompt(page).fill("")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text("empty")


def test_a_prompt_beyond_the_context_is_said(app_url, open_page):
    page = open_page(app_url)
    prompt(page).fill("word " * 7_900)
    page.locator("#dx-knob-max_new_tokens").fill("4000")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text("max_new_tokens")


def test_an_unknown_model_is_said_and_the_run_before_stays(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-model textarea, #dx-model input").fill("/nowhere/at/all")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text("/nowhere/at/all")
    expect(page.locator("#dx-run")).to_be_enabled()
    assert page.locator(".dx-token").count() > 0


def test_a_chat_shows_the_templates_tokens(app_url, open_page):
    page = open_page(app_url)
    page.get_by_label("Chat", exact=True).check()
    prompt(page).fill("Say hello.")
    page.locator("#dx-knob-max_new_tokens").fill("3")
    run_to_the_end(page)
    shown = page.locator(".dx-prompt-token[data-kind=special]").all_inner_texts()
    assert "<|im_start|>" in shown
    assert "<|im_end|>" in shown


def test_several_answers_are_rows_to_choose_from(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-knob-num_return_sequences").fill("3")
    page.locator("#dx-knob-max_new_tokens").fill("5")
    run_to_the_end(page)
    rows = page.locator("[data-part=rows] .dx-tab")
    expect(rows).to_have_count(3)
    first = page.locator(".dx-token").all_inner_texts()
    rows.nth(1).click()
    assert page.locator(".dx-token").all_inner_texts() != first
    page.wait_for_function("document.querySelector('#dx-waterfall [data-part=plot]').dataset.drawn.startsWith('1.')")


def test_a_hostile_prompt_is_shown_as_text(app_url, open_page):
    page = open_page(app_url)
    hostile = "<img src=x onerror=\"window.owned=1\"> ${window.owned=2} </script><script>window.owned=3</script>"
    prompt(page).fill(hostile)
    page.locator("#dx-knob-max_new_tokens").fill("3")
    run_to_the_end(page)
    shown = "".join(page.locator(".dx-prompt-token").all_inner_texts())
    assert re.sub("␣", " ", shown) == hostile
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx img").count() == 0


def test_hostile_messages_are_shown_as_text(app_url, open_page):
    page = open_page(app_url)
    page.locator("#dx-model textarea, #dx-model input").fill("<img src=x onerror=window.owned=1>${window.owned=2}")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text("<img src=x")
    quiet(page)
    assert page.evaluate("window.owned") is None


def test_made_up_events_do_no_harm(app_url, open_page):
    """Event data and component values come from the browser: anything may be in them."""
    page = open_page(app_url)
    page.evaluate(
        """() => { const b = document.querySelector('.dx-token'); b.dataset.step = '999999'; b.click();
                   for (const c of document.querySelectorAll('#dx-cutoff .dx-tab')) c.click(); }"""
    )
    quiet(page)
    page.locator(".dx-token").nth(2).click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 3")


def run_long(page: Page) -> None:
    for name in ("max_new_tokens", "min_new_tokens"):
        page.locator(f"#dx-knob-{name}").fill("3000")  # it goes on until it is stopped, however slow the page is
    page.locator("#dx-run").click()


@pytest.fixture(scope="module")
def one_at_a_time(example, tmp_path_factory):
    """A server on which one run goes on at a time, and runs are stored."""
    first = "import app.serving.line; app.serving.line.AT_ONCE = 1"
    with served(example, tmp_path_factory.mktemp("one"), "--stored-runs", "on", first=first) as url:
        yield url


def test_who_comes_second_sees_the_place_in_the_queue_and_can_call_it_off(one_at_a_time, open_page):
    first, second = open_page(one_at_a_time), open_page(one_at_a_time)
    run_long(first)
    first.wait_for_function("document.querySelector('.dx-status').dataset.state === 'running'")
    run_long(second)
    expect(second.locator(".dx-status")).to_contain_text("place 1 in the queue · about")
    expect(second.locator(".dx-status [role=status]")).to_contain_text("place 1 in the queue")  # said, too
    second.locator("#dx-stop").click()
    expect(second.locator("#dx-run")).to_be_enabled()  # at once, and not when the other one ends
    expect(first.locator(".dx-status")).to_have_attribute("data-state", "running")
    expect(second.locator(".dx-facts")).to_contain_text("opened file")
    expect(second.locator(".dx-status")).not_to_contain_text("queue")
    first.locator("#dx-stop").click()
    expect(first.locator("#dx-run")).to_be_enabled()


def test_the_place_is_said_in_chinese_and_the_run_begins_by_itself(one_at_a_time, open_page):
    first, second = open_page(one_at_a_time), open_page(one_at_a_time, locale="zh-CN")
    run_long(first)
    first.wait_for_function("document.querySelector('.dx-status').dataset.state === 'running'")
    run_long(second)
    expect(second.locator(".dx-status")).to_contain_text("排在第 1 位 · 约")
    first.locator("#dx-stop").click()
    second.wait_for_function("document.querySelector('.dx-status').dataset.state === 'running'")
    second.locator("#dx-stop").click()
    expect(second.locator("#dx-run")).to_be_enabled()


def test_two_visitors_runs_go_on_at_the_same_time(app_url, open_page):
    first, second = open_page(app_url), open_page(app_url)
    run_long(first)
    first.wait_for_function("document.querySelector('.dx-status').dataset.state === 'running'")
    run_to_the_end(second)
    expect(first.locator(".dx-status")).to_have_attribute("data-state", "running")
    first.locator("#dx-stop").click()
    expect(first.locator("#dx-run")).to_be_enabled()


@pytest.mark.parametrize(("locale", "mark", "note"), [
    ("en-US", "recorded before", "by this server; opened without decoding"), ("zh-CN", "先前录好", "打开时未解码"),
])  # fmt: skip
def test_a_run_that_was_recorded_before_says_so_and_can_be_verified(one_at_a_time, open_page, locale, mark, note):
    first, second = open_page(one_at_a_time), open_page(one_at_a_time, locale=locale)
    for page in (first, second):
        prompt(page).fill(f"The same {locale}")
        page.locator("#dx-knob-max_new_tokens").fill("5")
        page.locator("#dx-knob-seed").fill("7")
    run_to_the_end(first)
    expect(first.locator(".dx-facts")).not_to_contain_text("recorded")
    first.wait_for_timeout(500)  # until it is written
    second.locator("#dx-run").click()
    expect(second.locator(".dx-message-box")).to_contain_text(note)
    expect(second.locator(".dx-facts")).to_contain_text(mark)
    expect(second.locator("#dx-run")).to_be_enabled()
    assert texts(first) == texts(second)
    second.locator("#dx-verify-button").click()
    expect(second.locator(".dx-verdict-box")).to_have_attribute("data-kind", "good")


def texts(page: Page) -> list[str]:
    return page.locator(".dx-token").all_inner_texts()
