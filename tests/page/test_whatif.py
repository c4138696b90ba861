"""What if on the real page: a slider answers in the browser, Python confirms, the run can be decoded again."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from playwright.sync_api import Page, expect

from decoding import Settings, record
from decoding.parameters.knobs import KNOBS
from tests.hand_made import hand_made_trace
from tests.page.conftest import quiet, run_to_the_end, served_here

pytestmark = pytest.mark.browser

MOVE = """([name, value]) => {
  const row = [...document.querySelectorAll(".dx-knob")].find((row) => row.knob.name === name);
  const range = row.querySelector("input[type=range]");
  range.value = value;
  range.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def move(page: Page, **knobs: float) -> None:
    """Moves sliders, as a hand would."""
    for name, value in knobs.items():
        assert KNOBS[name].slider
        page.evaluate(MOVE, [name, value])


def confirmed(page: Page) -> None:
    page.wait_for_function(
        "(document.querySelector('.dx-whatif [data-part=plot]').dataset.drawn || '')"
        ".endsWith(`|${JSON.stringify(dx.knobForm)}|confirmed`)"
    )
    quiet(page)  # the charts follow


def facts(page: Page) -> dict[str, str]:
    """What the panel says now, by name, the recorded numbers left out."""
    rows = "[...document.querySelectorAll('.dx-whatif [data-fact]')]"
    return dict(page.evaluate(f"{rows}.map(row => [row.dataset.fact, row.querySelector('b').innerText])"))


def test_a_slider_is_answered_at_once_and_then_confirmed_by_transformers_processors(app_url, open_page, example):
    page = open_page(app_url)
    page.focus("#dx-knob-temperature")
    quiet(page)  # the step's scores come with the hand
    at_once = page.evaluate(
        f"({MOVE})(['temperature', 1.5]), "
        "[document.querySelector('.dx-whatif').dataset.state, document.querySelector('[data-fact=alive] b').innerText]"
    )
    assert at_once[0] == "computed" and at_once[1].startswith("≈ ")
    confirmed(page)
    step = int(page.locator(".dx-token[aria-pressed=true]").get_attribute("data-step"))
    tried = Settings(**{**example.settings.given(), "temperature": 1.5})
    final = example.whatif(tried).scores(step=step)
    alive = int((final > -torch.inf).sum())
    assert facts(page)["alive"] == f"{alive:,}" == at_once[1].removeprefix("≈ ")
    chosen = float(torch.softmax(final.double(), -1)[example.steps[step].token_ids[0]])
    assert facts(page)["chosen"] == f"{100 * chosen:.1f}%"
    expect(page.locator("#dx-waterfall h2")).to_contain_text("What if")
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"{100 * chosen:.1f}%")


def test_tokens_that_would_be_cut_are_struck_through_and_the_parting_is_marked(app_url, open_page, example):
    page = open_page(app_url)
    move(page, temperature=0.3, top_p=0.6)
    confirmed(page)
    tried = Settings(**{**example.settings.given(), "temperature": 0.3, "top_p": 0.6})
    w = example.whatif(tried)
    struck = [t for t, row in enumerate(w.chosen_survives) if not row[0]]
    assert struck and w.diverges_at == struck[0]
    marks = "[...document.querySelectorAll('.dx-if-cut')].map(b => Number(b.dataset.step))"
    assert page.evaluate(marks) == struck
    parts = page.locator(".dx-if-parts")
    assert parts.count() == 1 and int(parts.get_attribute("data-step")) == w.diverges_at
    assert "impossible" in parts.get_attribute("data-tip")
    page.locator(".dx-whatif [data-part=back]").click()
    expect(page.locator(".dx-whatif")).to_be_hidden()
    assert page.locator(".dx-if-cut").count() == 0
    expect(page.locator("#dx-waterfall h2")).to_contain_text("Waterfall")
    assert page.locator("#dx-knob-temperature").input_value() == "0.9"


def test_the_next_step_is_answered_under_the_same_settings(app_url, open_page, example):
    page = open_page(app_url)
    move(page, top_k=3)
    confirmed(page)
    page.locator(".dx-token").nth(1).click()
    page.wait_for_function("document.querySelector('.dx-whatif [data-part=plot]').dataset.drawn.includes('.0.1.')")
    confirmed(page)
    expect(page.locator(".dx-whatif [data-part=reading]")).to_contain_text("At step 2")
    final = example.whatif(Settings(**{**example.settings.given(), "top_k": 3})).scores(step=1)
    assert facts(page)["alive"] == str(int((final > -torch.inf).sum()))


def test_from_the_parting_and_from_the_start_the_model_decodes_again(app_url, open_page, example):
    page = open_page(app_url)
    move(page, repetition_penalty=1)  # the last token would not have come
    confirmed(page)
    before = page.locator(".dx-token").all_inner_texts()
    parting = int(page.locator(".dx-if-parts").get_attribute("data-step"))
    run_to_the_end(page, ".dx-whatif [data-part=onward]")
    quiet(page, 350)
    expect(page.locator(".dx-whatif")).to_be_hidden()  # these are the settings of the run in view now
    assert page.locator(".dx-prompt-token").count() >= parting
    assert page.locator(".dx-token").count() == len(before) - parting
    assert page.locator(".dx-run").count() == 2
    move(page, temperature=1.4)
    confirmed(page)
    run_to_the_end(page, ".dx-whatif [data-part=again]")
    expect(page.locator(".dx-message-box")).to_be_hidden()


def test_settings_that_cannot_be_are_explained_and_no_numbers_stand_under_them(app_url, open_page):
    page = open_page(app_url)
    tokens = page.locator(".dx-token").all_inner_texts()
    move(page, temperature=1.5)
    confirmed(page)
    at_once = page.evaluate(
        f"({MOVE})(['temperature', 0]), [document.querySelector('.dx-whatif').dataset.state,"
        " document.querySelector('.dx-whatif [data-part=reading]').textContent]"
    )
    assert at_once == ["wrong", "temperature must be > 0; 0 is not."]  # before Python was asked
    assert set(facts(page).values()) == {"–"}
    expect(page.locator(".dx-whatif [data-part=reading]")).to_contain_text("temperature must be > 0, got 0")
    quiet(page)
    assert set(facts(page).values()) == {"–"} and page.locator(".dx-if-cut").count() == 0
    expect(page.locator("#dx-waterfall h2")).to_contain_text("Waterfall")
    page.locator("#dx-knob-temperature").fill("0.01")
    confirmed(page)
    assert facts(page)["alive"] == "1"
    page.locator("#dx-knob-temperature").fill("0.9")
    page.locator("#dx-knob-top_p").fill("0.001")
    confirmed(page)
    assert facts(page)["alive"] == "1"
    page.locator("#dx-knob-top_p").fill("1")
    page.locator("#dx-knob-top_k").fill("99999999")
    confirmed(page)
    assert facts(page)["alive"] == "49,152"
    assert page.locator(".dx-token").all_inner_texts() == tokens


def test_words_become_tokens_of_the_runs_model(app_url, open_page):
    page = open_page(app_url)
    word = page.locator(".dx-token").nth(3).inner_text().strip("␣ ")
    page.evaluate("document.querySelectorAll('.dx-group').forEach((group) => (group.open = true))")
    page.locator("#dx-knob-bad_words_ids").fill(word)
    confirmed(page)
    page.wait_for_selector(".dx-if-cut")
    assert 3 in page.evaluate("[...document.querySelectorAll('.dx-if-cut')].map(b => Number(b.dataset.step))")


def test_a_recording_that_names_no_model_answers_everything_but_a_re_run(open_page, tmp_path, lm):
    torch.manual_seed(0)
    trace = hand_made_trace(torch.randn(5, 8).mul(2).tolist(), [1, 2, 3, 4, 5])
    with served_here(trace, tmp_path, lm) as url:
        page = open_page(url)
        page.locator("#dx-settings").get_by_text("Sample", exact=True).click()
        confirmed(page)
        again = page.locator(".dx-whatif [data-part=again]")
        assert again.get_attribute("aria-disabled") == "true"
        assert "cannot be run again" in again.get_attribute("data-tip")
        again.click(force=True)
        quiet(page, 250)
        expect(page.locator("#dx-run")).to_be_enabled()


def test_another_length_penalty_ranks_the_hypotheses_of_a_beam_run_again(open_page, tmp_path, lm):
    settings = Settings(num_beams=3, num_return_sequences=3, max_new_tokens=6)
    trace = record(lm, "The capital of France is", settings)
    with served_here(trace, tmp_path, lm) as url:
        page = open_page_with_beams(open_page, url)
        move(page, length_penalty=-1.0)
        confirmed(page)
        replayed = trace.whatif(Settings(**{**settings.given(), "length_penalty": -1.0})).replay
        table = page.locator(".dx-whatif [data-part=ranks] tbody tr")
        assert table.count() == len(replayed.hypotheses) == 3
        move(page, num_beams=4)
        confirmed(page)
        expect(page.locator(".dx-if-notes")).to_contain_text("num_beams")


def open_page_with_beams(open_page, url: str) -> Page:
    """A beam run has a tree instead of the token row that `open_page` waits for."""
    return open_page(url, ready="#dx-beam-tree .dx-beam-tree:not([hidden])")


def test_chinese_and_a_phone(app_url, open_page):
    page = open_page(app_url, width=390, height=844, locale="zh-CN")
    move(page, temperature=1.6)
    confirmed(page)
    expect(page.locator(".dx-whatif h2")).to_have_text("假如")
    expect(page.locator(".dx-whatif [data-part=reading]")).to_contain_text("步：")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    page.locator("#dx-knob-temperature").scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    page.wait_for_selector(".dx-floating")
    box = page.locator(".dx-whatif").bounding_box()
    assert box["y"] + box["height"] <= 845 and box["height"] < 300


LABELS = """() => [...document.querySelectorAll(".dx-whatif [data-part=plot] .xtick text")].map((text) => {
  const box = text.getBoundingClientRect();
  return [text.textContent, box.left, box.right, Number(getComputedStyle(text).opacity)];
})"""


@pytest.mark.parametrize("width", [390, 768, 1024, 1280])
def test_the_names_under_the_bars_keep_apart_and_the_rest_is_counted(app_url, open_page, width):
    page = open_page(app_url, width=width)
    move(page, temperature=2.0, top_k=0)
    confirmed(page)
    labels = page.evaluate(LABELS)
    assert len(labels) >= 4 and all(opacity == 1 for *_, opacity in labels)
    assert labels[-1][0].startswith("+8,") and labels[-1][0].endswith(" more")
    box = page.locator(".dx-whatif").bounding_box()
    assert labels[-1][2] <= box["x"] + box["width"]
    for (_, _, right, _), (name, left, _, _) in pairwise(labels):
        assert right <= left, name


JUNK = ("", "null", "[]", '{"mode": 3}', '{"given": 7}', "{" * 3000, '{"given": {"top_p": "x"}}')


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_made_up_forms_are_answered(example, junk):
    from app.session.session import Session
    from app.sheets.whatif import answer

    session = Session(example)
    session.try_out(junk)
    assert answer(session.look)
