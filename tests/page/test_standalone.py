"""The standalone page, opened from disk with the network off."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from transformers.generation import TopKLogitsWarper, TopPLogitsWarper

from app.standalone.page import notebook_html, standalone_html
from decoding import Settings, record
from decoding.trace import Trace
from tests.hand_made import HOSTILE, hand_made_trace
from tests.page.conftest import PATIENCE
from tests.page.test_accessibility import grave_findings
from tests.page.test_hostile_tokens import hover_over_everything

pytestmark = pytest.mark.browser

DRAWN = "#dx-waterfall [data-drawn]:not([data-drawn=''])"
MOST_MB = 8.0  # `make bench` has the seconds
WHEN_DRAWN = f"""
new MutationObserver((_, observer) => {{
  if (!document.querySelector("{DRAWN}")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.drawnAfter = performance.now())));
}}).observe(document, {{ subtree: true, attributes: true, childList: true }});
"""


@pytest.fixture
def open_file(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page's text from disk, offline; the test fails on any error, any message, any request."""
    contexts, troubles = [], []

    def open_it(text: str, *, width: int = 1280, ready: str = DRAWN, **more) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WHEN_DRAWN)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("console", lambda message: troubles.append(f"console: {message.text}"))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note_foreign(request.url, troubles))
        page.route(re.compile("^(?!file:|blob:|data:)"), lambda route: route.abort())
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(text, encoding="utf-8", newline="")
        page.goto(path.as_uri())
        page.wait_for_selector(ready, state="attached")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not troubles


def _note_foreign(url: str, troubles: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:", "about:")):
        troubles.append(f"request to {url}")


@pytest.fixture(scope="module")
def sampled(lm) -> str:
    settings = Settings(do_sample=True, temperature=0.9, top_k=40, top_p=0.9, seed=7, max_new_tokens=6)
    return standalone_html(record(lm, "The best thing about learning", settings))


@pytest.fixture(scope="module")
def beam_trace(lm) -> Trace:
    prompts = ["The capital of France is", "Two and two are"]
    return record(lm, prompts, Settings(num_beams=3, num_return_sequences=2, max_new_tokens=6))


@pytest.fixture(scope="module")
def beams(beam_trace) -> str:
    return standalone_html(beam_trace)


def until(page: Page, expression: str, arg: object = None) -> None:
    """Waits for a function to be true; playwright's own way compiles it in the page, whose policy forbids that."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def at(page: Page, address: str) -> None:
    until(page, "address => document.body.dataset.at === address", address)


def reading(page: Page, chart: str = "#dx-waterfall"):
    return page.locator(f"{chart} .dx-reading")


# --- size and time ---------------------------------------------------------------------------------------------


def test_sixty_tokens_are_small_and_open_by_themselves(lm, open_file):
    settings = Settings(do_sample=True, temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=7,
                        max_new_tokens=60, min_new_tokens=60)  # fmt: skip
    trace = record(lm, "The best thing about learning a new language is", settings)
    text = standalone_html(trace)
    assert len(trace.steps) == 60
    assert len(text.encode()) / 1e6 <= MOST_MB
    until(open_file(text), "() => window.drawnAfter")


# --- the run ------------------------------------------------------------------------------------------------------


def test_a_token_shows_its_step(sampled, open_file):
    page = open_file(sampled)
    page.locator(".dx-token").nth(1).click()
    expect(reading(page)).to_contain_text("at step 2 ")
    page.keyboard.press("ArrowRight")
    expect(reading(page)).to_contain_text("at step 3 ")
    expect(page.locator(".dx-token[aria-pressed=true]")).to_be_focused()
    page.locator("#dx-waterfall summary").click()
    expect(page.locator("#dx-waterfall table").first).to_contain_text("Step 3", ignore_case=True)
    page.locator("#dx-cutoff .dx-tab").first.click()
    expect(reading(page, "#dx-cutoff")).to_contain_text("top_k = 40")
    page.locator(".dx-token").nth(4).click()
    expect(reading(page)).to_contain_text("at step 5 ")
    expect(reading(page, "#dx-cutoff")).to_contain_text("top_k = 40")  # the tab stays


def test_facts_and_notes_are_there(sampled, open_file):
    page = open_file(sampled)
    expect(page.locator("#dx-facts")).to_contain_text("smollm2-135m")
    expect(page.locator("#dx-notes")).to_contain_text("temperature 0.9")
    expect(page.locator("#dx-opening")).to_be_hidden()


def test_a_slider_draws_the_step_anew_and_says_who_computed_it(sampled, open_file):
    page = open_file(sampled)
    expect(page.locator(".dx-whatif")).to_be_hidden()
    page.locator("#dx-knob-top_p").fill("0.6")
    expect(page.locator(".dx-whatif")).to_be_visible()
    expect(page.locator(".dx-whatif .dx-chip")).to_have_text("≈ computed in this page")
    few = page.locator("[data-fact=alive] b").inner_text()
    before = page.locator("#dx-whatif [data-part=plot]").get_attribute("data-drawn")
    slider = page.locator("input[type=range][aria-label=temperature]")
    slider.focus()
    page.keyboard.press("End")
    until(page, "before => document.querySelector('#dx-whatif [data-part=plot]').dataset.drawn !== before", before)
    assert int(page.locator("[data-fact=alive] b").inner_text().lstrip("≈ ")) > int(few.lstrip("≈ "))
    assert "confirmed" not in page.locator(".dx-whatif").inner_text()
    step = page.locator(".dx-whatif").inner_text()
    page.locator(".dx-token[aria-pressed=false]").first.click()
    until(page, "before => document.querySelector('.dx-whatif').innerText !== before", step)
    page.locator(".dx-whatif [data-part=back]").click()
    expect(page.locator(".dx-whatif")).to_be_hidden()


def test_the_sliders_agree_with_transformers(lm, open_file):
    """Where the page does not say that it is only rough, and near it where it does."""
    trace = record(lm, "My favourite colour is", Settings(do_sample=True, top_k=0, seed=3, max_new_tokens=3))
    page = open_file(standalone_html(trace))
    rough = 0
    for step in range(3):
        page.locator(".dx-token").nth(step).click()
        at(page, f"0.{step}.")
        for t, k, p, m in [(1, 0, 0.5, 0), (0.7, 50, 0.9, 0), (1.5, 0, 0.95, 0), (2, 0, 0.99, 0), (1, 3000, 1, 0),
                           (1.3, 0, 1, 0.0001), (1, 0, 1, 0.05), (2, 0, 1, 0.1)]:  # fmt: skip
            given = {"temperature": t, "top_k": k, "top_p": p, "min_p": m}
            form = {"mode": "sample", "given": given}
            page.evaluate("detail => document.dispatchEvent(new CustomEvent('dx-set-knobs', {detail}))", form)
            until(page, "form => document.querySelector('#dx-whatif [data-part=plot]').dataset.drawn?.includes(form)",
                  json.dumps(form, separators=(",", ":")))  # fmt: skip
            settings = Settings(do_sample=True, temperature=t, top_k=k, top_p=p, min_p=m)
            scores = trace.whatif(settings).scores(step=step, row=0, stage=-1)
            alive = int((scores > -math.inf).sum())
            shown = int(page.locator("[data-fact=alive] b").inner_text().lstrip("≈ ").replace(",", ""))
            state = page.locator(".dx-whatif").get_attribute("data-state")
            if state == "computed":
                assert shown == alive, (step, given)
            else:
                rough += 1
                assert state == "pending" and shown == pytest.approx(alive, rel=0.02), (step, given)
                expect(page.locator(".dx-chip")).to_have_text("≈ only roughly")
    assert 0 < rough < 20  # limits among the less likely tokens, and only those


# --- beams ------------------------------------------------------------------------------------------------------------


def test_the_tree_is_walked_with_its_tables_and_charts(beams, beam_trace, open_file):
    page = open_file(beams, ready="#dx-beam-tree [data-drawn]:not([data-drawn=''])")
    page.locator("[data-tool=first]").click()
    expect(page.locator(".dx-beam-reading")).to_contain_text("Step 1:")
    expect(page.locator(".dx-ledger caption")).to_contain_text("Step 1:")
    page.locator("#dx-beam-tree [data-part=scroll]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".dx-ledger caption")).to_contain_text("Step 2:")
    n = len(beam_trace.ledger.candidates(1, 0))
    expect(page.locator(".dx-ledger tbody tr")).to_have_count(n)
    page.locator(".dx-ledger .dx-node").nth(n - 1).click()
    expect(page.locator(".dx-ledger tr.dx-marked .dx-node")).to_have_attribute("data-rank", str(n - 1))
    expect(page.locator(".dx-beam-reading [data-part=node]")).to_contain_text(f"rank {n}")
    at(page, f"0.1.{n - 1}")
    expect(reading(page)).to_contain_text("at step 2")
    for tab, words in (("pool", "step 2"), ("sum", "#1"), ("ledger", "Step 2")):
        page.locator(f"#dx-beam-step [data-tab={tab}]").click()
        expect(page.locator("#dx-beam-step table caption").first).to_contain_text(words)
    page.locator("#dx-beam-step [data-tab=sum]").click()
    page.locator("#dx-beam-step [data-place='1']").click()
    expect(page.locator("#dx-beam-step [data-place='1']")).to_have_attribute("aria-pressed", "true")


def test_another_prompt_has_its_own_tree(beams, beam_trace, open_file):
    page = open_file(beams, ready="#dx-beam-tree [data-drawn]:not([data-drawn=''])")
    page.locator("#dx-beam-tree [data-part=prompts] button").nth(1).click()
    best = next(h for h in beam_trace.hypotheses if h.prompt == 1)
    at(page, f"1.{best.step}.{best.rank}")
    expect(page.locator(".dx-beam-reading")).to_contain_text(f"Step {best.step + 1}:")


def test_a_candidate_without_charts_says_so(beam_trace, open_file):
    page = open_file(standalone_html(beam_trace, most_bytes=120_000), ready=".dx-ledger")
    expect(page.locator("#dx-carried")).to_contain_text("charts for")
    page.locator("[data-tool=first]").click()
    page.locator(".dx-ledger .dx-node").last.click()
    expect(reading(page)).to_contain_text("not in this file")
    expect(page.locator("#dx-cutoff")).to_be_hidden()
    page.locator("[data-tool=last]").click()


# --- hostile texts, looks, frames ------------------------------------------------------------------------------------


def test_hostile_tokens_stay_text(open_file):
    n = len(HOSTILE)
    logits = [[float((i * 3 + j * 5) % n) / 3 for j in range(n)] for i in range(n)]
    trace = hand_made_trace(logits, list(range(n)), [TopKLogitsWarper(n - 1), TopPLogitsWarper(0.9)], texts=HOSTILE)
    page = open_file(standalone_html(trace))
    assert [text.replace("␣", " ") for text in page.locator(".dx-token").all_inner_texts()] == list(HOSTILE)
    page.locator("#dx-knob-top_p").fill("0.5")
    for step in range(n):
        page.locator(".dx-token").nth(step).click()
        expect(reading(page)).to_contain_text(f"step {step + 1}")
    hover_over_everything(page)
    assert page.evaluate("window.owned") is None
    assert page.locator(".dx img, .dx script, .dx s script").count() == 0


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def listener(heard) -> Iterator[str]:
    """The address of a server that writes down who calls."""

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_policy_stops_what_would_call_out(sampled, browser, tmp_path, listener, heard):
    path = tmp_path / "page.html"
    path.write_text(sampled, encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN, state="attached")
    page.evaluate("""url => {
        fetch(`${url}x`, { mode: "no-cors" }).catch(() => 0);
        new Image().src = `${url}y`;
        const inline = document.createElement("script");
        inline.textContent = "window.owned = 1";
        document.head.append(inline);
        document.body.insertAdjacentHTML("beforeend", "<b onclick='window.owned = 2' id='bait'>x</b>");
        document.getElementById("bait").click();
    }""", listener)
    page.wait_for_timeout(300)
    assert page.evaluate("window.owned") is None
    assert heard == []
    context.close()


def test_light_and_dark_follow_the_system_and_the_button(sampled, open_file):
    page = open_file(sampled, color_scheme="dark")
    assert page.evaluate("dx.dark()")
    page.emulate_media(color_scheme="light")
    until(page, "() => !dx.dark()")
    page.locator("[data-part=scheme]").click()
    assert page.evaluate("dx.dark()")
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(200)
    assert page.evaluate("dx.dark()")  # chosen by hand


@pytest.mark.parametrize("kind", ["sampled", "beams"])
def test_a_phone_scrolls_only_downwards(kind, request, open_file):
    page = open_file(request.getfixturevalue(kind), width=390)
    if kind == "sampled":
        page.locator("#dx-knob-top_p").fill("0.5")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["sampled", "beams"])
def test_axe_finds_nothing_grave(kind, scheme, request, browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(request.getfixturevalue(kind), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is a script from outside
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN, state="attached")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    if kind == "sampled":
        page.locator("#dx-knob-top_p").fill("0.5")
    page.wait_for_timeout(200)
    assert grave_findings(page) == []
    context.close()


def test_chinese(lm, open_file):
    trace = record(lm, "The capital of France is", Settings(max_new_tokens=2))
    page = open_file(standalone_html(trace, "zh"))
    assert page.evaluate("document.documentElement.lang") == "zh"
    expect(page.locator(".dx-sliders h2")).to_have_text("在当前这一步上试试别的设置")


def test_it_opens_in_a_notebook_s_frame_whatever_the_notebook_is_encoded_in(lm, open_file):
    trace = record(lm, "The café’s 😀 says", Settings(max_new_tokens=2))
    latin = '<!doctype html><meta charset="windows-1252"><title>notebook</title>'
    page = open_file(f"{latin}{notebook_html(trace)}", ready="iframe")
    frame = page.frame_locator("iframe")
    frame.locator(DRAWN).wait_for(state="attached")
    frame.locator(".dx-token").nth(1).click()
    expect(frame.locator("#dx-waterfall .dx-reading")).to_contain_text("step 2")
    expect(frame.locator("#dx-answer")).to_contain_text("café’s 😀")


def test_a_file_cut_short_says_so(sampled, open_file):
    cut, n = re.subn(r'("0\.\d+": ?"H4sI[^"]{40})[^"]*"', r'\1"', sampled)
    assert n
    page = open_file(cut, ready="#dx-opening")
    expect(page.locator("#dx-opening")).to_contain_text("cut short or damaged")
    expect(page.locator(".dx-token").first).to_be_visible()


def test_the_heat_map_shows_every_step_goes_where_it_is_clicked_and_is_kept_as_a_picture(sampled, open_file, tmp_path):
    page = open_file(sampled)
    page.wait_for_selector('.dx-heat[data-drawn$=".6"]')
    assert page.locator(".dx-heat [data-part=reading]").inner_text().startswith("The model was least sure at step ")
    box = page.locator(".dx-heat [data-part=map]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2)
    expect(page.locator(".dx-token").nth(5)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("at step 6 ")
    for kind, begins in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as kept:
            page.locator(".dx-heat [data-image]", has_text=kind).click()
        path = tmp_path / kept.value.suggested_filename
        kept.value.save_as(path)
        assert path.read_bytes().startswith(begins) and path.name == f"heat-map.{kind.lower()}"
    assert "NaN" not in path.read_text() and ">6</text>" in path.read_text()
    tokens = [token.replace("␣", "") for token in page.locator(".dx-token").all_inner_texts()]
    assert any(token and token in path.read_text() for token in tokens)


def test_a_searchs_map_is_there_for_each_prompt(beam_trace, open_file):
    page = open_file(standalone_html(beam_trace))
    n = len(beam_trace.steps)
    page.wait_for_selector(f'.dx-heat[data-drawn$=".0.{n}"]')
    page.locator(".dx-beam-tree [data-part=prompts] button").nth(1).click()
    page.wait_for_selector(f'.dx-heat[data-drawn$=".1.{n}"]')


def test_the_map_of_settings_follows_the_step_and_a_click_moves_the_sliders(sampled, open_file):
    page = open_file(sampled)
    cells = page.locator("#dx-settings-map td > button")
    expect(cells).to_have_count(400)
    scope = page.locator("#dx-settings-map [data-name=scope] button")
    page.locator(".dx-token").nth(2).click()
    expect(scope.first).to_have_text("step 3")
    expect(page.locator("#dx-settings-map .dx-reading")).to_contain_text("which came at step 3, survives in ")
    scope.nth(1).click()
    expect(page.locator("#dx-settings-map .dx-reading")).to_contain_text("All 6 recorded tokens survive in ")
    page.locator("#dx-settings-map [data-name=measure] button").nth(1).click()
    expect(page.locator("#dx-settings-map [data-name=measure] button").nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator("#dx-settings-map td > button[data-line='4'][data-column='9']").click()
    expect(page.locator("#dx-knob-temperature")).to_have_value("0.5")
    expect(page.locator("#dx-knob-top_p")).to_have_value("0.5")
    assert grave_findings(page) == []
