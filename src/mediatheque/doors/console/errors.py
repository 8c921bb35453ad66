"""Errors of the console's files."""

from typing import Any

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(name="console", prefixes=("/console",), statuses=COMMON_STATUSES, body=_body)
