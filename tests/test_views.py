"""Views: the plain rows between a trace and its pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from transformers.generation import (
    EtaLogitsWarper,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from app.text import Text
from app.views.cutoff import Gap, cutoff_view
from app.views.facts import facts_rows, notes_sections
from app.views.numbers import margin_text, nats, percent, setting
from app.views.stage_names import stage_label
from app.views.token_row import measures_of, row_view, token_cells
from app.views.waterfall import waterfall_view
from decoding import Settings, record
from decoding.recorded.stages import Stage
from tests.hand_made import hand_made_trace, token_table
from tests.tiny_models import tiny_lm

# Probabilities 0.5, 0.25, 0.125, 0.125 and nothing to speak of for the rest.
LOGITS = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


@pytest.fixture
def trace():
    return hand_made_trace([LOGITS], [1], [TemperatureLogitsWarper(1.0), TopKLogitsWarper(3), TopPLogitsWarper(0.6)])


# -- waterfall


def test_the_waterfall_has_a_column_for_the_logits_and_one_per_stage(trace):
    view = waterfall_view(trace, step=0)
    assert [(c.label, c.value) for c in view.columns] == [
        ("logits", ""),
        ("temperature", "1"),
        ("top_k", "3"),
        ("top_p", "0.6"),
    ]
    assert [c.changed for c in view.columns] == [True, False, True, True]


def test_alive_mass_and_entropy_are_those_after_each_stage(trace):
    columns = waterfall_view(trace, step=0).columns
    assert [c.n_alive for c in columns] == [8, 8, 4, 2]  # the two at 0.125 are tied for third
    assert [c.n_removed for c in columns] == [0, 0, 4, 2]
    assert columns[3].mass_removed == near(0.25)
    assert columns[0].entropy_nats == near(1.75 * math.log(2))
    two_thirds = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert columns[3].entropy_nats == near(two_thirds)


def test_a_removed_token_names_its_stage_and_margin(trace):
    view = waterfall_view(trace, step=0)
    by_text = {token.text: token for token in view.tokens}
    assert by_text["a"].removed_at is None
    assert by_text["c"].removed_at == 3
    # 0.75 is likelier than c already; 0.6 was the limit.
    assert (by_text["c"].margin, by_text["c"].unit) == (near(0.15), "probability")
    assert by_text["e"].removed_at == 2
    assert by_text["e"].unit == "logit"
    assert by_text["e"].probabilities[2:] == (0.0, 0.0)


def test_tokens_stand_in_the_models_order_and_the_chosen_one_is_marked(trace):
    view = waterfall_view(trace, step=0)
    assert [token.text for token in view.tokens] == list("abcdefgh")
    assert view.chosen.text == "b"
    assert view.chosen.rank == 2
    assert view.chosen.probabilities[-1] == near(1 / 3)


def test_the_chosen_token_is_shown_however_unlikely():
    trace = hand_made_trace([LOGITS], [7], [TopKLogitsWarper(8)])
    view = waterfall_view(trace, step=0, n_tokens=3)
    assert len(view.tokens) == 3
    assert view.chosen.text == "h"


def test_a_ban_has_no_margin():
    # The prompt is "a"; after "a b a", the bigram "a b" may not come again.
    flat = [0.0] * 8
    trace = hand_made_trace([flat, flat, flat], [1, 0, 2], [NoRepeatNGramLogitsProcessor(2)])
    line = {t.text: t for t in waterfall_view(trace, step=2).tokens}["b"]
    assert (line.removed_at, line.margin, line.unit) == (1, None, None)


# -- cut-off


def test_the_last_rule_is_in_view_unless_another_is_asked_for(trace):
    assert [tab.label for tab in cutoff_view(trace, step=0).tabs] == ["top_k", "top_p"]
    assert cutoff_view(trace, step=0).tab == "3"
    assert cutoff_view(trace, step=0, stage="2").cut.rule == "top_k"
    assert cutoff_view(trace, step=0, stage="<script>").tab == "3"


def test_top_p_keeps_the_token_that_crosses_and_says_which(trace):
    view = cutoff_view(trace, step=0)
    crossing = view.rows[view.crossing]
    assert (crossing.text, crossing.kept, crossing.value) == ("b", True, near(0.75))
    assert [row.kept for row in view.rows] == [True, True, False, False]
    assert [row.chosen for row in view.rows] == [False, True, False, False]


def test_tokens_left_out_are_counted_and_weighed():
    n = 200
    logits = [0.0 - i / 50 for i in range(n)]
    trace = hand_made_trace([logits], [199], [TopKLogitsWarper(100)], texts=[f"t{i}" for i in range(n)])
    view = cutoff_view(trace, step=0)
    places = [row.place for row in view.rows]
    assert places == [*range(1, 10), *range(97, 104), 200]
    assert [(gap.after, gap.n) for gap in view.gaps] == [(8, 87), (15, 96)]
    whole = sum(row.probability for row in view.rows) + sum(gap.mass for gap in view.gaps)
    assert whole == near(1.0)
    assert [row.text for row in view.rows if row.chosen] == ["t199"]  # the token in view is shown wherever it stands


def test_each_gap_weighs_what_was_left_out_there():
    n = 400
    logits = [-i / 50 for i in range(n)]
    trace = hand_made_trace([logits], [300], [TopKLogitsWarper(100)], texts=[f"t{i}" for i in range(n)])
    view, p = cutoff_view(trace, step=0), torch.softmax(torch.tensor(logits, dtype=torch.float64), -1)
    gaps = [(9, 96), (103, 300), (301, 400)]
    assert [gap.n for gap in view.gaps] == [b - a for a, b in gaps]
    assert [gap.mass for gap in view.gaps] == [near(float(p[a:b].sum())) for a, b in gaps]


def test_typical_shows_the_likeliest_token_in_view_far_down_in_its_own_order():
    logits = [6.0, *(0.01 * i for i in range(300))]
    trace = hand_made_trace([logits], [0], [TypicalLogitsWarper(0.3)], texts=[f"t{i}" for i in range(301)])
    row = next(row for row in cutoff_view(trace, step=0).rows if row.chosen)
    assert row.text == "t0" and row.place > 100


def test_nothing_is_left_out_of_a_small_vocabulary(trace):
    assert cutoff_view(trace, step=0, stage="2").gaps == ()
    assert cutoff_view(trace, step=0).gaps != (Gap(after=0, n=0, mass=0.0),)


@pytest.mark.parametrize("processor", [MinPLogitsWarper(0.4), EtaLogitsWarper(0.3)])
def test_rules_that_compare_have_a_threshold_in_probability(processor):
    view = cutoff_view(hand_made_trace([LOGITS], [0], [processor]), step=0)
    assert view.cut.unit == "probability"
    assert all(row.kept == (row.probability >= view.cut.threshold) or row.minimum for row in view.rows)


def test_without_a_rule_there_is_nothing_to_draw():
    view = cutoff_view(hand_made_trace([LOGITS], [0]), step=0)
    assert (view.tabs, view.cut, view.rows, view.mode) == ((), None, (), "greedy")


# -- token row


def test_measures_are_those_of_the_models_own_distribution(trace):
    m = measures_of(trace.steps[0], 0)
    assert m.probability == near(0.25)
    assert m.surprisal_nats == near(2 * math.log(2))
    assert m.entropy_nats == near(1.75 * math.log(2))
    assert m.final_probability == near(1 / 3)
    assert m.rank == 2


def test_a_row_has_its_prompt_and_its_generated_tokens(trace):
    view = row_view(trace, 0)
    assert [(c.text, c.step) for c in view.prompt] == [("a", None)]
    assert [(c.text, c.step) for c in view.generated] == [("b", 0)]
    assert view.stop_reason == "max_length"


def test_half_a_character_is_marked_and_tells_what_it_becomes():
    euro = "€".encode()
    table = token_table([euro[:1], euro[1:], " x"])
    cells = token_cells(table, [0, 1, 2], begin=0)
    assert [cell.kind for cell in cells] == ["bytes", "bytes", "plain"]
    assert [cell.joined for cell in cells[:2]] == ["€", "€"]
    assert cells[2].text == "␣x"
    assert "\ufffd" not in "".join(cell.text for cell in cells)


# -- facts, names, numbers


def test_facts_say_which_device_and_format_decided(trace):
    facts = {fact["label"]: fact["value"] for fact in facts_rows(trace, Text("en"))}
    assert facts["device"] == "cpu"
    assert facts["dtype"] == "float32"
    assert facts["ended by"] == "length limit"
    assert "recorded example" not in facts
    assert facts_rows(trace, Text("en"), origin="example")[0]["label"] == "recorded example"


def test_notes_list_the_stages_in_order(trace):
    stages, origins, silent, warnings = notes_sections(trace, Text("en"))
    assert [item["name"] for item in stages["items"]] == ["temperature 1", "top_k 3", "top_p 0.6"]
    assert silent["items"] == warnings["items"] == []
    assert origins["title"] == ["Settings that acted"]


def test_notes_say_of_every_setting_that_acted_whose_it_is():
    lm = tiny_lm()
    lm.model.generation_config.repetition_penalty = 1.2
    trace = record(lm, "The cat", Settings(do_sample=True, top_p=0.9, length_penalty=2.0, max_new_tokens=2, seed=0))
    items = notes_sections(trace, Text("en"))[1]["items"]
    assert [(item["name"], item["text"]) for item in items] == [
        ("do_sample = True", "given"), ("seed = 0", "given"), ("top_p = 0.9", "given"), ("max_new_tokens = 2", "given"),
        ("repetition_penalty = 1.2", "the model's own default"), ("eos_token_id = 2", "the model's own default"),
        ("top_k = 50", "transformers' default"),
    ]  # fmt: skip
    old = replace(trace, settings=None, model_defaults=None)
    said = {item["name"]: item["text"] for item in notes_sections(old, Text("zh"))[1]["items"]}
    assert said["top_p = 0.9"] == "给出的，或是模型自己的默认值：这个文件没有说明"
    assert said["top_k = 50"] == "transformers 的默认值"


def test_a_processor_of_ones_own_keeps_its_class_name():
    assert stage_label(Stage(name="MyProcessor", params={"strength": 2}, own=True)) == ("MyProcessor", "")


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.621, "62.1%"), (0.0, "0"), (1.0, "100.0%"), (0.99999, ">99.9%"), (0.0004, "0.04%"), (1e-7, "<0.01%"),
     (None, "–"), (math.nan, "–")],
)  # fmt: skip
def test_probabilities_are_written_as_percentages(p, shown):
    assert percent(p) == shown


def test_numbers_have_one_spelling():
    assert nats(-0.5) == "−0.50"
    assert nats(math.inf) == "∞"
    assert margin_text(0.082, "probability") == "−8.2%"
    assert margin_text(0.42, "logit") == "−0.42"
    assert margin_text(None, None) == ""
    assert setting(0.8999999761581421) == "0.9"
    assert setting((1, 2, 3, 4, 5)) == "1, 2, 3, 4, …"
