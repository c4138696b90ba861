"""Samplers of other engines in whole runs: recorded, verified, forked, tried, kept in files, printed as code."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from app.export.snippet import generate_snippet
from app.sheets.waterfall import waterfall_sheet
from app.text import Text
from app.views.settings_map import MapReading, why_not
from app.views.waterfall import waterfall_view
from decoding import Recorder, Settings, load_trace, record, verify
from decoding.errors import DamagedStepError, RecordingError, SettingError
from decoding.files.compact import compact
from decoding.fork import fork
from decoding.parameters.knobs import KNOBS
from decoding.recorded.sampler_facts import sampler_facts
from decoding.recorded.stages import DIVIDED
from decoding.samplers import (
    AdaptivePLogitsWarper,
    DRYLogitsProcessor,
    DynamicTemperatureLogitsWarper,
    MirostatLogitsWarper,
    TopNSigmaLogitsWarper,
    XTCLogitsWarper,
)
from tests.conftest import random_cases
from tests.tiny_models import tiny_lm

PROMPT = "the cat sat on the mat the cat sat"
PROMPTS = [PROMPT, "the dog"]
EACH = {
    "DRY": {"dry_multiplier": 2.0, "dry_allowed_length": 1},
    "top-nσ": {"top_n_sigma": 1.0},
    "XTC": {"xtc_probability": 0.6, "xtc_threshold": 0.02},
    "dynamic temperature": {"dynatemp_range": 0.5, "temperature": 0.8, "top_k": 0},
    "mirostat": {"mirostat_tau": 2.0, "mirostat_eta": 0.3},
    "adaptive-p": {"adaptive_target": 0.2, "adaptive_decay": 0.7, "min_p": 0.02},
    "all": {
        "dry_multiplier": 2.0, "top_n_sigma": 2.5, "top_k": 20, "top_p": 0.95, "min_p": 0.01, "typical_p": 0.9,
        "xtc_probability": 0.6, "xtc_threshold": 0.02, "temperature": 0.8, "dynatemp_range": 0.3,
        "repetition_penalty": 1.1, "mirostat_tau": 3.0,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def lm():
    return tiny_lm()


def settings_of(name: str, **more) -> Settings:
    return Settings(**{"do_sample": True, "seed": 4, "max_new_tokens": 6, "eos_token_id": [0], **EACH[name], **more})


def names(run) -> list[str]:
    return [stage.name for stage in run.stages]


@pytest.mark.parametrize("name", EACH)
def test_a_run_is_what_generate_gives_and_verify_says_so(lm, name):
    trace = record(lm, PROMPTS, settings_of(name, num_return_sequences=2))
    report = verify(trace, lm)
    assert report.grade == "bits", report.text
    assert not any(stage.own for stage in trace.stages) and trace.from_caller == ()
    assert {knob.why for knob in trace.silent} <= {"neutral", "never_changed"}


def drawn(rng: random.Random) -> dict[str, float]:
    """Some of these knobs at random values, boundaries among them, with some of transformers'."""
    dry = {"dry_multiplier": rng.choice([0.0, 0.8, 3.0]), "dry_base": rng.choice([1.1, 1.75]),
           "dry_allowed_length": rng.choice([1, 2, 5]), "dry_penalty_last_n": rng.choice([-1, 0, 3])}  # fmt: skip
    xtc = {"xtc_probability": rng.choice([0.0, 0.5, 1.0]), "xtc_threshold": rng.choice([0.01, 0.1, 0.5])}
    dynamic = {"dynatemp_range": rng.choice([0.0, 0.3, 2.0]), "dynatemp_exponent": rng.choice([0.5, 1.0, 3.0])}
    mirostat = {"mirostat_tau": rng.choice([0.5, 3.0, 9.0]), "mirostat_eta": rng.choice([0.05, 0.5])}
    adaptive = {"adaptive_target": rng.choice([0.1, 0.9]), "adaptive_decay": rng.choice([0.0, 0.5, 0.99])}
    steers = rng.choice([mirostat, adaptive, {}])  # one that steers by the draw, or none
    out: dict[str, float] = {}
    for some in (dry, {"top_n_sigma": rng.choice([0.0, 0.5, 1.5])}, xtc, dynamic):
        out |= some if rng.random() < 0.5 else {}
    out |= steers or {"top_n_sigma": 1.0}
    truncation = {"temperature": rng.choice([0.3, 1.0, 1.8]), "top_k": rng.choice([0, 1, 12]), "top_p": 0.8,
                  "min_p": 0.05, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "renormalize_logits": True}
    return out | dict(rng.sample(sorted(truncation.items()), rng.randint(0, 4)))


@pytest.mark.parametrize("case", random_cases(60, quick=20))
def test_random_settings_of_theirs_and_of_transformers_give_what_generate_gives(lm, case):
    """Verify decodes with `generate()` and the processors of these settings, made anew."""
    rng = random.Random(f"samplers-{case}")
    given = drawn(rng)
    settings = Settings(do_sample=True, seed=case, max_new_tokens=rng.randint(1, 7), eos_token_id=[0], **given,
                        num_return_sequences=rng.randint(1, 2))  # fmt: skip
    trace = record(lm, rng.choice([PROMPT, PROMPTS, PROMPTS[::-1]]), settings)
    report = verify(trace, lm)
    assert report.grade == "bits", f"{given}: {report.text}"
    whatif = trace.whatif(settings)
    for step, row in itertools.product(reversed(range(len(trace.steps))), range(trace.n_rows)):
        if not trace.steps[step].left or not trace.steps[step].left[row]:
            assert torch.equal(whatif.scores(step=step, row=row), trace.scores(step=step, row=row)), (given, step, row)


@pytest.mark.parametrize("name", EACH)
def test_verify_notices_another_state_or_seed(lm, name):
    trace = record(lm, PROMPTS, settings_of(name))
    changed = {"dry_multiplier": 1.9, "top_n_sigma": 0.9, "xtc_threshold": 0.03, "dynatemp_range": 0.49,
               "mirostat_eta": 0.31, "adaptive_decay": 0.71}  # fmt: skip
    for key, value in changed.items():
        if key in EACH[name]:
            trace.generation_config[key] = value
    if name == "XTC":
        trace.stages[-1].params["seed"] = 5
    assert verify(trace, lm).grade != "bits"


def test_an_unseeded_chance_is_kept_with_the_run(lm):
    torch.manual_seed(0)
    trace = record(lm, PROMPT, settings_of("XTC", seed=None))
    assert verify(trace, lm).grade == "bits"
    other = record(lm, PROMPT, settings_of("XTC", seed=None))
    assert other.steps[0].sampler_facts()[1] != trace.steps[0].sampler_facts()[1]


@pytest.mark.parametrize("name", EACH)
def test_what_if_with_the_runs_own_settings_gives_the_run_in_whatever_order_one_asks(lm, name):
    trace = record(lm, PROMPTS, settings_of(name))
    whatif = trace.whatif(settings_of(name))
    assert names(whatif) == names(trace)
    for step, row in itertools.product((4, 0, 5, 2), (1, 0)):
        for stage in range(len(trace.stages) + 1):
            ours, theirs = whatif.scores(step=step, row=row, stage=stage), trace.scores(step=step, row=row, stage=stage)
            assert torch.equal(ours, theirs)
        assert whatif.sampler_facts(step=step, row=row) == trace.steps[step].sampler_facts(row)
    assert whatif.diverges_at is None and whatif.statements == ()


def test_what_if_replays_mirostat_along_the_recorded_tokens(lm):
    trace = record(lm, PROMPT, Settings(do_sample=True, top_k=0, seed=4, max_new_tokens=6, eos_token_id=[0]))
    whatif = trace.whatif(settings_of("mirostat"))
    sampler = MirostatLogitsWarper(2.0, 0.3)
    for step in range(6):
        expected = sampler(trace.prefix(step, 0)[None], trace.scores(step=step, stage=0)[None])[0]
        assert torch.equal(whatif.scores(step=step), expected)


def test_what_if_says_that_it_cannot_know_the_chance_of_a_run_without_a_seed(lm):
    trace = record(lm, PROMPT, Settings(do_sample=True, max_new_tokens=2))
    assert [s.why for s in trace.whatif(settings_of("XTC", seed=None)).statements] == ["chance"]


@pytest.mark.parametrize("name", EACH)
def test_a_fork_goes_on_in_the_state_that_the_run_was_in(lm, name):
    trace = record(lm, PROMPTS, settings_of(name))
    took = trace.steps[2].token_ids[1]
    forked = fork(trace, lm, step=2, row=1, token_id=took)
    assert verify(forked, lm).grade == "bits"
    if name != "XTC" and "xtc_probability" not in EACH[name]:  # whose chance is another one in another row
        for stage in range(len(trace.stages) + 1):
            ours, theirs = forked.scores(step=0, stage=stage), trace.scores(step=3, row=1, stage=stage)
            assert torch.allclose(ours, theirs, atol=1e-5)
    again = forked.whatif(settings_of(name, max_new_tokens=3))
    assert torch.equal(again.scores(step=1), forked.scores(step=1))


@pytest.mark.parametrize("compact", [False, True])
def test_what_samplers_said_of_a_step_is_kept_in_files(lm, tmp_path, compact):
    trace = record(lm, PROMPTS, settings_of("all"))
    trace.save(tmp_path / "run.trace", compact=compact)
    opened = load_trace(tmp_path / "run.trace")
    said = [step.sampler_facts(1) for step in opened.steps]
    assert said == [step.sampler_facts(1) for step in trace.steps]
    assert [sorted(each) for each in said[0] if each] == [["chance"], ["temperature"], ["mu"]]


def test_what_a_file_says_of_a_stage_that_is_not_there_is_refused():
    arrays = {"logits": torch.zeros(2, 3), "sampler.2.mu": torch.zeros(2)}
    assert sampler_facts(arrays, 2, 0) == ({}, {"mu": 0.0})
    bad = ({"sampler.3.mu": torch.zeros(2)}, {"sampler.x.mu": torch.zeros(2)}, {"sampler.1.mu": torch.zeros(3)},
           {"sampler.1.mu": torch.zeros(2, dtype=torch.long)})  # fmt: skip
    for more in bad:
        with pytest.raises(DamagedStepError):
            sampler_facts({**arrays, **more}, 2, 0)


def test_a_temperature_of_the_rows_own_is_recorded_as_a_division(lm):
    trace = record(lm, PROMPTS, settings_of("dynamic temperature"))
    for step in trace.steps:
        assert (trace.store.load(step.index)["kinds"] == DIVIDED).all()


# --- the order -------------------------------------------------------------------------------------------

EARLY = ["RepetitionPenaltyLogitsProcessor", "DRYLogitsProcessor", "TopNSigmaLogitsWarper"]
CUTS = ["TopKLogitsWarper", "TypicalLogitsWarper", "TopPLogitsWarper", "MinPLogitsWarper"]


def test_what_llama_cpp_runs_after_truncation_brings_llama_cpps_order_with_it(lm):
    trace = record(lm, PROMPT, settings_of("all"))
    last = ["XTCLogitsWarper", "DynamicTemperatureLogitsWarper", "MirostatLogitsWarper"]
    assert names(trace) == EARLY + CUTS + last
    plain = record(lm, PROMPT, settings_of("all", dynatemp_range=0.0))
    assert names(plain) == [*EARLY, *CUTS, "XTCLogitsWarper", "TemperatureLogitsWarper", "MirostatLogitsWarper"]
    assert plain.generation_config["temperature"] == 0.8 and plain.generation_config["top_k"] == 20


def test_dry_and_top_n_sigma_leave_transformers_order_as_it_is(lm):
    trace = record(lm, PROMPT, settings_of("all", xtc_probability=0.0, dynatemp_range=0.0, mirostat_tau=None))
    usual = ["TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper", "MinPLogitsWarper"]
    assert names(trace) == [*EARLY, *usual, "TypicalLogitsWarper"]


def test_defaults_act_in_the_order_too_but_beside_mirostat_none_does(lm):
    assert names(record(lm, PROMPT, settings_of("XTC"))) == ["TopKLogitsWarper", "XTCLogitsWarper"]
    trace = record(lm, PROMPT, settings_of("mirostat"))
    assert names(trace) == ["MirostatLogitsWarper"] and trace.generation_config["top_k"] == 0


# --- anybody's generate() -----------------------------------------------------------------------------------


def test_they_run_in_a_plain_generate_as_they_do_when_they_are_recorded(lm):
    def samplers():
        return [
            DRYLogitsProcessor(1.0, tokenizer=lm.tokenizer, pad_token_id=lm.tokenizer.pad_token_id),
            TopNSigmaLogitsWarper(2.0), XTCLogitsWarper(0.5, 0.02, seed=1), DynamicTemperatureLogitsWarper(0.5),
            MirostatLogitsWarper(3.0), AdaptivePLogitsWarper(0.3),
        ]  # fmt: skip

    inputs = lm.tokenizer(PROMPTS, padding=True, padding_side="left", return_tensors="pt")
    asked = {**inputs, "do_sample": True, "top_k": 0, "max_new_tokens": 5}
    torch.manual_seed(3)
    plain = lm.model.generate(**asked, logits_processor=samplers())
    torch.manual_seed(3)
    recorder = Recorder(tokenizer=lm.tokenizer)
    assert torch.equal(lm.model.generate(**asked, logits_processor=samplers(), custom_generate=recorder), plain)
    assert all(stage.own for stage in recorder.trace.stages)
    assert verify(recorder.trace, lm, logits_processor=samplers()).grade == "bits"


def test_a_padded_row_gets_what_it_gets_alone(lm):
    settings = settings_of("DRY", do_sample=False, eos_token_id=None)
    alone, both = record(lm, PROMPTS[1], settings), record(lm, PROMPTS, settings)
    assert alone.generated_ids[0].tolist() == both.generated_ids[1].tolist()
    assert (both.prompt_mask == 0).any()


def test_dry_and_top_n_sigma_go_with_beams_and_what_steers_by_the_draw_does_not(lm):
    trace = record(lm, PROMPT, Settings(num_beams=3, max_new_tokens=4, dry_multiplier=2.0, mirostat_tau=3.0))
    assert names(trace) == ["log_softmax", "DRYLogitsProcessor"] and verify(trace, lm).grade == "bits"
    assert [(knob.name, knob.why) for knob in trace.silent] == [("mirostat_tau", "needs_plain_sampling")]
    sampled = record(lm, PROMPT, Settings(num_beams=3, do_sample=True, seed=0, max_new_tokens=4, top_n_sigma=1.0,
                                          dynatemp_range=0.3))  # fmt: skip
    assert verify(sampled, lm).grade == "bits" and sampled.steps[1].sampler_facts(2)[-1]["temperature"] > 0
    for ends, least in (([0], 2), ([0, 1], 3), ([0, 1, 2], 4)):  # as in `generate()`: one more than ends a beam
        few = Settings(num_beams=3, do_sample=True, seed=0, max_new_tokens=2, eos_token_id=ends, top_n_sigma=0.01)
        (stage,) = (each for each in record(lm, PROMPT, few).stages if each.name == "TopNSigmaLogitsWarper")
        assert stage.params["min_tokens_to_keep"] == least
    inputs = lm.tokenizer(PROMPT, return_tensors="pt")
    with pytest.raises(RecordingError, match="MirostatLogitsWarper cannot follow rows that change places"):
        lm.model.generate(**inputs, num_beams=3, max_new_tokens=9, logits_processor=[MirostatLogitsWarper(3.0)])


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "silent"),
    [
        ({"dry_base": 2.0}, {"dry_base": "needs_sampler"}),
        (
            {"xtc_probability": 0.0, "xtc_threshold": 0.2},
            {"xtc_probability": "neutral", "xtc_threshold": "needs_sampler"},
        ),
        ({"top_n_sigma": 0.0}, {"top_n_sigma": "neutral"}),
        ({"adaptive_target": -0.5}, {"adaptive_target": "neutral"}),
        ({"do_sample": False, "top_n_sigma": 1.0}, {"top_n_sigma": "needs_sampling"}),
        ({"do_sample": False, "mirostat_tau": 1.0}, {"mirostat_tau": "needs_sampling"}),
        ({"dynatemp_range": 0.2, "temperature": 0.7}, {}),
        ({"xtc_probability": 1.0, "xtc_threshold": 0.6}, {"xtc_probability": "never_changed"}),
    ],
)
def test_what_does_nothing_is_said_to(lm, given, silent):
    trace = record(lm, PROMPT, Settings(**{"do_sample": True, "seed": 1, "max_new_tokens": 2, **given}))
    assert {knob.name: knob.why for knob in trace.silent if knob.name != "seed"} == silent


def test_two_that_steer_by_the_draw_are_refused():
    with pytest.raises(SettingError, match="adaptive_target must be left out where mirostat_tau is given"):
        Settings(do_sample=True, mirostat_tau=5.0, adaptive_target=0.0)
    Settings(do_sample=True, mirostat_tau=5.0, adaptive_target=-1)


def test_a_breaker_of_several_tokens_is_tried_without_a_tokenizer_only_where_none_is_needed(lm):
    trace = record(lm, PROMPT, settings_of("DRY", dry_sequence_breakers=["sat on"]))
    assert verify(trace, lm).grade == "bits"
    trace.whatif(settings_of("DRY", dry_sequence_breakers=["."]))


# --- shown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_waterfall_tells_what_a_sampler_said(lm, lang):
    trace = record(lm, PROMPT, settings_of("mirostat"))
    sheet = waterfall_sheet(waterfall_view(trace, step=2), Text(lang))
    mu = f"{trace.steps[2].sampler_facts()[0]['mu']:.2f}"
    assert f"μ {mu} " in sheet.reading[-1] and mu in sheet.extra_tables[0].rows[-1][-1]


@pytest.mark.parametrize("name", EACH)
def test_the_code_of_a_run_gives_its_tokens(lm, tmp_path, name):
    trace = record(lm, PROMPTS, settings_of(name, dry_sequence_breakers=["END of it", '\n"']))
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    names: dict = {}
    with torch.random.fork_rng(devices=[]):
        exec(compile(generate_snippet(trace, model=str(tmp_path)), "snippet", "exec"), names)
    assert torch.equal(names["output"], trace.sequences)


@pytest.mark.parametrize(("name", "why"), [("XTC", "order"), ("dynamic temperature", "order"), ("mirostat", "order"),
                                            ("adaptive-p", "order"), ("DRY", ""), ("top-nσ", "")])  # fmt: skip
def test_the_map_of_temperature_and_top_p_is_drawn_only_where_these_have_its_order(lm, name, why):
    trace = record(lm, PROMPT, settings_of(name, max_new_tokens=2))
    assert why_not(trace, trace.whatif(trace.settings), whole=False) == why
    if not why:
        reading = MapReading(trace, 0, trace.whatif(trace.settings), 1)
        reading.read_on(60.0)
        assert reading.is_whole


def test_what_if_of_a_compact_trace_bounds_nothing_where_a_sampler_goes_by_all_scores(lm):
    small = compact(record(lm, PROMPT, Settings(do_sample=True, top_k=0, seed=1, max_new_tokens=2)), head=32)
    whatif = small.whatif(Settings(do_sample=True, top_k=0, top_n_sigma=1.0))
    found = whatif.exactness(step=1)
    assert not found.survivors and found.unbounded == "TopNSigmaLogitsWarper"


def test_every_sampler_says_in_its_help_what_it_is():
    engines = [knob for knob in KNOBS.values() if knob.group == "engines"]
    assert len(engines) == 14 and all(knob.slider or knob.kind != "float" for knob in engines)
