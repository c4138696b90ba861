"""Runs that take their steps by turns are, bit for bit, the runs that they are alone."""

from __future__ import annotations

from itertools import zip_longest

import pytest
import torch

from app.serving.decoder import Decoder
from app.serving.line import Line
from decoding import Settings, Trace, record, verify
from decoding.fork import fork

PROMPTS = ("The cat", "ab", "once upon", "x y z")
HOW = {
    "greedy": {},
    "sample": {"do_sample": True, "temperature": 1.3, "top_p": 0.95, "seed": 3},
    "several answers": {"do_sample": True, "num_return_sequences": 3, "seed": 4},
    "beams": {"num_beams": 3},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seed": 5},
    "diverse beams": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4},
    "guided": {"guidance_scale": 1.5, "do_sample": True, "seed": 6},
}  # fmt: skip
N = 6


def by_turns(line: Line, begun: list) -> list[Trace]:
    """The runs, each a recorder and a function that begins it, a step of each in turn."""
    places = [line.join(i, "tiny") for i in range(len(begun))]
    taken = [place.steps(place.prepare(lambda b=begin: b())) for place, (_, begin) in zip(places, begun, strict=True)]
    for _ in zip_longest(*taken):
        pass
    for place in places:
        place.leave()
    return [recorder.trace for recorder, _ in begun]


def new_runs(lm, asked: list[tuple[str, dict]]) -> list:
    decoder, begun = Decoder(), []
    for prompt, how in asked:
        recorder, settings = decoder.recorder(2**26), Settings(max_new_tokens=N, **how)
        begun.append((recorder, lambda p=prompt, s=settings, r=recorder: decoder.stream(lm, p, s, r)))
    return begun


def assert_the_same(one: Trace, other: Trace) -> None:
    assert one.sequences.equal(other.sequences)
    assert one.stop_reasons == other.stop_reasons
    for a, b in zip(one.steps, other.steps, strict=True):
        assert a.token_ids == b.token_ids
        assert a.candidates == b.candidates
        for row in range(one.n_rows):
            assert all(map(torch.equal, a.all_scores(row=row), b.all_scores(row=row)))


def test_each_mode_beside_all_others_gives_what_it_gives_alone(tiny):
    asked = [(PROMPTS[i % len(PROMPTS)], how) for i, how in enumerate(HOW.values())]
    found = by_turns(Line(at_once=len(asked), behind=False), new_runs(tiny, asked))
    for trace, (prompt, how) in zip(found, asked, strict=True):
        assert_the_same(trace, record(tiny, prompt, Settings(max_new_tokens=N, **how)))


def test_the_real_model_gives_by_turns_what_it_gives_alone(lm):
    asked = [("The capital of France is", HOW["sample"]), ("Once upon a time", HOW["sampled beams"])]
    found = by_turns(Line(at_once=2, behind=False), new_runs(lm, asked))
    for trace, (prompt, how) in zip(found, asked, strict=True):
        assert_the_same(trace, record(lm, prompt, Settings(max_new_tokens=N, **how)))


def test_runs_without_a_seed_draw_apart_and_are_verified_bit_for_bit(tiny):
    """Were they to share torch's random state, each would take the other's draws, and `generate()` not give them."""
    before = torch.get_rng_state()
    asked = [("ab", {"do_sample": True, "temperature": 2.0}), ("ab", {"do_sample": True, "temperature": 2.0}),
             ("ab", {"do_sample": True, "num_beams": 2})]  # fmt: skip
    found = by_turns(Line(at_once=3, behind=False), new_runs(tiny, asked))
    assert torch.equal(before, torch.get_rng_state())
    assert found[0].generated_ids.tolist() != found[1].generated_ids.tolist()
    for trace in found:
        assert verify(trace, tiny).grade == "bits"


def test_forks_by_turns_are_the_forks_alone(tiny):
    decoder, source = Decoder(), record(tiny, "ab", Settings(max_new_tokens=N, **HOW["sample"]))
    wheres = [{"step": 1, "token_id": 7}, {"step": 3, "token_id": 9}]
    begun = []
    for where in wheres:
        recorder = decoder.recorder(2**26)
        begun.append((recorder, lambda w=where, r=recorder: decoder.stream_fork(source, tiny, r, **w)))
    begun += new_runs(tiny, [("ab", HOW["sample"])])
    found = by_turns(Line(at_once=3, behind=False), begun)
    for trace, where in zip(found, wheres, strict=False):
        assert_the_same(trace, fork(source, tiny, **where))


@pytest.mark.parametrize("how", ["sample", "sampled beams", "contrastive"])
def test_verify_by_turns_with_runs_finds_what_it_finds_alone(tiny, how):
    """It draws from torch's one random state, as `generate()` does; runs beside it, with a seed or none, do not."""
    decoder, line = Decoder(), Line(at_once=4, behind=False)
    traces = [record(tiny, "ab", Settings(max_new_tokens=40, **HOW[how])), by_turns(line, new_runs(
        tiny, [("x", {"do_sample": True, "min_new_tokens": N})]))[0]]  # fmt: skip
    places = [line.join(f"verify {i}", "tiny") for i in range(2)]
    n_between = [0, 0]

    def counted(i: int, others_first):
        def go() -> None:
            n_between[i] += 1
            others_first()

        return go

    going_on = [
        place.whole(lambda others_first, i=i: decoder.verify(traces[i], tiny, counted(i, others_first)))
        for i, place in enumerate(places)
    ]
    asked = [("ab", HOW["sample"]), ("ab", {"do_sample": True})]
    while not all(done.done() for done in going_on):
        found = by_turns(line, new_runs(tiny, asked))
        assert_the_same(found[0], record(tiny, "ab", Settings(max_new_tokens=N, **HOW["sample"])))
    assert [done.result().grade for done in going_on] == ["bits", "bits"]
    assert n_between[0] == len(traces[0].steps)
