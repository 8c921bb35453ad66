"""Errors of door 2."""

from typing import Any

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(
    name="sync",
    prefixes=("/sync", "/runnings", "/get", "/cancel"),
    statuses=COMMON_STATUSES,
    body=_body,
)
