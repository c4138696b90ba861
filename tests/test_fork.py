"""A fork decodes on from another token, without computing the prefix again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from decoding import (
    NotRecordedError,
    PromptError,
    Recorder,
    RecordingError,
    Settings,
    load_trace,
    record,
    stream,
    verify,
)
from decoding.files.compact import compact
from decoding.fork import fork, stream_fork
from tests.hand_made import with_lost_steps
from tests.tiny_models import tiny_lm


def recorded(lm, prompt="The capital of", **settings):
    recorder = Recorder()
    for _ in stream(lm, prompt, Settings(**settings), recorder):
        pass
    return recorder


def other_token(trace, step, row=0):
    """The likeliest token that was not taken."""
    scores = trace.scores(step=step, row=row)
    return next(t for t in scores.argsort(descending=True).tolist() if t != trace.steps[step].token_ids[row])


def test_a_fork_says_what_generate_says_after_the_same_prefix(tiny):
    first = recorded(tiny, max_new_tokens=8).trace
    token = other_token(first, 3)
    second = fork(first, tiny, step=3, token_id=token)
    prefix = torch.cat([first.sequences[0, : first.prompt_ids.shape[1] + 3], torch.tensor([token])])
    expected = tiny.model.generate(prefix[None], max_new_tokens=4)
    assert torch.equal(second.sequences, expected)
    assert second.fork.step == 3 and second.fork.token_id == token
    assert verify(second, tiny).equal


def test_with_a_kept_cache_only_the_new_token_is_read(tiny, monkeypatch):
    recorder = recorded(tiny, max_new_tokens=8)
    first, token = recorder.trace, other_token(recorder.trace, 3)
    plain = fork(first, tiny, step=3, token_id=token)
    widths = []
    forward = type(tiny.model).forward

    def counted(self, input_ids=None, **kwargs):
        widths.append(input_ids.shape[1])
        return forward(self, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(tiny.model), "forward", counted)
    reused = fork(first, tiny, step=3, token_id=token, kept=recorder.kept_cache())
    assert widths == [1, 1, 1, 1]
    assert reused.prefill == "reused"
    assert torch.equal(reused.sequences, plain.sequences)
    torch.testing.assert_close(reused.scores(step=0), plain.scores(step=0), atol=1e-4, rtol=0)
    monkeypatch.undo()
    assert verify(reused, tiny).equal


def test_forks_leave_the_kept_cache_as_it_was(tiny):
    recorder = recorded(tiny, max_new_tokens=8)
    kept, before = recorder.kept_cache(), recorder.kept_cache().cache.get_seq_length()
    for step in (5, 1, 3):
        fork(recorder.trace, tiny, step=step, token_id=7, kept=kept)
    assert kept.cache.get_seq_length() == before


@pytest.mark.parametrize("mode", [{"num_beams": 3}, {"num_beams": 2, "do_sample": True, "seed": 4}])
def test_a_pruned_beam_candidate_goes_on(tiny, mode):
    recorder = recorded(tiny, max_new_tokens=8, eos_token_id=[250], **mode)
    first = recorder.trace
    pruned = next(c for c in first.steps[4].candidates if c.fate == "pruned")
    path = first.ledger.path(4, 0, pruned.rank)
    tokens = [int(first.ledger.steps[s]["token"][0, k]) for s, k in path]
    second = fork(first, tiny, step=4, token_id=pruned.token_id, row=pruned.parent, kept=recorder.kept_cache())
    n = first.prompt_ids.shape[1]
    assert second.prompt_ids[0, n:].tolist() == tokens
    assert second.prefill == "reused" and len(second.steps) == 3
    assert verify(second, tiny).equal


def test_an_encoder_decoder_run_forks(tiny):
    lm = tiny_lm("bart")
    first = record(lm, "The cat sat", Settings(max_new_tokens=6, eos_token_id=[250]))
    second = fork(first, lm, step=2, token_id=9)
    assert second.sequences[0, : 1 + 3].tolist() == [*first.sequences[0, :3].tolist(), 9]
    assert verify(second, lm).equal


def test_a_row_of_a_padded_batch_forks_as_if_it_were_alone(tiny):
    recorder = recorded(tiny, ["The", "The capital of France is"], max_new_tokens=6)
    token = other_token(recorder.trace, 2, row=0)
    second = fork(recorder.trace, tiny, step=2, token_id=token, row=0, kept=recorder.kept_cache())
    alone = recorded(tiny, "The", max_new_tokens=6).trace
    again = fork(alone, tiny, step=2, token_id=token)
    assert torch.equal(second.generated_ids, again.generated_ids)


def test_a_fork_at_the_last_step_has_nothing_left_to_decode(tiny):
    first = record(tiny, "The", Settings(max_new_tokens=3, eos_token_id=[250]))
    with pytest.raises(PromptError, match="nothing is left to decode.*raise max_new_tokens"):
        fork(first, tiny, step=2, token_id=5)


@pytest.mark.parametrize(
    ("name", "value"), [("step", 99), ("step", -1), ("row", 1), ("token_id", 10**6), ("step", True)]
)
def test_a_fork_at_nowhere_is_refused(tiny, name, value):
    first = record(tiny, "The", Settings(max_new_tokens=3))
    with pytest.raises(RecordingError, match=f"{name} must be a whole number in"):
        fork(first, tiny, **{"step": 0, "token_id": 5, name: value})


def test_closing_a_fork_keeps_what_came(tiny):
    first, recorder = record(tiny, "The", Settings(max_new_tokens=9, eos_token_id=[250])), Recorder()
    steps = stream_fork(first, tiny, recorder, step=1, token_id=5)
    next(steps)
    steps.close()
    assert len(recorder.trace.steps) == 1 and recorder.trace.stop_reasons == ("user",)


def test_without_a_token_the_step_is_decided_anew_under_other_settings(tiny):
    """Greedy from a sampled run's prefix: what a greedy run from that prefix as its prompt gives."""
    first = record(tiny, "The cat", Settings(do_sample=True, temperature=3.0, seed=1, max_new_tokens=8))
    second = fork(first, tiny, step=3, token_id=None, settings=Settings(max_new_tokens=8))
    assert second.mode == "greedy" and second.fork.token_id is None
    assert second.prompt_ids[0].tolist() == first.prefix(3).tolist()
    assert len(second.steps) == 5  # eight in all
    w = first.whatif(Settings(max_new_tokens=8))
    assert second.steps[0].token_ids[0] == int(w.scores(step=3).argmax())


def test_no_token_and_no_settings_is_refused(tiny):
    first = record(tiny, "The cat", Settings(max_new_tokens=3))
    with pytest.raises(RecordingError, match="token_id"):
        fork(first, tiny, step=1, token_id=None)


# --- its steps' numbers -----------------------------------------------------------------------------------


def test_a_forks_steps_count_on_from_the_run_that_it_leaves_and_a_fork_of_a_fork_adds_up(tiny):
    first = record(tiny, "The cat", Settings(max_new_tokens=12, eos_token_id=[250]))
    second = fork(first, tiny, step=3, token_id=5)  # people call it step 4: the token stands there
    assert (first.first_step, second.first_step) == (0, 4)
    third = fork(second, tiny, step=2, token_id=6)  # step 7 of them all
    assert third.first_step == 7 and third.start == second.start == first.prompt_ids.shape[1]
    assert third.prompt_ids[0, third.start :].tolist() == [*first.prefix(3)[first.start :].tolist(), 5,
                                                           *second.generated_ids[0, :2].tolist(), 6]  # fmt: skip
    anew = fork(first, tiny, step=3, token_id=None, settings=Settings(max_new_tokens=8))
    assert anew.first_step == 3  # the step is decided again


def test_a_forks_file_says_where_its_steps_count_from(tiny, tmp_path):
    second = fork(record(tiny, "The", Settings(max_new_tokens=9, eos_token_id=[250])), tiny, step=3, token_id=5)
    for small in (False, True):
        second.save(tmp_path / "fork.trace", compact=small)
        again = load_trace(tmp_path / "fork.trace")
        assert again.first_step == 4
        again.save(tmp_path / "again.trace")
        assert (tmp_path / "again.trace").read_bytes() == (tmp_path / "fork.trace").read_bytes()


def test_a_lost_step_of_a_fork_is_named_as_people_count_in_every_store(tiny, tmp_path):
    second = fork(record(tiny, "The", Settings(max_new_tokens=9, eos_token_id=[250])), tiny, step=3, token_id=5)
    lost = with_lost_steps(second, 1)
    lost.save(tmp_path / "lost.trace")
    for trace in (lost, load_trace(tmp_path / "lost.trace"), compact(lost)):
        with pytest.raises(NotRecordedError, match="the scores of step 6 were not kept"):
            trace.scores(step=1)
        said = trace.whatif(Settings(do_sample=True, top_k=3)).statements
        assert any(statement.text.startswith("step 6 ") for statement in said)


def test_what_goes_wrong_while_a_fork_decodes_names_the_step_as_people_count(tiny):
    first = record(tiny, "The", Settings(max_new_tokens=9, eos_token_id=[250], do_sample=True, seed=0))
    settings = Settings(max_new_tokens=4, do_sample=True, temperature=1e-40)
    with pytest.raises(RecordingError, match="step 5 has no distribution to draw from"):
        fork(first, tiny, step=3, token_id=5, settings=settings)


def test_verify_names_a_forks_step_as_people_count(tiny):
    second = fork(record(tiny, "The", Settings(max_new_tokens=9, eos_token_id=[250])), tiny, step=3, token_id=5)
    wrong = replace(second.steps[1], token_ids=(7,))
    damaged = replace(second, steps=(second.steps[0], wrong, *second.steps[2:]))
    tokens = next(check for check in verify(damaged, tiny).checks if check.name == "tokens")
    assert "row 1, step 6: 7 against" in tokens.detail
