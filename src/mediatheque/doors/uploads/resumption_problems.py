"""Errors of HTTP's own resumable uploads, as problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Response

from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.resumable_uploads import (
    DigestError,
    LengthConflictError,
    OffsetConflictError,
    UploadCompleteError,
)
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem, error_handler
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.uploads.errors import ProtocolError

MEDIA_TYPE = "application/problem+json"

_REGISTRY = "https://iana.org/assignments/http-problem-types#"
_TYPES: Mapping[type[MediathequeError], tuple[int, str, str]] = {
    OffsetConflictError: (409, "mismatching-upload-offset", "Mismatching Upload Offset"),
    UploadCompleteError: (400, "completed-upload", "Upload Is Completed"),
    LengthConflictError: (400, "inconsistent-upload-length", "Inconsistent Upload Length Values"),
    DigestError: (400, "digest-mismatched-values", "Mismatched Digest Values"),
}
"""Status, type and title of the errors that have a registered type."""


def answer_error(
    request: AnyRequest,
    error: MediathequeError | ProtocolError,
    headers: Mapping[str, str],
) -> Response[dict[str, Any]]:
    """Return the answer that tells of an error, with ``headers`` besides."""
    if isinstance(error, ProtocolError):
        answer = _answer(error.status, _plain(error.status, error.detail))
        answer.headers.update(error.headers)
    elif (known := _TYPES.get(type(error))) is not None:
        status, name, title = known
        answer = _answer(status, _details(_REGISTRY + name, title, status, error.detail))
        if isinstance(error, OffsetConflictError):
            answer.content |= {"expected-offset": error.size, "provided-offset": error.given}
    else:
        answer = _answer_as_a_door(request, error)
    answer.headers.update(headers)
    return answer


def _answer(status: int, body: dict[str, Any]) -> Response[dict[str, Any]]:
    return Response(body, status_code=status, media_type=MEDIA_TYPE)


def _details(kind: str, title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": kind, "title": title, "status": status, "detail": detail}


def _plain(status: int, detail: str) -> dict[str, Any]:
    return _details("about:blank", HTTPStatus(status).phrase, status, detail)


def _body(problem: Problem) -> dict[str, Any]:
    return _plain(problem.status, problem.detail)


_answer_as_a_door = error_handler(
    (
        Door(
            name="uploads",
            prefixes=(),
            statuses=COMMON_STATUSES,
            body=_body,
            media_type=MEDIA_TYPE,
        ),
    )
)
