"""Links, files and recorded examples on the real page."""

from __future__ import annotations

import json
import random
import zipfile

import pytest
from playwright.sync_api import Page, expect

from app.export.permalink import Configuration, decode, encode
from app.gallery.items import GALLERY
from decoding import load_trace
from decoding.parameters.knobs import KNOBS
from tests.hand_made import HOSTILE
from tests.page.conftest import quiet

pytestmark = pytest.mark.browser

WORDS = ("Paris", "the sea", "“quotes” & <b>", "多语言", "café\nnew line", "🙂 emoji", "a" * 50, "{braces} ${x}")


def opened(page: Page, url: str, configuration: Configuration) -> None:
    """Follows a link and waits until the form is filled in."""
    page.goto(f"{url}/?c={encode(configuration)}")
    page.wait_for_selector(".dx-token, #dx-beam-tree .dx-beam-tree:not([hidden])")
    page.wait_for_function(
        "([form, prompt]) => JSON.stringify(window.dx?.knobForm) === JSON.stringify(JSON.parse(form))"
        " && document.querySelector('#dx-prompt textarea')?.value === prompt",
        arg=[json.dumps({"mode": configuration.mode, "given": dict(configuration.given)}, separators=(",", ":"),
                        ensure_ascii=False), configuration.prompt],
    )  # fmt: skip


def link_of(page: Page) -> Configuration:
    """What the page's own link says, read by Python."""
    page.locator("h1").click()  # an address is rewritten only for somebody who is there
    page.evaluate("document.querySelector('.dx-share [data-part=copy]').click()")
    page.wait_for_function("document.querySelector('.dx-share [data-part=copy]').dataset.link")
    link = page.locator(".dx-share [data-part=copy]").get_attribute("data-link")
    configuration, problems = decode(link.partition("?c=")[2])
    assert not problems
    return configuration


def random_configuration(rng: random.Random) -> Configuration:
    numbers = {n: k for n, k in KNOBS.items() if k.slider and k.group in ("sampling", "penalties", "length")}
    given = {}
    for name in rng.sample(sorted(numbers), rng.randint(0, 6)):
        low, high, step = numbers[name].slider
        value = low + step * rng.randint(1, max(1, round((high - low) / step) - 1))
        given[name] = int(value) if numbers[name].kind == "int" else round(value, 4)
    mode = rng.choice(["sample", "greedy"])
    kind = rng.choice(["text", "chat"])
    return Configuration(
        run=False, mode=mode, given=given, kind=kind, prompt=" ".join(rng.sample(WORDS, rng.randint(1, 4))),
        system=rng.choice(["", "Be brief."]) if kind == "chat" else "", tab=rng.choice(["", "draw", "orders"]),
    )  # fmt: skip


@pytest.mark.slow
def test_a_link_gives_the_page_back_fifty_times(app_url, open_page):
    page = open_page(app_url)
    rng = random.Random(5)
    for _ in range(50):
        wished = random_configuration(rng)
        opened(page, app_url, wished)
        found = link_of(page)
        for name in ("mode", "given", "kind", "prompt", "system"):
            assert getattr(found, name) == getattr(wished, name)


def test_a_link_runs_and_goes_to_its_step_and_tab(app_url, open_page, example):
    page = open_page(app_url)
    given = {"seed": 7, "temperature": 0.9, "top_k": 40, "top_p": 0.9, "repetition_penalty": 1.1, "max_new_tokens": 9}
    configuration = Configuration(given=given, prompt=example.prompts[0], step=2, tab="draw")
    opened(page, app_url, configuration)
    expect(page.locator(".dx-facts")).not_to_contain_text("recorded example")
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 3")
    expect(page.locator(".dx-lab [data-tab=draw]").first).to_have_attribute("aria-pressed", "true")
    assert len(page.locator(".dx-token").all()) == len(example.steps)


def test_the_address_follows_what_is_chosen(app_url, open_page):
    page = open_page(app_url)
    assert "c=" not in page.url
    page.locator(".dx-token").nth(5).click()
    page.wait_for_function("location.search.includes('c=')")
    assert decode(page.url.partition("?c=")[2])[0].step == 5
    page.locator("#dx-knob-top_k").fill("17")
    quiet(page, 250)
    assert decode(page.url.partition("?c=")[2])[0].given["top_k"] == 17


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_prompt_in_a_link_stays_text(app_url, open_page, hostile):
    page = open_page(app_url)
    opened(page, app_url, Configuration(run=False, prompt=hostile, kind="text"))
    assert page.evaluate("window.owned") is None
    assert link_of(page).prompt == hostile


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("eyJ2IjoxLCJtb2RlIjoiZ3Jl", "cut short"),
        ("!!!", "Nothing in the link could be read"),
        ("eyJ2IjoxLCJrbm9icyI6eyJ0b3BfcCI6NSwidG9wX2siOjd9LCJwcm9tcHQiOiJoaSJ9", "top_p must be"),
        ("eyJ2Ijo5LCJwcm9tcHQiOiJoaSJ9", "newer version"),
    ],
)
def test_what_cannot_be_read_of_a_link_is_said_and_the_rest_is_taken(app_url, open_page, link, says):
    page = open_page(f"{app_url}/?c={link}")
    expect(page.locator(".dx-message-box")).to_contain_text(says)
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator(".dx-facts")).to_contain_text("recorded example")  # such a link does not run by itself
    if "top_p" in says:
        assert page.locator("#dx-knob-top_k").input_value() == "7"
        assert page.locator("#dx-prompt textarea").input_value() == "hi"


def test_an_unknown_model_in_a_link_is_explained(app_url, open_page):
    page = open_page(f"{app_url}/?c={encode(Configuration(model='nobody/knows-this', prompt='hi'))}")
    expect(page.locator(".dx-message-box")).to_contain_text("nobody/knows-this")
    expect(page.locator("#dx-run")).to_be_enabled()  # anyone can write a link: it loads nothing by itself
    page.locator("#dx-run").click()
    expect(page.locator(".dx-message-box")).to_contain_text("cannot")


@pytest.mark.parametrize("kind", ["trace", "compact", "json", "csv", "py", "html"])
def test_the_run_in_view_is_downloaded(app_url, open_page, tmp_path, kind, example):
    page = open_page(app_url)
    page.locator(".dx-share [data-part=save]").click()
    with page.expect_download() as download:
        page.locator(f"[data-kind={kind}]").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == (".trace" if kind in ("trace", "compact") else f".{kind}")
    if path.suffix == ".trace":
        trace = load_trace(path)
        assert trace.generated_ids.tolist() == example.generated_ids.tolist()
        assert (trace.compact is not None) == (kind == "compact")
    else:
        assert path.stat().st_size > 500


def test_a_trace_file_opens_also_when_it_is_dropped(app_url, open_page, tmp_path, example):
    path = tmp_path / "mine.trace"
    example.save(path)
    page = open_page(app_url)
    page.set_input_files("#dx-open input[type=file], input[type=file]", path)
    expect(page.locator(".dx-message-box")).to_contain_text("mine.trace is open")
    expect(page.locator(".dx-facts")).to_contain_text("opened file")
    drop(page, "again.trace", path.read_bytes())
    expect(page.locator(".dx-message-box")).to_contain_text("again.trace is open")


@pytest.mark.parametrize("broken", ["noise", "empty", "another", "bomb"])
def test_a_file_that_is_no_trace_is_refused_with_the_reason(app_url, open_page, tmp_path, broken, example):
    path = tmp_path / "bad.trace"
    if broken == "noise":
        path.write_bytes(random.Random(0).randbytes(5000))
    elif broken == "empty":
        path.write_bytes(b"")
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("trace.json", b"{}" if broken == "another" else b"0" * 300_000_000)
    page = open_page(app_url)
    tokens = page.locator(".dx-token").all_inner_texts()
    page.set_input_files("#dx-open input[type=file], input[type=file]", path)
    expect(page.locator(".dx-message-box")).to_be_visible()
    assert page.locator(".dx-token").all_inner_texts() == tokens


def drop(page: Page, name: str, content: bytes) -> None:
    """Drops a file in the middle of the page."""
    page.evaluate(
        """([name, bytes]) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], name));
          const target = document.querySelector(".dx-token-row");
          for (const type of ["dragover", "drop"])
            target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: files }));
        }""",
        [name, list(content)],
    )


def test_a_recorded_example_opens_with_a_click(app_url, open_page):
    """Within three seconds of the page's own load: `make bench`."""
    page = open_page(app_url)
    item = next(item for item in GALLERY if item.rank is None)
    page.locator(f"[data-item={item.id}]").click()
    page.wait_for_selector(f"[data-item={item.id}][aria-pressed=true]")
    expect(page.locator(".dx-gallery p")).not_to_be_empty()


@pytest.mark.slow
def test_every_recorded_example_is_shown_in_both_languages_and_its_link_opens_it(app_url, open_page):
    for locale in ("en-US", "zh-CN"):
        page = open_page(app_url, locale=locale)
        for item in GALLERY:
            page.locator(f"[data-item={item.id}]").click()
            page.wait_for_selector(f"[data-item={item.id}][aria-pressed=true]")
            quiet(page)
            expect(page.locator(".dx-message-box")).to_be_hidden()
            looks = page.locator(".dx-gallery p").inner_text()
            assert len(looks) > 30 and "{" not in looks
    link = link_of(page)
    assert link.view == f"gallery:{GALLERY[-1].id}"
    page.goto(f"{app_url}/?c={encode(link)}")
    page.wait_for_selector(f"[data-item={GALLERY[-1].id}][aria-pressed=true]")


def test_the_keys_and_the_larger_type(app_url, open_page):
    page = open_page(app_url)
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator(".dx-share dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".dx-share dialog")).to_be_hidden()
    page.locator("#dx-prompt textarea").press("?")
    expect(page.locator(".dx-share dialog")).to_be_hidden()  # a question mark in a prompt is one
    before = page.locator(".dx-token").first.bounding_box()["height"]
    page.locator(".dx-share [data-part=large]").click()
    quiet(page)
    assert page.locator(".dx-token").first.bounding_box()["height"] > 1.2 * before


def test_a_chart_is_saved_as_a_picture(app_url, open_page, tmp_path):
    page = open_page(app_url)
    for kind, head in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as download:
            page.locator(f"#dx-waterfall [data-image={kind}]").click()
        path = tmp_path / f"chart.{kind}"
        download.value.save_as(path)
        assert path.read_bytes().startswith(head)
