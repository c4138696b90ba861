"""Samplers that other engines have and transformers lacks, for anybody's `generate(logits_processor=[…])`.

    from decoding.samplers import DRYLogitsProcessor, XTCLogitsWarper

    model.generate(**inputs, do_sample=True, logits_processor=[
        DRYLogitsProcessor(0.8, tokenizer=tokenizer), XTCLogitsWarper(0.5, seed=0)
    ])

`generate()` runs them in this order, after its penalties and before its own temperature and truncation. What
`decoding.Settings` makes of the same parameters has llama.cpp's order: see `chain`.
"""

from decoding.samplers.adaptive_p import AdaptivePLogitsWarper
from decoding.samplers.dry import DRYLogitsProcessor
from decoding.samplers.dynamic_temperature import DynamicTemperatureLogitsWarper
from decoding.samplers.mirostat import MirostatLogitsWarper
from decoding.samplers.remembering import RemembersTheDraw
from decoding.samplers.top_n_sigma import TopNSigmaLogitsWarper
from decoding.samplers.xtc import XTCLogitsWarper

__all__ = [
    "AdaptivePLogitsWarper",
    "DRYLogitsProcessor",
    "DynamicTemperatureLogitsWarper",
    "MirostatLogitsWarper",
    "RemembersTheDraw",
    "TopNSigmaLogitsWarper",
    "XTCLogitsWarper",
]
