"""The beam tree on the real page: with the offline model, and with traces made for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from decoding import Settings, record
from tests.hand_made import HOSTILE, token_table
from tests.page.conftest import PATIENCE, quiet, run_to_the_end, served_here, settle
from tests.tiny_models import tiny_lm

pytestmark = pytest.mark.browser

PLOT = ".dx-beam-tree [data-part=plot]"


@pytest.fixture(scope="module")
def trace():
    """Two prompts, three beams, ends that come often: every fate but `beaten`, and evictions."""
    settings = Settings(
        num_beams=3, num_return_sequences=2, max_new_tokens=10, eos_token_id=(276, 52, 81), length_penalty=2.0,
        early_stopping="never",
    )  # fmt: skip
    return record(tiny_lm(), ["The capital of France is", "the cat"], settings)


@pytest.fixture(scope="module")
def url(trace, tmp_path_factory, lm) -> Iterator[str]:
    with served_here(trace, tmp_path_factory.mktemp("beams"), lm) as address:
        yield address


@pytest.fixture
def open_tree(contexts) -> Iterator[Callable[..., Page]]:
    """Opens an address whose page shows a tree; the test fails on any error of a script."""
    origins, troubles = set(), []

    def open_it(url: str, *, width: int = 1280, height: int = 800, locale: str = "en-US", tree: bool = True) -> Page:
        origins.add(url)
        page = contexts.take(viewport={"width": width, "height": height}, locale=locale).new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(url)
        if tree:
            page.wait_for_selector(f"{PLOT}[data-drawn]")
        settle(page)
        return page

    yield open_it
    contexts.give_back(origins)
    assert not troubles


def fates(page: Page) -> list[str]:
    return page.eval_on_selector_all(".dx-ledger tbody tr", "rows => rows.map((row) => row.dataset.fate)")


def go_to_step(page: Page, step: int) -> None:
    """By keys, and until the tables have followed."""
    page.locator(".dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("Home")
    for _ in range(step):
        page.keyboard.press("ArrowRight")
    expect(page.locator(f'.dx-beam-step [data-part=table][data-step="{step}"]')).to_be_visible()


def marks_at(page: Page, step: int) -> list[dict]:
    """The chart's marks of a step, with where they are on the screen."""
    return page.evaluate(
        """([selector, step]) => {
          const plot = document.querySelector(selector);
          plot.scrollIntoView({ block: "center" });
          const box = plot.getBoundingClientRect(), { spots, boxes } = plot.scene;
          const marks = [...spots, ...boxes.map((b) => ({ ...b, x: b.x + b.width / 2, y: b.y + b.height / 2 }))];
          return marks.filter((mark) => mark.step === step)
            .map(({ kind, x, y }) => ({ kind: kind ?? "node", x: box.left + x, y: box.top + y }));
        }""",
        [PLOT, step],
    )


def test_beam_search_runs_on_the_page_and_the_tree_has_every_candidate(app_url, open_tree):
    page = open_tree(app_url, tree=False)
    expect(page.locator(".dx-beam-tree")).to_be_hidden()
    page.locator(".dx-modes").get_by_text("Beam search", exact=True).click()
    expect(page.locator("#dx-knob-num_beams")).to_have_value("4")
    page.locator("#dx-knob-num_beams").fill("3")
    page.locator("#dx-knob-max_new_tokens").fill("6")
    run_to_the_end(page)
    expect(page.locator(".dx-steps output")).to_have_text("Step 6 of 6")
    expect(page.locator("#dx-tokens")).to_be_hidden()
    expect(page.locator(".dx-beam-foot [data-part=count]")).to_have_text("36 candidates")
    for step in (0, 3, 5):
        go_to_step(page, step)
        assert len(fates(page)) == len(marks_at(page, step)) == 6
    go_to_step(page, 2)
    assert fates(page).count("kept") == 3
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("at step 3")
    expect(page.locator(".dx-beam-reading")).to_contain_text("was kept first")


def test_the_tree_and_its_reading_fit_in_a_laptops_window(url, open_tree):
    page = open_tree(url)
    assert page.locator(".dx-beam-tree").bounding_box()["height"] < 700  # a heading stays above it
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_keys_walk_through_steps_and_candidates(url, open_tree, trace):
    page = open_tree(url)
    n = len(trace.steps)
    page.locator(".dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".dx-steps output")).to_have_text(f"Step 1 of {n}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".dx-steps output")).to_have_text(f"Step 3 of {n}")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".dx-ledger .dx-marked .dx-node")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator(".dx-steps output")).to_have_text(f"Step {n} of {n}")
    expect(page.locator("[data-part=veil]")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-part=veil]")).to_be_visible()


def test_space_plays_and_pauses(url, open_tree, trace):
    page = open_tree(url)
    page.locator(".dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(page.locator(".dx-steps output")).to_have_text(f"Step 2 of {len(trace.steps)}")
    page.keyboard.press(" ")
    expect(page.locator("[data-tool=play]")).to_contain_text("Play")


def test_a_click_on_a_node_opens_its_step_and_marks_its_row(url, open_tree, trace):
    page = open_tree(url)
    node = marks_at(page, 4)[2]
    page.mouse.move(node["x"], node["y"])
    expect(page.locator(".dx-beam-tree [data-part=tip]")).to_contain_text("step 5")
    page.mouse.click(node["x"], node["y"])
    expect(page.locator(".dx-steps output")).to_have_text(f"Step 5 of {len(trace.steps)}")
    expect(page.locator('.dx-beam-step [data-step="4"]').first).to_be_visible()
    rank = int(page.locator(".dx-ledger tr.dx-marked").get_attribute("data-rank"))
    candidate = trace.ledger.candidates(4, 0)[rank]
    expect(page.locator("#dx-waterfall [data-part=plot]")).to_have_attribute("data-drawn", f"{candidate.parent}.4")


def test_a_row_of_the_ledger_moves_the_ring_in_the_tree(url, open_tree, trace):
    page = open_tree(url)
    go_to_step(page, 3)
    page.locator(".dx-ledger .dx-node").nth(4).click()
    expect(page.locator(PLOT)).to_have_attribute("data-drawn", re.compile(r"\.3\.4$"))
    expect(page.locator(".dx-beam-reading [data-part=node]")).to_contain_text("rank 5")
    assert fates(page) == [c.fate for c in trace.ledger.candidates(3, 0)]


def test_zoom_is_kept_while_stepping(url, open_tree):
    page = open_tree(url)
    go_to_step(page, 4)
    page.locator("[data-tool=zoom-in]").click()
    width = f"document.querySelector('{PLOT}').scene.column"
    page.wait_for_timeout(100)
    before = page.evaluate(width)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert page.evaluate(width) == pytest.approx(before)


def test_folding_draws_crowds_as_one_node_and_a_click_opens_it(url, open_tree):
    page = open_tree(url)
    count = page.locator(".dx-beam-foot [data-part=count]")
    n = int(count.get_attribute("data-items"))
    page.locator("[data-tool=fold]").click()
    expect(count).to_contain_text("folded")
    folded = int(count.get_attribute("data-items"))
    assert folded < n
    crowd = next(m for step in range(2, 8) for m in marks_at(page, step) if m["kind"] == "crowd")
    page.mouse.move(crowd["x"], crowd["y"])
    page.mouse.click(crowd["x"], crowd["y"])
    page.wait_for_timeout(300)
    assert int(count.get_attribute("data-items")) > folded


def test_the_other_prompt_has_its_own_tree(url, open_tree, trace):
    page = open_tree(url)
    page.locator('[data-prompt="1"]').click()
    expect(page.locator(PLOT)).to_have_attribute("data-drawn", re.compile(r"^\d+\.1\."))
    go_to_step(page, 0)
    texts = [trace.tokens.text(c.token_id) for c in trace.ledger.candidates(0, 1)]
    shown = page.locator(".dx-ledger .dx-node").all_inner_texts()
    assert [t.replace("␠", "␣") for t in texts] == shown


def test_the_sum_adds_up_to_the_digits_shown(url, open_tree, trace):
    page = open_tree(url)
    page.locator(".dx-beam-step [data-tab=sum]").click()
    expect(page.locator(".dx-sum")).to_be_visible()

    def number(text: str) -> float:
        return float(text.strip().replace("−", "-"))

    terms = [number(t) for t in page.locator(".dx-sum tbody td:nth-child(2)").all_inner_texts()]
    total = page.locator(".dx-sum tfoot tr").nth(0).locator("td").inner_text()
    quotient = page.locator(".dx-sum tfoot tr").nth(2).locator("td").inner_text()
    digits = len(total.split(".")[1])
    assert f"{sum(terms):.{digits}f}" == total.replace("−", "-")
    above, divisor, score = re.match(r"(\S+) ÷ (\S+) = (\S+)", quotient).groups()
    assert f"{number(above) / number(divisor):.{len(score.split('.')[1])}f}" == score.replace("−", "-")
    assert number(score) == pytest.approx(trace.hypotheses[0].score, abs=1e-3)


def test_a_token_is_found_and_the_overview_moves_by_keys(url, open_tree, trace):
    page = open_tree(url)
    go_to_step(page, 0)
    text = trace.tokens.text(trace.ledger.candidates(5, 0)[0].token_id).strip(" ␠")
    page.locator(".dx-find").fill(text)
    expect(page.locator(".dx-beam-tree [data-part=found]")).to_contain_text("/")
    page.keyboard.press("Enter")
    expect(page.locator(".dx-ledger .dx-marked .dx-node")).to_contain_text(text)
    page.locator("[data-tool=zoom-in]").click()
    window = page.locator("[data-part=window]")
    expect(window).to_be_visible()
    window.focus()
    page.keyboard.press("Home")
    expect(window).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("End")
    expect(window).to_have_attribute("aria-valuetext", re.compile(rf"to {len(trace.steps)} of {len(trace.steps)}$"))


def test_a_click_offers_the_candidate_and_a_path_reads_as_a_sentence(url, open_tree, trace):
    page = open_tree(url)
    page.evaluate("document.addEventListener('dx-candidate', (event) => (window.offered = event.detail))")
    node = marks_at(page, 4)[1]
    page.mouse.click(node["x"], node["y"])
    expect(page.locator(".dx-steps output")).to_have_text(f"Step 5 of {len(trace.steps)}")
    offered = page.evaluate("window.offered")
    assert (offered["row"], offered["step"]) == (0, 4)
    assert trace.ledger.candidates(4, 0)[offered["rank"]].token_id == offered["token_id"]
    page.locator("[data-path]").first.click()
    expect(page.locator("[data-path]").first).to_have_attribute("aria-pressed", "true")
    best = trace.hypotheses[0]
    said = "".join(trace.tokens.text(token) for token in best.token_ids)
    assert page.locator(".dx-beam-words").inner_text().split() == said.replace("␠", " ").split()


def test_a_node_stays_in_view_when_its_click_opens_the_card_below(url, open_tree):
    page = open_tree(url, height=560)
    where = "() => { const box = document.querySelector(%r).getBoundingClientRect(); return [box.top, box.bottom] }"
    for step in (4, 5, 6):
        node = marks_at(page, step)[1]
        before = page.evaluate(where % PLOT)[0]
        page.mouse.click(node["x"], node["y"])
        expect(page.locator(".dx-steps output")).to_contain_text(f"Step {step + 1} of")
        expect(page.locator(".dx-candidate [data-part=card]")).to_be_visible()
        quiet(page)
        moved = page.evaluate(where % PLOT)[0] - before
        assert 0 < node["y"] + moved < 560


def test_hostile_token_texts_are_shown_as_text(trace, open_tree, tmp_path, lm):
    shown = [HOSTILE[i % len(HOSTILE)] for i in range(320)]
    with served_here(replace(trace, tokens=token_table(shown)), tmp_path, lm) as address:
        page = open_tree(address)
        page.locator("[data-tool=whole]").click()
        page.locator("[data-tool=fold]").click()
        page.locator("[data-tool=fold]").click()
        for tab in ("pool", "sum", "ledger"):
            page.locator(f".dx-beam-step [data-tab={tab}]").click()
            quiet(page)
        node = marks_at(page, 4)[1]
        page.mouse.move(node["x"], node["y"])
        expect(page.locator(".dx-beam-tree [data-part=tip]")).to_be_visible()
        assert page.evaluate("window.owned") is None
        assert page.locator(".dx-beam-tree img, .dx-beam-step img, .dx-beam-step script").count() == 0
        texts = page.locator(".dx-ledger .dx-node").all_inner_texts()
        assert any("<img" in text or "${" in text or "</script>" in text for text in texts)


def test_on_a_phone_and_in_chinese(url, open_tree):
    page = open_tree(url, width=390, height=844, locale="zh-CN")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".dx-beam-tree h2")).to_have_text("束搜索树")
    page.locator("[data-tool=back]").click()
    expect(page.locator(".dx-beam-reading")).to_contain_text("第")
    # The table is drawn anew by the step: asked in one go, it cannot vanish between two questions.
    page.wait_for_function("document.querySelector('.dx-beam-step .dx-ledger')?.offsetHeight > 100")


def test_a_row_of_the_ledger_brings_its_candidate_into_view_and_opens_its_card(url, open_tree, trace):
    page = open_tree(url)
    go_to_step(page, 3)
    row = page.locator(".dx-ledger tbody tr").nth(2)
    row.locator("td").nth(1).click()  # not on the button
    candidate = next(c for c in trace.steps[3].candidates if c.prompt == 0 and c.rank == 2)
    expect(page.locator(".dx-ledger .dx-marked .dx-node")).to_have_attribute("data-rank", "2")
    expect(page.locator(".dx-candidate-card")).to_contain_text(f"id {candidate.token_id}")
    page.locator(".dx-ledger .dx-node").first.press("Enter")
    first = next(c for c in trace.steps[3].candidates if c.prompt == 0 and c.rank == 0)
    expect(page.locator(".dx-candidate-card")).to_contain_text(f"id {first.token_id}")
