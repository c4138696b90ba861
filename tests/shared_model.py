"""What each process of tests/test_tensor_parallel.py does; `torchrun` starts them. Prints one line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import torch.distributed

from decoding import DecodingError, NotRecordedError, Recorder, Settings, load_model, record, verify
from decoding.models.processes import rank_of
from tests.laws import same_bits
from tests.tiny_models import tiny_model

RUNS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"do_sample": True, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.3, "num_return_sequences": 2},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "beam sampling": {"num_beams": 2, "do_sample": True},
}
ASK_FOR = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}


def main() -> None:
    torch.set_num_threads(1)
    folder = sys.argv[1]
    lm = load_model(folder, tp_plan="auto")
    weight = lm.model.model.layers[0].mlp.up_proj.weight
    said: dict[str, Any] = {
        "rank": rank_of(lm.model), "place": lm.place, "n_processes": lm.n_processes,
        "backend": torch.distributed.get_backend(),
        "held": weight.to_local().numel() / weight.numel(), "n_parameters": lm.identity()["n_parameters"],
    }  # fmt: skip
    said["runs"] = {name: compared(lm.model, given) for name, given in RUNS.items()}
    said["verified"] = {name: verified(lm, given) for name, given in RUNS.items()}
    said["contrastive"] = verified(lm, {"penalty_alpha": 0.6, "top_k": 4})
    said["split"] = record(lm, "The", Settings(max_new_tokens=2)).model.split
    said["refused"] = refusal(lm)
    print(json.dumps(said), flush=True)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def compared(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """A recorded call beside the plain one, in this process."""
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    call = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 6, **given, **ASK_FOR}
    torch.manual_seed(3)
    plain = model.generate(**call)
    torch.manual_seed(3)
    recorder = Recorder()
    got = model.generate(**call, custom_generate=recorder)
    trace = recorder.trace
    pairs = [*zip(got.logits, plain.logits, strict=True), *zip(got.scores, plain.scores, strict=True)]
    said = {
        "returned": torch.equal(got.sequences, plain.sequences) and all(same_bits(a, b) for a, b in pairs),
        "tokens": torch.equal(trace.sequences, plain.sequences),
        "nbytes": trace.store.nbytes, "warnings": list(trace.warnings), "silent": [knob.name for knob in trace.silent],
    }  # fmt: skip
    try:
        said["recorded"] = all(
            same_bits(step.scores(row=row, stage=stage), theirs[step.index][row])
            for step in trace.steps
            for row in range(trace.n_rows)
            for stage, theirs in ((0, plain.logits), (-1, plain.scores))
        )
    except NotRecordedError as error:
        said["recorded"] = str(error)
    return said


def verified(lm: Any, given: dict[str, Any]) -> str:
    """The grade of a run that is recorded and verified by all processes together."""
    seed = {"seed": 4} if given.get("do_sample") else {}
    return verify(record(lm, "The capital of France is", Settings(**given, **seed, max_new_tokens=6)), lm).grade


def refusal(lm: Any) -> str:
    """What every process is told where that of rank 0 finds that the run cannot be verified."""
    trace = record(lm, "The", Settings(max_new_tokens=2))
    other = tiny_model("gpt2", vocab_size=lm.model.config.vocab_size)
    recorder = Recorder()
    other.generate(torch.tensor([[5, 6]]), max_new_tokens=2, custom_generate=recorder)
    try:
        verify(recorder.trace if rank_of(lm.model) == 0 else trace, lm)
    except DecodingError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    main()
