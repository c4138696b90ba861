"""What the share bar and the gallery say."""

from __future__ import annotations

from typing import Any

from ..form import read_form
from ..views.look import Look
from .sheet import about

__all__ = ["KINDS", "share_sheet"]

LABELS = (
    "copy", "copy_tip", "copied", "open", "open_tip", "drop", "save", "save_tip", "large", "large_tip", "keys",
    "keys_tip", "keys_title", "tour", "close",
)  # fmt: skip
KINDS = ("trace", "compact", "html", "json", "csv", "graphml", "py")
KEYS = (
    ("← → ↑ ↓", "tokens"), ("Home End", "ends"), ("← → ↑ ↓", "tree"), ("Space", "play"), ("+ −", "zoom"),
    ("Tab", "tab"), ("?", "help"), ("Esc", "escape"),
)  # fmt: skip


def share_sheet(look: Look, *, default_model: str, space: str = "", chosen_lang: bool = False) -> dict[str, Any]:
    """The share bar's `data`.

    Args:
        default_model: the model that a link need not name.
        space: the address of the Space that the page runs in, or "".
        chosen_lang: the visitor chose the language, so that a link names it.
    """
    text = look.text
    kinds = [kind for kind in KINDS if kind != "graphml" or look.trace.ledger is not None]
    return about(
        look,
        {
            "labels": {name: text(f"share.{name}") for name in LABELS},
            "kinds": [{"id": k, "label": text(f"share.kind.{k}"), "tip": text(f"share.kind.{k}.tip")} for k in kinds],
            "what": text.pieces("page.what"),
            "keys": [[keys, text(f"share.key.{name}")] for keys, name in KEYS],
            "form": read_form(look.form.recorded_form),
            "default_model": default_model,
            "space": space,
            "gallery": look.example,
            "lang": text.lang,
            "chosen_lang": chosen_lang,
        },
    )
