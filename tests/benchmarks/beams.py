"""What recording beam search costs, what computing the prompt once saves, and what prompts that leave the batch do."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from decoding import LanguageModel, Recorder, load_model
from tests.benchmarks import Row
from tests.benchmarks.cost import paired_ratios

N_PAIRS, N_PROMPT, N_TOKENS, N_BEAMS = 4, 400, 48, 4
SHARED_BAR, PLAIN_BAR = 0.70, 1.10
EARLY, LEFT_BAR = range(6, 9), 0.80  # steps at which two of the prompts find ends
FOUR = (
    "The capital of France is", "Two plus three equals", "Once upon a time there was a lighthouse keeper who",
    "def fibonacci(n):",
)  # fmt: skip
TEXT = (
    "The lighthouse keeper wrote in his book every evening: the wind, the ships, the colour of the sea. "
    "Nobody had asked him to. One night a ship came that was in none of his lists. "
)


def run() -> list[Row]:
    """Beam search recorded over plain, with the prompt computed per beam and once; and with prompts that leave."""
    lm = load_model(device="cpu", dtype="float32")
    return [*_prompt_once(lm), *_finished(lm)]


def _prompt_once(lm: LanguageModel) -> list[Row]:
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


def _finished(lm: LanguageModel) -> list[Row]:
    """Four prompts of which two find their end early: all rows computed to the end, and those of the two let go."""
    inputs = dict(lm.tokenizer(list(FOUR), return_tensors="pt", padding=True))
    settings = {
        "num_beams": N_BEAMS, "max_new_tokens": N_TOKENS, "early_stopping": True,
        "eos_token_id": _early_ends(lm, inputs),
    }  # fmt: skip

    def recorded(drop: bool) -> Recorder:
        lm.model.generate(**inputs, **settings, custom_generate=(recorder := Recorder(drop_finished=drop)))
        return recorder

    whole, fewer = recorded(False).trace, recorded(True).trace
    ends = sorted(fewer.ledger.n_steps(prompt) for prompt in range(len(FOUR)))
    ratios = paired_ratios(lambda: recorded(False), lambda: recorded(True), n_pairs=N_PAIRS)
    low, median, high = statistics.quantiles(ratios, n=4)
    same = [h.token_ids for h in whole.hypotheses] == [h.token_ids for h in fewer.hypotheses]
    return [
        Row(
            name=f"drop_finished over all rows, {len(FOUR)} prompts × {N_BEAMS} beams that end after {ends} steps",
            measured=f"{median:.3f} ×",
            spread=f"IQR {low:.3f} to {high:.3f}, n = {len(ratios)}",
            bar=f"≤ {LEFT_BAR} ×",
            met=median <= LEFT_BAR,
        ),
        Row(
            name="what such a recording takes, over all rows",
            measured=f"{fewer.nbytes / whole.nbytes:.3f} ×",
            bar=f"≤ {LEFT_BAR} ×",
            met=fewer.nbytes <= LEFT_BAR * whole.nbytes,
        ),
        Row(name="drop_finished gives the same tokens", measured=str(same), bar="True", met=same),
    ]


def _early_ends(lm: LanguageModel, inputs: dict[str, Any]) -> list[int]:
    """Ends that the beams of the first two prompts come upon early, and those of the other two do not."""
    free = Recorder()
    lm.model.generate(**inputs, num_beams=N_BEAMS, max_new_tokens=N_TOKENS, eos_token_id=None, custom_generate=free)
    ledger = free.trace.ledger
    said = {c.token_id for t in range(N_TOKENS) for p in (2, 3) for c in ledger.candidates(t, p)}
    kept = [c.token_id for t in EARLY for p in (0, 1) for c in ledger.candidates(t, p) if c.fate == "kept"]
    return [token for token in dict.fromkeys(kept) if token not in said]
