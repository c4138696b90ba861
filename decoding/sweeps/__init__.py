"""Many runs: prompts × settings × samples, recorded in batches, told in one table.

.. include:: SWEEPS.md
"""

from __future__ import annotations

from decoding.sweeps.grid import grid, read_axis
from decoding.sweeps.plan import Batch, Plan
from decoding.sweeps.sweep import sweep

__all__ = ["Batch", "Plan", "grid", "read_axis", "sweep"]
