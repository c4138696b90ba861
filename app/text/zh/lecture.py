"""Lecture mode, in Chinese."""

from __future__ import annotations

LECTURE_ZH: dict[str, str] = {
}
