"""The lab's tab `settings_map`: temperature × top_p at the step in view, or all along the recorded run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoding.errors import SettingError

from ..text import Sentence, Text
from ..views.look import Look
from ..views.numbers import decimal, nats, setting
from ..views.settings_map import TEMPERATURES, TOP_PS, MapReading, Now, setting_in_force, why_not
from ..views.stage_names import stage_label
from ..views.token_text import token_text

__all__ = ["sheet"]

SCOPES = ("step", "run")
MEASURES = ("left", "entropy", "survives")
SECONDS = 0.3  # a question takes so long; the page asks again until the map is whole
LABELS = ("scope", "measure", "grid", "progress")
MARKS = ("now", "near")
TIPS = ("tip.at", "tip.left", "tip.mean_left", "tip.entropy", "tip.mean_entropy", "tip.survives", "tip.gone", "tip.all",
        "tip.some")  # fmt: skip
FILLED = ("t", "p", "n", "h", "of", "step", "done")


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """The map and its words; `wish` is `{"scope": "step" | "run", "measure": "left" | "entropy" | "survives"}`."""
    text, acting = look.text, look.form.acting
    scope, measure = _of(wish.get("scope"), SCOPES), _of(wish.get("measure"), MEASURES)
    base = {
        "key": f"{look.row}.{look.step}",
        "scopes": _buttons("scope", SCOPES, scope, look),
        "measures": _buttons("measure", MEASURES, measure, look),
        "wish": {"scope": scope, "measure": measure},
        "labels": {name: text(f"settings_map.{name}") for name in LABELS}
        | {name: text(f"settings_map.{_which(look)}.{name}") for name in MARKS},
    }
    try:
        reason = why_not(look.trace, acting, whole=scope == "run")
        if not reason and look.token_id is None:
            reason = "ended"
        if reason:
            return base | {"reading": text.pieces(f"settings_map.not.{reason}"), "grid": None}
        found = look.readings.settings_map(look.row, acting, look.step if scope == "step" else None)
    except SettingError as error:
        return base | {"reading": [str(error)], "grid": None}
    found.read_on(SECONDS)
    now = setting_in_force(acting)
    return base | {
        "reading": _reading(found, scope, now, look) if found.is_whole else [],
        "notes": text("settings_map.space").join(_notes(found, scope, text)),
        "share": found.share,
        "whole": found.is_whole,
        "now": None if now is None else {"line": now.line, "column": now.column, "exact": now.exact},
        "grid": _grid(found, scope, text),
    }


def _of(wished: Any, known: tuple[str, ...]) -> str:
    """One of the known ones; the first where the wish, which may be anything, is none."""
    return wished if isinstance(wished, str) and wished in known else known[0]


def _which(look: Look) -> str:
    """Whose setting is marked: a page without a server keeps its map while settings are tried."""
    return "recorded" if look.form.whatif is None else "tried"


def _buttons(kind: str, names: tuple[str, ...], chosen: str, look: Look) -> list[dict[str, Any]]:
    text = look.text
    return [
        {"id": name, "label": text(f"settings_map.{kind}.{name}", n=text.step(look.step)), "pressed": name == chosen,
         "tip": text(f"settings_map.{kind}.{name}.tip")}
        for name in names
    ]  # fmt: skip


def _grid(found: MapReading, scope: str, text: Text) -> dict[str, Any]:
    """The cells by temperature and top_p, and the templates of what they say."""
    return {
        "run": scope == "run",
        "first_step": text.first_step,
        "n": found.n_read,
        "temperatures": TEMPERATURES,
        "top_ps": TOP_PS,
        "left": found.n_left.tolist(),
        "entropy": found.entropy.tolist(),
        "survives": found.n_survive.tolist(),
        "parts": found.parts_at.tolist(),
        "tips": {name: text(f"settings_map.{name}", **{n: f"{{{n}}}" for n in FILLED}) for name in TIPS},
    }


def _reading(found: MapReading, scope: str, now: Now | None, look: Look) -> Sentence:
    """In how many cells the recorded choice survives, and what is left where the reader stands."""
    text, n = look.text, found.n_read
    if not n:
        return text.pieces("settings_map.read.lost")
    of, k = found.n_survive.size, int((found.n_survive == n).sum())
    token = token_text(look.trace, look.token_id)
    out = text.pieces(f"settings_map.read.{scope}", token=token, k=k, of=of, n=n, step=text.step(look.step))
    if now is None:
        return out + text.pieces("settings_map.read.greedy")
    left, entropy = found.n_left[now.line, now.column], found.entropy[now.line, now.column]
    out += text.pieces(
        f"settings_map.read.{scope}.{'now' if now.exact else 'near'}", which=text(f"settings_map.{_which(look)}"),
        t=setting(now.temperature), p=setting(now.top_p), near_t=setting(TEMPERATURES[now.line]),
        near_p=setting(TOP_PS[now.column]), left=f"{left:,.0f}" if scope == "step" else decimal(left), h=nats(entropy),
    )  # fmt: skip
    parts = int(found.parts_at[now.line, now.column])
    if scope == "run" and parts >= 0:
        out += text.pieces("settings_map.read.parts", step=text.step(parts))
    return out + (text.pieces("settings_map.read.some_lost", n=found.n_lost) if found.n_lost else [])


def _notes(found: MapReading, scope: str, text: Text) -> list[str]:
    """What a click does, what the map holds for, the other settings that act, and what of it is not exact."""
    names = [" ".join(stage_label(stage)).strip() for stage in found.kept]
    kept = [text("settings_map.kept", settings=text("settings_map.comma").join(names))] if names else []
    compact = [] if found.is_exact else [text("settings_map.compact")]
    return [text("settings_map.try"), text(f"settings_map.holds.{scope}"), *kept, *compact]
