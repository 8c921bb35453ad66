"""Errors as JSON:API error objects."""

import re
from http import HTTPStatus
from typing import Any

from mediatheque.domain.errors import Kind
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem
from mediatheque.doors.jsonapi.documents import MEDIA_TYPE

_BRACKETS = re.compile(r"[\[\]]+")
_STATUSES = {**COMMON_STATUSES, Kind.INVALID: 422, Kind.EXISTS: 422}


def json_api_door(name: str, *prefixes: str) -> Door:
    """Return a door that answers errors as JSON:API does."""
    return Door(name=name, prefixes=prefixes, statuses=_STATUSES, body=_body, media_type=MEDIA_TYPE)


def _body(problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {
        "status": str(problem.status),
        "title": HTTPStatus(problem.status).phrase,
        "detail": problem.detail,
    }
    if problem.field is not None:
        error["source"] = {"pointer": "/" + _BRACKETS.sub("/", problem.field).strip("/")}
    return {"errors": [error]}
