"""STYLES: the forms of the snippet: a call of transformers' generate(), or of record()."""

from __future__ import annotations

__all__ = ["STYLES"]

STYLES = ("generate", "record")
