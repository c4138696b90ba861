"""Statistics of whole runs: hand-computed numbers, and independent formulas over recorded runs."""

from __future__ import annotations

import math

import pytest
import torch
from transformers.generation import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from decoding import Settings, record
from decoding.errors import NotRecordedError
from decoding.files.compact import compact
from decoding.reading import stats
from decoding.reading.run_statistics import LOOK_BACK, distinct, repeated, run_statistics
from decoding.recorded.step_store import LOST
from tests.counted_work import lines_of
from tests.hand_made import hand_made_trace

# Probabilities 1/2, 1/4, 1/8, 1/8, and nothing to speak of for the rest.
HALVES = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4
EVEN = [0.0] * 8


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


@pytest.fixture(scope="module")
def runs(tiny):
    """A sampled batch, and a beam search with several answers."""
    sampled = Settings(
        do_sample=True, temperature=1.3, top_k=30, top_p=0.9, min_p=0.02, repetition_penalty=1.2, seed=4,
        num_return_sequences=2, max_new_tokens=12, eos_token_id=(276, 52, 81),
    )  # fmt: skip
    beams = Settings(num_beams=3, num_return_sequences=3, max_new_tokens=8, eos_token_id=(276, 52, 81))
    return {
        "sample": record(tiny, ["the cat sat on", "logits"], sampled),
        "beam": record(tiny, "the capital", beams),
        "beam_sample": record(tiny, "the", Settings(do_sample=True, num_beams=2, top_k=20, seed=1, max_new_tokens=6)),
    }


# -- by hand


def test_entropy_is_the_mean_over_the_steps_before_and_after_the_processors():
    # After top_k 2: 2/3 and 1/3; of the even one transformers keeps all that are tied with the second.
    made = run_statistics(hand_made_trace([HALVES, EVEN], [0, 3], [TopKLogitsWarper(2)]))
    two_thirds = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert made.entropy_before == near((1.75 * math.log(2) + math.log(8)) / 2)
    assert made.entropy_after == near((two_thirds + math.log(8)) / 2)
    assert made.n_left == (2 + 8) / 2


def test_surprisal_is_the_models_own_and_perplexity_its_exponential():
    made = run_statistics(hand_made_trace([HALVES, HALVES], [1, 2], [TopKLogitsWarper(2)]))
    assert made.surprisal == near((math.log(4) + math.log(8)) / 2)
    assert made.perplexity == near(math.sqrt(32))
    assert [t.own_probability for t in made.tokens] == [near(0.25), near(0.125)]
    assert [t.probability for t in made.tokens] == [near(1 / 3), 0.0]


def test_the_mass_removed_is_what_was_gone_after_the_last_rule():
    # top_k 3 keeps both tied thirds: nothing of the halves goes. top_p 0.6 keeps 1/2 and 1/4, so 1/4 goes;
    # min_p 0.6 then takes the 1/4, a third of the rest: 1 - 3/4 * 2/3 = 1/2.
    rules = [TopKLogitsWarper(3), TopPLogitsWarper(0.6), MinPLogitsWarper(0.6)]
    assert run_statistics(hand_made_trace([HALVES], [0], rules)).mass_removed == near(0.5)
    assert run_statistics(hand_made_trace([HALVES], [0], [TopPLogitsWarper(0.6)])).mass_removed == near(0.25)
    assert run_statistics(hand_made_trace([HALVES], [0], [TemperatureLogitsWarper(2.0)])).mass_removed == 0


def test_the_mass_removed_counts_what_truncation_saw_not_the_logits():
    # Temperature 0.5 squares: 1/4, 1/16, 1/64, 1/64 of 11/32, so top_k 1 leaves 8/11.
    cold = hand_made_trace([HALVES], [0], [TemperatureLogitsWarper(0.5), TopKLogitsWarper(1)])
    assert run_statistics(cold).mass_removed == near(3 / 11)


def test_a_tie_with_the_best_is_the_likeliest_too():
    assert run_statistics(hand_made_trace([HALVES, EVEN, HALVES], [0, 5, 1])).likeliest == near(2 / 3)


@pytest.mark.parametrize(
    ("ids", "n", "share"),
    [([1, 2, 1, 2], 1, 0.5), ([1, 2, 1, 2], 2, 2 / 3), ([1, 2, 1, 2], 3, 1.0), ([7] * 5, 1, 0.2), ([1], 2, math.nan)],
)
def test_distinct_n_is_different_n_grams_over_all(ids, n, share):
    assert distinct(ids, n) == pytest.approx(share, nan_ok=True)


def test_repeated_counts_the_prompt_and_looks_back_128_tokens():
    assert repeated([5, 6], [6, 7, 6, 8]) == 0.5
    assert repeated([5], [*range(100, 100 + LOOK_BACK - 1), 5]) == 1 / LOOK_BACK
    assert repeated([5], [*range(100, 100 + LOOK_BACK), 5]) == 0
    assert math.isnan(repeated([1], []))


def test_seq_rep_4_is_what_distinct_4_lacks():
    trace = hand_made_trace([EVEN] * 6, [1, 2, 1, 2, 1, 2])  # 1212, 2121, 1212
    assert run_statistics(trace).repeated_4 == near(1 / 3)


# -- against independent formulas


@pytest.mark.parametrize("name", ["sample", "beam", "beam_sample"])
def test_every_row_agrees_with_the_named_statistics(runs, name):
    trace = runs[name]
    rows = range(trace.n_rows) if trace.ledger is None else range(len(trace.hypotheses))
    for row in rows:
        made = run_statistics(trace, row)
        pairs = [trace.steps[t.step].all_scores(row=t.row) for t in made.tokens]
        raw = torch.stack([scores[0] for scores in pairs])
        final = torch.stack([scores[-1] for scores in pairs])
        ids = torch.tensor([t.token_id for t in made.tokens])
        surprisals = stats.surprisal_nats(raw, ids)
        assert made.surprisal == near(float(surprisals.mean()))
        assert made.perplexity == pytest.approx(float(stats.perplexity(surprisals)))
        assert made.entropy_before == near(float(stats.entropy_nats(raw).mean()))
        assert made.entropy_after == near(float(stats.entropy_nats(final).mean()))
        assert made.n_left == near(float(stats.n_alive(final).double().mean()))
        assert made.likeliest == near(float((stats.rank(raw, ids) == 0).double().mean()))
        chosen = stats.probs(final).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
        assert [t.probability for t in made.tokens] == [near(float(p)) for p in chosen]


def test_rules_that_follow_each_other_remove_what_the_first_saw_of_what_is_gone_at_the_end(runs):
    trace = runs["sample"]
    first = next(i for i, stage in enumerate(trace.stages) if stage.name == "TopKLogitsWarper")
    made = run_statistics(trace)
    for token in made.tokens:
        scores = trace.steps[token.step].all_scores(row=0)
        assert token.mass_removed == near(float(stats.mass_removed(scores[first], scores[-1])))


def test_a_row_holds_its_tokens_up_to_its_own_end(runs):
    trace = runs["sample"]
    for row in range(trace.n_rows):
        ids = [token.token_id for token in run_statistics(trace, row).tokens]
        assert ids == [step.token_ids[row] for step in trace.steps if not step.ended[row]]


def test_in_beam_methods_a_row_is_a_hypothesis_and_its_log_probabilities_are_the_final_ones(runs):
    trace = runs["beam"]
    for place, hypothesis in enumerate(trace.hypotheses):
        tokens = run_statistics(trace, place).tokens
        assert tuple(t.token_id for t in tokens) == hypothesis.token_ids
        assert [math.log(t.probability) for t in tokens] == [pytest.approx(p, abs=1e-4) for p in hypothesis.logprobs]


def test_a_row_that_is_not_there_is_refused(runs):
    for trace in runs.values():
        for row in (-1, 99):
            with pytest.raises(NotRecordedError):
                run_statistics(trace, row)


def test_a_compact_trace_says_the_same(runs):
    trace = runs["sample"]
    small, full = run_statistics(compact(trace, head=40)), run_statistics(trace)
    for name in ("entropy_before", "entropy_after", "mass_removed", "n_left"):
        assert getattr(small, name) == near(getattr(full, name))
    assert small.surprisal == pytest.approx(full.surprisal, abs=1e-4)


def test_lost_steps_are_counted_and_left_out_of_the_means():
    trace = hand_made_trace([HALVES, EVEN], [0, 1])
    trace.store._steps[1] = LOST
    made = run_statistics(trace)
    assert (made.n_tokens, made.n_lost) == (2, 1)
    assert made.entropy_before == near(1.75 * math.log(2))


def test_a_run_without_tokens_has_no_means():
    made = run_statistics(hand_made_trace([], []))
    assert made.n_tokens == 0
    for name in ("entropy_before", "perplexity", "distinct_1", "repeated", "tokens_per_second"):
        assert math.isnan(getattr(made, name))


def test_scores_that_are_no_distribution_give_no_numbers():
    made = run_statistics(hand_made_trace([[math.nan, *HALVES[1:]]], [0]))
    assert math.isnan(made.entropy_before) and math.isnan(made.perplexity)


def test_40_steps_of_49152_tokens_have_no_loop_over_them():
    torch.manual_seed(0)
    row = (torch.randn(49_152) * 3).tolist()
    rules = [RepetitionPenaltyLogitsProcessor(1.1), TemperatureLogitsWarper(0.9), TopKLogitsWarper(50)]
    trace = hand_made_trace([row] * 40, [0] * 40, rules, texts=["x"] * 49_152)
    assert lines_of(lambda: run_statistics(trace)) < 40 * 1_000  # `make bench` has the milliseconds
