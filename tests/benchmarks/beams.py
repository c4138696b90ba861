"""What recording beam search costs, and what computing the prompt once for all beams saves."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from decoding import Recorder, load_model
from tests.benchmarks import Row
from tests.benchmarks.cost import paired_ratios

N_PAIRS, N_PROMPT, N_TOKENS, N_BEAMS = 4, 400, 48, 4
SHARED_BAR, PLAIN_BAR = 0.70, 1.10
TEXT = (
    "The lighthouse keeper wrote in his book every evening: the wind, the ships, the colour of the sea. "
    "Nobody had asked him to. One night a ship came that was in none of his lists. "
)


def run() -> list[Row]:
    """Beam search recorded over plain, with the prompt computed per beam and once."""
    lm = load_model(device="cpu", dtype="float32")
    ids = lm.tokenizer([TEXT * 20], return_tensors="pt")["input_ids"][:, :N_PROMPT]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    settings = {"num_beams": N_BEAMS, "max_new_tokens": N_TOKENS, "min_new_tokens": N_TOKENS}

    def plain() -> Any:
        return lm.model.generate(**inputs, **settings)

    def recorded(share: bool) -> Any:
        return lm.model.generate(**inputs, **settings, custom_generate=Recorder(share_prefill=share))

    same = torch.equal(plain(), recorded(True))
    rows = []
    for share, bar in ((True, SHARED_BAR), (False, PLAIN_BAR)):
        ratios = paired_ratios(plain, lambda share=share: recorded(share), n_pairs=N_PAIRS)
        low, median, high = statistics.quantiles(ratios, n=4)
        how = "share_prefill" if share else "as generate() does"
        rows.append(
            Row(
                name=f"{N_BEAMS} beams recorded over plain, {N_PROMPT}-token prompt, {N_TOKENS} new, {how}",
                measured=f"{median:.3f} ×",
                spread=f"IQR {low:.3f} to {high:.3f}, n = {len(ratios)}",
                bar=f"≤ {bar} ×",
                met=median <= bar,
            )
        )
    rows.append(Row(name="share_prefill gives the same tokens", measured=str(same), bar="True", met=same))
    return rows
