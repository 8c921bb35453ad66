"""Headers of HTTP's own resumable uploads (draft-ietf-httpbis-resumable-upload).

A header that is not of its type counts as missing, as the draft has it (sections of "State").
"""

from datetime import UTC, datetime

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.resumable_uploads import ResumableState, ResumableUpload
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.http.structured_fields import parse_boolean_item, parse_integer_item

NEWEST = 8
"""The interop version of drafts 09 to 11; also that of a request which tells none."""

OLD = 6
"""The interop version of drafts 04 and 05, which iOS 18 speaks."""

VERSION = "Upload-Draft-Interop-Version"
CONTENT_TYPE = "application/partial-upload"

EXPOSED = (
    "Location",
    "Content-Location",
    "Accept-Patch",
    "Upload-Offset",
    "Upload-Complete",
    "Upload-Length",
    "Upload-Limit",
    VERSION,
)
"""Headers of answers that pages of other origins may read."""


def interop_version(request: AnyRequest) -> int | None:
    """Return the interop version that answers a request; None when that is none of ours."""
    field = field_value(request.scope["headers"], VERSION.lower().encode())
    version = NEWEST if field is None else parse_integer_item(field)
    return version if version in {NEWEST, OLD} else None


def sent_completeness(request: AnyRequest) -> bool | None:
    """Return whether the body ends the upload; None when the request does not say."""
    return parse_boolean_item(field_value(request.scope["headers"], b"upload-complete"))


def sent_length(request: AnyRequest) -> int | None:
    """Return the length of the whole upload in bytes, if the request tells it."""
    return _count(request, b"upload-length")


def sent_offset(request: AnyRequest) -> int:
    """Return how many bytes come before those of the body. Raises InvalidError."""
    offset = _count(request, b"upload-offset")
    if offset is None:
        raise InvalidError(
            "Upload-Offset must tell how many bytes come before those of the request, as a whole "
            "number.",
            field="Upload-Offset",
        )
    return offset


def upload_limit(version: int, *, most_bytes: int, lifetime: int | None) -> str:
    """Return Upload-Limit. ``lifetime``: seconds for which the upload stays; None: for good."""
    limits = [f"max-size={most_bytes}"]
    if lifetime is not None:
        limits.append(f"{'expires' if version == OLD else 'max-age'}={lifetime}")
    return ", ".join(limits)


def limit_of(upload: ResumableUpload, version: int, *, most_bytes: int) -> str:
    """Return Upload-Limit of an upload that there is."""
    lifetime = None
    if upload.state is ResumableState.RECEIVING:
        left = upload.expires_at - datetime.now(UTC)
        lifetime = max(0, int(left.total_seconds()))
    return upload_limit(version, most_bytes=most_bytes, lifetime=lifetime)


def _count(request: AnyRequest, name: bytes) -> int | None:
    number = parse_integer_item(field_value(request.scope["headers"], name))
    return None if number is None or number < 0 else number
