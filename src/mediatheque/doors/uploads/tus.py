"""tus 1.0.0: creating uploads, appending to them, asking where they are, giving them up.

Source: https://tus.io/protocols/resumable-upload, with all its extensions but checksum-trailer:
the server keeps trailers from us.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import aclosing, suppress

from litestar import Response

from mediatheque.auth.principals import resolve_principal
from mediatheque.config import Settings
from mediatheque.domain.errors import DisconnectedError, MediathequeError
from mediatheque.domain.resumable_uploads import (
    ResumableState,
    ResumableUpload,
    UploadCompleteError,
)
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.tus_answers import (
    address,
    answer,
    answer_error,
    concat,
    description,
    progress,
)
from mediatheque.doors.uploads.tus_requests import read_append, read_first, read_new, read_parts
from mediatheque.services import Services
from mediatheque.services.resumable_uploads import Append


async def create(
    request: AnyRequest, services: Services, bodies: BodyReader, settings: Settings
) -> Response[None]:
    """Create an upload, with its first bytes when the request has a body."""
    uploads, principal = services.resumable_uploads, resolve_principal()
    parts = read_parts(request)
    new = read_new(request, final=parts is not None)
    first = None
    if parts is not None:
        upload = await uploads.concatenate(principal, new, parts)
    else:
        first = read_first(request, new.length)
        upload = await uploads.create(principal, new)
    upload_id = str(upload.id)
    location = {"Location": address(request, settings, upload.id)}
    try:
        if upload.ready:
            upload = await uploads.find(principal, upload_id)
        if first is not None and (upload.size or upload.state is not ResumableState.RECEIVING):
            await bodies.pass_over(request, limit=upload.length)
        elif first is not None:
            upload = await _append(request, services, bodies, upload_id, first)
    except DisconnectedError:
        raise
    except MediathequeError as error:
        # There is an upload now, and its client has no other way to learn where.
        raise await _refusal(request, services, upload_id, error, headers=location) from error
    return answer(201, {**progress(upload), **location})


async def append(
    request: AnyRequest, services: Services, bodies: BodyReader, upload_id: str
) -> Response[None]:
    """Add the bytes of a request to an upload."""
    said = read_append(request)
    try:
        upload = await _append(request, services, bodies, upload_id, said)
    except DisconnectedError:
        raise
    except MediathequeError as error:
        if isinstance(error, UploadCompleteError) and said.size == 0:
            upload = await services.resumable_uploads.peek(resolve_principal(), upload_id)
            if said.offset == upload.size and said.length in {None, upload.length}:
                return answer(204, progress(upload))
        raise await _refusal(request, services, upload_id, error) from error
    return answer(204, progress(upload))


async def look(services: Services, upload_id: str) -> Response[None]:
    """Tell where an upload is."""
    upload = await services.resumable_uploads.find(resolve_principal(), upload_id)
    return answer(200, {**progress(upload), **description(upload), **concat(upload)})


async def terminate(services: Services, upload_id: str) -> Response[None]:
    """Give up an upload."""
    await services.resumable_uploads.terminate(resolve_principal(), upload_id)
    return answer(204, {})


async def _append(
    request: AnyRequest, services: Services, bodies: BodyReader, upload_id: str, said: Append
) -> ResumableUpload:
    bodies.ask(request)
    stopping = asyncio.Event()
    # Of a body that is too long the bytes that fit are kept, so that it is not refused as a whole.
    body = bodies.pieces(request, limit=sys.maxsize, stopping=stopping)
    async with aclosing(body) as pieces:
        return await services.resumable_uploads.append(
            resolve_principal(), upload_id, pieces, append=said, stopping=stopping
        )


async def _refusal(
    request: AnyRequest,
    services: Services,
    upload_id: str,
    error: MediathequeError,
    *,
    headers: Mapping[str, str] | None = None,
) -> ProtocolError:
    """Return what to raise when bytes were not all taken: why, and where the upload is now."""
    plain = answer_error(request, error)
    told = {**plain.headers, **(headers or {})}
    with suppress(MediathequeError):  # there is none, or it cannot be seen now
        upload = await services.resumable_uploads.peek(resolve_principal(), upload_id)
        told |= progress(upload)
    return ProtocolError(plain.status_code or 500, error.detail, headers=told)
