"""`Page`: Gradio's Blocks, without the work that it does for what an event leaves as it is."""

from __future__ import annotations

from copy import copy
from typing import Any

import gradio as gr

from ..serving.failures import GuardedBlocks

__all__ = ["Page"]


class Page(GuardedBlocks):
    """The page. A handler that streams may change thirty components, and changes two or three at a time.

    Gradio makes every component anew for each answer, those that are left alone too, in the one thread that serves all
    visitors: half of a busy server's time.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Gradio's, asked only about what changes."""
        if not isinstance(predictions, dict) or not predictions:
            return await super().postprocess_data(block_fn, predictions, state)
        if predictions == gr.skip():
            return [gr.skip() for _ in block_fn.outputs]
        if not all(isinstance(part, gr.blocks.Block) for part in predictions):
            return await super().postprocess_data(block_fn, predictions, state)
        asked = copy(block_fn)
        asked.outputs = [part for part in block_fn.outputs if part in predictions]
        if len(asked.outputs) < len(predictions):  # one of them is none of its outputs: Gradio says so
            asked = block_fn
        made = dict(zip(asked.outputs, await super().postprocess_data(asked, predictions, state), strict=True))
        return [made[part] if part in made else gr.skip() for part in block_fn.outputs]
