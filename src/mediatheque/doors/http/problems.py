"""From errors to answers: one mechanism, one table of statuses and one body shape per door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Response
from litestar.exceptions import HTTPException

from mediatheque.domain.errors import Kind, MediathequeError
from mediatheque.doors.http.requests import AnyRequest, media_type_for
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way to a client."""

    status: int
    detail: str
    field: str | None
    path: str
    method: str


@dataclass(frozen=True, slots=True)
class Door:
    """What the mechanics must know of a door: where it is, how it speaks of errors."""

    name: str
    prefixes: tuple[str, ...]
    statuses: Mapping[Kind, int]
    body: Callable[[Problem], dict[str, Any]]
    media_type: str = "application/json"


COMMON_STATUSES: Mapping[Kind, int] = {
    Kind.INVALID: 400,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.GONE: 410,
    Kind.CONFLICT: 409,
    Kind.EXISTS: 409,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.TIMEOUT: 408,
    Kind.DISCONNECTED: 400,
    Kind.STORAGE_FULL: 507,
    Kind.UNAVAILABLE: 503,
}


def error_with_field(problem: Problem) -> dict[str, Any]:
    """Return a body that says what went wrong and, when one part is at fault, with which one."""
    body = {"error": problem.detail}
    return body if problem.field is None else body | {"field": problem.field}


# Where the rest of a body is left unread the connection ends, and the client is told
# (RFC 9112, section 9.6): it would send its next request into nothing.
_HEADERS: Mapping[Kind, dict[str, str]] = {
    Kind.UNAVAILABLE: {"Retry-After": "5"},
    Kind.TOO_LARGE: {"Connection": "close"},
    Kind.TIMEOUT: {"Connection": "close"},
}


def find_door(doors: tuple[Door, ...], path: str) -> Door:
    """Return the door that a path leads to; the last of ``doors`` takes what is left."""
    for door in doors[:-1]:
        if any(path == prefix or path.startswith(prefix + "/") for prefix in door.prefixes):
            return door
    return doors[-1]


def error_handler(
    doors: tuple[Door, ...],
) -> Callable[[AnyRequest, Exception], Response[Any]]:
    """Return the handler that answers every error in the shape of the door it happened at."""

    def answer(request: AnyRequest, error: Exception) -> Response[Any]:
        path = request.scope["path"]
        door = find_door(doors, path)
        status, detail, field, headers = _describe(door, error)
        if status == 500:
            log.error("request failed", exc_info=error)
        problem = Problem(status, detail, field, path, request.method)
        return Response(
            door.body(problem),
            status_code=status,
            media_type=media_type_for(request, door.media_type),
            headers=headers,
        )

    return answer


def _describe(door: Door, error: Exception) -> tuple[int, str, str | None, dict[str, str]]:
    if isinstance(error, MediathequeError):
        status = door.statuses[error.kind]
        return status, error.detail, error.field, _HEADERS.get(error.kind, {})
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = dict(error.headers or {})
        if error.status_code == 404:
            return 404, "There is nothing at this address.", None, headers
        if error.status_code == 405:
            return 405, "This address does not answer to this method.", None, headers
        return error.status_code, HTTPStatus(error.status_code).phrase, None, headers
    return 500, "Something went wrong here; the log of the service tells more.", None, {}
