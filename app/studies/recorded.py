"""The pages of the recorded studies, and where the server has them."""

from __future__ import annotations

import json
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from decoding.studies import outcome_told, read_texts, study_named

from ..assets import assets_dir
from ..gallery.recorded_studies import RECORDED_STUDIES, STUDY_ADDRESS, study_file
from .page import study_html

__all__ = ["recorded_page", "study_routes"]


def study_routes() -> list[Route]:
    """A page for each recorded study; any other name is not found."""
    return [Route(f"{STUDY_ADDRESS}/{{name}}", _page)]


@cache
def recorded_page(name: str) -> str:
    """A recorded study's page; its traces are not here, and it says how to record them."""
    told = json.loads(study_file(name).read_text(encoding="utf-8"))
    outcome = outcome_told(told, study_named(name), read_texts(assets_dir() / "studies"))
    return study_html(outcome, with_traces=False)


def _page(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in RECORDED_STUDIES:
        return HTMLResponse("There is no such study.", status_code=404)
    return HTMLResponse(recorded_page(name))
