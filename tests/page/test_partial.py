"""Responses of other engines on the real page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from decoding import Settings, record
from tests.data.record_responses import PARIS
from tests.hand_made import HOSTILE
from tests.page.conftest import quiet, served_here
from tests.page.test_accessibility import grave_findings
from tests.test_partial import RESPONSES, chat_of, entry

pytestmark = pytest.mark.browser

RUN_PANELS = ("#dx-whatif", "#dx-tokens", "#dx-waterfall", "#dx-cutoff", "#dx-lab", "#dx-verify-button", "#dx-heat-map")


@pytest.fixture(scope="module")
def url(tmp_path_factory, lm):
    """The page with a run of the prompt that the recorded responses answer."""
    run = record(lm, PARIS, Settings(max_new_tokens=8))
    with served_here(run, tmp_path_factory.mktemp("partial"), lm) as url:
        yield url


def paste(page: Page, text: str) -> None:
    page.locator(".dx-partial-paste summary").click()
    page.locator(".dx-partial-paste textarea").fill(text)
    page.locator(".dx-partial-paste button").click()


def opened(page: Page, name: str = "native.json") -> None:
    paste(page, (RESPONSES / name).read_text())
    expect(page.locator(".dx-partial-step h3")).to_be_visible()
    quiet(page)


def tokens(page: Page) -> list[str]:
    return page.locator(".dx-partial-tokens .dx-token").all_inner_texts()


def test_a_pasted_response_takes_the_runs_place_and_gives_it_back(url, open_page):
    page = open_page(url)
    opened(page)
    for panel in RUN_PANELS:
        expect(page.locator(panel)).to_be_hidden()
    assert "".join(tokens(page)).replace("␣", " ").replace("⏎", "\n") == " Paris.\n\nThe United States has"
    expect(page.locator(".dx-partial-cannot")).to_contain_text("Engine orders: each order runs on all logits.")
    page.get_by_role("button", name="Back to the recorded run").click()
    for panel in RUN_PANELS[1:]:  # what-if is there once a setting is changed
        expect(page.locator(panel)).to_be_visible()
    page.locator("#dx-tokens .dx-token").nth(1).click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 2")
    assert page.locator("#dx-waterfall .main-svg").first.bounding_box()["width"] > 300
    page.get_by_role("button", name="Response 1").click()
    expect(page.locator(".dx-partial-step h3")).to_be_visible()
    expect(page.locator("#dx-waterfall")).to_be_hidden()


def test_a_step_has_a_bar_for_each_known_token_and_one_for_the_tail(url, open_page):
    page = open_page(url)
    opened(page)
    page.locator(".dx-partial-tokens .dx-token").first.click()
    expect(page.locator(".dx-partial-step h3")).to_have_text("Step 1")
    rows = page.locator(".dx-partial-table tbody tr")
    assert rows.count() == 6
    cells = [[cell.strip() for cell in row.inner_text().split("\t")] for row in (rows.first, rows.last)]
    assert cells[0] == ["␣Paris", "77.2%", "−0.259", "77.2%", "1"]
    assert cells[1] == ["unknown tail", "13.2%", "–", "100.0%", "–"]
    width_of = "bars => bars.map(b => b.style.getPropertyValue('--dx-width'))"
    widths = page.locator(".dx-partial-bar").evaluate_all(width_of)
    assert sum(float(width.rstrip("%")) for width in widths) == pytest.approx(100, abs=0.1)
    expect(page.locator(".dx-partial-numbers")).to_contain_text("between 1.14 and 2.21 nats (known part 0.52)")
    page.locator(".dx-partial-vocab input").fill("")
    expect(page.locator(".dx-partial-numbers")).to_contain_text("at least 1.14 nats; the greatest value needs")
    page.locator(".dx-partial-vocab input").fill("6")
    expect(page.locator(".dx-partial-numbers")).to_contain_text("0.79 nats (known part 0.52)")


def test_the_keyboard_walks_through_the_tokens(url, open_page):
    page = open_page(url)
    opened(page)
    page.locator(".dx-partial-tokens .dx-token").first.click()
    for key, step in (("ArrowRight", 2), ("End", 8), ("ArrowRight", 8), ("ArrowLeft", 7), ("Home", 1)):
        page.keyboard.press(key)
        expect(page.locator(".dx-partial-step h3")).to_have_text(f"Step {step}")
        assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_it_stands_beside_the_run_of_the_same_prompt(url, open_page):
    page = open_page(url)
    opened(page)
    beside = page.locator(".dx-partial-beside")
    expect(beside).to_contain_text("Same prompt. 5 steps have the same tokens, then they part: ␣United here, ␣answer")
    expect(beside).to_contain_text("Of 30 tokens that both know, log-probabilities differ by 0.")
    page.locator(".dx-partial-tokens .dx-token").first.click()
    cells = beside.locator("table").first.locator("tbody tr").first.inner_text().split("\t")
    assert cells[:2] == ["␣Paris", "−0.259"] and abs(float(cells[3].replace("−", "-"))) < 0.1
    page.locator(".dx-partial-tokens .dx-token").last.click()
    expect(beside).to_contain_text("both were asked different things")


def test_each_answer_of_several_can_be_looked_at(url, open_page):
    page = open_page(url)
    opened(page, "chat-two.json")
    first = tokens(page)
    page.get_by_role("button", name="Answer 2").click()
    expect(page.get_by_role("button", name="Answer 2")).to_have_attribute("aria-pressed", "true")
    quiet(page)
    assert tokens(page) != first and tokens(page)[0] == "Here"
    page.locator(".dx-partial-tokens .dx-token").first.click()
    expect(page.locator(".dx-partial-mark")).to_contain_text("none of the alternatives")
    expect(page.locator(".dx-partial-table .dx-marked")).to_contain_text("≥ 4")


def test_token_texts_are_text_wherever_they_are_shown(url, open_page):
    page = open_page(url)
    entries = [entry(text, -0.5, (text, -0.5), *((other, -4.0 - n) for n, other in enumerate(HOSTILE) if other != text))
               for text in HOSTILE]  # fmt: skip
    paste(page, json.dumps({"request": {"prompt": HOSTILE[0]}, "response": chat_of(*entries), "model": HOSTILE[2]}))
    expect(page.locator(".dx-partial-step h3")).to_be_visible()
    assert [text.replace("␣", " ") for text in tokens(page)] == list(HOSTILE)
    page.locator(".dx-partial-steps summary").click()
    for step in range(len(HOSTILE)):
        page.locator(".dx-partial-tokens .dx-token").nth(step).click()
        cells = page.locator(".dx-partial-table tbody th").all_inner_texts()[:-1]
        assert {cell.replace("␣", " ") for cell in cells} == set(HOSTILE)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx-partial :is(img, script, s, b)").count() == 0


def test_what_cannot_be_read_is_said_and_the_page_stays(url, open_page):
    page = open_page(url)
    paste(page, '{"choices": [{"message": {}, "logprobs": {"content": [{"token": 5}]}}]}')
    expect(page.locator("#dx-message")).to_contain_text("choices[0].logprobs.content[0].token must be a text, got 5")
    expect(page.locator("#dx-waterfall")).to_be_visible()
    page.locator(".dx-header [lang=zh]").click()
    expect(page.locator(".dx-partial-paste summary")).to_have_text("打开带 logprobs 的响应……")
    page.locator(".dx-partial-paste button").click()
    expect(page.locator("#dx-message")).to_contain_text("须为文本，得到的是 5")


@pytest.mark.parametrize("kind", ["json", "csv", "html"])
def test_it_is_kept_as_a_file(url, open_page, tmp_path: Path, kind: str):
    page = open_page(url, accept_downloads=True)
    opened(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name={"json": "JSON", "csv": "CSV", "html": "page"}[kind], exact=True).click()
    path = tmp_path / f"response.{kind}"
    waiting.value.save_as(path)
    text = path.read_text()
    if kind == "json":
        assert json.loads(text)["choices"][0]["steps"][0]["known"][0]["text"] == " Paris"
    elif kind == "csv":
        assert len(text.splitlines()) == 1 + 8 * 6
    else:
        assert 'Content-Security-Policy' in text and len(text) < 200_000


def test_the_page_of_its_own_works_without_a_server(open_page, tmp_path: Path, contexts):
    from app.partial_formats import export_response
    from decoding import load_response

    path = tmp_path / "response.html"
    export_response(load_response(RESPONSES / "chat-two.json"), path, lang="zh")
    page = contexts.take(viewport={"width": 390, "height": 800}).new_page()
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(path.as_uri())
    expect(page.locator(".dx-partial-step h3")).to_have_text("第 2 步")
    page.get_by_role("button", name="回答 2").click()
    expect(page.locator(".dx-partial-tokens .dx-token").first).to_have_text("Here")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not errors
    page.close()
    open_page  # noqa: B018 - gives the contexts back


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave_in_a_response(url, open_page, dark: bool):
    page = open_page(url)
    if dark:
        page.locator("[data-part=scheme]").click()
    opened(page, "native-stream.txt")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    assert grave_findings(page) == []


def test_a_phone_has_room_for_it(url, open_page):
    page = open_page(url, width=390)
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
