"""The step in words: the facts by hand and against the named statistics, and a sentence for every processor."""

from __future__ import annotations

import json
import math
from functools import partial

import pytest
import torch
from transformers.generation import (
    ForcedEOSTokenLogitsProcessor,
    InfNanRemoveLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from app.lab import in_words
from app.runs import Runs
from app.text import Text
from app.views.in_words import CLOSE, NEAR, step_reading
from app.views.look import Look
from app.views.stage_names import _KNOWN
from decoding import Settings, record
from decoding.files.compact import compact
from decoding.reading import stats
from decoding.reading.cutoffs import RULES, cutoff
from tests.counted_work import lines_of
from tests.hand_made import HOSTILE, hand_made_trace
from tests.laws import makers
from tests.tiny_models import tiny_lm

EN, ZH = Text("en"), Text("zh")
# Probabilities 1/2, 1/4, 1/8, 1/8, and nothing to speak of for the rest.
HALVES = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def plain(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


def look_at(trace, step=0, row=0, token_id=-1, lang="en", whatif=None) -> Look:
    if token_id == -1:
        recorded = trace.steps[step]
        token_id = None if recorded.ended[row] else recorded.token_ids[row]
    return Look(
        trace=trace, row=row, step=step, token_id=token_id, runs=Runs(trace, "m"), text=Text(lang), whatif=whatif
    )


def told(trace, **more) -> dict[str, str]:
    """Label and sentences."""
    made = in_words.sheet(look_at(trace, **more), {})
    json.dumps(made, allow_nan=False)
    return {item["label"]: plain(item["pieces"]) for item in made["items"]}


@pytest.fixture(scope="module")
def tiny():
    return tiny_lm()


@pytest.fixture(scope="module")
def sampled(tiny):
    return record(tiny, "the cat sat on the cat", Settings(
        do_sample=True, temperature=0.8, top_k=30, top_p=0.95, min_p=0.01, typical_p=0.9, epsilon_cutoff=0.001,
        repetition_penalty=1.3, no_repeat_ngram_size=2, seed=4, max_new_tokens=8, min_new_tokens=3,
        eos_token_id=(276, 52, 81),
    ))  # fmt: skip


@pytest.fixture(scope="module")
def beams(tiny):
    settings = Settings(num_beams=3, num_return_sequences=2, max_new_tokens=10, eos_token_id=(276, 52, 81))
    return record(tiny, ["The capital of France is", "the cat"], settings)


# -- by hand


def test_a_penalty_says_how_many_it_lowered_whom_it_hit_most_and_who_leads_now():
    # ln 1/2 × 3 = ln 1/8: of 1/8, 1/4, 1/8, 1/8 the first has a fifth.
    trace = hand_made_trace([HALVES], [1], [RepetitionPenaltyLogitsProcessor(3.0)])
    (stage,) = step_reading(look_at(trace)).stages
    assert (stage.label, stage.value, stage.n_lowered, stage.n_raised) == ("repetition_penalty", "3", 1, 0)
    assert (stage.shift.text, stage.shift.before, stage.shift.after) == ("a", near(0.5), near(0.2))
    assert stage.new_leader == ("b", "a")
    assert told(trace)["repetition_penalty 3"] == (
        "lowered 1 token already in the text, prompt included. “a” fell from 50.0% to 20.0%. "
        "“b” took first place from “a”."
    )


def test_a_temperature_says_how_the_entropy_changed():
    # Squares: 1/4, 1/16, 1/64, 1/64 of 11/32.
    (stage,) = step_reading(look_at(hand_made_trace([HALVES], [0], [TemperatureLogitsWarper(0.5)]))).stages
    p = [8 / 11, 2 / 11, 1 / 22, 1 / 22]
    assert stage.entropy_before == near(1.75 * math.log(2))
    assert stage.entropy_after == near(-sum(x * math.log(x) for x in p))
    assert (stage.shift.text, stage.shift.after) == ("a", near(8 / 11))
    cold = told(hand_made_trace([HALVES], [0], [TemperatureLogitsWarper(0.5)]))["temperature 0.5"]
    assert cold == "sharpened the distribution: entropy 1.21 → 0.82 nats. “a” rose from 50.0% to 72.7%."
    hot = told(hand_made_trace([HALVES], [0], [TemperatureLogitsWarper(2.0)]))["temperature 2"]
    assert hot.startswith("flattened the distribution: entropy 1.21 → 1.3")


def test_truncation_says_what_it_kept_and_who_came_in_last():
    rules = [TopKLogitsWarper(2), TopPLogitsWarper(0.5), MinPLogitsWarper(0.2)]
    said = told(hand_made_trace([HALVES], [0], rules[:1]))
    assert said["top_k 2"] == (
        "kept the 2 likeliest of 8 tokens and removed 25.0% of the probability. The last one in was “b” (25.0%)."
    )
    said = told(hand_made_trace([HALVES], [0], rules[1:2]))
    assert said["top_p 0.5"] == "left only “a” of 8 tokens: 50.0% of the probability went."
    said = told(hand_made_trace([HALVES], [0], rules[2:]))
    assert said["min_p 0.2"] == (
        "asked for 0.2 × the likeliest token's 50.0%, that is 10.0%: 4 of 8 tokens reach it, and <0.01% of the "
        "probability went. The last one in was “d” (12.5%)."
    )


def test_a_tie_at_the_cut_is_named():
    said = told(hand_made_trace([HALVES], [0], [TopKLogitsWarper(3)]))["top_k 3"]
    assert said.startswith("kept 4 of 8 tokens, more than 3, because the last ones are tied")


def test_a_ban_names_the_tokens_and_what_they_had():
    # After a a b a, the bigrams a a and a b must not come again.
    trace = hand_made_trace([HALVES] * 4, [0, 1, 0, 2], [NoRepeatNGramLogitsProcessor(2)])
    assert told(trace, step=3)["no_repeat_ngram_size 2"] == (
        "banned 2 tokens that would have completed a run of 2 tokens for the second time. "
        "“a”, “b”: 75.0% of the probability gone. “c” took first place from “a”."
    )


def test_many_banned_tokens_are_counted():
    trace = hand_made_trace([[0.0] * 8], [7], [SequenceBiasLogitsProcessor([[[i], -math.inf] for i in range(6)])])
    assert told(trace)["sequence_bias"] == (
        "banned 6 tokens. “a”, “b”, “c”, 3 more: 75.0% of the probability gone. “g” took first place from “a”."
    )


def test_what_touches_few_tokens_is_told_by_one_of_them():
    # b, c and d are lowered; a, which gains what they lose, moves more than each of them.
    trace = hand_made_trace([HALVES], [0], [SequenceBiasLogitsProcessor([[[i], -2.0] for i in (1, 2, 3)])])
    (stage,) = step_reading(look_at(trace)).stages
    assert (stage.n_changed, stage.shift.text, stage.shift.before) == (3, "b", near(0.25))
    assert stage.shift.after == near(0.25 * math.exp(-2) / (0.5 + 0.5 * math.exp(-2)))


def test_a_forced_token_was_forced():
    trace = hand_made_trace([HALVES], [3], [ForcedEOSTokenLogitsProcessor(2, 3)])
    said = told(trace)
    assert said["forced_eos_token_id"].startswith("forced “d”: every other token was removed, and 87.5%")
    assert said["Why “d”"].startswith("It was forced") and "How close" not in said


def test_what_ran_and_changed_nothing_is_named_and_not_told():
    rules = [TemperatureLogitsWarper(1.0), TopKLogitsWarper(7), TopPLogitsWarper(0.6)]
    said = told(hand_made_trace([HALVES], [0], rules))
    assert said["Without effect"] == "temperature 1, top_k 7 ran and changed nothing at this step."
    assert set(said) >= {"The model", "top_p 0.6"} and "top_k 7" not in said


def test_the_models_own_choice_is_made_without_processors():
    said = told(hand_made_trace([HALVES], [0]))
    assert said["The model"] == (
        "found these likeliest: “a” (50.0%), “b” (25.0%), “c” (12.5%). It was as undecided as among 3.4 equally "
        "likely tokens (entropy 1.21 nats)."
    )  # 2 to the 1.75
    assert said["Processors"].startswith("None changed a score")
    assert said["Why “a”"] == "Greedy decoding takes the highest score, and it had it: 50.0% in the end."


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (0, "It was drawn, as the likeliest: 66.7%. The model itself had given it 50.0%, rank 1."),
        (1, "It was drawn with 33.3%, about 1 in 3; the likeliest, “a”, had 66.7%. The model itself had given it "
            "25.0%, rank 2."),
    ],
)  # fmt: skip
def test_a_drawn_token_says_how_likely_it_was(chosen, said):
    trace = hand_made_trace([HALVES], [chosen], [TopKLogitsWarper(2)])
    assert told(trace)[f"Why “{'ab'[chosen]}”"] == said


def test_the_only_token_left_needs_no_reason():
    said = told(hand_made_trace([HALVES], [0], [TopKLogitsWarper(1)]))
    assert said["Why “a”"].startswith("It was the only token left.") and "How close" not in said


@pytest.mark.parametrize(
    ("margin", "kind"),
    [(0.0, "tie"), (NEAR * 0.99, "near"), (NEAR * 1.01, "close"), (CLOSE * 0.99, "close"), (CLOSE * 1.01, "clear"),
     (4.5, "clear"), (4.7, "certain")],
)  # fmt: skip
def test_how_close_the_second_is(margin, kind):
    trace = hand_made_trace([[margin, 0.0, *[-60.0] * 6]], [0])
    found = step_reading(look_at(trace)).closeness
    assert (found.kind, found.first.text, found.second.text) == (kind, "a", "b")
    assert found.margin == pytest.approx(margin, abs=1e-6)
    best, second = trace.scores(step=0).topk(2).values.tolist()
    assert found.margin == pytest.approx(best - second, abs=1e-6)


def test_a_tie_for_the_highest_score_is_said():
    said = told(hand_made_trace([[0.0, 0.0, *[-60.0] * 6]], [0]))
    assert "which it shares with others" in said["Why “a”"]
    assert said["How close"] == "“a” and “b” have exactly the same score (50.0% each)."


def test_scores_that_are_no_distribution_are_said_to_be_none():
    said = told(hand_made_trace([[math.nan, *HALVES[1:]]], [1]))
    assert said["The model"] == "gave scores that make no distribution (NaN or infinite)."
    mended = told(hand_made_trace([[math.inf, *HALVES[1:]]], [0], [InfNanRemoveLogitsProcessor()]))
    assert mended["remove_invalid_values"] == "replaced scores that were NaN or infinite."


def test_a_certain_model_is_said_to_be_certain():
    said = told(hand_made_trace([[9.0, *[0.0] * 7]], [0]))["The model"]
    assert said == "was all but certain: “a” (99.9%), “b” (0.01%), “c” (0.01%) (entropy 0.01 nats)."


def test_what_never_changed_anything_is_told_once(tiny):
    trace = record(tiny, "the cat", Settings(do_sample=True, top_k=99_999, seed=1, max_new_tokens=3))
    assert [knob.why for knob in trace.silent] == ["never_changed"]
    assert told(trace)["Without effect"] == "top_k 99999 ran and changed nothing at this step."


def test_settings_silent_for_one_reason_are_told_together(tiny):
    trace = record(tiny, "the cat", Settings(temperature=0.7, top_k=4, max_new_tokens=3))
    assert told(trace)["Without effect"].startswith("temperature = 0.7, top_k = 4, each of them: it acts only when")


def test_an_ended_row_says_so(tiny):
    ends = tuple(range(100, 320))
    several = Settings(do_sample=True, num_return_sequences=4, seed=2, max_new_tokens=30, eos_token_id=ends)
    trace = record(tiny, "the", several)
    step, row = next((s.index, r) for s in trace.steps for r in range(4) if s.ended[r])
    assert told(trace, step=step, row=row)["Nothing"].startswith("came in this row any more")
    made = in_words.sheet(look_at(trace, step=0, row=2), {})
    assert made["heading"] == "Step 1 of row 3, from the model's scores to the token"


# -- against the named statistics


@pytest.mark.parametrize("name", list(RULES))
def test_each_rules_numbers_are_those_of_its_chart(name):
    torch.manual_seed(1)
    made = makers(97)[name]()
    trace = hand_made_trace((torch.randn(8, 97) * 3).tolist(), [0] * 8, [made], [f"t{i}" for i in range(97)])
    for step in range(8):
        before, after = trace.steps[step].all_scores()
        for stage in step_reading(look_at(trace, step=step)).stages:
            chart, mine = cutoff(stage.name, trace.stages[0].params, before, after), stage.cut
            kept = [i for i, k in zip(chart.token_ids, chart.kept, strict=True) if k]
            assert len(kept) == stage.n_alive
            assert mine.minimum == (chart.crossing is None)
            assert mine.reference == pytest.approx(chart.reference, abs=1e-5)
            line = chart.setting if chart.rule == "top_k" else chart.threshold
            assert mine.threshold == pytest.approx(line, abs=1e-5)
            assert mine.reached == pytest.approx(1 - chart.mass_removed, abs=1e-9)
            if not mine.minimum:
                assert mine.last.text == f"t{chart.token_ids[chart.positions.index(chart.crossing)]}"


def test_every_stage_agrees_with_the_named_statistics(sampled):
    for step in sampled.steps:
        view, scores = step_reading(look_at(sampled, step=step.index)), step.all_scores()
        assert view.entropy == near(float(stats.entropy_nats(scores[0])))
        acted = [i for i in range(1, len(scores)) if not torch.equal(scores[i - 1], scores[i])]
        assert [s.name for s in view.stages] == [step.stages[i - 1].name for i in acted]
        assert len(view.idle) == len(step.stages) - len(acted)
        for i, stage in zip(acted, view.stages, strict=True):
            before, after = scores[i - 1], scores[i]
            alive = (before > -math.inf) & (after > -math.inf)
            assert (stage.n_before, stage.n_alive) == (int(stats.n_alive(before)), int(stats.n_alive(after)))
            assert stage.n_removed == stage.n_before - stage.n_alive
            assert stage.mass_removed == near(float(stats.mass_removed(before, after)))
            assert stage.entropy_after == near(float(stats.entropy_nats(after)))
            assert stage.n_lowered == int((alive & (after < before)).sum())
            assert stage.n_raised == int((alive & (after > before)).sum())
        token_id = step.token_ids[0]
        assert view.why.token.probability == near(float(stats.probs(scores[-1])[token_id]))
        assert view.why.own == (near(float(stats.probs(scores[0])[token_id])), int(stats.rank(scores[0], token_id)) + 1)


def test_a_compact_trace_says_what_was_recorded(sampled):
    small = compact(sampled, head=40)
    for step in range(len(sampled.steps)):
        full, view = (step_reading(look_at(trace, step=step)) for trace in (sampled, small))
        assert [s.name for s in view.stages] == [s.name for s in full.stages]
        for mine, true in zip(view.stages, full.stages, strict=True):
            for name in ("n_before", "n_alive", "n_removed", "entropy_before", "entropy_after", "mass_removed"):
                assert getattr(mine, name) == near(getattr(true, name))
            assert mine.n_lowered in (None, true.n_lowered)
        assert view.favourites == tuple(view.favourites) and len(view.favourites) == 3
        assert told(small, step=step)["The model"] == told(sampled, step=step)["The model"]


# -- a sentence for everything


def test_every_processor_of_the_page_has_a_sentence_of_its_own():
    for label, _ in _KNOWN.values():
        mine = [key for key in EN._table if key == f"words.stage.{label}" or key.startswith(f"words.stage.{label}.")]
        cut = {"typical_p": "typical", "epsilon_cutoff": "epsilon", "eta_cutoff": "eta"}.get(label, label)
        assert mine or EN.has(f"words.cut.{cut}"), label


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", list(makers(97)))
def test_every_processor_is_told_in_both_languages(name, lang):
    torch.manual_seed(0)
    logits = (torch.randn(6, 97) * 2).tolist()
    chosen = [0, 48, 0, 48, 0, 96]
    texts = [f"t{i}" for i in range(97)]
    trace = hand_made_trace(logits, chosen, [makers(97)[name]()], texts)
    acted = 0
    for step in range(6):
        reading = step_reading(look_at(trace, step=step))
        acted += len(reading.stages)
        for label, sentence in told(trace, step=step, lang=lang).items():
            assert sentence and "{" not in sentence, label
    assert acted or name == "InfNanRemoveLogitsProcessor"
    if name == "WritesInPlace" and lang == "en":
        assert "(your own) changed 1 token" in told(trace)["WritesInPlace"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_beams_say_what_became_of_every_candidate(beams, lang):
    kinds = set()
    for step in beams.steps:
        for candidate in step.candidates:
            said = told(beams, step=step.index, row=candidate.parent, token_id=candidate.token_id, lang=lang)
            assert len(said) >= 3 and all(said.values())
            kinds.add(candidate.fate)
    assert {"kept", "pruned", "finished"} <= kinds


def test_a_beams_fate_is_the_ledgers(beams):
    for step in beams.steps:
        for candidate in step.candidates:
            why = step_reading(look_at(beams, step=step.index, row=candidate.parent, token_id=candidate.token_id)).why
            assert (why.beam.row.fate, why.beam.row.margin, why.beam.row.rank) == (
                candidate.fate, candidate.margin, candidate.rank,
            )  # fmt: skip


def test_diverse_beams_and_contrastive_search_are_told(tiny):
    diverse = record(tiny, "the cat", Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0, max_new_tokens=5))
    lowered = [
        stage.n_lowered
        for step in diverse.steps
        for c in step.candidates
        for stage in step_reading(look_at(diverse, step=step.index, row=c.parent, token_id=c.token_id)).stages
        if stage.label == "diversity_penalty"
    ]
    assert lowered and all(1 <= n <= 2 for n in lowered)
    contrastive = record(tiny, "the cat", Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=4))
    (weighed,) = contrastive.steps[1].contrastive
    chosen = next(c for c in weighed if c.chosen)
    said = told(contrastive, step=1)
    why = next(sentence for label, sentence in said.items() if label.startswith("Why"))
    assert f"{chosen.score:.3f}".replace("-", "−") in why and "The next, “" in why
    assert "How close" not in said


def test_a_setting_without_effect_is_named_with_the_reason(tiny):
    trace = record(tiny, "the cat", Settings(temperature=0.7, max_new_tokens=3))
    assert told(trace)["Without effect"] == (
        "temperature = 0.7: it acts only when sampling; here the scores decide, and nothing is drawn."
    )


# -- under other settings


def tried(trace, step=0, lang="en", row=0, token_id=-1, **settings):
    whatif = trace.whatif(Settings(**settings))
    return told(trace, step=step, lang=lang, row=row, token_id=token_id, whatif=whatif)


def test_under_other_settings_the_recorded_token_is_judged():
    trace = hand_made_trace([HALVES], [1], [TopKLogitsWarper(2)])
    said = tried(trace, do_sample=True, top_k=0, temperature=1.0)
    assert said["“b” then"] == "It would still be possible: 25.0%, about 1 in 4, instead of 33.3%."
    said = tried(trace, do_sample=True, top_k=1)
    assert said["“b” then"] == (
        "It came with 33.3%; with these settings it would be impossible: top_k 1 removes it. "
        "The model itself had given it 25.0%, rank 2."
    )
    said = tried(trace, do_sample=False)
    assert said["“b” then"].startswith("Greedy decoding would take “a” (50.0%) instead; it would have 25.0%.")
    said = tried(hand_made_trace([HALVES], [0], [TopKLogitsWarper(2)]), do_sample=False)
    assert said["“a” then"] == "Greedy decoding would take it again: it has the highest score, 50.0% in the end."


def test_what_other_settings_leave_open_is_said(sampled, beams):
    assert "re-run" in tried(sampled, num_beams=3)["Worth knowing"]
    candidate = beams.steps[1].candidates[0]
    place = {"row": candidate.parent, "token_id": candidate.token_id}
    said = tried(beams, step=1, num_beams=3, repetition_penalty=1.5, **place)
    assert any("only a re-run tells" in sentence for sentence in said.values())
    assert "ran and changed" not in tried(sampled, do_sample=True, seed=1).get("Without effect", "")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_mode_can_be_tried_on_every_run(sampled, beams, tiny, lang):
    contrastive = record(tiny, "the cat", Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=3))
    modes = (
        {}, {"do_sample": True, "top_p": 0.5, "min_p": 0.3}, {"num_beams": 3}, {"num_beams": 2, "do_sample": True},
        {"penalty_alpha": 0.5, "top_k": 3}, {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    )  # fmt: skip
    for trace in (sampled, beams, contrastive):
        for settings in modes:
            said = tried(trace, step=1, lang=lang, **settings)
            assert len(said) >= 3 and all("{" not in sentence for sentence in said.values())


# -- the sheet


def test_a_term_is_explained_once(sampled):
    made = in_words.sheet(look_at(sampled, step=2), {})
    tips = [piece["tip"] for item in made["items"] for piece in item["pieces"] if isinstance(piece, dict)]
    assert tips and len(tips) == len(set(tips))


def test_hostile_tokens_stay_text():
    trace = hand_made_trace([HALVES], [1], [RepetitionPenaltyLogitsProcessor(3.0), TopKLogitsWarper(3)], HOSTILE)
    said = told(trace)
    assert any(HOSTILE[0].replace(" ", "␣", 0) in sentence for sentence in said.values())
    assert not any("[[" in sentence for sentence in said.values())


def test_one_step_of_49152_tokens_has_no_loop_over_them():
    torch.manual_seed(0)
    rules = [RepetitionPenaltyLogitsProcessor(1.1), TemperatureLogitsWarper(0.9), TopKLogitsWarper(40),
             TopPLogitsWarper(0.9)]  # fmt: skip
    logits = (torch.randn(4, 49_152) * 3).tolist()
    trace = hand_made_trace(logits, [int(torch.tensor(row).argmax()) for row in logits], rules, ["x"] * 49_152)
    told(trace)
    for step in range(4):
        assert lines_of(partial(told, trace, step=step)) < 10_000  # `make bench` has the milliseconds


def test_of_a_step_that_is_no_distribution_the_rules_say_that_they_ran(tiny, tmp_path):
    """Logits that are not numbers: a broken model's, or those of a file that somebody changed."""
    trace = record(tiny, "ab", Settings(do_sample=True, seed=1, top_k=9, top_p=0.9, max_new_tokens=2))
    for junk in (math.nan, math.inf, -math.inf):
        trace.store._steps[1].arrays()["logits"][:] = junk
        for lang in ("en", "zh"):
            look = Look(trace=trace, row=0, step=1, token_id=5, runs=Runs(trace, "m"), text=Text(lang))
            items = in_words.sheet(look, {})["items"]
            assert len(items) >= 3
