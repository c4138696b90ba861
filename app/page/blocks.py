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

    def handle_streaming_diffs(
        self, block_fn: Any, data: list[Any], session_hash: str | None, run: str | None, final: bool,
        simple_format: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Gradio's; what leaves something alone that the answer before has set comes whole.

        Gradio's page makes each answer out of the one before, in place. Where several come at once, as they do when
        they overtake what tells the page which event they are of, an answer would lose what the next one leaves alone
        before it was shown: a Stop that stays grey while a run goes on.
        """
        whole, is_first = list(data), run not in self.pending_diff_streams.get(session_hash, {})
        sent = super().handle_streaming_diffs(block_fn, data, session_hash, run, final, simple_format)
        if is_first or final or simple_format:
            return sent
        return [
            [["replace", [], new]] if _takes_back(change) else change for new, change in zip(whole, sent, strict=True)
        ]


def _takes_back(change: Any) -> bool:
    """Whether it is a list of Gradio's edits of which one takes something out."""
    return isinstance(change, list) and any(isinstance(edit, list) and edit[:1] == ["delete"] for edit in change)
