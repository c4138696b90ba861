"""What recording costs with samplers of other engines: recorded over `generate()` with the same processors.

Pairs alternate as in `cost`; the samplers are made anew for each run, since some remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from decoding import Recorder, load_model
from decoding.samplers import (
    AdaptivePLogitsWarper,
    DRYLogitsProcessor,
    DynamicTemperatureLogitsWarper,
    MirostatLogitsWarper,
    TopNSigmaLogitsWarper,
    XTCLogitsWarper,
)
from tests.benchmarks import Row
from tests.benchmarks.cost import LENGTH, N_PAIRS, N_TOKENS, PROMPT, time_row

BAR = 1.08
Make = Callable[[Any], Any]
DRY: Make = lambda tokenizer: DRYLogitsProcessor(0.8, tokenizer=tokenizer)  # noqa: E731
CHAINS: dict[str, tuple[Make, ...]] = {
    "DRY, top-nσ, XTC, dynamic temperature": (
        DRY, lambda _: TopNSigmaLogitsWarper(1.5), lambda _: XTCLogitsWarper(0.5, seed=0),
        lambda _: DynamicTemperatureLogitsWarper(0.5),
    ),
    "mirostat": (lambda _: MirostatLogitsWarper(3.0),),
    "top-nσ, adaptive-p": (lambda _: TopNSigmaLogitsWarper(2.0), lambda _: AdaptivePLogitsWarper(0.3)),
}  # fmt: skip


def run(quick: bool = False) -> Iterator[Row]:
    """A row for each chain."""
    lm = load_model(device="cpu", dtype="float32")
    inputs = dict(lm.tokenizer([PROMPT], return_tensors="pt"))
    for name, makers in CHAINS.items():

        def plain(makers: tuple[Make, ...] = makers, **beside: Any) -> Any:
            torch.manual_seed(0)
            samplers = [make(lm.tokenizer) for make in makers]
            return lm.model.generate(
                **inputs, do_sample=True, top_k=0, logits_processor=samplers, **LENGTH, **beside
            )

        def recorded(plain: Callable[..., Any] = plain) -> Any:
            recorder = Recorder()
            plain(custom_generate=recorder)
            return recorder.trace

        pairs = 3 if quick else N_PAIRS
        yield time_row(f"{name}, {N_TOKENS} tokens, recorded over plain", plain, recorded, bar=BAR, n_pairs=pairs)
