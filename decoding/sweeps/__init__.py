"""Many runs: prompts × settings × samples, recorded in batches, told in one table.

A sweep is a plan (`plan`), the batches of it recorded one by one (`batch`), and the folder that holds what came out
(`folder`). Everything about a batch follows from the plan, so it does not matter who records it, or when.
"""

from __future__ import annotations

from decoding.sweeps.grid import grid, read_axis
from decoding.sweeps.plan import Batch, Plan
from decoding.sweeps.sweep import sweep

__all__ = ["Batch", "Plan", "grid", "read_axis", "sweep"]
