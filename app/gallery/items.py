"""The gallery: recorded runs to start from, each with two sentences on what to look at.

They are recorded by `python -m app.gallery.record` with the offline model and never written by hand. What the
sentences say of a run is checked, and the numbers in them are taken from it, by `app.gallery.claims`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from decoding.parameters.settings import Settings
from decoding.trace import Trace, load_trace

from ..assets import assets_dir
from ..text import Sentence, Text

__all__ = [
    "GALLERY", "GalleryItem", "gallery_item", "gallery_looks", "gallery_question", "gallery_title", "gallery_trace",
]  # fmt: skip

FACTS = "facts.json"  # beside the traces: what the sentences quote


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryItem:
    """A recorded run, and where to open it.

    Attributes:
        id: names its file, and its texts `gallery.{id}.…`.
        prompt: a text, or what the user says in a chat.
        chat: `prompt` is the user's message in a chat.
        settings: of the run.
        step, row: the step in view, and its row.
        rank: in a beam run, the candidate in view; else None.
        lab: the tab of the lab to open.
        head: tokens kept exactly at each step; fewer where beams make many rows.
    """

    id: str
    prompt: str
    settings: Settings
    step: int
    lab: str
    chat: bool = False
    row: int = 0
    rank: int | None = None
    head: int = 512

    @property
    def file(self) -> Path:
        """Its trace."""
        return assets_dir() / "gallery" / f"{self.id}.trace"


GALLERY: tuple[GalleryItem, ...] = (
    GalleryItem(
        id="fork-point",
        prompt="If I could travel anywhere, I would go to",
        settings=Settings(do_sample=True, temperature=0.8, top_k=0, top_p=0.95, seed=1, max_new_tokens=24),
        step=9,
        lab="draw",
    ),
    GalleryItem(
        id="greedy-loop",
        prompt="He opened the door and saw",
        settings=Settings(max_new_tokens=48),
        step=38,
        lab="words",
    ),
    GalleryItem(
        id="contrastive-escape",
        prompt="He opened the door and saw",
        settings=Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=48),
        step=1,
        lab="words",
    ),
    GalleryItem(
        id="beam-worse",
        prompt="The weather in London is",
        settings=Settings(num_beams=3, num_return_sequences=3, max_new_tokens=16),
        step=1,
        rank=3,
        lab="words",
    ),
    GalleryItem(
        id="temperature-ignored",
        prompt="The weather in London is",
        settings=Settings(temperature=0.2, max_new_tokens=16),
        step=0,
        lab="words",
    ),
    GalleryItem(
        id="top-p-adapts",
        prompt="Once upon a time",
        settings=Settings(do_sample=True, top_k=0, top_p=0.9, seed=2, max_new_tokens=24),
        step=15,
        lab="words",
    ),
    GalleryItem(
        id="penalty-hits-prompt",
        prompt="The password is swordfish. Please repeat the password: the password is",
        settings=Settings(repetition_penalty=1.2, max_new_tokens=16),
        step=0,
        lab="microscope",
    ),
    GalleryItem(
        id="length-penalty",
        prompt="Q: What colour is the sky?\nA:",
        settings=Settings(num_beams=4, num_return_sequences=4, length_penalty=1.0, max_new_tokens=24),
        step=5,
        rank=1,
        head=256,
        lab="words",
    ),
    GalleryItem(
        id="eos-outside",
        prompt="What is the capital of France?",
        chat=True,
        settings=Settings(num_beams=4, num_return_sequences=4, max_new_tokens=24),
        step=13,
        rank=4,
        head=256,
        lab="words",
    ),
    GalleryItem(
        id="early-stopping",
        prompt="The answer to the question is",
        settings=Settings(num_beams=4, num_return_sequences=4, early_stopping=True, max_new_tokens=24),
        step=13,
        rank=0,
        head=256,
        lab="words",
    ),
    GalleryItem(
        id="early-stopping-off",
        prompt="The answer to the question is",
        settings=Settings(num_beams=4, num_return_sequences=4, early_stopping=False, max_new_tokens=24),
        step=14,
        rank=0,
        head=256,
        lab="words",
    ),
    GalleryItem(
        id="diverse-groups",
        prompt="The recipe for happiness is",
        settings=Settings(
            num_beams=4, num_beam_groups=4, diversity_penalty=1.0, num_return_sequences=4, max_new_tokens=16
        ),
        step=0,
        rank=7,
        head=256,
        lab="words",
    ),
    GalleryItem(
        id="sampler-order",
        prompt="The secret of a good story is",
        settings=Settings(do_sample=True, temperature=1.5, top_k=100, top_p=0.7, seed=0, max_new_tokens=20),
        step=2,
        lab="orders",
    ),
)


def gallery_item(name: str) -> GalleryItem:
    """The item with this id.

    Raises:
        KeyError: there is none.
    """
    return {item.id: item for item in GALLERY}[name]


@cache
def gallery_trace(name: str) -> Trace:
    """The recorded run of the item with this id; one for all visitors.

    Raises:
        KeyError: there is no such item.
    """
    return load_trace(gallery_item(name).file)


def gallery_title(item: GalleryItem, text: Text) -> str:
    """What the run shows, in a few words."""
    return text(f"gallery.{item.id}")


def gallery_question(item: GalleryItem, text: Text) -> str:
    """The question that the run answers."""
    return text(f"gallery.{item.id}.question")


def gallery_looks(item: GalleryItem, text: Text) -> tuple[Sentence, Sentence]:
    """What to look at, in two sentences; terms in them come with their explanation."""
    facts = _facts()[item.id]
    return text.pieces(f"gallery.{item.id}.first", **facts), text.pieces(f"gallery.{item.id}.second", **facts)


@cache
def _facts() -> dict[str, dict[str, str]]:
    return json.loads((assets_dir() / "gallery" / FACTS).read_text(encoding="utf-8"))
