"""A visitor's runs on the real page: each is one object, they can be named and removed, Back and Forward walk them."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from app.export.permalink import decode
from app.form import MODE_NEEDS, form_of
from app.runs import LONGEST_NAME
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings
from tests.hand_made import HOSTILE
from tests.page.conftest import quiet, served, settle
from tests.test_form import every_value

pytestmark = pytest.mark.browser

FIRST = "The best thing about learning a new language is"
MINE = "My own text, which I typed"


def prompt(page: Page):
    return page.locator("#dx-prompt textarea")


def in_view(page: Page, number: int) -> None:
    """Waits until the run of this number is in view, with its form."""
    page.wait_for_function("(number) => dx.about?.run === number && !dx.about.streaming", arg=number)
    quiet(page)


def run(page: Page, number: int, text: str, **given: str) -> None:
    """Records the run of this number to its end."""
    prompt(page).fill(text)
    page.evaluate("document.querySelectorAll('.dx-group').forEach((group) => (group.open = true))")
    for name, value in given.items():
        page.locator(f"#dx-knob-{name}").fill(value)
    page.locator("#dx-run").click()
    in_view(page, number)
    expect(page.locator("#dx-run")).to_be_enabled()


def show(page: Page, name: str) -> None:
    page.locator(f"[data-item={name}]").click()
    page.wait_for_selector(f"[data-item={name}][aria-pressed=true]")
    quiet(page)


def pick(page: Page, number: int) -> None:
    page.locator(f"[data-act=pick][data-number='{number}']").click()
    in_view(page, number)


def labels(page: Page) -> list[str]:
    return page.locator("[data-act=pick]").all_inner_texts()


# -- one object


def test_choosing_a_run_brings_prompt_model_settings_story_and_verdict_back(app_url, open_page):
    page = open_page(app_url)
    show(page, "greedy-loop")
    story = page.locator(".dx-gallery p").inner_text()
    page.locator("input[value=greedy]").check()
    run(page, 2, MINE, max_new_tokens="4")
    expect(page.locator(".dx-gallery p")).to_be_hidden()  # the story is about the example
    assert page.locator("[data-item][aria-pressed=true]").count() == 0
    page.locator("#dx-verify-button").click()
    expect(page.locator(".dx-verdict-box")).to_have_attribute("data-kind", "good")
    verdict = page.locator(".dx-verdict").inner_text()
    page.get_by_label("Chat", exact=True).check()
    page.locator("#dx-system textarea").fill("Be brief.")
    page.locator("input[value=sample]").check()
    run(page, 3, "Say hello.", max_new_tokens="3", top_p="0.8", seed="5")
    expect(page.locator(".dx-verdict-box")).to_be_hidden()

    pick(page, 1)
    assert prompt(page).input_value() == "He opened the door and saw"
    assert page.locator(".dx-gallery p").inner_text() == story
    expect(page.locator(".dx-verdict-box")).to_be_hidden()
    expect(page.locator("#dx-system")).to_be_hidden()

    page.locator("#dx-model textarea, #dx-model input").fill("another/model")
    pick(page, 2)
    assert prompt(page).input_value() == MINE
    expect(page.locator("input[value=greedy]")).to_be_checked()
    expect(page.locator("#dx-knob-max_new_tokens")).to_have_value("4")
    expect(page.locator("#dx-knob-top_p")).to_have_value("")
    expect(page.locator("#dx-model textarea, #dx-model input")).to_have_value("smollm2-135m")
    expect(page.locator(".dx-verdict")).to_have_text(verdict)
    expect(page.locator(".dx-gallery p")).to_be_hidden()

    pick(page, 3)
    expect(page.get_by_label("Chat", exact=True)).to_be_checked()
    expect(page.locator("#dx-system textarea")).to_have_value("Be brief.")
    assert prompt(page).input_value() == "Say hello."
    expect(page.locator("#dx-knob-top_p")).to_have_value("0.8")
    expect(page.locator(".dx-verdict-box")).to_be_hidden()


def test_the_link_of_a_run_made_from_an_example_is_the_runs(app_url, open_page):
    page = open_page(app_url)
    show(page, "greedy-loop")
    page.locator("#dx-knob-max_new_tokens").fill("3")
    page.locator("#dx-knob-max_new_tokens").fill("48")  # as the example has it: nothing is changed
    page.locator("#dx-run").click()
    in_view(page, 2)
    quiet(page, 250)
    assert decode(page.url.partition("c=")[2])[0].view == ""


def test_what_was_typed_comes_back_with_one_click(app_url, open_page):
    page = open_page(app_url)
    prompt(page).fill(MINE)
    page.locator("#dx-knob-temperature").fill("0.3")
    show(page, "fork-point")
    assert prompt(page).input_value() == "If I could travel anywhere, I would go to"
    expect(page.locator(".dx-draft")).to_contain_text(MINE)
    page.locator(".dx-draft button").click()
    expect(prompt(page)).to_have_value(MINE)
    expect(page.locator("#dx-knob-temperature")).to_have_value("0.3")
    expect(page.locator(".dx-draft")).to_be_hidden()
    show(page, "greedy-loop")
    expect(page.locator(".dx-draft")).to_contain_text(MINE)
    pick(page, 1)  # what a run has needs no draft
    expect(page.locator(".dx-draft q")).to_have_text(MINE)


def test_an_example_chosen_again_is_the_run_that_it_was(app_url, open_page):
    page = open_page(app_url)
    show(page, "greedy-loop")
    show(page, "fork-point")
    show(page, "greedy-loop")
    assert labels(page) == ["Run 1", "Run 2", "Run 3"]
    assert page.locator("[data-act=pick][aria-pressed=true]").inner_text() == "Run 2"


# -- the settings panel shows what a run was given


def test_the_panel_shows_every_value_and_gives_it_back(app_url, open_page):
    page = open_page(app_url)
    for mode, name, value in every_value():
        form = json.loads(form_of(Settings(do_sample="sample" in mode, **{**MODE_NEEDS.get(mode, {}), name: value})))
        shown, back = page.evaluate(
            """([form, name]) => {
              document.dispatchEvent(new CustomEvent("dx-set-knobs", { detail: form }));
              const control = document.getElementById(`dx-knob-${name}`);
              const shown = control.type === "checkbox" ? control.checked
                : control.tagName === "SELECT" ? control.selectedOptions[0].text : control.value;
              return [shown, dx.knobForm];
            }""",
            [form, name],
        )
        given = form["given"][name]
        kind = KNOBS[name].kind
        assert shown == {"bool": given, "early_stopping": str(given)}.get(kind, shown), (name, value)
        if kind in ("int", "float"):
            assert float(shown) == given
        elif kind not in ("bool", "early_stopping"):
            assert shown == given.replace("\n", "")  # a field of one line
        assert back == form


def test_choosing_early_stopping_by_hand_is_the_same_as_getting_it_from_a_run(app_url, open_page):
    page = open_page(app_url)
    show(page, "early-stopping")
    expect(page.locator("#dx-knob-early_stopping option:checked")).to_have_text("True")
    page.locator("#dx-knob-early_stopping").select_option("never")
    expect(page.locator(".dx-whatif")).to_be_visible()
    page.locator("#dx-knob-early_stopping").select_option("True")
    expect(page.locator(".dx-whatif")).to_be_hidden()


def test_a_list_as_it_was_typed_is_no_what_if(app_url, open_page):
    page = open_page(app_url)
    run(page, 1, MINE, bad_words_ids="cat, dog", max_new_tokens="3")
    quiet(page, 800)
    expect(page.locator(".dx-whatif")).to_be_hidden()
    show(page, "greedy-loop")
    pick(page, 1)
    expect(page.locator("#dx-knob-bad_words_ids")).to_have_value("cat, dog")
    quiet(page, 800)
    expect(page.locator(".dx-whatif")).to_be_hidden()


# -- Back and Forward


def test_back_and_forward_walk_the_runs_and_sliders_make_no_entries(app_url, open_page):
    page = open_page(app_url)
    n_entries = page.evaluate("history.length")
    run(page, 1, MINE, max_new_tokens="3")
    run(page, 2, "Another one", max_new_tokens="3")
    for value in ("0.5", "0.6", "0.7"):
        page.locator("#dx-knob-temperature").fill(value)
    page.locator(".dx-token").nth(1).click()
    quiet(page, 250)
    assert page.evaluate("history.length") == n_entries + 2
    assert decode(page.url.partition("c=")[2])[0].prompt == "Another one"
    page.go_back()
    in_view(page, 1)
    assert prompt(page).input_value() == MINE
    page.go_back()
    in_view(page, 0)
    assert prompt(page).input_value() == FIRST
    expect(page.locator(".dx-facts")).to_contain_text("recorded example")
    page.go_forward()
    in_view(page, 1)
    page.go_forward()
    in_view(page, 2)
    assert prompt(page).input_value() == "Another one"
    quiet(page, 250)
    assert decode(page.url.partition("c=")[2])[0].prompt == "Another one"
    assert page.evaluate("history.length") == n_entries + 2


def test_quick_hands_on_back_end_at_the_run_of_the_entry(app_url, open_page):
    page = open_page(app_url)
    for name in ("greedy-loop", "fork-point", "top-p-adapts"):
        show(page, name)
    page.evaluate("history.back(); setTimeout(() => history.back(), 30); setTimeout(() => history.back(), 60)")
    in_view(page, 0)
    quiet(page, 250)
    in_view(page, 0)
    assert page.evaluate("[history.state.dx.run, history.state.dx.index]") == [0, 0]
    page.go_forward()
    in_view(page, 1)


def test_back_after_a_reload_opens_what_the_address_says(app_url, open_page):
    page = open_page(app_url)
    run(page, 1, MINE, max_new_tokens="3")
    pick(page, 0)
    quiet(page, 250)
    page.reload()
    settle(page)
    page.go_back()
    page.wait_for_function(f"document.querySelector('#dx-prompt textarea')?.value === {json.dumps(MINE)}")


def test_back_to_a_run_that_is_gone_leaves_its_form(app_url, open_page):
    page = open_page(app_url)
    run(page, 1, MINE, max_new_tokens="3")
    show(page, "greedy-loop")
    remove(page, 1)
    page.go_back()
    expect(page.locator(".dx-message-box")).to_contain_text("no longer kept")
    assert prompt(page).input_value() == MINE
    expect(page.locator("#dx-knob-max_new_tokens")).to_have_value("3")
    expect(page.locator("[data-item=greedy-loop]")).to_have_attribute("aria-pressed", "true")  # it stays in view
    page.go_back()
    in_view(page, 0)
    expect(page.locator(".dx-message-box")).to_be_hidden()


# -- names, removing


def remove(page: Page, number: int) -> None:
    button = page.locator(f"[data-act=remove][data-number='{number}']")
    button.click()
    expect(button).to_have_text("Remove?")
    button.click()
    expect(page.locator(f"[data-act=pick][data-number='{number}']")).to_have_count(0)


def test_a_run_is_named_by_the_keyboard_and_escape_leaves_its_name(app_url, open_page):
    page = open_page(app_url)
    show(page, "greedy-loop")
    rename = page.locator("[data-act=rename][data-number='1']")
    rename.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".dx-run-name")).to_be_focused()
    page.keyboard.type("the loop")
    page.keyboard.press("Enter")
    expect(page.locator("[data-act=pick][data-number='1']")).to_have_text("Run 2: the loop")
    expect(rename).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type(" no longer")
    page.keyboard.press("Escape")
    quiet(page)
    expect(page.locator("[data-act=pick][data-number='1']")).to_have_text("Run 2: the loop")
    page.locator(".dx-lab [data-tab=compare]").click()
    expect(page.locator("[data-pick=a]")).to_contain_text("Run 2: the loop")
    rename.click()
    page.locator(".dx-run-name").fill("")
    page.locator("h1").click()  # leaving the field keeps what it says
    expect(page.locator("[data-act=pick][data-number='1']")).to_have_text("Run 2")


@pytest.mark.parametrize("hostile", [*HOSTILE[:4], "x" * 1000, "\u202egnp.exe", "\ud800"])
def test_a_hostile_name_is_text_and_bounded(app_url, open_page, hostile):
    page = open_page(app_url)
    show(page, "greedy-loop")
    page.locator("[data-act=rename][data-number='1']").click()
    page.evaluate(
        """(name) => {
          const field = document.querySelector(".dx-run-name");
          field.value = name;
          field.dispatchEvent(new Event("input"));
          field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
        }""",
        hostile,
    ) if hostile != "\ud800" else page.evaluate(
        """() => {
          const field = document.querySelector(".dx-run-name");
          field.value = String.fromCharCode(0xd800);
          field.dispatchEvent(new Event("input"));
          field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
        }"""
    )  # fmt: skip
    label = page.locator("[data-act=pick][data-number='1']")
    expect(label).not_to_have_text("Run 2")
    name = label.inner_text().removeprefix("Run 2: ")
    assert 0 < len(name) <= LONGEST_NAME and "\u202e" not in name
    assert page.evaluate("window.owned") is None
    assert label.locator("*").count() == 0


def test_a_run_is_removed_its_forks_stay_and_the_last_one_cannot_go(app_url, open_page):
    page = open_page(app_url)
    page.click(".dx-take")
    in_view(page, 1)
    expect(page.locator("#dx-run")).to_be_enabled()
    tokens = page.locator(".dx-token").all_inner_texts()
    button = page.locator("[data-act=remove][data-number='0']")
    button.click()
    page.locator("h1").click()  # not sure after all
    expect(page.locator("[data-act=remove][data-number='0']")).to_have_text("×")
    remove(page, 0)
    expect(page.locator(".dx-runs")).to_be_hidden()  # one alone has nothing beside it, and cannot be removed
    assert page.locator(".dx-token").all_inner_texts() == tokens
    show(page, "greedy-loop")
    assert labels(page) == ["Run 2", "Run 3"]
    expect(page.locator(".dx-run-detail").first).to_contain_text("fork of run 1")
    remove(page, 2)  # the one in view: the one before it comes into its place, with its form
    in_view(page, 1)
    assert prompt(page).input_value() == FIRST
    expect(page.locator(".dx-gallery p")).to_be_hidden()


# -- while a run streams, and while others run


def long_run(page: Page) -> None:
    for name in ("max_new_tokens", "min_new_tokens"):
        page.locator(f"#dx-knob-{name}").fill("3000")  # until it is stopped, however slow the page is
    page.locator("#dx-run").click()
    page.wait_for_function("dx.about.streaming")


def test_a_click_while_a_run_streams_is_about_that_run(app_url, open_page):
    page = open_page(app_url)
    show(page, "fork-point")
    prompt(page).fill("Streaming, I say")
    long_run(page)
    page.wait_for_function("document.querySelectorAll('.dx-token').length > 12")
    token = page.locator(".dx-token").nth(4)
    said = token.inner_text()
    token.click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"“{said}” came at step 5")
    page.wait_for_timeout(1000)  # the charts stay with the step that was chosen
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"“{said}” came at step 5")
    for panel in (".dx-candidate", ".dx-lab", ".dx-notes", ".dx-gallery p"):  # nothing speaks of the run before
        expect(page.locator(panel)).to_be_hidden()
    expect(page.locator("#dx-verify-button")).to_be_disabled()
    expect(page.locator(".dx-facts")).to_contain_text("running")
    expect(page.locator(".dx-facts")).not_to_contain_text("ended by")
    page.go_back()
    expect(page.locator(".dx-message-box")).to_contain_text("A run is going on")
    page.locator("#dx-stop").click()
    in_view(page, 2)
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text(f"“{said}” came at step 5")
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 5:")
    page.click(".dx-take")
    page.wait_for_function("dx.about.run === 3")
    page.locator("#dx-stop").click()
    in_view(page, 3)
    expect(page.locator(".dx-run-detail").last).to_contain_text("fork of run 3 at step 5")


@pytest.fixture(scope="module")
def one_at_a_time(example, tmp_path_factory):
    """A server on which one run goes on at a time, and one may wait."""
    first = "import os; os.environ['DECODING_EXPLORER_QUEUE_LENGTH'] = '1'; "
    first += "import app.serving.line as line; line.AT_ONCE = 1"
    with served(example, tmp_path_factory.mktemp("one"), first=first) as url:
        yield url


def test_a_fork_that_waits_is_of_the_step_where_it_was_asked_for(one_at_a_time, open_page):
    other, page = open_page(one_at_a_time), open_page(one_at_a_time)
    page.locator(".dx-token").nth(2).click()
    expect(page.locator(".dx-candidate [data-part=label]")).to_have_text("Another token at step 3:")
    long_run(other)
    page.click(".dx-take")
    expect(page.locator(".dx-status")).to_contain_text("in the queue")
    page.locator("[data-item=greedy-loop]").click()  # a visitor who waits looks at something else
    page.wait_for_selector("[data-item=greedy-loop][aria-pressed=true]")
    page.wait_for_timeout(300)
    other.locator("#dx-stop").click()
    in_view(page, 2)
    expect(page.locator("#dx-run")).to_be_enabled()
    expect(page.locator(".dx-run-detail").last).to_contain_text("fork of run 1 at step 3")


def test_run_comes_back_when_the_queue_is_full(one_at_a_time, open_page):
    runs, waits, refused = (open_page(one_at_a_time) for _ in range(3))
    long_run(runs)
    waits.locator("#dx-run").click()
    expect(waits.locator(".dx-status")).to_contain_text("in the queue")
    refused.locator("#dx-run").click()
    expect(refused.locator(".dx-message-box")).to_contain_text("queue is full")
    expect(refused.locator("#dx-run")).to_be_enabled()
    expect(refused.locator("#dx-stop")).to_be_disabled()
    expect(refused.locator(".dx-status")).not_to_contain_text("in the queue")
    refused.locator("#dx-verify-button").click()
    expect(refused.locator(".dx-message-box")).to_contain_text("queue is full")
    expect(refused.locator("#dx-verify-button")).to_be_enabled()
    runs.locator("#dx-stop").click()
    in_view(waits, 1)
    refused.locator("#dx-run").click()
    in_view(refused, 1)
