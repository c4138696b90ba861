"""Figures: the numbers that are drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from transformers.generation import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from app.components.drawn import as_json
from app.figures.cutoff import cutoff_figure
from app.figures.escape import escaped
from app.figures.waterfall import FILL, PINNED, SAME, STAGE, UNSEEN, columns_of, deciding_column, waterfall_figure
from app.palette import DARK, LIGHT
from app.sheets.cutoff import cutoff_fields, cutoff_reading, cutoff_sheet, cutoff_table
from app.sheets.waterfall import waterfall_reading, waterfall_sheet, waterfall_tables
from app.text import Text
from app.views.cutoff import cutoff_view
from app.views.waterfall import waterfall_view
from tests.hand_made import HOSTILE, hand_made_trace

LOGITS = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4
EN = Text("en")


def near(values) -> object:
    return pytest.approx(list(values), abs=1e-6)


def words(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


def cut_figure(*processors, stage=""):
    view = cutoff_view(hand_made_trace([LOGITS], [1], processors), step=0, stage=stage)
    return view, go.Figure(cutoff_figure(view, EN, cutoff_fields(view)))


@pytest.fixture
def view():
    trace = hand_made_trace([LOGITS], [1], [TemperatureLogitsWarper(1.0), TopPLogitsWarper(0.6)])
    return waterfall_view(trace, step=0)


# -- waterfall


@pytest.mark.parametrize("trailing", range(7))
def test_what_stays_in_view_is_the_last_column_that_changed_anything(view, trailing):
    last = max(i for i, column in enumerate(view.columns) if column.changed)
    same = replace(view.columns[last], changed=False)
    longer = replace(view, columns=(*view.columns[: last + 1], *[same] * trailing))
    columns, (left, right) = columns_of(longer), deciding_column(longer)
    assert left == columns.left[last] - 2 and right > columns.left[last] + columns.width[last]
    assert right - left <= PINNED


def test_bars_are_probabilities_to_one_scale_over_all_columns(view):
    bars = go.Figure(waterfall_figure(view, EN)).data[0]
    first = [bars.x[line * 3] for line in range(4)]
    longest = 2 / 3  # of "a", after top_p
    assert first == near(STAGE * FILL * p / longest for p in (0.5, 0.25, 0.125, 0.125))
    assert bars.x[2] == pytest.approx(STAGE * FILL)


def test_a_stage_that_changed_nothing_is_narrow(view):
    assert columns_of(view).width == (STAGE, SAME, STAGE)
    assert columns_of(view).left == (0, STAGE, STAGE + SAME)


def test_a_removed_token_has_no_bar_and_says_who_removed_it(view):
    figure = go.Figure(waterfall_figure(view, EN))
    bars, labels, cells, _ = figure.data
    line_of_c = 2
    assert bars.marker.color[line_of_c * 3 + 2] == UNSEEN
    assert bars.x[line_of_c * 3 + 2] == pytest.approx(STAGE * FILL)  # to hover over
    assert "removed by top_p" in bars.hovertext[line_of_c * 3 + 2]
    assert labels.textfont.color[line_of_c] == LIGHT["faint"]
    missed = cells.text.index("✕ missed by 15.0%")
    assert cells.textfont.color[missed] == LIGHT["top_p"]


def test_the_chosen_token_is_marked(view):
    labels = go.Figure(waterfall_figure(view, EN)).data[1]
    assert labels.text[1] == "<b>▸ b</b>"
    assert labels.textfont.color[1] == LIGHT["chosen"]


def test_the_heads_have_alive_mass_and_entropy(view):
    heads = list(go.Figure(waterfall_figure(view, EN)).data[3].text)
    assert {"alive", "mass cut", "entropy", "8", "2", "25.0%", "1.21", "0.64", "="} <= set(heads)


def test_the_reading_says_what_the_stages_did(view):
    assert words(waterfall_reading(view, EN)) == (
        "“b” came at step 1 with probability 33.3%; the model's own probability was 25.0% (rank 2). "
        "Of 8 tokens 2 stayed possible: top_p removed 6 (25.0%)."
    )


def test_the_table_has_the_charts_numbers(view):
    tokens, stages = waterfall_tables(view, EN)
    assert tokens.head == ("token", "id", "logit", "logits", "temperature 1", "top_p 0.6", "removed by", "margin")
    assert tokens.rows[2] == ("c", "2", "−2.08", "12.5%", "12.5%", "✕", "top_p", "−15.0% of probability")
    assert tokens.marked == 1
    assert stages.rows[2] == ("top_p 0.6", "2", "25.0%", "0.637")


# -- cut-off


def test_top_p_is_a_staircase_with_its_crossing_token():
    view, figure = cut_figure(TopPLogitsWarper(0.6))
    stairs, _, mark = figure.data
    assert list(stairs.base[:4]) == near([0.0, 0.5, 0.75, 0.875])
    assert [b + x for b, x in zip(stairs.base, stairs.x, strict=True)] == near(row.value for row in view.rows)
    assert (mark.x[0], mark.y[0]) == (pytest.approx(0.75), 1)
    assert figure.layout.shapes[0].x0 == pytest.approx(0.6)
    assert list(stairs.marker.color[:3]) == [LIGHT["alive"], LIGHT["chosen_fill"], LIGHT["removed"]]


def test_top_k_draws_its_line_under_the_last_rank():
    _, figure = cut_figure(TopKLogitsWarper(2))
    assert figure.layout.shapes[0].y0 == 1.5
    assert list(figure.data[0].marker.symbol[:3]) == ["circle", "circle", "x"]


def test_min_p_draws_its_threshold():
    _, figure = cut_figure(MinPLogitsWarper(0.4))
    assert figure.layout.shapes[0].x0 == pytest.approx(0.2)  # 0.4 × 0.5
    assert list(figure.data[0].x[:4]) == near([0.5, 0.25, 0.125, 0.125])
    assert figure.layout.xaxis.type == "log"


@pytest.mark.parametrize(
    "processor",
    [TopKLogitsWarper(2), TopPLogitsWarper(0.6), MinPLogitsWarper(0.4), TypicalLogitsWarper(0.5),
     EpsilonLogitsWarper(0.2), EtaLogitsWarper(0.3), TopHLogitsWarper(0.5)],
    ids=lambda p: type(p).__name__,
)  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_rule_has_figure_words_and_table(processor, lang):
    view = cutoff_view(hand_made_trace([LOGITS], [0], [processor]), step=0)
    sheet = cutoff_sheet(view, Text(lang))
    data = json.loads(as_json(sheet.data))
    assert go.Figure(data["figure"]).data[0].x
    assert str(view.cut.n_kept) in words(cutoff_reading(view, Text(lang)))
    width = len(sheet.table.head)
    assert all(len(row) == width for row in sheet.table.rows)
    assert sum(cells[-1] in ("no", "否") for cells in sheet.table.rows) == sum(not row.kept for row in view.rows)


def test_without_a_rule_the_sheet_says_why():
    sheet = cutoff_sheet(cutoff_view(hand_made_trace([LOGITS], [0]), step=0), EN)
    assert sheet.figure is None
    assert words(sheet.reading) == "Greedy decoding takes the most likely token, so nothing needs to be cut off."


def test_the_table_marks_the_chosen_token():
    view, _ = cut_figure(TopPLogitsWarper(0.6))
    table = cutoff_table(view, EN)
    assert table.rows[table.marked][0] == "b"


# -- hostile tokens, colours


def test_token_text_is_escaped_for_plotly():
    assert escaped("<s>&amp;</s>") == "&lt;s&gt;&amp;amp;&lt;/s&gt;"


@pytest.mark.parametrize("token", range(len(HOSTILE)))
def test_no_token_reaches_plotly_as_markup(token):
    trace = hand_made_trace([LOGITS], [token], [TopPLogitsWarper(0.6)], texts=HOSTILE)
    allowed = {"<b>", "</b>", "<br>", "<extra>", "</extra>"}
    for sheet in (waterfall_sheet(waterfall_view(trace, step=0), EN), cutoff_sheet(cutoff_view(trace, step=0), EN)):
        figure = go.Figure(sheet.figure).to_plotly_json()
        for trace_of_figure in figure["data"]:
            for name in ("text", "hovertext"):
                for text in trace_of_figure.get(name, ()):
                    tags = {f"<{part.split('>')[0]}>" for part in text.split("<")[1:]}
                    assert tags <= allowed


def test_every_colour_of_a_figure_has_a_dark_counterpart(view):
    hexes = set()

    def collect(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                collect(item, name)
        elif isinstance(value, (list, tuple)):
            for item in value:
                collect(item, key)
        elif isinstance(value, str) and "color" in key and value.startswith("#"):
            hexes.add(value)

    cut, _ = cut_figure(TopPLogitsWarper(0.6))
    collect(waterfall_figure(view, EN))  # as it is: go.Figure adds a template of its own
    collect(cutoff_figure(cut, EN, cutoff_fields(cut)))
    assert hexes
    assert hexes <= set(LIGHT.values())
    assert set(LIGHT) == set(DARK)
    # The page swaps by value, so two meanings may share a light colour only if they share the dark one.
    pairs = {(LIGHT[name], DARK[name]) for name in LIGHT}
    assert len(pairs) == len({light for light, _ in pairs})


def test_numbers_that_json_has_no_word_for_are_sent_as_null():
    figure = {"data": [{"type": "bar", "x": [math.nan, math.inf, -math.inf, 0.5]}], "layout": {}}
    assert json.loads(as_json(figure))["data"][0]["x"] == [None, None, None, 0.5]
    assert "NaN" not in as_json(figure) and "Infinity" not in as_json(figure)


def test_the_dark_palette_is_swapped_in_by_value(view):
    assert LIGHT["alive"] in go.Figure(waterfall_figure(view, EN)).data[0].marker.color
