"""What pages of one file are made of: they hold all that they need, and can reach nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..assets import assets_dir
from ..components.drawn import as_json, plotly_js
from ..palette import DARK, LIGHT, palette_css

__all__ = ["data_block", "packed_plotly", "packed_text", "policy", "script_of", "style_of"]


@cache
def script_of(names: tuple[str, ...]) -> str:
    """Scripts of the page, by name, as one; it knows the dark palette."""
    files = [(assets_dir() / "js" / f"{name}.js").read_text(encoding="utf-8") for name in names]
    swap = as_json({LIGHT[name]: DARK[name] for name in LIGHT})
    script = "\n;\n".join([f"window.dxDark = {swap}", *files])
    for end in ("</script", "<!--", "<script"):  # a script of ours must not end or hide itself
        if end in script.lower():
            raise ValueError(f"a script of the page contains {end!r}")
    return script


@cache
def style_of(names: tuple[str, ...]) -> str:
    """Style sheets of the page, by name, as one, after its colours."""
    files = [(assets_dir() / "css" / f"{name}.css").read_text(encoding="utf-8") for name in names]
    return "\n".join([palette_css(), *files]).replace("</", "<\\/")


@cache
def packed_plotly() -> str:
    """plotly.js, packed."""
    return packed_text(plotly_js().read_bytes())


def packed_text(text: str | bytes) -> str:
    """The text compressed, as base64; the same text always gives the same."""
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def policy(scripts: Iterable[str]) -> str:
    """Nothing is loaded from anywhere and nothing sent; these scripts, named by hash, are all that runs."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )


def data_block(name: str, value: Any, *, plain: bool = False) -> str:
    """A block of data that no browser runs; without `<`, so that nothing in it can end it."""
    text = value if plain else as_json(value).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
