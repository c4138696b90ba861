"""A stage of a recorded step under the microscope: its tensor operations, executed on the recorded numbers.

`account_of(trace, step=…, row=…, stage=…)` executes what transformers executed, in its order, and says whether the
result is the recorded one, bit for bit.
"""

from __future__ import annotations

from decoding.microscope.account import account_of
from decoding.microscope.beam_step import BeamInput, beam_account, running_scores
from decoding.microscope.op import Account, Followed, Op, TensorAt, doc_url
from decoding.microscope.processors import Context
from decoding.microscope.selection import contrastive_account, drawn_account, greedy_account
from decoding.microscope.slide import Slide
from decoding.microscope.stage import FOLLOWS, TAKEN_APART, stage_account

__all__ = [
    "FOLLOWS",
    "TAKEN_APART",
    "Account",
    "BeamInput",
    "Context",
    "Followed",
    "Op",
    "Slide",
    "TensorAt",
    "account_of",
    "beam_account",
    "contrastive_account",
    "doc_url",
    "drawn_account",
    "greedy_account",
    "running_scores",
    "stage_account",
]
