"""Quick hands: several events before the first is answered. The last one counts, and then the page is quiet."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import quiet
from tests.page.test_whatif import MOVE, confirmed, facts

pytestmark = pytest.mark.browser


# The answers of the next `holding` questions wait here, once they have come, until they are let go.
HOLDS = """(() => {
  const plain = window.fetch;
  window.held = [];
  window.holding = 0;
  window.fetch = async (input, init) => {
    const answer = await plain(input, init);
    if (!String(input?.url ?? input).includes("predict") || !window.holding) return answer;
    window.holding -= 1;
    await new Promise((go) => window.held.push(go));
    return answer;
  };
})()"""


def counted(page: Page) -> list[str]:
    """The page's calls of Python from now on."""
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "predict" in request.url else None)
    return calls


def is_quiet(page: Page, calls: list[str]) -> bool:
    """Whether nothing is asked any more once everything has been answered."""
    quiet(page, 350)
    before = len(calls)
    page.wait_for_timeout(1000)
    return len(calls) == before


def test_a_held_arrow_key_ends_at_the_last_step_in_charts_and_lab(app_url, open_page, example):
    page = open_page(app_url)
    calls = counted(page)
    page.locator(".dx-token").first.click()
    page.evaluate(
        """() => {
          const row = document.querySelector(".dx-token-row [data-part=tokens]");
          const key = () => new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true });
          for (let i = 0; i < 12; i++) row.dispatchEvent(key());
        }"""
    )
    last = len(example.steps) - 1
    page.wait_for_selector(f"#dx-waterfall [data-drawn='0.{last}']", state="attached")
    page.wait_for_selector(f".dx-lab [data-drawn='words.0.{last}']", state="attached")
    assert is_quiet(page, calls)
    assert page.locator(f"#dx-waterfall [data-drawn='0.{last}']").count() == 1


def test_the_last_of_three_tabs_is_the_one_that_opens(app_url, open_page):
    page = open_page(app_url)
    calls = counted(page)
    tabs = "['orders', 'microscope', 'code']"
    page.evaluate(f"{tabs}.forEach((tab) => document.querySelector(`.dx-lab [data-tab=${{tab}}]`).click())")
    page.wait_for_selector(".dx-lab [data-part=body][data-tab=code]")
    assert is_quiet(page, calls)
    expect(page.locator(".dx-lab [data-part=body]")).to_have_attribute("data-tab", "code")


def test_an_answer_that_overtakes_another_waits_for_it(app_url, open_page):
    page = open_page(app_url, before=HOLDS)
    page.evaluate("window.holding = 1")
    page.click(".dx-lab [data-tab=orders]")
    page.wait_for_function("window.held.length === 1")
    page.click(".dx-lab [data-tab=code]")
    page.wait_for_timeout(500)
    assert page.locator(".dx-lab [data-part=body][data-tab=code]").count() == 0
    page.evaluate("window.held[0]()")
    page.wait_for_selector(".dx-lab [data-part=body][data-tab=code]")
    assert is_quiet(page, [])
    expect(page.locator(".dx-lab [data-part=body]")).to_have_attribute("data-tab", "code")


def test_every_answer_of_a_visitor_has_its_number_and_none_is_left_out(app_url, contexts):
    page, numbers = contexts.take().new_page(), []
    page.on(
        "response",
        lambda answer: numbers.append(answer.headers.get("dx-answer")) if "predict" in answer.url else None,
    )
    page.goto(app_url)
    page.wait_for_selector("#dx-waterfall [data-drawn]:not([data-drawn=''])", state="attached")
    page.locator(".dx-token").nth(3).click()
    page.click(".dx-lab [data-tab=orders]")
    page.evaluate(MOVE, ["temperature", 0.5])
    page.click("[data-item=greedy-loop]")  # while the answer to the slider is on its way
    page.wait_for_selector("[data-item=greedy-loop][aria-pressed=true]")
    assert is_quiet(page, [])  # also of what it makes ahead
    expect(page.locator("#dx-waterfall [data-drawn='0.38']")).to_be_attached()
    assert sorted(int(number) for number in numbers) == list(range(1, len(numbers) + 1))
    contexts.give_back({app_url})


def test_the_last_of_two_recorded_examples_is_the_one_in_view(app_url, open_page):
    page = open_page(app_url)
    calls = counted(page)
    page.evaluate("['top-p-adapts', 'greedy-loop'].forEach(i => document.querySelector(`[data-item=${i}]`).click())")
    page.wait_for_selector("[data-item=greedy-loop][aria-pressed=true]")
    assert is_quiet(page, calls)
    assert page.locator("#dx-prompt textarea").input_value() == "He opened the door and saw"
    expect(page.locator("[data-item=greedy-loop]")).to_have_attribute("aria-pressed", "true")


def test_an_example_picked_while_the_page_still_opens_stays_in_view(app_url, contexts):
    page = contexts.take().new_page()
    page.goto(app_url)
    page.evaluate(
        """async () => {
          let item;
          while (!(item = document.querySelector("[data-item=greedy-loop]"))) await new Promise(requestAnimationFrame);
          item.click();
        }"""
    )
    page.wait_for_selector("#dx-waterfall [data-drawn='0.38']", state="attached")
    assert is_quiet(page, counted(page))
    expect(page.locator("[data-item=greedy-loop]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#dx-gallery p")).to_contain_text("She smiled at him")
    contexts.give_back({app_url})


@pytest.mark.parametrize("pause", [0, 15, 60])
def test_a_slider_that_keeps_moving_is_confirmed_where_it_stops(app_url, open_page, pause):
    page = open_page(app_url)
    calls = counted(page)
    page.evaluate(
        f"""async (pause) => {{
          const move = {MOVE};
          for (let i = 0; i < 40; i++) {{
            move(["temperature", 0.5 + 0.03 * ((7 * i) % 40)]);
            if (pause) await new Promise((done) => setTimeout(done, pause));
          }}
          move(["top_k", 3]);
        }}""",
        pause,
    )
    confirmed(page)
    assert facts(page)["alive"] in ("1", "2", "3")
    assert is_quiet(page, calls)
    confirmed(page)


def test_a_slider_that_comes_back_leaves_the_recorded_run(app_url, open_page):
    page = open_page(app_url)
    calls = counted(page)
    for value in (1.5, 0.4, 0.9):
        page.evaluate(MOVE, ["temperature", value])
    assert is_quiet(page, calls)
    expect(page.locator(".dx-whatif")).to_be_hidden()
    expect(page.locator("#dx-waterfall h2")).to_contain_text("Waterfall")


def test_a_neighbouring_step_is_there_while_python_is_silent(app_url, open_page):
    page = open_page(app_url)
    page.locator(".dx-token").nth(4).click()
    page.wait_for_function("[...document.querySelectorAll('#dx-ahead [data-steps]')].length")
    quiet(page, 350)
    page.route("**/run/predict*", lambda route: None)  # nothing is answered any more
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#dx-waterfall [data-drawn='0.5']", state="attached")
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("came at step 6")
    page.unroute_all()


def test_a_late_answer_is_not_drawn_over_the_step_in_view(app_url, open_page):
    page = open_page(app_url)
    page.evaluate(
        """() => {
          window.seen = [];
          const plot = document.querySelector("#dx-waterfall [data-part=plot]");
          const watch = new MutationObserver(() => window.seen.push(plot.dataset.drawn));
          watch.observe(plot, { attributeFilter: ["data-drawn"] });
          for (const step of [1, 6]) document.querySelectorAll(".dx-token")[step].click();
          watch.takeRecords(); // what was there ahead
        }"""
    )
    page.wait_for_selector("#dx-waterfall [data-drawn='0.6']", state="attached")
    quiet(page)
    assert "0.1" not in page.evaluate("window.seen")
