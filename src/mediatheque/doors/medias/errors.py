"""Errors of door 3, as JSON:API error objects."""

import re
from http import HTTPStatus
from typing import Any

from mediatheque.domain.errors import Kind
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem
from mediatheque.doors.medias.schemas import MEDIA_TYPE

_BRACKETS = re.compile(r"[\[\]]+")


def _body(problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {
        "status": str(problem.status),
        "title": HTTPStatus(problem.status).phrase,
        "detail": problem.detail,
    }
    if problem.field is not None:
        error["source"] = {"pointer": "/" + _BRACKETS.sub("/", problem.field).strip("/")}
    return {"errors": [error]}


DOOR = Door(
    name="medias",
    prefixes=("/medias", "/api/v1/media"),
    statuses={**COMMON_STATUSES, Kind.INVALID: 422, Kind.EXISTS: 422},
    body=_body,
    media_type=MEDIA_TYPE,
)
