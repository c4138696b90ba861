"""Every architecture of transformers that generates text gives with a Recorder what it gives without."""

from __future__ import annotations

import collections
import gc
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import transformers
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding import DecodingError, Recorder
from decoding.strategies.cache import CACHE_NAME
from tests.drop_in.same import assert_same
from tests.tiny_architectures import ARCHITECTURES, NotBuiltError, tiny_architecture

FEWEST = 150
SEED = 3
MODES: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False, "num_beams": 1},
    "sample": {"do_sample": True, "num_beams": 1, "top_k": 20},
    "beam": {"do_sample": False, "num_beams": 2},
}
ASK_FOR = {"max_new_tokens": 4, "return_dict_in_generate": True, "output_scores": True, "output_logits": True}
IDS = torch.tensor([[11, 60, 7, 80, 33], [0, 0, 9, 41, 12]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one class in one mode: `equal`, `refused`, `different`, `not built` or `plain fails`."""

    what: str
    reason: str = ""


def verdicts_of(name: str) -> dict[str, Verdict]:
    """By mode, how the class's plain call and its recorded call compare."""
    try:
        model = tiny_architecture(name)
    except NotBuiltError as err:
        return {"all": Verdict(what="not built", reason=str(err))}
    return {mode: _verdict(model, given) for mode, given in MODES.items()}


def _verdict(model: Any, given: dict[str, Any]) -> Verdict:
    try:
        plain = _run(model, given)
    except Exception as err:
        return Verdict(what="plain fails", reason=_short(err))
    try:
        recorder = Recorder()
        got = _run(model, given, custom_generate=recorder)
        assert_same(_compared(got), _compared(plain))
        _assert_recorded(recorder.trace, plain)
    except DecodingError as err:
        return Verdict(what="refused", reason=_short(err))
    except Exception as err:
        return Verdict(what="different", reason=_short(err))
    return Verdict(what="equal")


def _run(model: Any, given: dict[str, Any], **more: Any) -> Any:
    torch.manual_seed(SEED)
    return model.generate(IDS, attention_mask=MASK, **ASK_FOR, **given, **more)


def _compared(out: Any) -> dict[str, Any]:
    """The answer without the cache, of which there are as many kinds as architectures."""
    return {name: value for name, value in out.items() if name != CACHE_NAME}


def _assert_recorded(trace: Any, plain: Any) -> None:
    assert torch.equal(trace.sequences, plain.sequences), "the trace holds other tokens"
    for t, (logits, scores) in enumerate(zip(plain.logits, plain.scores, strict=True)):
        for row in range(trace.n_rows):
            assert_same(trace.scores(step=t, row=row, stage=0), logits[row], f"step {t}, row {row}, logits")
            assert_same(trace.scores(step=t, row=row), scores[row], f"step {t}, row {row}, scores")


def _short(err: Exception) -> str:
    return f"{type(err).__name__}: {' '.join(str(err).split())[:160]}"


def report(found: dict[str, dict[str, Verdict]]) -> str:
    """The figures, then each class that was not equal in all modes, with its reason."""
    by_kind: dict[str, set[str]] = collections.defaultdict(set)
    for name, verdicts in found.items():
        for verdict in verdicts.values():
            by_kind[verdict.what].add(name)
    lines = [f"{len(found)} classes: " + ", ".join(f"{len(names)} {what}" for what, names in sorted(by_kind.items()))]
    for name, verdicts in found.items():
        reasons: dict[str, list[str]] = collections.defaultdict(list)
        for mode, v in verdicts.items():
            if v.what != "equal":
                reasons[f"{v.what}: {v.reason}"].append(mode)
        lines += [f"  {name} [{', '.join(modes)}] {reason}" for reason, modes in reasons.items()]
    return "\n".join(lines)


OWN_LOOPS = {
    "CsmForConditionalGeneration": "_sample",
    "HiggsAudioV2ForConditionalGeneration": "_sample",
    "PocketTTSForConditionalGeneration": "_sample",
    "VibeVoiceForConditionalGeneration": "_sample",
    "VoxtralRealtimeForConditionalGeneration": "_has_unfinished_sequences",
}
"""transformers' own classes that decode in a way of their own, and the method that does."""


@pytest.mark.parametrize("name", OWN_LOOPS)
def test_a_model_that_decodes_in_a_way_of_its_own_is_refused_by_name(name: str):
    cls = getattr(transformers, name, None)
    if cls is None:
        pytest.skip(f"transformers {transformers.__version__} has no {name}")
    with torch.device("meta"):  # a model without numbers: nothing can be decoded with it
        model = cls(cls.config_class())
    with pytest.raises(DecodingError, match=f"{name}.*{OWN_LOOPS[name]}"):
        Recorder()(model, IDS, LogitsProcessorList(), StoppingCriteriaList(), GenerationConfig(max_length=9))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_architecture_gives_what_generate_gives(capsys):
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    found = {}
    for name in ARCHITECTURES:
        found[name] = verdicts_of(name)
        gc.collect()
        gc.freeze()  # what is left are modules: to look through them again after each class takes most of the time
    gc.unfreeze()
    with capsys.disabled():
        print("", report(found), sep="\n")
    different = {name: v for name, vs in found.items() for v in vs.values() if v.what == "different"}
    assert different == {}
    compared = [name for name, verdicts in found.items() if any(v.what == "equal" for v in verdicts.values())]
    assert len(compared) >= FEWEST
