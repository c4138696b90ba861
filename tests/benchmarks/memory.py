"""Memory of a long run over a large vocabulary: 2,000 steps at 152,000 tokens, 1.2 GB of logits in a 512 MB budget.

The model is a real transformers model whose forward costs next to nothing: the logits of a position are one fixed
random vector, rolled and scaled, so that every step differs and can be computed again.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import Row

MB = 10**6
N_STEPS, VOCAB = 2_000, 152_000
BUDGET, ALLOWANCE = 512 * MB, 300 * MB
SIZE_BAR = 1.15
SETTINGS = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.2}


def run() -> list[Row]:
    """Peak resident memory of a process of its own, and whether what it recorded is all there."""
    child = subprocess.run([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True, check=True)
    got = json.loads(child.stdout.splitlines()[-1])
    limit, raw = BUDGET + ALLOWANCE, 4 * N_STEPS * VOCAB
    what = f"{N_STEPS:,} steps × {VOCAB:,} tokens, {BUDGET // MB} MB budget"
    return [
        Row(
            name=f"peak resident memory, {what}",
            measured=f"{got['peak'] / MB:.0f} MB",
            spread=f"{got['baseline'] / MB:.0f} MB after the imports; +{(got['peak'] - got['baseline']) / MB:.0f} MB",
            bar=f"≤ {limit // MB} MB",
            met=got["peak"] <= limit,
        ),
        Row(
            name="the same trace over its raw logits in float32",
            measured=f"{got['nbytes'] / raw:.3f} ×",
            spread=f"{got['nbytes'] / MB:,.0f} of {raw / MB:,.0f} MB",
            bar=f"≤ {SIZE_BAR} ×",
            met=got["nbytes"] <= SIZE_BAR * raw,
        ),
        Row(
            name="the same trace, read back",
            measured=f"{got['n_equal']:,} of {got['n_read']:,} steps equal",
            spread=f"{got['n_spilled']:,} from disk, {got['seconds']:.0f} s, {got['nbytes'] / MB:.0f} MB in all",
            bar="every bit",
            met=got["n_equal"] == got["n_read"] == N_STEPS,
        ),
        Row(
            name="the same trace, saved and opened in this process",
            measured=f"{got['peak_with_file'] / MB:.0f} MB",
            spread=f"{got['file_bytes'] / MB:.0f} MB file; {got['n_equal_in_file']} of {got['n_read_in_file']} equal",
            bar=f"≤ {limit // MB} MB",
            met=got["peak_with_file"] <= limit and got["n_equal_in_file"] == got["n_read_in_file"],
        ),
    ]


def fake_model() -> Any:
    """A decoder-only model of VOCAB tokens, whose logits at a position are `logits_at`."""
    import torch
    from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutputWithPast

    class Config(PretrainedConfig):
        model_type = "fake"

    class Fake(PreTrainedModel, GenerationMixin):
        config_class = Config
        main_input_name = "input_ids"

        def __init__(self, config: Config) -> None:
            super().__init__(config)
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.base = base_vector()

        def forward(self, input_ids: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
            position = int(attention_mask.shape[1] if attention_mask is not None else input_ids.shape[1])
            return CausalLMOutputWithPast(logits=logits_at(self.base, position)[None, None])

        def prepare_inputs_for_generation(self, input_ids: Any, **kwargs: Any) -> dict[str, Any]:
            return {"input_ids": input_ids}

    config = Config(vocab_size=VOCAB, num_hidden_layers=1, num_attention_heads=1, hidden_size=8)
    return Fake(config).eval()


def base_vector() -> Any:
    """The vector that all logits are made from."""
    import torch

    return 3.0 * torch.randn(VOCAB, generator=torch.Generator().manual_seed(0))


def logits_at(base: Any, position: int) -> Any:
    """float32 [VOCAB]."""
    import torch

    return torch.roll(base, 7919 * position) * (1.0 + position % 13 / 10)


class Peak:
    """The largest resident memory seen, sampled, as the kernel's own mark cannot be reset."""

    def __init__(self) -> None:
        self.value, self._process, self._stop = 0, psutil.Process(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.value = max(self.value, self._process.memory_info().rss)

    def stop(self) -> int:
        """Ends the sampling; the larger of what was sampled and the kernel's mark, in bytes."""
        self._stop.set()
        self._thread.join()
        kernel = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return max(self.value, kernel)


def main() -> None:
    """In the child: record, read every step back, save and open."""
    import torch

    from decoding import Recorder, load_trace

    torch.set_num_threads(1)
    model = fake_model()
    model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=3, pad_token_id=0, **SETTINGS)
    gc.collect()
    baseline, peak = psutil.Process().memory_info().rss, Peak()
    recorder = Recorder(memory_budget=BUDGET, seed=0)
    model.generate(
        torch.tensor([[5, 6, 7]]), max_new_tokens=N_STEPS, pad_token_id=0, **SETTINGS, custom_generate=recorder
    )
    trace = recorder.trace
    equal = [is_recomputed(trace.steps[t], model.base) for t in range(len(trace.steps))]
    got: dict[str, Any] = {
        "baseline": baseline, "peak": peak.stop(), "n_read": len(equal), "n_equal": sum(equal),
        "n_spilled": trace.store.n_spilled, "nbytes": trace.nbytes, "seconds": trace.seconds,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path, peak = Path(folder) / "long.trace", Peak()
        trace.save(path)
        got["file_bytes"] = path.stat().st_size
        opened = load_trace(path)
        sampled = range(0, len(opened.steps), 37)
        got["n_read_in_file"] = len(sampled)
        got["n_equal_in_file"] = sum(is_recomputed(opened.steps[t], model.base) for t in sampled)
        got["peak_with_file"] = peak.stop()
    print(json.dumps(got))


def is_recomputed(step: Any, base: Any) -> bool:
    """Whether a step's logits are those of its position, and its last stage what the processors make of them."""
    import torch

    expected = logits_at(base, 3 + step.index)
    scores = step.scores(stage=-1)
    kept = torch.isfinite(scores)
    return torch.equal(step.logits()[0], expected) and 1 <= int(kept.sum()) <= 50


if __name__ == "__main__":
    main()
