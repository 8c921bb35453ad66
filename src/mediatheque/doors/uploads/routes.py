"""Resumable uploads at ``/uploads``: each address speaks both protocols."""

from typing import Any

from litestar import Response, Router, delete, get, patch, post, route
from litestar.enums import HttpMethod

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import MediathequeError
from mediatheque.doors.bytes import representation
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.downloads import Download
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.uploads import resumption, tus, tus_answers
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.openapi import (
    APPENDING,
    ASKING,
    CREATING,
    answered,
    refused,
)
from mediatheque.doors.uploads.protocols import Protocol, says_http, spoken


@route(
    ["/", "/{upload_id:str}"],
    http_method=[HttpMethod.OPTIONS],
    status_code=204,
    response_headers=answered(
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Checksum-Algorithm",
        "Upload-Limit",
        "Accept-Patch",
    ),
    summary="What resumable uploads can do here",
)
async def discover(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[None]:
    """Return the versions, the extensions and the limits of the protocols."""
    headers = tus_answers.abilities(services) | resumption.abilities(request, services, settings)
    return Response(None, status_code=204, headers=headers)


@post(
    "/",
    status_code=201,
    operation_class=CREATING,
    response_headers=answered("Location", "Upload-Offset", "Upload-Expires", "Upload-Complete"),
    responses=refused(400, 403, 408, 409, 412, 413, 415, 423, 460),
    summary="Create a resumable upload",
)
async def create(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, settings: GivenSettings
) -> Response[None]:
    """Create an upload, with its first bytes when the request has a body."""
    if spoken(request) is Protocol.TUS:
        return await tus.create(request, services, bodies, settings)
    return await resumption.create(request, services, bodies, settings)


@patch(
    "/{upload_id:str}",
    status_code=204,
    operation_class=APPENDING,
    response_headers=answered("Upload-Offset", "Upload-Expires", "Upload-Complete"),
    responses=refused(400, 403, 404, 408, 409, 410, 412, 413, 415, 423, 460),
    summary="Add bytes to a resumable upload",
)
async def append(
    request: AnyRequest,
    services: GivenServices,
    bodies: GivenBodies,
    settings: GivenSettings,
    upload_id: str,
) -> Response[None]:
    """Append the body at the offset that the request tells."""
    if spoken(request) is Protocol.TUS:
        return await tus.append(request, services, bodies, upload_id)
    return await resumption.append(request, services, bodies, settings, upload_id)


@route(
    "/{upload_id:str}",
    http_method=[HttpMethod.HEAD],
    operation_class=ASKING,
    response_headers=answered(
        "Upload-Offset",
        "Upload-Length",
        "Upload-Defer-Length",
        "Upload-Metadata",
        "Upload-Concat",
        "Upload-Expires",
        "Upload-Complete",
        "Upload-Limit",
    ),
    responses=refused(404, 409, 410, 412, 423),
    summary="Where an upload is",
)
async def look(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, upload_id: str
) -> Response[None]:
    """Tell how many bytes have arrived."""
    if spoken(request) is Protocol.TUS:
        return await tus.look(services, upload_id)
    return await resumption.look(request, services, settings, upload_id)


@get(
    "/{upload_id:str}",
    response_headers=answered("Upload-Length", "Upload-Metadata"),
    responses=refused(404, 410),
    summary="Download a finished upload",
)
async def download(services: GivenServices, upload_id: str) -> Download:
    """Return the bytes of the media that an upload has become."""
    principal = resolve_principal()
    upload = await services.resumable_uploads.peek(principal, upload_id)
    media = await services.resumable_uploads.media(principal, upload)
    said = tus_answers.description(upload)
    return Download(representation(services, media), headers=said)


@delete(
    "/{upload_id:str}",
    status_code=204,
    operation_class=ASKING,
    response_headers=answered(),
    responses=refused(404, 409, 410, 412, 423),
    summary="Give up a resumable upload",
)
async def terminate(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, upload_id: str
) -> Response[None]:
    """Remove an upload with its bytes; of one that is a media only its address here."""
    if spoken(request) is Protocol.TUS:
        return await tus.terminate(services, upload_id)
    return await resumption.terminate(request, services, settings, upload_id)


def _answer_error(
    request: AnyRequest, error: MediathequeError | ProtocolError
) -> Response[dict[str, Any]]:
    if says_http(request):
        return resumption.answer_error(request, error)
    return tus_answers.answer_error(request, error)


router = Router(
    "/uploads",
    route_handlers=[discover, create, append, look, download, terminate],
    exception_handlers={MediathequeError: _answer_error, ProtocolError: _answer_error},
    tags=["uploads"],
)
