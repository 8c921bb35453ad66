"""Answers of tus. ``Tus-Resumable`` comes to all of them at the edge."""

from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any

from litestar import Response

from mediatheque.config import Settings
from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    DigestError,
    LengthConflictError,
    ResumableState,
    ResumableUpload,
)
from mediatheque.doors.http.problems import error_handler
from mediatheque.doors.http.requests import AnyRequest, base_url
from mediatheque.doors.uploads.errors import DOOR, ProtocolError
from mediatheque.doors.uploads.tus_headers import CHECKSUMS, EXTENSIONS, VERSION
from mediatheque.services import Services
from mediatheque.services.intake import IntakeBusyError

_STATUSES: Mapping[type[MediathequeError], int] = {
    DigestError: 460,
    # To clients 409 means to ask for the offset and to go on from there, which does not help here.
    LengthConflictError: 400,
    IntakeBusyError: 423,
}
_answer_as_the_door = error_handler((DOOR,))


def answer(status: int, headers: Mapping[str, str]) -> Response[None]:
    """Return an answer without a body."""
    return Response(None, status_code=status, headers=dict(headers), media_type="text/plain")


def answer_error(
    request: AnyRequest, error: MediathequeError | ProtocolError
) -> Response[dict[str, Any]]:
    """Answer an error with the status that the protocol names for it."""
    if isinstance(error, ProtocolError):
        body = {"error": error.detail}
        return Response(body, status_code=error.status, headers=dict(error.headers))
    answered = _answer_as_the_door(request, error)
    answered.status_code = _STATUSES.get(type(error), answered.status_code)
    return answered


def abilities(services: Services) -> dict[str, str]:
    """Return the headers that tell what can be done here."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        "Tus-Max-Size": str(services.resumable_uploads.most_bytes),
    }


def progress(upload: ResumableUpload) -> dict[str, str]:
    """Return the headers that tell how far an upload has got, and how long it is waited for."""
    offset = {"Upload-Offset": str(upload.size)}
    kind = upload.concatenation
    if upload.state is ResumableState.COMPLETE and kind is not Concatenation.PARTIAL:
        return offset
    expires = {"Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}
    # Before it is finished the offset of a final upload means nothing.
    return expires if kind is Concatenation.FINAL else {**offset, **expires}


def description(upload: ResumableUpload) -> dict[str, str]:
    """Return the headers that say again what the client said of an upload."""
    said = {"Upload-Defer-Length": "1"}
    if upload.length is not None:
        said = {"Upload-Length": str(upload.length)}
    if upload.metadata is not None:
        said["Upload-Metadata"] = upload.metadata
    return said


def concat(upload: ResumableUpload) -> dict[str, str]:
    """Return the header that says again what the client said of a concatenation, if it did."""
    if upload.concat is not None:
        return {"Upload-Concat": upload.concat}
    # Releases that did not keep it may have created the upload.
    if upload.concatenation is Concatenation.PARTIAL:
        return {"Upload-Concat": "partial"}
    if upload.concatenation is Concatenation.FINAL:
        return {"Upload-Concat": f"final;{' '.join(f'/uploads/{part}' for part in upload.parts)}"}
    return {}


def address(request: AnyRequest, settings: Settings, upload_id: object) -> str:
    """Return where an upload is, as this client reaches it."""
    return f"{base_url(request, settings)}/uploads/{upload_id}"
