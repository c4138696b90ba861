"""What the share bar and the gallery say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..text import Text

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["KINDS", "share_json"]

LABELS = (
    "copy", "copy_tip", "copied", "open", "open_tip", "drop", "save", "save_tip", "large", "large_tip", "keys",
    "keys_tip", "close",
)  # fmt: skip
KINDS = ("trace", "compact", "html", "json", "csv", "graphml", "py")
KEYS = (
    ("← → ↑ ↓", "tokens"), ("Home End", "ends"), ("← → ↑ ↓", "tree"), ("Space", "play"), ("+ −", "zoom"),
    ("Tab", "tab"), ("?", "help"), ("Esc", "escape"),
)  # fmt: skip


def share_json(
    trace: Trace, text: Text, *, form: str, default_model: str, space: str = "", gallery: str = "",
    chosen_lang: bool = False,
) -> str:  # fmt: skip
    """The share bar's `data`.

    Args:
        form: the settings panel's value for the run in view.
        default_model: the model that a link need not name.
        space: the address of the Space that the page runs in, or "".
        gallery: id of the recorded example in view, or "".
        chosen_lang: the visitor chose the language, so that a link names it.
    """
    kinds = [kind for kind in KINDS if kind != "graphml" or trace.ledger is not None]
    return json.dumps(
        {
            "labels": {name: text(f"share.{name}") for name in LABELS},
            "kinds": [{"id": k, "label": text(f"share.kind.{k}"), "tip": text(f"share.kind.{k}.tip")} for k in kinds],
            "keys": [[keys, text(f"share.key.{name}")] for keys, name in KEYS],
            "form": json.loads(form),
            "default_model": default_model,
            "space": space,
            "gallery": gallery,
            "lang": text.lang,
            "chosen_lang": chosen_lang,
        },
        ensure_ascii=False,
    )

