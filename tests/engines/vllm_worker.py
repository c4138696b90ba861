"""Runs in vLLM's own Python: generates as it is told, line by line of JSON, and writes the scores into files.

    python vllm_worker.py FOLDER LOGPROBS_MODE THREADS

It knows nothing of this project: vLLM's environment has another transformers.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """A line in, a line out: `{"prompt": [id, …], "n_tokens": n, "sampling": {…}, "scores": PATH or null}`."""
    folder, mode, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # vLLM logs to stdout
    os.environ |= {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
    }  # fmt: skip

    import numpy
    import torch
    import transformers
    import vllm

    torch.set_num_threads(int(threads))
    llm = vllm.LLM(
        model=folder, dtype="float32", enforce_eager=True, max_model_len=512, max_logprobs=-1, logprobs_mode=mode,
        enable_prefix_caching=False,
    )  # fmt: skip
    versions = {"vllm": vllm.__version__, "torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps(versions), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        sampling = vllm.SamplingParams(
            max_tokens=asked["n_tokens"], ignore_eos=True, detokenize=False, seed=0,
            logprobs=-1 if asked["everything"] else None, **asked["sampling"],
        )  # fmt: skip
        (answer,) = llm.generate([{"prompt_token_ids": asked["prompt"]}], sampling, use_tqdm=False)
        (output,) = answer.outputs
        if asked["everything"]:
            rows = numpy.full((len(output.logprobs), max(len(row) for row in output.logprobs)), -numpy.inf, "f4")
            for row, scores in zip(output.logprobs, rows):  # noqa: B905  its Python may be older
                for token_id, one in row.items():
                    scores[token_id] = one.logprob
            if asked["scores"]:
                numpy.save(asked["scores"], rows)
        print(json.dumps({"tokens": list(output.token_ids)}), file=answers, flush=True)


if __name__ == "__main__":
    main()
