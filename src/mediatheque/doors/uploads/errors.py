"""Errors of resumable uploads."""

from collections.abc import Mapping
from typing import Any

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(name="uploads", prefixes=("/uploads",), statuses=COMMON_STATUSES, body=_body)


class ProtocolError(Exception):
    """What a protocol itself refuses, with the status and the headers that it names for that."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
