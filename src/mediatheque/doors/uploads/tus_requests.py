"""What a request of tus says: of the upload that it creates, and of the bytes that it brings."""

from mediatheque.domain.errors import InvalidError
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.requests import (
    AnyRequest,
    check_uncoded,
    content_length,
    media_type,
    parse_count,
)
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.tus_headers import (
    destination_of,
    parse_checksum,
    parse_key,
    parse_length,
    parse_metadata,
    parse_parts,
)
from mediatheque.services.resumable_creation import NewUpload
from mediatheque.services.resumable_uploads import Append

CONTENT_TYPE = "application/offset+octet-stream"


def read_parts(request: AnyRequest) -> list[str] | None:
    """Return the ids of the uploads that a final one consists of; None: it is no final one.

    Raises InvalidError, and ProtocolError (403) when the request brings bytes.
    """
    concat = header(request, "Upload-Concat")
    parts = None if concat is None else parse_parts(concat)
    if parts is None:
        return None
    if header(request, "Upload-Length") or header(request, "Upload-Defer-Length"):
        raise InvalidError(
            "An upload that consists of others has their length: leave Upload-Length out.",
            field="Upload-Length",
        )
    if _brings_bytes(request):
        raise ProtocolError(403, "An upload that consists of others takes no bytes itself.")
    return parts


def read_new(request: AnyRequest, *, final: bool) -> NewUpload:
    """Return what a request says of the upload that it creates. Raises InvalidError."""
    metadata = header(request, "Upload-Metadata") or None
    concat = header(request, "Upload-Concat")
    return NewUpload(
        destination=destination_of(parse_metadata(metadata or "")),
        length=None if final else parse_length(request.scope["headers"]),
        partial=not final and concat is not None,
        metadata=metadata,
        concat=concat,
        idempotency_key=parse_key(header(request, "Idempotency-Key")),
    )


def read_first(request: AnyRequest, length: int | None) -> Append | None:
    """Return what is said of the bytes that come with a creation; None: none come.

    ``length`` is that of the whole, if it is known. Raises InvalidError, UnsupportedError, and
    ProtocolError: 415 for another content type, 413 for more bytes than the whole has.
    """
    if not _brings_bytes(request):
        return None
    _check_type(request)
    size = content_length(request)
    if length is not None and size is not None and size > length:
        raise ProtocolError(
            413,
            f"The body has {size} bytes, and the upload is said to have {length}. Nothing was "
            "created.",
            headers={"Connection": "close"},
        )
    return Append(offset=0, size=size, digests=_digests(request))


def read_append(request: AnyRequest) -> Append:
    """Return what is said of bytes that are added.

    Raises InvalidError, UnsupportedError, and ProtocolError (415) for another content type.
    """
    _check_type(request)
    offset, length = header(request, "Upload-Offset"), header(request, "Upload-Length")
    if offset is None:
        raise InvalidError("Upload-Offset is missing.", field="Upload-Offset")
    return Append(
        offset=parse_count(offset, field="Upload-Offset"),
        length=None if length is None else parse_count(length, field="Upload-Length"),
        size=content_length(request),
        digests=_digests(request),
    )


def header(request: AnyRequest, name: str) -> str | None:
    """Return a header, its lines joined by commas, or None."""
    return field_value(request.scope["headers"], name.lower().encode())


def _brings_bytes(request: AnyRequest) -> bool:
    size = content_length(request)
    if size is None:
        # Only HTTP/2 sends a body without telling so; there the type alone does.
        return header(request, "Transfer-Encoding") is not None or _has_type(request)
    return size > 0


def _check_type(request: AnyRequest) -> None:
    if not _has_type(request):
        raise ProtocolError(415, f"The Content-Type of the bytes must be {CONTENT_TYPE}.")
    check_uncoded(request)


def _has_type(request: AnyRequest) -> bool:
    return media_type(request) == CONTENT_TYPE


def _digests(request: AnyRequest) -> dict[str, bytes]:
    checksum = header(request, "Upload-Checksum")
    if "upload-checksum" in (header(request, "Trailer") or "").lower():
        # What was meant to be checked is not taken unchecked.
        raise InvalidError(
            "Upload-Checksum cannot come behind the bytes: trailers do not get here.",
            field="Trailer",
        )
    return {} if checksum is None else parse_checksum(checksum)
