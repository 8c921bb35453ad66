"""Errors of door 4."""

from typing import Any

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem


def _body(problem: Problem) -> dict[str, Any]:
    # Creating and listing say only what went wrong; what changes a file also says that it did not.
    if problem.path.rstrip("/") in {"/api/file", "/api/file/upload"} or problem.status >= 500:
        return {"error": problem.detail}
    return {"success": False, "error": problem.detail}


DOOR = Door(name="files", prefixes=("/api/file",), statuses=COMMON_STATUSES, body=_body)
