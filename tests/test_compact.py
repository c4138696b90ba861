"""The compact form: exact where it says so, its sums right, its bounds true, and refused where a file lies."""

from __future__ import annotations

import json
import math
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers.generation import LogitsProcessorList, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper

from app.handlers.shown import run_in_view
from app.lab.tabs import TABS, lab
from app.session.session import Session
from app.text import Text
from app.views.facts import facts_rows
from app.views.token_row import measures_of
from app.views.token_text import NAMELESS, token_text
from app.views.waterfall import waterfall_view
from decoding import NotRecordedError, Recorder, Settings, Trace, VerifyError, load_trace, record, verify
from decoding.errors import RecordingError, TraceFileError
from decoding.files.compact import HEAD, compact
from decoding.files.head_and_tail import check_packed, fill_up, head_of, tail_of
from decoding.files.packing import pack_row, pack_step
from decoding.fork import stream_fork
from decoding.reading import stats
from decoding.recorded.stages import run_processors, stages_of
from decoding.recorded.step_store import MemoryStore
from decoding.whatif.compact_bounds import mass_limits, probability_limit
from tests.laws import same_bits
from tests.test_trace_file import PACKED, Raises, assert_same_trace, entries_of, forge, refused, with_header
from tests.tiny_models import tiny_lm, tiny_model

STEPS = 5
RUNS = {
    "greedy": Settings(max_new_tokens=STEPS),
    "flat": Settings(do_sample=True, temperature=1.7, top_k=0, top_p=0.97, seed=3, max_new_tokens=STEPS),
    "chain": Settings(
        do_sample=True, seed=0, temperature=0.8, top_k=40, top_p=0.9, repetition_penalty=1.3, min_new_tokens=3,
        no_repeat_ngram_size=2, max_new_tokens=STEPS,
    ),
    "rules": Settings(
        do_sample=True, seed=1, top_k=0, typical_p=0.9, epsilon_cutoff=1e-5, eta_cutoff=3e-4, max_new_tokens=STEPS
    ),
    "min_p": Settings(do_sample=True, seed=2, top_k=0, min_p=0.002, bad_words_ids=[[260]], max_new_tokens=STEPS),
    "watermark": Settings(do_sample=True, seed=2, top_k=0, watermarking_config={"bias": 2.0}, max_new_tokens=STEPS),
    "beams": Settings(num_beams=3, num_return_sequences=2, repetition_penalty=1.2, max_new_tokens=STEPS),
    "groups": Settings(num_beams=4, num_beam_groups=2, diversity_penalty=0.7, max_new_tokens=STEPS),
    "contrastive": Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=STEPS),
    "rows": Settings(do_sample=True, seed=5, top_k=0, top_p=0.95, num_return_sequences=2, max_new_tokens=STEPS),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(lm) -> dict[str, tuple[Trace, Trace]]:
    """Every run in both forms, the compact one as it comes out of its file."""
    torch.set_num_threads(1)
    out = {}
    for name, settings in RUNS.items():
        trace = record(lm, "Once upon a time there was a cat, and the cat", settings)
        out[name] = trace, compact(trace, head=256)
    return out


@pytest.fixture(params=RUNS)
def pair(runs, request) -> tuple[Trace, Trace]:
    return runs[request.param]


def each_row(trace: Trace):
    return ((t, row) for t in range(len(trace.steps)) for row in range(trace.n_rows))


# --- what is exact --------------------------------------------------------------------------------------------------


def test_the_scores_of_the_head_are_the_runs_own_bit_for_bit_after_every_stage(pair):
    run, small = pair
    for t, row in each_row(run):
        ids = small.steps[t].exact_ids(row)
        assert len(ids) >= 256
        for ours, theirs in zip(small.steps[t].all_scores(row=row), run.steps[t].all_scores(row=row), strict=True):
            assert same_bits(ours[ids], theirs[ids])


def test_the_probabilities_of_the_head_are_right_after_every_stage(pair):
    """The tail's mass is, which they are shares of."""
    run, small = pair
    for t, row in each_row(run):
        ids = small.steps[t].exact_ids(row)
        for ours, theirs in zip(small.steps[t].all_scores(row=row), run.steps[t].all_scores(row=row), strict=True):
            assert torch.allclose(stats.probs(ours)[ids], stats.probs(theirs)[ids], rtol=0, atol=1e-6)


def test_as_many_tokens_are_alive_as_were_and_the_facts_say_what_was_true(pair):
    run, small = pair
    for t, row in each_row(run):
        theirs, facts = run.steps[t].all_scores(row=row), small.steps[t].facts(row)
        ours = small.steps[t].all_scores(row=row)
        assert facts[0].n_removed == facts[0].mass_removed == 0
        for i, fact in enumerate(facts):
            assert fact.n_alive == int(stats.n_alive(theirs[i])) == int(stats.n_alive(ours[i]))
            assert fact.entropy_nats == pytest.approx(float(stats.entropy_nats(theirs[i])), abs=1e-9)
            assert float(stats.entropy_nats(ours[i])) == pytest.approx(fact.entropy_nats, abs=0.02)
            if i:
                gone = (theirs[i - 1] > -math.inf) & (theirs[i] == -math.inf)
                assert fact.n_removed == int(gone.sum())
                assert fact.mass_removed == pytest.approx(float(stats.mass_removed(*theirs[i - 1 : i + 1])), abs=1e-9)
                lost = (ours[i - 1] > -math.inf) & (ours[i] == -math.inf)
                assert int(lost.sum()) == fact.n_removed


@pytest.mark.slow
def test_a_token_that_the_run_mentions_has_its_score_and_its_rank(pair):
    run, small = pair
    for t, row in each_row(run):
        step = run.steps[t]
        mentioned = set(run.prefix(t, row).tolist())
        mentioned |= {c.token_id for c in step.candidates if c.parent == row} or {step.token_ids[row]}
        assert mentioned <= set(small.steps[t].exact_ids(row).tolist())
        ids = small.steps[t].exact_ids(row)
        ours, theirs = small.steps[t].scores(row=row, stage=0), step.scores(row=row, stage=0)
        higher = (ours > ours[ids][:, None]).sum(1)
        assert torch.equal(higher, (theirs > theirs[ids][:, None]).sum(1))


def test_everything_else_is_as_it_was(pair):
    run, small = pair
    for name in ("prompt_ids", "sequences", "mode", "settings", "generation_config", "silent", "stop_reasons", "model"):
        ours, theirs = getattr(small, name), getattr(run, name)
        assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
    assert small.hypotheses == run.hypotheses
    assert small.text() == run.text()
    for ours, theirs in zip(small.steps, run.steps, strict=True):
        assert (ours.token_ids, ours.parents, ours.ended) == (theirs.token_ids, theirs.parents, theirs.ended)
        assert (ours.candidates, ours.pool, ours.pool_changes) == (theirs.candidates, theirs.pool, theirs.pool_changes)
        assert ours.contrastive == theirs.contrastive
        assert ours.acted() == theirs.acted()


def test_it_is_marked(pair):
    run, small = pair
    assert (run.compact, run.steps[0].exact, run.steps[0].facts(), run.steps[0].tail()) == (None, True, None, None)
    assert run.steps[0].exact_ids().tolist() == list(range(49_152))
    assert (small.compact.head, small.steps[0].exact) == (256, False)
    texts = [(row["label"], row["value"]) for row in facts_rows(small, Text("en"))]
    assert ("compact", "256 of 49,152 exact") in texts


# --- the tail by hand -----------------------------------------------------------------------------------------------


def packed_by_hand(logits: list[float], n_head: int, processors=(), also=()) -> dict[str, torch.Tensor]:
    raw, ids = torch.tensor(logits), torch.tensor([[0]])
    stages = stages_of(processors)
    outputs, _ = run_processors(LogitsProcessorList(processors), ids, raw[None])
    return pack_step([pack_row(raw, [o[0] for o in outputs], stages, n_head, set(also))])


def test_the_tail_is_counted_and_summed_by_bins_of_a_quarter_nat():
    packed = packed_by_hand([2.0, 1.0, 1.0, 0.9, -3.0, -math.inf], 1)
    assert head_of(packed, 0)[0].tolist() == [0]
    tail = tail_of(packed, 0)
    assert tail.count.tolist() == [3, 1]
    assert tail.high.tolist() == [1.0, -3.0]
    assert tail.low.tolist() == pytest.approx([0.9, -3.0])
    assert tail.mass.tolist() == pytest.approx([2 + math.exp(-0.1), 1.0])
    assert packed["facts.n_alive"].tolist() == [[5]]


def test_a_bin_ends_at_a_token_of_the_head_and_a_tie_lies_below_it():
    packed = packed_by_hand([9.0, 1.0, 0.95, 0.95, 0.9], 1, also=[2])
    assert head_of(packed, 0)[0].tolist() == [0, 2]
    assert tail_of(packed, 0).count.tolist() == [1, 2]
    filled = fill_up(packed, 5, np.arange(5))["logits"][0]
    assert sum(filled > filled[2]) == 2


def test_stand_ins_have_the_bins_mass_and_are_handed_out_in_the_order_given():
    packed = packed_by_hand([5.0, 1.0, 0.8, -2.0], 1)
    filled = fill_up(packed, 4, np.array([3, 2, 1, 0]))["logits"][0]
    assert filled.tolist() == pytest.approx([5.0, -2.0, *[math.log((math.e + math.exp(0.8)) / 2)] * 2])


def test_after_a_scaling_the_tail_has_the_mass_that_it_had(monkeypatch):
    monkeypatch.setattr("decoding.files.packing.CAP", 0)
    packed = packed_by_hand([5.0, 1.0, 0.8, -2.0], 1, [TemperatureLogitsWarper(0.5)])
    scaled = fill_up(packed, 4, np.arange(4))["1.0.dense"].double()
    assert float(scaled[1:].exp().sum()) == pytest.approx(math.exp(2) + math.exp(1.6) + math.exp(-4), rel=1e-6)
    assert scaled[0] == 10


def test_a_token_singled_out_by_a_stage_belongs_to_the_head(monkeypatch):
    monkeypatch.setattr("decoding.files.packing.CAP", 2)
    packed = packed_by_hand([-1.0, 5.0, 1.0, 0.8, -2.0], 1, [RepetitionPenaltyLogitsProcessor(2.0)])
    assert head_of(packed, 0)[0].tolist() == [1, 0]
    assert packed["tail.kinds"].tolist() == [[0]]


class Shuffle:
    """Changes every score, and the order with them."""

    def __call__(self, input_ids, scores):
        return scores.flip(-1) * 0.5


class Revive:
    """Removes the second half, and then gives it back."""

    def __init__(self) -> None:
        self.gone = False

    def __call__(self, input_ids, scores):
        self.gone = not self.gone
        half = scores.shape[-1] // 2
        return scores.index_fill(-1, torch.arange(half), -math.inf) if self.gone else torch.full_like(scores, -1.5)


@pytest.mark.parametrize("processors", [[Shuffle()], [r := Revive(), r], [Shuffle(), r, TemperatureLogitsWarper(2.0)]])
@pytest.mark.parametrize("logits", ["normal", "masked", "nan", "constant"])
def test_whatever_a_stage_does_the_head_is_exact_and_counts_and_masses_are_right(processors, logits):
    n = 2_000
    raw = torch.randn(n, generator=torch.Generator().manual_seed(1)) * 3
    if logits == "masked":
        raw[::3] = -math.inf
    elif logits == "nan":
        raw[[5, 700]] = torch.tensor([math.nan, math.inf])
    elif logits == "constant":
        raw[:] = 1.25
    outputs, _ = run_processors(processors, torch.tensor([[0]]), raw[None])
    row = pack_row(raw, [o[0] for o in outputs], stages_of(processors), 40, {7})
    packed = pack_step([row])
    check_packed(packed, 1, n, len(processors))
    filled = fill_up(packed, n, np.arange(n))
    ids = torch.from_numpy(head_of(packed, 0)[0])
    ours = filled["logits"][0]
    for stage, theirs in enumerate(o[0] for o in outputs):
        ours = filled.get(f"{stage}.0.dense", ours)
        assert same_bits(ours[ids], theirs[ids])
        assert int((ours > -math.inf).sum()) == int((theirs > -math.inf).sum())
        if logits != "nan":
            assert float(torch.logsumexp(ours.double(), 0)) == pytest.approx(
                float(torch.logsumexp(theirs.double(), 0)), abs=1e-6
            )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_logits_of_other_types_are_kept_in_theirs(dtype):
    raw = torch.randn(3_000, generator=torch.Generator().manual_seed(0)).to(dtype)
    packed = pack_step([pack_row(raw, [raw.float()], (), 100, set())])
    assert packed["head.logits"].dtype == dtype
    ids = torch.from_numpy(head_of(packed, 0)[0])
    assert torch.equal(fill_up(packed, 3_000, np.arange(3_000))["logits"][0][ids], raw.float()[ids])


def test_a_processor_that_adds_scores_is_named():
    class Grow:
        def __call__(self, input_ids, scores):
            return torch.cat([scores, scores[:, :1]], 1)

    recorder = Recorder()
    tiny_model().generate(torch.tensor([[5, 6]]), max_new_tokens=2, custom_generate=recorder,
                          logits_processor=LogitsProcessorList([Grow()]))  # fmt: skip
    with pytest.raises(RecordingError, match="Grow added scores to those of the vocabulary; keep this trace in its"):
        compact(recorder.trace)


@pytest.mark.parametrize("head", [0, -1, 1.5, True, "many", None])
def test_a_head_that_is_no_number_of_tokens_is_refused(runs, head):
    with pytest.raises(RecordingError, match=f"head must be a whole number from 1 on, got {head!r}"):
        compact(runs["greedy"][0], head=head)


def test_a_run_too_wide_to_be_filled_up_is_refused(runs, monkeypatch):
    monkeypatch.setattr("decoding.files.compact.FILLED_LIMIT", 49_151)
    with pytest.raises(RecordingError, match="a step of this run has 49,152 scores"):
        compact(runs["greedy"][0])


def test_a_step_that_was_lost_stays_lost(runs, tmp_path):
    run, _ = runs["greedy"]
    store = MemoryStore(0)
    for t in range(len(run.steps)):
        store.lost_from = None if t != 2 else 2
        store.append(run.store.load(t))
        store.lost_from = None
    small = compact(replace(run, store=store, steps=tuple(replace(s, _store=store) for s in run.steps)))
    small.save(tmp_path / "lost.trace")
    for trace in (small, load_trace(tmp_path / "lost.trace")):
        with pytest.raises(NotRecordedError, match="the scores of step 3 were not kept"):
            trace.scores(step=2)
        ids = trace.steps[3].exact_ids()
        assert same_bits(trace.scores(step=3)[ids], run.scores(step=3)[ids])
        assert probability_limit(trace, 2.0) > 0


# --- files ----------------------------------------------------------------------------------------------------------


def round_trip(small: Trace, folder: Path) -> Trace:
    small.save(folder / "first.trace")
    opened = load_trace(folder / "first.trace")
    opened.save(folder / "second.trace", compact=True)
    assert (folder / "first.trace").read_bytes() == (folder / "second.trace").read_bytes()
    return opened


def test_what_was_saved_comes_back_and_is_saved_as_the_same_bytes(pair, tmp_path):
    _, small = pair
    opened = round_trip(small, tmp_path)
    assert opened.compact == small.compact
    assert_same_trace(opened, small)
    for t, row in each_row(small):
        assert opened.steps[t].facts(row) == small.steps[t].facts(row)
        assert torch.equal(opened.steps[t].exact_ids(row), small.steps[t].exact_ids(row))


def test_save_is_lossless_unless_asked(runs, tmp_path):
    run, _ = runs["greedy"]
    run.save(tmp_path / "whole.trace")
    run.save(tmp_path / "small.trace", compact=True)
    assert load_trace(tmp_path / "whole.trace").compact is None
    assert load_trace(tmp_path / "small.trace").compact.head == HEAD == 512
    assert compact(opened := load_trace(tmp_path / "small.trace")) is opened
    assert (tmp_path / "small.trace").stat().st_size < (tmp_path / "whole.trace").stat().st_size / 10


@pytest.mark.slow
def test_forty_tokens_take_less_than_300_kB(lm, tmp_path):
    run = record(lm, "The first thing I do", Settings(do_sample=True, top_p=0.9, top_k=0, seed=0, max_new_tokens=40))
    run.save(tmp_path / "small.trace", compact=True)
    assert len(run.steps) == 40
    assert (tmp_path / "small.trace").stat().st_size < 300_000


def test_the_file_says_that_it_is_of_a_newer_version_and_a_lossless_one_does_not(pair, tmp_path):
    for trace, version in zip(pair, (1, 2), strict=True):
        trace.save(tmp_path / "a.trace")
        header = json.loads(entries_of(tmp_path / "a.trace")["trace.json"])
        assert header["version"] == version
        assert ("compact" in header) == (version == 2)


def test_runs_of_every_kind_can_be_kept_so(tmp_path):
    recorder = Recorder()
    tiny_model("t5").generate(torch.tensor([[5, 6, 7], [8, 9, 10]]), max_new_tokens=4, custom_generate=recorder)
    stream = Recorder()
    with pytest.raises(ZeroDivisionError):
        list(stream.stream(tiny_model(), input_ids=torch.tensor([[5, 6]]), logits_processor=[Raises(0)]))
    batch = record(tiny_lm(), ["The cat", "A longer prompt of words"], Settings(num_beams=2, max_new_tokens=3))
    for run in (recorder.trace, stream.trace, batch):
        small = compact(run, head=4)
        assert_same_trace(round_trip(small, tmp_path), small)


def test_only_the_texts_of_tokens_that_occur_are_kept_and_nobody_reads_one_beside_anothers_score(runs):
    run, small = runs["flat"]
    step, tokens = small.steps[-1], small.tokens
    named = torch.tensor([tokens.exists(i) for i in range(49_152)])
    assert 500 < int(named.sum()) < 1_500
    assert all(tokens.text(i) == run.tokens.text(i) for i in step.exact_ids().tolist())
    assert tokens.is_special(0)
    scores = step.scores(stage=0)
    tail = torch.ones(49_152, dtype=torch.bool)
    tail[step.exact_ids()] = False
    assert float(scores[tail & named].max()) <= float(scores[tail & ~named].min())
    best = int(scores.masked_fill(~tail, -math.inf).argmax())
    assert token_text(small, best) == NAMELESS
    assert token_text(run, best) != NAMELESS


# --- the whole page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_on_the_page_opens_a_compact_trace(pair, lang):
    _, small = pair
    session = Session(small, "file", lang)
    assert all(run_in_view(session.look).values())
    for tab in TABS:
        session.choose_lab({"tab": tab})
        assert lab(session.look)["tab"] == tab


def test_the_page_shows_the_same_numbers_as_for_the_lossless_trace(pair):
    run, small = pair
    for t, row in each_row(run):
        ours, theirs = (waterfall_view(trace, step=t, row=row) for trace in (small, run))
        for a, b in zip(ours.columns, theirs.columns, strict=True):
            assert (a.n_alive, a.n_removed, a.changed) == (b.n_alive, b.n_removed, b.changed)
            assert (a.mass_removed, a.entropy_nats) == pytest.approx((b.mass_removed, b.entropy_nats), abs=1e-9)
        for a, b in zip(ours.tokens, theirs.tokens, strict=True):
            assert (a.text, a.rank, a.logit, a.removed_at) == (b.text, b.rank, b.logit, b.removed_at)
            assert a.probabilities == pytest.approx(b.probabilities, abs=1e-6)
        if run.ledger is None:
            a, b = measures_of(small.steps[t], row), measures_of(run.steps[t], row)
            assert a.rank == b.rank
            assert a.probability == pytest.approx(b.probability, rel=1e-6)
            assert a.entropy_nats == pytest.approx(b.entropy_nats, abs=1e-9)


def test_verify_asks_for_the_lossless_form(runs, lm):
    with pytest.raises(VerifyError, match="the trace is compact: .* verify needs the lossless form"):
        verify(runs["greedy"][1], lm)


def test_a_fork_can_be_taken_from_a_compact_trace(runs, lm):
    run, small = runs["greedy"]
    texts = []
    for trace in (run, small):
        recorder = Recorder()
        list(stream_fork(trace, lm, recorder, step=2, token_id=500))
        texts.append(recorder.trace.generated_ids.tolist())
    assert texts[0] == texts[1]


# --- what if --------------------------------------------------------------------------------------------------------


def random_settings(rng: random.Random) -> dict:
    choices = {
        "temperature": (0.6, [0.3, 0.7, 1.3, 2.0, 5.0]), "top_p": (0.4, [0.3, 0.8, 0.9, 0.95, 0.99, 0.999]),
        "min_p": (0.2, [0.001, 0.05, 0.2]), "typical_p": (0.2, [0.2, 0.5, 0.9, 0.98]), "top_h": (0.15, [0.3, 0.7]),
        "epsilon_cutoff": (0.2, [1e-5, 3e-4, 0.01]), "eta_cutoff": (0.2, [3e-4, 0.01]),
        "repetition_penalty": (0.3, [0.8, 1.3, 3.0]), "no_repeat_ngram_size": (0.2, [1, 2]),
        "renormalize_logits": (0.1, [True]), "min_new_tokens": (0.2, [4]),
    }  # fmt: skip
    given = {name: rng.choice(values) for name, (often, values) in choices.items() if rng.random() < often}
    return {"do_sample": True, "top_k": rng.choice([0, 0, 0, 20, 60, 300, 2000]), **given}


@pytest.fixture(scope="module")
def bounded(runs) -> list[tuple[str, float, float]]:
    """Random what-ifs of both forms: what survives of the tail, the bound, and how far it really is off."""
    rng, found = random.Random(7), []
    for _ in range(60):
        given = random_settings(rng)
        for name in ("greedy", "flat", "beams"):
            run, small = runs[name]
            settings = Settings(**given, **({"num_beams": 3} if name == "beams" else {}))
            t, row = rng.randrange(len(run.steps)), rng.randrange(run.n_rows)
            whole, part = run.whatif(settings), small.whatif(settings)
            sure = part.exactness(step=t, row=row)
            ids = small.steps[t].exact_ids(row)
            theirs, ours = (w.scores(step=t, row=row) for w in (whole, part))
            off = (stats.probs(theirs)[ids] - stats.probs(ours)[ids]).abs().max()
            assert float(off) <= sure.probability_error, (given, t, row)
            if sure.survivors:
                assert torch.equal(theirs[ids] > -math.inf, ours[ids] > -math.inf), (given, t, row)
            found.append((sure.tail, sure.probability_error, float(off)))
            assert whole.exactness(step=t, row=row).probability_error == 0
    return found


def test_no_probability_is_further_off_than_the_bound_says(bounded):
    assert {tail for tail, _, _ in bounded} == {"none", "all", "some"}


def test_the_bound_is_of_use(bounded):
    """Most settings are known to the last digit, and those that keep the tail to better than a tenth of a percent."""
    limits = {tail: sorted(limit for t, limit, _ in bounded if t == tail) for tail in ("none", "all")}
    assert limits["none"][len(limits["none"]) * 3 // 4] <= 1e-6
    assert limits["all"][-1] < 1e-3


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0, 1.5, 3.0])
def test_the_limit_over_the_whole_run_holds_at_a_temperature(runs, temperature):
    for name in ("greedy", "flat", "beams"):
        run, small = runs[name]
        limit = probability_limit(small, temperature)
        assert limit < (1e-6 if temperature == 1 else 0.02)
        for t, row in each_row(run):
            ids = small.steps[t].exact_ids(row)
            ours, theirs = (stats.probs(x.scores(step=t, row=row, stage=0) / temperature)[ids] for x in (small, run))
            assert float((ours - theirs).abs().max()) <= limit + 1e-6
    assert probability_limit(runs["greedy"][0], temperature) == 0


@pytest.mark.parametrize("power", [0.2, 0.7, 1.0, 1.4, 4.0])
def test_the_limits_of_a_bin_hold_for_whatever_lies_in_it(power):
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = np.sort(rng.uniform(-1, 0, rng.integers(1, 9)))[::-1].astype(np.float32).astype(np.float64)
        packed = packed_by_hand([9.0, *scores.tolist()], 1)
        tail = tail_of(packed, 0)
        low, high = (part * np.exp(power * tail.high) for part in mass_limits(tail, power))
        truth = float(np.exp(power * scores).sum())
        assert low.sum() <= truth <= high.sum()


def test_a_what_if_of_a_compact_trace_says_so_and_one_of_a_lossless_does_not(runs):
    run, small = runs["flat"]
    given = Settings(do_sample=True, temperature=2.0, top_k=0, typical_p=0.9)
    assert run.whatif(given).statements == ()
    first, second = small.whatif(given).statements
    assert (first.why, second.why, second.what) == ("compact", "compact_entropy", "typical_p")
    assert 0 < float(first.what.rstrip("%")) / 100 - probability_limit(small, 2.0) < 1e-4 + 1e-9
    assert f"a probability is at most {first.what} off" in first.text


def test_a_stage_that_acts_on_single_tokens_of_the_tail_is_named(runs):
    _, small = runs["flat"]
    whatif = small.whatif(Settings(do_sample=True, top_k=0, watermarking_config={"bias": 1.0}))
    got = whatif.exactness(step=0)
    assert (got.unbounded, got.probability_error) == ("WatermarkLogitsProcessor", None)


def test_the_pool_is_replayed_as_from_the_lossless_trace_and_not_where_scores_differ(runs):
    run, small = runs["beams"]
    given = run.settings.given()
    for more in ({"length_penalty": 0.0}, {"length_penalty": 3.0}, {"early_stopping": True}):
        whole, part = (trace.whatif(Settings(**{**given, **more})).replay for trace in (run, small))
        assert part == whole is not None
    assert small.whatif(Settings(**{**given, "repetition_penalty": 1.3})).replay is None


# --- files that lie -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Two rows, four stages, a tail with bins of its own after one of them."""
    model = tiny_model("llama", vocab_size=3_000)
    recorder = Recorder(seed=0)
    model.generate(
        torch.tensor([[5, 6, 7]]), do_sample=True, repetition_penalty=1.2, temperature=0.7, top_k=2_000, top_p=0.999,
        num_return_sequences=2, max_new_tokens=4, min_new_tokens=4, custom_generate=recorder,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("compact") / "run.trace"
    compact(recorder.trace, head=20).save(path)
    return path


def with_step(saved: Path, folder: Path, change) -> Path:
    entries, name = entries_of(saved), "steps/000002.safetensors"
    step = safetensors.torch.load(entries[name])
    change(step)
    step = {n: a.contiguous() for n, a in step.items()}
    return forge(folder, entries | {name: safetensors.torch.save(step)}, deflated=tuple(entries))


def test_a_forged_file_without_a_lie_is_opened(saved, tmp_path):
    assert_same_trace(load_trace(with_step(saved, tmp_path, lambda step: None)), load_trace(saved))
    assert_same_trace(load_trace(forge(tmp_path, entries_of(saved), deflated=PACKED)), load_trace(saved))


def put(name: str, value, at=0):
    def change(step):
        step[name] = step[name].clone()
        step[name].view(-1)[at] = value

    return change


def drop(name: str):
    return lambda step: step.pop(name)


def as_type(name: str, dtype: torch.dtype):
    def change(step):
        step[name] = step[name].to(dtype)

    return change


def cut(name: str):
    def change(step):
        step[name] = step[name].flatten()[:-1]

    return change


def longer(name: str):
    def change(step):
        step[name] = torch.cat([step[name], step[name][-1:]])

    return change


ARRAYS = (
    "kinds", "scalars", "head.starts", "head.ids", "head.logits", "tail.kinds", "tail.which", "tail.lse", "tail.starts",
    "tail.count", "tail.high", "tail.low", "tail.mass", "facts.n_alive", "facts.n_removed", "facts.mass_removed",
    "facts.entropy_nats",
)  # fmt: skip


LIES = {"missing": drop, "cut": cut, "longer": longer, "int16": lambda name: as_type(name, torch.int16)}


@pytest.mark.parametrize(
    ("name", "lie"),
    # One more part without a bin is no lie.
    [(name, lie) for name in ARRAYS for lie in LIES if (name, lie) != ("tail.starts", "longer")],
)
def test_an_array_that_is_missing_or_of_another_length_or_type_is_refused(saved, tmp_path, name, lie):
    message = refused(with_step(saved, tmp_path, LIES[lie](name)))
    assert "step 3" in message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("head.ids", -1, "head.ids is outside [0, 2999]"), ("head.ids", 3_000, "head.ids is outside"),
        ("head.ids", 2**31 - 1, "head.ids is outside"), ("head.starts", 1, "head.starts must rise"),
        ("head.starts", -1, "head.starts must rise"), ("tail.starts", 2**31 - 1, "tail.starts must rise"),
        ("tail.count", -1, "tail.count is outside"), ("tail.count", 0, "tail.count is outside"),
        ("tail.count", 2**31 - 1, "tail.mass is not what"), ("tail.high", math.nan, "not one finite number"),
        ("tail.high", math.inf, "not one finite number"), ("tail.low", math.nan, "not one finite number"),
        ("tail.low", 1e30, "ends above its beginning"), ("tail.mass", math.nan, "not one finite number"),
        ("tail.mass", 0.0, "tail.mass is not what"), ("tail.mass", -3.0, "tail.mass is not what"),
        ("tail.mass", 1e30, "tail.mass is not what"), ("tail.which", -1, "names no bins"),
        ("tail.which", -2, "tail.which is outside"), ("tail.which", 99, "tail.which is outside"),
        ("tail.kinds", 4, "tail.kinds is outside"), ("tail.lse", math.nan, "tail.lse is no number"),
        ("tail.lse", math.inf, "tail.lse is no number"), ("facts.n_alive", -1, "facts.n_alive is outside"),
        ("facts.n_alive", 3_001, "facts.n_alive is outside"), ("facts.n_alive", 2_999, "facts.n_alive says 2999"),
        ("facts.n_removed", -5, "facts.n_removed is outside"),
        ("kinds", 77, "does not decode"),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused_and_named(saved, tmp_path, name, value, says):
    assert says in refused(with_step(saved, tmp_path, put(name, value)))


def test_an_id_given_twice_is_refused(saved, tmp_path):
    def twice(step):
        step["head.ids"][1] = step["head.ids"][0]

    assert "has an id twice" in refused(with_step(saved, tmp_path, twice))


def test_a_tail_with_more_tokens_than_there_are_is_refused(saved, tmp_path):
    def more(step):
        step["tail.count"][:] += 3_000
        step["tail.mass"][:] += 3_000

    assert "room is for" in refused(with_step(saved, tmp_path, more))


@pytest.mark.parametrize(
    "change",
    [
        put("kinds", 5), put("kinds", 4), put("tail.kinds", 1), put("head.logits", math.nan),
        put("scalars", math.nan, slice(None)), put("scalars", math.inf, slice(None)),
        put("scalars", 0.0, slice(None)), put("tail.lse", 1e300, slice(None)), put("tail.lse", -math.inf, slice(None)),
        put("facts.entropy_nats", math.nan), put("facts.mass_removed", 1e9),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_only_its_reader_could_know_opens_or_is_refused_with_a_reason(saved, tmp_path, change):
    path = with_step(saved, tmp_path, change)
    try:
        trace = load_trace(path)
        for step in trace.steps:
            step.all_scores(row=0)
            step.all_scores(row=1)
    except TraceFileError as err:
        assert len(str(err)) > 15


def set_header(*keys, value):
    def change(header):
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_header("compact", value=None), "an object was expected"),
        (set_header("compact", value={"head": 0}), "head must be a whole number"),
        (set_header("compact", value={"head": "all"}), "head must be a whole number"),
        (set_header("compact", value={}), ""),
        (set_header("version", value=1), "KeyError: 'logits'"),
        (set_header("model", "vocab_size", value=9_000_000), "more than this program opens"),
        (set_header("model", "vocab_size", value=2_999), ""),
        (set_header("stages", value=[]), "kinds is"),
        (set_header("stages", value=[{"name": "x", "params": {}, "own": False}] * 12_000), "than this program opens"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(saved, tmp_path, change, says):
    assert says in refused(with_header(saved, tmp_path, change))


def test_a_step_that_unpacks_to_too_much_is_refused_before_it_is(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("decoding.files.trace_file.STEP_LIMIT", 1_000)
    assert "more than a step can need" in refused(saved)


def test_a_lossless_file_that_calls_itself_compact_is_refused(runs, tmp_path):
    runs["greedy"][0].save(tmp_path / "a.trace")

    def lie(header):
        header["version"], header["compact"] = 2, {"head": 4}

    assert "missing" in refused(with_header(tmp_path / "a.trace", tmp_path, lie))


@pytest.mark.parametrize("case", range(40))
def test_a_file_with_flipped_bits_is_refused_or_still_the_same(saved, tmp_path, case):
    rng, blob = random.Random(case), bytearray(saved.read_bytes())
    for _ in range(rng.choice([1, 1, 8])):
        blob[rng.randrange(len(blob))] ^= 1 << rng.randrange(8)
    path = tmp_path / "flipped.trace"
    path.write_bytes(bytes(blob))
    try:
        got = load_trace(path)
        for step in got.steps:
            step.all_scores(row=1)
    except (TraceFileError, NotRecordedError) as err:
        assert str(tmp_path) not in str(err)
    else:
        assert_same_trace(got, load_trace(saved))


def test_the_steps_are_read_when_they_are_asked_for(saved, tmp_path):
    entries = entries_of(saved)
    entries["steps/000002.safetensors"] = b"\0" * 50
    trace = load_trace(forge(tmp_path, entries, deflated=tuple(entries)))
    assert trace.scores(step=1, row=1).shape == (3_000,)
    with pytest.raises(TraceFileError):
        trace.scores(step=2)
    assert zipfile.is_zipfile(saved)
