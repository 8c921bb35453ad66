"""Errors of door 1."""

from typing import Any

from litestar import Response

from mediatheque.domain.recordings import ChunkConflictError
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.recordings.headers import position_headers


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(
    name="recordings",
    prefixes=(
        "/create",
        "/add_data",
        "/complete_job",
        "/check_status",
        "/video",
        "/recordings",
    ),
    statuses=COMMON_STATUSES,
    body=_body,
)


def answer_chunk_conflict(
    _request: AnyRequest, error: ChunkConflictError
) -> Response[dict[str, Any]]:
    """Answer with the chunk that is expected, in words and in headers."""
    return Response(
        {"error": error.detail},
        status_code=DOOR.statuses[error.kind],
        headers=position_headers(chunks=error.chunks, size=error.size),
    )
