"""From HTTP answers to results and errors."""

import contextlib
from typing import Any, TypeVar

import httpx
import msgspec

from mediatheque.client.errors import (
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotUnderstoodError,
    RefusedSource,
    ServerFailedError,
    StorageFullError,
    UnavailableError,
)

T = TypeVar("T")

_CLASSES: dict[int, type[ClientError]] = {
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    423: UnavailableError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
    507: StorageFullError,
}


def decode(response: httpx.Response, kind: type[T]) -> T:
    """Return the JSON body of an answer as ``kind``. Raises NotUnderstoodError."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotUnderstoodError(
            f"{response.request.url.copy_with(query=None)} does not answer as Mediatheque does "
            f"({error}). Is this the right address?",
            status=response.status_code,
            request_id=response.headers.get("x-request-id"),
        ) from None


async def error_of(response: httpx.Response) -> ClientError:
    """Return the error that an answer tells, whichever door it came from."""
    with contextlib.suppress(httpx.RequestError):
        await response.aread()
    status = response.status_code
    body = _json_object(response)
    detail, field = _sentence(body)
    if status < 400 or (status == 404 and detail is None):
        # Another service than Mediatheque: that has a sentence for everything that is missing.
        kind: type[ClientError] = NotUnderstoodError
    else:
        kind = _CLASSES.get(status, ServerFailedError if status >= 500 else InvalidError)
    return kind(
        detail
        or f"{response.request.url.copy_with(query=None)} answered {status} "
        f"{response.reason_phrase}.",
        status=status,
        field=field,
        request_id=response.headers.get("x-request-id"),
        retry_after=_seconds(response.headers.get("retry-after", "")),
        refused=_refused(body),
    )


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, httpx.StreamError):
        return {}


def _sentence(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the sentence of an error body and the field at fault: JSON:API, or ``error``."""
    match body:
        case {"errors": [{"detail": str(detail), "source": {"pointer": str(pointer)}}, *_]}:
            return detail, pointer.strip("/")
        case {"errors": [{"detail": str(detail)}, *_]} | {"error": str(detail)}:
            return detail, None
    return None, None


def _refused(body: dict[str, Any]) -> tuple[RefusedSource, ...]:
    try:
        return msgspec.convert(body.get("media_files", ()), tuple[RefusedSource, ...])
    except msgspec.ValidationError:
        return ()


def _seconds(text: str) -> float | None:
    """Return the seconds of a Retry-After (RFC 9110, section 10.2.3); a date is not heeded."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
