"""Reading what a request says about itself."""

from typing import Any
from urllib.parse import parse_qsl

from litestar import Request

from mediatheque.config import Settings
from mediatheque.domain.errors import InvalidError, UnsupportedError
from mediatheque.doors.http.conditions import field_value

JSON = "application/json"

AnyRequest = Request[Any, Any, Any]
"""A request of the framework, of whatever user, credentials and state."""

Pairs = list[tuple[str, str]]
"""Parameters of a query string, in order."""

_MAX_PARAMETERS = 200
_MAX_DIGITS = 19
_MOST_COUNT = 2**63 - 1


def base_url(request: AnyRequest, settings: Settings) -> str:
    """Return the address under which this client reaches the service, without a final slash."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = request.scope["scheme"]
    host = request.headers.get("host") or f"{settings.host}:{settings.port}"
    return f"{scheme}://{host}"


def content_length(request: AnyRequest) -> int | None:
    """Return the declared length of the body in bytes; None: it ends where it ends.

    A request of HTTP/1 that declares nothing has no body (RFC 9112, section 6.3).
    """
    headers = request.scope["headers"]
    text = field_value(headers, b"content-length")
    if text is None:
        old = request.scope["http_version"].startswith("1")
        return 0 if old and field_value(headers, b"transfer-encoding") is None else None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def check_uncoded(request: AnyRequest) -> None:
    """Raise UnsupportedError for a body with a content coding (RFC 9110, section 8.4).

    It would be kept as it comes, and be served as if it were what it is a coding of.
    """
    coding = field_value(request.scope["headers"], b"content-encoding") or "identity"
    if coding.strip().lower() != "identity":
        raise UnsupportedError("Bytes are kept as they come. Send them without Content-Encoding.")


def media_type(request: AnyRequest) -> str:
    """Return the media type of the body, in lower case and without parameters; empty for none."""
    field = field_value(request.scope["headers"], b"content-type") or ""
    return field.partition(";")[0].strip().lower()


def media_type_for(request: AnyRequest, special: str) -> str:
    """Return ``special`` (a JSON dialect), or plain JSON for a client that accepts only that."""
    accepted = request.headers.get("accept", "*/*")
    plain_only = JSON in accepted and special not in accepted and "*/*" not in accepted
    return JSON if plain_only else special


def parse_pairs(query_string: bytes) -> Pairs:
    """Return the parameters of a query string, in order. Raises InvalidError."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise InvalidError("The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise InvalidError(f"A query has at most {_MAX_PARAMETERS} parameters.") from None
    return pairs


def parse_query(pairs: Pairs, *, known: frozenset[str]) -> dict[str, str]:
    """Return the parameters of a query. Raises InvalidError for one that is not known."""
    query = dict(pairs)
    for name, text in query.items():
        if name not in known:
            raise InvalidError(
                f"There is no parameter {name[:100]!r}; known are {', '.join(sorted(known))}.",
                field=name,
            )
        if "\0" in text:
            raise InvalidError("A parameter must not contain a NUL character.", field=name)
    return query


def parse_whole_number(text: str, *, field: str, least: int, most: int) -> int:
    """Return the number that ``text`` writes in digits. Raises InvalidError outside the bounds."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not (is_number and least <= int(text) <= most):
        raise InvalidError(
            f"{field} must be a whole number from {least} to {most}, not {text[:40]!r}.",
            field=field,
        )
    return int(text)


def parse_count(text: str, *, field: str) -> int:
    """Return a number of bytes or of things, from 0 to 2^63 - 1. Raises InvalidError."""
    return parse_whole_number(text, field=field, least=0, most=_MOST_COUNT)
