"""Runs kept beside each other, and two of them compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from transformers.generation import RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper

from app.lab import compare
from app.lab.tabs import lab
from app.runs import MOST_RUNS, Runs
from app.session.session import Session
from app.sheets.runs import runs_sheet
from app.text import Text
from app.views.compare import compare_view
from app.views.look import Look
from app.views.run_differences import run_differences
from app.views.runs import run_lines
from app.views.token_text import tokens_within
from decoding import Settings, record
from decoding.files.compact import compact
from decoding.fork import fork
from tests.counted_work import lines_of
from tests.hand_made import hand_made_trace, token_table
from tests.tiny_models import tiny_lm

EN, ZH = Text("en"), Text("zh")
# Probabilities 1/2, 1/4, 1/8, 1/8, and nothing to speak of for the rest.
HALVES = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4
SAMPLE = {"do_sample": True, "temperature": 0.9, "top_k": 40, "top_p": 0.9, "seed": 3, "max_new_tokens": 8}


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def same_number(value: float) -> object:
    """Computed from the same bits in float64 by two libraries, which add up in another order."""
    return pytest.approx(value, rel=1e-12, abs=0)


def plain(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


def side_by_side(a, b) -> Runs:
    runs = Runs(a, "one")
    runs.add(b, "one")
    return runs


def view_of(a, b, **more):
    runs = side_by_side(a, b)
    return compare_view(runs, *runs, **more)


def look_at(runs: Runs, *, lang: str = "en", row: int = 0) -> Look:
    return Look(trace=runs.active.trace, row=row, step=0, token_id=None, runs=runs, text=Text(lang))


def sheet_of(runs: Runs, lang: str = "en", row: int = 0, **wish):
    made = compare.sheet(look_at(runs, lang=lang, row=row), wish)
    json.dumps(made)
    return made


@pytest.fixture(scope="module")
def tiny():
    return tiny_lm()


@pytest.fixture(scope="module")
def kept(tiny):
    """A sampled run, greedy, beams, a chat, a fork of it, and the chat's decision taken anew."""
    chat = record(tiny, [{"role": "user", "content": "the dog"}], Settings(do_sample=True, max_new_tokens=6, seed=1))
    runs = Runs(record(tiny, "the cat", Settings(**SAMPLE, repetition_penalty=1.1)), "tiny", origin="example")
    runs.add(record(tiny, "the cat", Settings(max_new_tokens=8)), "tiny")
    runs.add(record(tiny, "the dog", Settings(num_beams=3, max_new_tokens=8)), "tiny")
    source = runs.add(chat, "tiny")
    runs.add(fork(chat, tiny, step=2, token_id=9), "tiny", None, source)
    hotter = Settings(do_sample=True, max_new_tokens=6, temperature=1.4, seed=1)
    runs.add(fork(chat, tiny, step=3, token_id=None, settings=hotter), "tiny", None, source)
    return runs


# -- which runs are kept


def test_the_last_runs_are_kept_and_the_oldest_makes_room():
    trace = hand_made_trace([HALVES], [0])
    runs = Runs(trace, "m")
    for _ in range(MOST_RUNS + 2):
        runs.add(trace, "m")
    assert [run.number for run in runs] == list(range(3, MOST_RUNS + 3))
    assert runs.active.number == MOST_RUNS + 2


def test_the_bound_on_bytes_lets_the_oldest_go_but_never_the_one_in_view(monkeypatch):
    small, large = hand_made_trace([HALVES], [0]), hand_made_trace([HALVES] * 50, [0] * 50)
    monkeypatch.setattr("app.runs.MOST_BYTES", small.nbytes * 3)
    runs = Runs(small, "m")
    for _ in range(3):
        runs.add(small, "m")
    assert [run.number for run in runs] == [1, 2, 3]
    runs.add(large, "m")
    assert large.nbytes > 3 * small.nbytes and [run.number for run in runs] == [4]


def test_the_models_cache_counts_too(tiny):
    from decoding import Recorder, stream

    recorder = Recorder()
    for _ in stream(tiny, "the cat", Settings(max_new_tokens=4), recorder):
        pass
    run = Runs(recorder.trace, "m", recorder.kept_cache()).active
    # Two layers, keys and values, 2 heads of 8, float32, for each token that the model read.
    assert run.nbytes - run.trace.nbytes == 2 * 2 * 2 * 8 * 4 * recorder.kept_cache().ids.shape[1]


def test_the_source_of_the_fork_in_view_outlives_older_runs(tiny):
    trace = record(tiny, "the", Settings(max_new_tokens=4))
    runs = Runs(trace, "m")
    source = runs.active
    for _ in range(MOST_RUNS - 1):
        runs.add(trace, "m")
    runs.add(fork(trace, tiny, step=1, token_id=7), "m", None, source)
    assert [run.number for run in runs] == [0, *range(2, MOST_RUNS + 1)]
    assert runs.source(runs.active) is source and runs.before(runs.active) is source


def test_a_fork_whose_source_is_gone_still_shows_what_it_took_over(tiny, monkeypatch):
    trace = record(tiny, "the", Settings(max_new_tokens=4))
    runs = Runs(trace, "m")
    runs.add(fork(trace, tiny, step=2, token_id=7), "m", None, runs.active)
    (first, line) = run_lines(runs)
    monkeypatch.setattr("app.runs.MOST_RUNS", 1)
    runs.add(runs.active.trace, "m", None, runs.active)
    (alone,) = run_lines(runs)
    assert alone.shared == line.shared == first.fresh[:2]
    assert (line.instead_of, alone.instead_of) == (first.fresh[2], "")


def test_what_was_made_of_a_run_is_made_once_and_goes_with_it():
    trace = hand_made_trace([HALVES], [0])
    runs, made = Runs(trace, "m"), []
    first = runs.active

    def make() -> int:
        made.append(1)
        return len(made)

    assert [runs.once("x", (first,), make) for _ in range(3)] == [1, 1, 1]
    for _ in range(MOST_RUNS):
        runs.add(trace, "m")
    assert runs.once("x", (first,), make) == 2


@pytest.mark.parametrize("junk", [None, -1, True, "0", 1.0, [], {}, 10**30])
def test_made_up_numbers_pick_nothing(junk):
    runs = side_by_side(hand_made_trace([HALVES], [0]), hand_made_trace([HALVES], [1]))
    assert runs.pick(junk).number == 1 and runs.get(junk) is None


def test_a_visitors_new_run_stands_beside_the_one_before(tiny):
    session = Session(record(tiny, "the", Settings(max_new_tokens=3)))
    session.take(record(tiny, "the", Settings(do_sample=True, seed=1, max_new_tokens=3)), "tiny")
    assert [(run.number, run.origin) for run in session.runs] == [(0, "example"), (1, "")]
    session.choose_lab({"tab": "compare"})
    assert lab(session.look)["sheet"]["pick"]["b"]["chosen"] == 1


# -- what tells runs apart


def test_each_run_is_named_by_what_tells_it_from_the_one_before(kept):
    details = [run["detail"] for run in runs_sheet(run_lines(kept), EN)["runs"]]
    assert details == [
        "recorded example · Sample",
        "Greedy · no repetition_penalty",
        "other prompt · Beam search · num_beams 3",
        "as chat · Sample · seed 1 · …",
        "fork of run 4 at step 3",
        "run 4 from step 4 on · temperature 1.4",
    ]
    chinese = runs_sheet(run_lines(kept), ZH)["runs"]
    assert all(run["label"].startswith("运行") and run["detail"] for run in chinese)


def test_only_what_acts_and_differs_is_a_difference(tiny):
    a = record(tiny, "the", Settings(do_sample=True, top_k=5, top_p=1.0, seed=1, max_new_tokens=2))
    b = record(tiny, "the", Settings(temperature=0.5, max_new_tokens=2))
    found = {d.name: (d.a.value, d.b.value) for d in run_differences(*side_by_side(a, b))}
    # top_p 1 is off in one and has no part in the other; temperature was given to greedy decoding for nothing.
    assert found == {"mode": ("sample", "greedy"), "seed": ("1", ""), "top_k": ("5", ""), "temperature": ("1", "0.5")}
    (silent,) = [d for d in run_differences(*side_by_side(a, b)) if d.name == "temperature"]
    assert silent.a.acts and not silent.b.acts


def test_a_forks_lengths_count_from_where_its_source_began(tiny):
    trace = record(tiny, "the cat", Settings(max_new_tokens=8, min_new_tokens=5, eos_token_id=(250,)))
    runs = Runs(trace, "m")
    runs.add(fork(trace, tiny, step=2, token_id=9), "m", None, runs.active)
    assert run_differences(*runs) == ()


def test_a_fork_of_a_chat_is_of_the_same_chat(kept):
    runs = list(kept)
    assert [d.name for d in run_differences(runs[3], runs[5])] == ["temperature"]


def test_long_prompts_are_cut_to_where_they_differ(tiny):
    a = record(tiny, "a" * 70 + "X", Settings(max_new_tokens=1))
    b = record(tiny, "a" * 70 + "Y" + "z" * 20, Settings(max_new_tokens=1))
    (prompt,) = run_differences(*side_by_side(a, b))
    assert (prompt.a.value, prompt.b.value) == ("a" * 70 + "X", "a" * 70 + "Y" + "z" * 20)
    one, other = (
        replace(trace, prompts=(text,)) for trace, text in ((a, "a" * 300 + "X"), (b, "a" * 300 + "Y" * 300))
    )
    (prompt,) = run_differences(*side_by_side(one, other))
    assert prompt.a.value == "…" + "a" * 40 + "X" and prompt.b.value == "…" + "a" * 40 + "Y" * 120 + "…"


# -- where they part


def test_the_parting_names_both_tokens_and_what_each_run_gave_the_others():
    a = hand_made_trace([HALVES, HALVES], [0, 1])
    b = hand_made_trace([HALVES, HALVES], [0, 2], [TopKLogitsWarper(2), TemperatureLogitsWarper(1.0)])
    parting = view_of(a, b).parting
    assert (parting.place, parting.a.text, parting.b.text) == (1, "b", "c")
    assert parting.a.probability == near(0.25) and parting.b.probability == 0  # B's list has no c: made by hand
    assert parting.b.elsewhere.probability == near(0.125) and parting.b.elsewhere.removed_by == ""
    assert parting.a.elsewhere.probability == near(1 / 3)
    assert parting.same_logits is True and parting.same_choice is False
    # And the other way round: in B, token d is removed by top_k.
    swapped = view_of(b, hand_made_trace([HALVES, HALVES], [0, 3])).parting
    assert (swapped.b.elsewhere.probability, swapped.b.elsewhere.removed_by) == (0, "top_k 2")


def test_the_sentence_is_made_of_these_numbers():
    a = hand_made_trace([HALVES, HALVES], [0, 1])
    b = hand_made_trace([HALVES, HALVES], [0, 0], [TopKLogitsWarper(1)])
    reading = plain(sheet_of(side_by_side(a, b))["reading"])
    assert reading == (
        "The first token is the same; as token 2, A took “b” (25.0%), B took “a” (100.0%). "
        "A gave “a” 50.0%; B had removed “b” (top_k 1). "
        "The model's own logits were the same in both: what differs came after the model, from the settings or the "
        "draw."
    )


def test_columns_stand_place_by_place_and_what_ended_stays_empty():
    view = view_of(hand_made_trace([HALVES] * 2, [0, 1]), hand_made_trace([HALVES] * 3, [0, 1, 2]))
    shown = [(c.place, [x.text for x in c.a], [x.text for x in c.b], c.same) for c in view.columns]
    assert shown == [(0, ["a"], ["a"], True), (1, ["b"], ["b"], True), (2, [], ["c"], False)]
    assert view.parting.a is None and view.parting.b.text == "c"
    reading = plain(sheet_of(side_by_side(*(hand_made_trace([HALVES] * n, list(range(n))) for n in (2, 3))))["reading"])
    assert reading == "The first 2 tokens are the same; then A ends, and B took “c” (12.5%)."


def test_a_run_that_only_ends_earlier_is_said_to_end_and_the_lengths_are_told():
    long, short = hand_made_trace([HALVES] * (400 + 40), [0] * (400 + 40)), hand_made_trace([HALVES] * 2, [0] * 2)
    made = sheet_of(side_by_side(long, short))
    assert made["tokens"]["mark"] == "here B ends"
    assert made["tokens"]["after"].startswith("… ") and made["tokens"]["after"].endswith(" more of A")
    assert "They differ in length (A: 440 tokens, B: 2)" in made["notes"][0]


def test_runs_that_say_the_same_have_no_parting(tiny):
    made = [record(tiny, "the cat", Settings(max_new_tokens=4, seed=seed)) for seed in (1, 2)]
    assert view_of(*made).parting is None
    assert plain(sheet_of(side_by_side(*made))["reading"]) == "Both say the same, token for token: all 4 of them."


def test_the_same_settings_and_another_seed_differ_by_the_draw_alone(tiny):
    made = [record(tiny, "the cat", Settings(**{**SAMPLE, "seed": seed})) for seed in (3, 4)]
    parting = view_of(*made).parting
    assert parting.same_logits and parting.same_choice
    for stage in (0, -1):
        assert torch.equal(*(run.scores(step=parting.place, stage=stage) for run in made))
    for taken in (parting.a, parting.b):
        assert taken.elsewhere.probability == same_number(taken.probability)
    assert "only the draw differed" in plain(sheet_of(side_by_side(*made))["reading"])


def test_what_the_other_run_gave_a_token_is_its_final_probability_after_the_same_prefix(kept):
    a, b, *_ = kept
    parting = compare_view(kept, a, b).parting
    assert 0 < parting.place < 8
    final = torch.softmax(b.trace.scores(step=parting.place).double(), -1)
    token_id = a.trace.steps[parting.place].token_ids[0]
    assert torch.equal(a.trace.prefix(parting.place), b.trace.prefix(parting.place))
    assert parting.a.elsewhere.probability == near(float(final[token_id]))
    assert parting.b.probability == near(float(final.max()))  # greedy


def test_a_fork_is_aligned_from_the_prompt_of_its_source(kept):
    runs = list(kept)
    view = compare_view(kept, runs[3], runs[4])
    assert view.parting.place == 2 and view.b.n_shared == 3
    assert [c.same for c in view.columns[:3]] == [True, True, False]
    assert view.parting.b.by_hand and view.parting.b.probability is None
    final = torch.softmax(runs[3].trace.scores(step=2).double(), -1)
    assert view.parting.b.elsewhere.probability == near(float(final[9]))
    assert view.columns[0].b[0].probability is None and view.columns[3].b[0].probability > 0
    reading = plain(sheet_of(kept, a=3, b=4, latest=5)["reading"])
    assert "put there by hand" in reading


def test_a_step_taken_anew_parts_by_its_settings_and_both_know_the_others_token(kept):
    runs = list(kept)
    parting = compare_view(kept, runs[3], runs[5]).parting
    assert parting.place == 3 and not parting.b.by_hand
    assert parting.a.elsewhere is not None and parting.b.elsewhere is not None


def test_a_fork_of_a_fork_is_aligned_with_the_first_run(tiny):
    first = record(tiny, "the cat", Settings(max_new_tokens=8, eos_token_id=(250,)))
    runs = Runs(first, "m")
    one = runs.add(fork(first, tiny, step=2, token_id=9), "m", None, runs.active)
    two = runs.add(fork(one.trace, tiny, step=2, token_id=11), "m", None, one)
    view = compare_view(runs, runs.get(0), two)
    assert view.b.n_shared == 6 and view.parting.place == 2
    assert view.parting.b.probability is None and not view.parting.b.by_hand  # it is the first fork's token
    assert compare_view(runs, one, two).parting.place == 5
    assert "B has “" in plain(sheet_of(runs, a=0, b=2, latest=2)["reading"])


def test_beam_runs_are_compared_by_their_hypotheses(tiny):
    settings = {"num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 6, "eos_token_id": (276, 52, 81)}
    a = record(tiny, "the cat", Settings(**settings))
    b = record(tiny, "the cat", Settings(**settings, length_penalty=-2.0))
    view = view_of(a, b, rows=(0, 2))
    assert [x.text for c in view.columns for x in c.a] == [
        t.text.replace("␠", "␣") for t in a.tokens.display(a.hypotheses[0].token_ids)
    ]
    logprobs = [math.log(t.probability) for t in view.b.statistics.tokens]
    assert logprobs == [pytest.approx(p, abs=1e-4) for p in b.hypotheses[2].logprobs]
    rows = sheet_of(side_by_side(a, b))["pick"]["a"]["rows"]
    assert rows == ["hypothesis #1", "hypothesis #2", "hypothesis #3"]


def test_every_row_of_a_batch_can_be_compared(tiny):
    settings = Settings(**{**SAMPLE, "num_return_sequences": 2})
    a = record(tiny, ["the cat", "logits"], settings)
    b = record(tiny, ["the cat", "logits"], replace(settings, temperature=1.5))
    runs = side_by_side(a, b)
    for row in range(4):
        made = sheet_of(runs, a=0, b=1, row_a=row, row_b=row, latest=1)
        assert (made["pick"]["a"]["row"], made["pick"]["b"]["row"]) == (row, row)
        texts = [text for _, cells, _, _ in made["tokens"]["columns"] for text, _ in cells]
        ids = [step.token_ids[row] for step in a.steps if not step.ended[row]]
        within = tokens_within(a, ids)  # a character that both have is one column: its first token's text is all of it
        whole = [t.joined.replace("␠", "␣") if t.group[0] == i else "" for i, t in enumerate(a.tokens.display(ids))]
        assert len(texts) == len(ids)
        assert all(text in (alone, joined) for text, alone, joined in zip(texts, within, whole, strict=True))
    assert compare_view(runs, *runs, rows=(0, 2)).same_start is False  # another prompt
    assert sheet_of(runs, row=3)["pick"]["b"]["row"] == 3  # the row in view


def test_other_prompts_are_set_side_by_side_and_no_probability_is_carried_over(tiny):
    a, b = (record(tiny, prompt, Settings(max_new_tokens=4)) for prompt in ("the cat", "the dog"))
    view = view_of(a, b)
    assert not view.same_start
    assert view.parting is None or view.parting.a.elsewhere is view.parting.b.elsewhere is None
    assert any("had read something else" in note for note in sheet_of(side_by_side(a, b))["notes"])


# -- other tokenizers

ONE = ["p", "The", " flow", "er", " is", " red", " blue", "</s>"]
OTHER = ["p", "Th", "e flower", " is", " r", "ed", " green", "</s>"]


def spoken(texts, ids):
    trace = hand_made_trace([HALVES] * len(ids), ids, texts=texts)
    return replace(trace, tokens=token_table(texts))


def test_other_tokenizers_are_aligned_by_their_text():
    view = view_of(spoken(ONE, [1, 2, 3, 4, 5]), spoken(OTHER, [1, 2, 3, 4, 5]))
    assert view.by_text and not view.same_start
    pairs = [("".join(x.text for x in c.a), "".join(x.text for x in c.b), c.same) for c in view.columns]
    assert pairs == [("The␣flower", "The flower", True), ("␣is", "␣is", True), ("␣red", "␣red", True)]
    assert [len(c.a) for c in view.columns] == [3, 1, 1] and [len(c.b) for c in view.columns] == [2, 1, 2]
    assert view.parting is None


def test_where_the_texts_part_the_common_characters_are_counted():
    a, b = spoken(ONE, [1, 2, 3, 4, 6]), spoken(OTHER, [1, 2, 3, 6, 3])
    view = view_of(a, b)
    assert view.parting.n_characters == len("The flower is")
    assert (view.parting.a.text, view.parting.b.text) == ("␣blue", "␣green")
    assert view.parting.a.elsewhere is None and view.parting.same_logits is None
    assert [c.same for c in view.columns] == [True, True, False, False]
    made = sheet_of(side_by_side(a, b))
    assert plain(made["reading"]).startswith("The first 13 characters are the same; then A took “␣blue”")
    assert "cut text into tokens in different ways" in made["notes"][0]


def test_a_text_that_only_begins_alike_ends_where_its_tokens_end():
    view = view_of(spoken(ONE, [1, 2]), spoken(OTHER, [1, 2]))
    assert [c.same for c in view.columns] == [False, False]
    assert view.parting.a.text == "The" and view.parting.n_characters == 0


def test_nothing_is_lost_or_doubled_by_the_alignment():
    torch.manual_seed(0)
    for _ in range(30):
        left, right = torch.randint(0, 8, (2, 6)).tolist()
        view = view_of(spoken(ONE, left), spoken(OTHER, right))
        for texts, ids, name in ((ONE, left, "a"), (OTHER, right, "b")):
            shown = [cell.text.replace("␣", " ") for column in view.columns for cell in getattr(column, name)]
            assert shown == [texts[i] for i in ids]


# -- the sheet


def test_with_a_single_run_the_tab_says_how_to_get_another():
    made = sheet_of(Runs(hand_made_trace([HALVES], [0]), "m"))
    assert "takes two to compare" in plain(made["reading"]) and "pick" not in made
    assert made["statistics"]["head"][1] == "this run"


def test_a_run_is_held_against_its_source_or_the_one_before(kept):
    pick = sheet_of(kept)["pick"]
    assert (pick["a"]["chosen"], pick["b"]["chosen"]) == (3, 5)
    kept.pick(2)
    pick = sheet_of(kept)["pick"]
    assert (pick["a"]["chosen"], pick["b"]["chosen"]) == (1, 2)
    kept.pick(0)
    pick = sheet_of(kept)["pick"]
    assert (pick["a"]["chosen"], pick["b"]["chosen"]) == (0, 1)
    kept.pick(5)


def test_a_wish_holds_until_there_is_a_newer_run():
    trace = hand_made_trace([HALVES], [0])
    runs = side_by_side(trace, trace)
    runs.add(trace, "m")
    wish = {"a": 2, "b": 0, "latest": 2}
    assert sheet_of(runs, **wish)["pick"]["a"]["chosen"] == 2
    runs.add(trace, "m")
    assert sheet_of(runs, **wish)["pick"]["a"]["chosen"] == 2 and sheet_of(runs, **wish)["pick"]["b"]["chosen"] == 3


JUNK = (None, -1, 10**30, math.nan, "", "x" * 100, [], [[]], True, {"a": 1})


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_made_up_wishes_fall_back_to_the_default(kept, junk):
    usual = sheet_of(kept)
    for name in ("a", "b", "row_a", "row_b", "latest"):
        wish = {"a": 3, "b": 5, "latest": 5} | {name: junk}
        assert sheet_of(kept, **wish)["key"] == usual["key"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_pair_can_be_told_in_both_languages(kept, lang):
    for a in kept:
        for b in kept:
            if a is not b:
                made = sheet_of(kept, lang, a=a.number, b=b.number, latest=5)
                assert plain(made["reading"]) and made["statistics"]["rows"] and "{" not in plain(made["reading"])


def test_the_statistics_are_shown_with_their_units(kept):
    made = sheet_of(kept, a=1, b=0, latest=5)["statistics"]["rows"]
    rows = {plain(row["label"]): (row["values"], row["unit"]) for row in made}
    assert rows["length"] == (["8", "8"], "tokens")
    assert rows["model's favourite taken"][0][0] == "100.0%"  # greedy
    assert rows["cut away by truncation"][0][0] == "0"


def test_a_compact_trace_claims_only_what_it_kept(tiny):
    a, b = (record(tiny, "the cat", Settings(**{**SAMPLE, "seed": seed, "top_k": 0})) for seed in (3, 4))
    small = view_of(compact(a, head=3), compact(b, head=3))
    assert not small.by_text and small.parting.place == view_of(a, b).parting.place
    assert small.parting.same_logits is None
    full = view_of(a, b).parting
    for taken, true in ((small.parting.a, full.a), (small.parting.b, full.b)):
        there = taken.elsewhere
        assert there is None or there.probability == pytest.approx(true.elsewhere.probability, abs=1e-4)


def test_after_the_first_time_the_tab_takes_next_to_nothing():
    torch.manual_seed(0)
    row = (torch.randn(49_152) * 3).tolist()
    rules = [RepetitionPenaltyLogitsProcessor(1.1), TopKLogitsWarper(50)]
    texts = ["x"] * 49_152
    runs = side_by_side(*(hand_made_trace([row] * 20, list(range(k, k + 20)), rules, texts) for k in (0, 1)))
    first = lines_of(lambda: sheet_of(runs))
    again = lines_of(lambda: sheet_of(runs))
    assert again < 10_000 and again < first / 2  # no loop over the vocabulary; `make bench` has the milliseconds
