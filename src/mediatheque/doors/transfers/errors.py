"""Errors of door 0."""

from typing import Any

from litestar import Response

from mediatheque.domain.transfers import BadSourcesError
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem
from mediatheque.doors.http.requests import AnyRequest


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(
    name="transfers",
    prefixes=("/transfer_media", "/transfer_media_segment", "/status", "/transfers"),
    statuses=COMMON_STATUSES,
    body=_body,
)


def answer_bad_sources(_request: AnyRequest, error: BadSourcesError) -> Response[dict[str, Any]]:
    """Answer with every source that cannot be transferred, and why."""
    bad = [{"uri": entry, "error": reason} for entry, reason in error.bad]
    return Response({"error": error.detail, "media_files": bad}, status_code=400)
