"""Door 4: files. Announce, PUT to the signed URL, confirm; list, tag, delete."""

from contextlib import aclosing
from typing import Any

from litestar import Response, Router, delete, get, post, put, route
from litestar.enums import HttpMethod
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.media import Media
from mediatheque.domain.resumable_uploads import Destination
from mediatheque.doors.bytes import representation
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.files.schemas import (
    File,
    FilePage,
    Success,
    Ticket,
    parse_confirmation,
    parse_listing,
    parse_tags,
    parse_upload,
)
from mediatheque.doors.http.bodies import BodyReader, parse_json
from mediatheque.doors.http.digests import check_digests, sent_digests
from mediatheque.doors.http.downloads import Download, content_disposition, is_safe_inline
from mediatheque.doors.http.openapi import BYTES, RANGE, with_body, with_parameters
from mediatheque.doors.http.requests import AnyRequest, base_url, content_length, parse_pairs
from mediatheque.doors.uploads import resumption
from mediatheque.services import Services

_TEXT = Schema(type=OpenAPIType.STRING)
_TAGS = Schema(type=OpenAPIType.ARRAY, items=_TEXT)
_UPLOAD = Schema(
    type=OpenAPIType.OBJECT,
    properties={"name": _TEXT, "size": Schema(type=OpenAPIType.INTEGER), "tags": _TAGS},
    required=["name", "size"],
)
_CONFIRMATION = Schema(
    type=OpenAPIType.OBJECT,
    properties={"id": _TEXT, "success": Schema(type=OpenAPIType.BOOLEAN), "error": _TEXT},
    required=["id", "success"],
)
_LIST_PARAMETERS = {
    "name": "Part of the name, in any case.",
    "tags": "Tags, comma-separated; a file must have all of them.",
    "page": "Page, from 0.",
    "pageSize": "Files per page, 1 to 1000; default 10.",
    "sort": "`name`, `size` or `uploaded`, then `,asc` or `,desc`; default `uploaded,desc`.",
}
_SIGNATURE = {"expires": "From the signed URL.", "signature": "From the signed URL."}


@post(
    "/upload",
    status_code=200,
    operation_class=with_body("application/json", _UPLOAD),
    summary="Announce an upload",
)
async def announce(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, bodies: GivenBodies
) -> Ticket:
    """Return an id, and a signed URL that takes the bytes with PUT for a limited time."""
    name, size, tags = parse_upload(await _json(request, bodies))
    file_id, url = await services.files.create(
        resolve_principal(),
        name=name,
        size=size,
        tags=tags,
        base_url=base_url(request, settings),
    )
    return Ticket(str(file_id), url)


@post(
    "/confirmUpload",
    status_code=200,
    operation_class=with_body("application/json", _CONFIRMATION),
    summary="Confirm an upload, or give it up",
)
async def confirm(request: AnyRequest, services: GivenServices, bodies: GivenBodies) -> Success:
    """List the file once its bytes are there; with ``success: false`` forget it."""
    file_id, success = parse_confirmation(await _json(request, bodies))
    if success:
        await services.files.confirm(resolve_principal(), file_id)
    else:
        await services.files.reject(resolve_principal(), file_id)
    return Success()


@get("/", operation_class=with_parameters(_LIST_PARAMETERS), summary="List files")
async def index(request: AnyRequest, services: GivenServices, settings: GivenSettings) -> FilePage:
    """Return one page of confirmed files."""
    query = dict(parse_pairs(request.scope["query_string"]))
    if any("\0" in text for text in query.values()):
        raise InvalidError("A parameter must not contain a NUL character.")
    tags = tuple(tag for tag in query.get("tags", "").split(",") if tag)
    base = base_url(request, settings)
    found, total = await services.files.list(
        resolve_principal(), parse_listing(query), name_part=query.get("name", ""), tags=tags
    )
    return FilePage([await _file(services, media, base) for media in found], total)


@delete("/{file_id:str}", status_code=200, summary="Delete a file")
async def remove(services: GivenServices, file_id: str) -> Success:
    """Delete a file with everything derived from it."""
    await services.files.delete(resolve_principal(), file_id)
    return Success()


@post(
    "/{file_id:str}/tags",
    status_code=200,
    operation_class=with_body("application/json", _TAGS),
    summary="Add tags",
)
async def add_tags(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, file_id: str
) -> Success:
    """Add tags to those that a file has."""
    tags = parse_tags(await _json(request, bodies))
    await services.tags.add(resolve_principal(), file_id, tags)
    return Success()


@delete(
    "/{file_id:str}/tags",
    status_code=200,
    operation_class=with_body("application/json", _TAGS),
    summary="Remove tags",
)
async def remove_tags(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, file_id: str
) -> Success:
    """Remove all of these tags from a file, or none."""
    tags = parse_tags(await _json(request, bodies))
    await services.tags.remove(resolve_principal(), file_id, tags)
    return Success()


@put(
    "/{file_id:str}/content",
    status_code=200,
    operation_class=with_body("*/*", BYTES, parameters=_SIGNATURE),
    summary="Send the bytes of an upload",
)
async def put_content(
    request: AnyRequest,
    services: GivenServices,
    bodies: GivenBodies,
    settings: GivenSettings,
    file_id: str,
) -> Response[Any]:
    """Take the bytes of an announced upload, by its signed URL; in one request, or resumably."""
    upload_id = _signed(request, services, "PUT", file_id)
    if resumption.is_partial(request):
        said = Destination(filename="", file_id=upload_id)
        return await resumption.create(request, services, bodies, settings, destination=said)
    # Of a whole body both are digests of the same bytes.
    promised = [sent_digests(request, name) for name in ("Content-Digest", "Repr-Digest")]
    async with aclosing(bodies.pieces(request)) as pieces:
        checked = check_digests(check_digests(pieces, promised[0]), promised[1])
        await services.files.receive(upload_id, checked, length=content_length(request))
    return Response(b"", media_type="text/plain")


@route(
    "/{file_id:str}/content",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation_class=with_parameters(_SIGNATURE, headers=RANGE),
    summary="Download a file",
)
async def get_content(request: AnyRequest, services: GivenServices, file_id: str) -> Download:
    """Return the bytes of a file, by its signed URL."""
    found = _signed(request, services, "GET", file_id)
    media = await services.medias.find_original(resolve_principal(), str(found))
    return Download(representation(services, media))


@route(
    "/{file_id:str}/content",
    http_method=[HttpMethod.OPTIONS],
    status_code=204,
    summary="What uploads of files can do",
)
async def upload_abilities(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[None]:
    """Tell that uploads can be resumed, and their limits."""
    headers = resumption.abilities(request, services, settings)
    return Response(None, status_code=204, headers={"Allow": "GET, HEAD, OPTIONS, PUT", **headers})


def _signed(request: AnyRequest, services: Services, method: str, file_id: str) -> Any:
    query = dict(parse_pairs(request.scope["query_string"]))
    return services.files.check_signature(
        method, file_id, query.get("expires", ""), query.get("signature", "")
    )


async def _json(request: AnyRequest, bodies: BodyReader) -> object:
    return parse_json(await bodies.read_all(request))


async def _file(services: Services, media: Media, base: str) -> File:
    url = await services.files.download_url(
        media,
        base_url=base,
        disposition=content_disposition(media.filename, inline=is_safe_inline(media.mime_type)),
    )
    return File(
        id=str(media.id),
        name=media.filename,
        size=media.size,
        tags=media.tags,
        url=url,
        uploaded=media.created_at,
        meta=media.meta,
    )


router = Router(
    "/api/file",
    # What answers OPTIONS comes first: the framework makes an answer of its own for an address
    # whose first route has none.
    route_handlers=[
        upload_abilities,
        announce,
        confirm,
        index,
        remove,
        add_tags,
        remove_tags,
        put_content,
        get_content,
    ],
    tags=["files"],
)
