"""Lecture mode, in English."""

from __future__ import annotations

LECTURE_EN: dict[str, str] = {
}
