"""HTTP's own resumable uploads: draft-ietf-httpbis-resumable-upload, interop versions 8 and 6.

The server sends no interim response for us, so that nobody gets a 104: clients learn the address
of an upload from the answer to a creation, which may have an empty body, and from error answers.
"""

from dataclasses import replace
from typing import Any

from litestar import Response

from mediatheque.config import Settings
from mediatheque.domain.errors import InvalidError, MediathequeError
from mediatheque.domain.resumable_uploads import (
    Destination,
    LengthConflictError,
    ResumableState,
)
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.digests import sent_digests
from mediatheque.doors.http.dispositions import header_filename
from mediatheque.doors.http.requests import (
    AnyRequest,
    base_url,
    check_uncoded,
    content_length,
    media_type,
)
from mediatheque.doors.uploads import resumption_problems
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.resumption_exchange import Exchange
from mediatheque.doors.uploads.resumption_headers import (
    CONTENT_TYPE,
    NEWEST,
    OLD,
    VERSION,
    interop_version,
    sent_completeness,
    sent_length,
    sent_offset,
    upload_limit,
)
from mediatheque.doors.uploads.tus_headers import destination_of, parse_key, parse_metadata
from mediatheque.services import Services
from mediatheque.services.resumable_creation import NewUpload
from mediatheque.services.resumable_uploads import Append

_OTHER_VERSION = (
    f"{VERSION} is one that is not spoken here. Known are {NEWEST} and {OLD}; without the header "
    f"it is {NEWEST}."
)


def is_wanted(request: AnyRequest) -> bool:
    """Tell whether a request to a resource that takes uploads begins a resumable one.

    One that a client has only upgraded, as iOS does with every upload, is no other request for
    it: a form stays a form, and an interop version that is not known is as if it was not there.
    """
    return (
        sent_completeness(request) is not None
        and interop_version(request) is not None
        and media_type(request) != "multipart/form-data"
    )


def is_partial(request: AnyRequest) -> bool:
    """Tell whether a request begins a resumable upload and leaves the rest to others."""
    return is_wanted(request) and sent_completeness(request) is False


def abilities(request: AnyRequest, services: Services, settings: Settings) -> dict[str, str]:
    """Return the headers that tell that resumable uploads are taken, and their limits."""
    version = interop_version(request) or NEWEST
    limit = upload_limit(
        version,
        most_bytes=services.resumable_uploads.most_bytes,
        lifetime=settings.upload_expiry,
    )
    return {VERSION: str(version), "Accept-Patch": CONTENT_TYPE, "Upload-Limit": limit}


async def create(
    request: AnyRequest,
    services: Services,
    bodies: BodyReader,
    settings: Settings,
    *,
    destination: Destination | None = None,
) -> Response[Any]:
    """Create an upload, with the bytes of the body; finish it when they are all.

    ``destination``: what becomes of it, with the name that it has unless the request gives one;
    None: the media that Upload-Metadata describes as tus has it, else one at its own address.
    """
    exchange = _exchange(request, services, settings)
    return await exchange.answer(_create(exchange, bodies, destination))


async def append(
    request: AnyRequest,
    services: Services,
    bodies: BodyReader,
    settings: Settings,
    upload_id: str,
) -> Response[Any]:
    """Add the bytes of the body to an upload; finish it when the request says so."""
    exchange = _exchange(request, services, settings)
    return await exchange.answer(_append(exchange, bodies, upload_id))


async def look(
    request: AnyRequest, services: Services, settings: Settings, upload_id: str
) -> Response[Any]:
    """Tell where an upload is."""
    exchange = _exchange(request, services, settings)
    return await exchange.answer(_look(exchange, upload_id))


async def terminate(
    request: AnyRequest, services: Services, settings: Settings, upload_id: str
) -> Response[Any]:
    """Give up an upload."""
    exchange = _exchange(request, services, settings)
    return await exchange.answer(_terminate(exchange, upload_id))


def answer_error(
    request: AnyRequest, error: MediathequeError | ProtocolError
) -> Response[dict[str, Any]]:
    """Answer an error of a request that got no further."""
    version = interop_version(request)
    headers = {} if version is None else {VERSION: str(version)}
    return resumption_problems.answer_error(request, error, headers)


def _exchange(request: AnyRequest, services: Services, settings: Settings) -> Exchange:
    version = interop_version(request)
    if version is None:
        raise ProtocolError(400, _OTHER_VERSION)
    return Exchange(request, services, base_url(request, settings), version=version)


async def _create(
    exchange: Exchange, bodies: BodyReader, destination: Destination | None
) -> Response[Any]:
    request = exchange.request
    new, said = _described(request, destination)
    exchange.announce_limits()
    upload = await exchange.uploads.create(exchange.principal, new)
    exchange.headers["Location"] = f"{exchange.base}/uploads/{upload.id}"
    if upload.ready:
        upload = await exchange.finish(upload)
    if upload.state is ResumableState.COMPLETE:
        await bodies.pass_over(request, limit=upload.length)
    elif said.last or content_length(request) != 0:
        upload = await exchange.take(bodies, str(upload.id), said)
    if upload.state is ResumableState.COMPLETE:
        return await exchange.conclude(upload)
    return exchange.acknowledge(upload, status=201)


def _described(request: AnyRequest, destination: Destination | None) -> tuple[NewUpload, Append]:
    """Return the upload that a request creates, and what it says of its body."""
    headers = request.scope["headers"]
    complete = sent_completeness(request)
    if complete is None:
        raise _incomplete_request()
    check_uncoded(request)
    size, length = content_length(request), sent_length(request)
    if complete and size is not None:
        if length not in {None, size}:
            raise LengthConflictError(
                f"Upload-Length is {length}, and the request, said to be all of it, has {size} "
                "bytes."
            )
        length = size
    named = header_filename(field_value(headers, b"content-disposition"))
    whole = sent_digests(request, "Repr-Digest")
    # tus-js-client tells it in this protocol as well.
    metadata = field_value(headers, b"upload-metadata") if destination is None else None
    destination = destination or destination_of(parse_metadata(metadata or ""))
    new = NewUpload(
        destination=replace(destination, filename=named) if named else destination,
        length=length,
        ending=complete and size is not None,  # else once the request has come to its end
        metadata=metadata,
        digests={name: digest.hex() for name, digest in whole.items()},
        idempotency_key=parse_key(field_value(headers, b"idempotency-key")),
    )
    said = Append(
        offset=0,
        last=complete,
        size=size,
        digests=sent_digests(request, "Content-Digest"),
    )
    return new, said


async def _append(exchange: Exchange, bodies: BodyReader, upload_id: str) -> Response[Any]:
    request = exchange.request
    if media_type(request) != CONTENT_TYPE:
        raise ProtocolError(
            415,
            f"What is added to an upload has the Content-Type {CONTENT_TYPE}.",
            headers={"Accept-Patch": CONTENT_TYPE},
        )
    complete = sent_completeness(request)
    if complete is None and exchange.version != OLD:
        raise _incomplete_request()
    said = Append(
        offset=sent_offset(request),
        length=sent_length(request),
        last=bool(complete),
        size=content_length(request),
        digests=sent_digests(request, "Content-Digest"),
    )
    exchange.announce_limits()
    upload = await exchange.take(bodies, upload_id, said)
    if upload.state is ResumableState.COMPLETE:
        return await exchange.conclude(upload)
    return exchange.acknowledge(upload, status=201 if exchange.version == OLD else 204)


async def _look(exchange: Exchange, upload_id: str) -> Response[Any]:
    exchange.refuse_of_old("Upload-Offset", "Upload-Complete", "Upload-Length")
    upload = await exchange.uploads.find(exchange.principal, upload_id)
    if upload.media_id is not None:
        await exchange.point_to_media(upload)
    if upload.length is not None:
        exchange.headers["Upload-Length"] = str(upload.length)
    return exchange.acknowledge(upload, status=204)


async def _terminate(exchange: Exchange, upload_id: str) -> Response[Any]:
    exchange.refuse_of_old("Upload-Offset", "Upload-Complete")
    await exchange.uploads.terminate(exchange.principal, upload_id)
    return Response(None, status_code=204, headers=exchange.headers)


def _incomplete_request() -> InvalidError:
    return InvalidError(
        "Upload-Complete must be ?1 when the upload ends with this request, else ?0.",
        field="Upload-Complete",
    )
