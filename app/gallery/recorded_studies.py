"""The studies whose outcome comes with the project, recorded by `decoding-explorer study` with the offline model."""

from __future__ import annotations

from pathlib import Path

from ..assets import assets_dir

__all__ = ["RECORDED_STUDIES", "STUDY_ADDRESS", "study_file", "study_url"]

RECORDED_STUDIES = ("degeneration", "length-bias", "nucleus", "min-p")
STUDY_ADDRESS = "/dx/studies"


def study_file(name: str) -> Path:
    """What the study's `study.json` said, without its line breaks."""
    return assets_dir() / "studies" / "recorded" / f"{name}.json"


def study_url(name: str) -> str:
    """Where the server has the study's page."""
    return f"{STUDY_ADDRESS}/{name}"
