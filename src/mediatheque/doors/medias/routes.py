"""Door 3: medias. Served at ``/medias`` and, for clients that use that prefix, below
``/api/v1/media``.
"""

from contextlib import aclosing
from typing import Any

from litestar import Response, Router, get, post, route
from litestar.enums import HttpMethod
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.response import Redirect

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.paging import parse_boolean
from mediatheque.domain.processing import Step
from mediatheque.domain.resumable_uploads import Destination
from mediatheque.doors.bytes import representation
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.bodies import parse_json
from mediatheque.doors.http.downloads import (
    Download,
    content_disposition,
    is_safe_inline,
)
from mediatheque.doors.http.multipart import FilePart, read_form
from mediatheque.doors.http.openapi import BYTES, RANGE, with_body, with_headers, with_parameters
from mediatheque.doors.http.requests import (
    AnyRequest,
    base_url,
    content_length,
    media_type_for,
    parse_pairs,
)
from mediatheque.doors.jsonapi.documents import MEDIA_TYPE, page_links, page_meta
from mediatheque.doors.jsonapi.medias import Document, resource
from mediatheque.doors.jsonapi.openapi import list_parameters
from mediatheque.doors.jsonapi.query import parse_fields, parse_query
from mediatheque.doors.medias.schemas import (
    COLLECTION,
    JobIdentifier,
    JobReference,
    Page,
    parse_steps,
)
from mediatheque.doors.uploads import resumption
from mediatheque.services.medias import check_address

FILE_FIELDS = frozenset({"media", "file"})
FORM_FIELDS = frozenset({"project_id", "key", "public"})


_FORM = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "media": BYTES,
        "key": Schema(type=OpenAPIType.STRING),
        "public": Schema(type=OpenAPIType.BOOLEAN),
        "project_id": Schema(type=OpenAPIType.STRING),
    },
    required=["media"],
)
_STEPS = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "steps": Schema(
            type=OpenAPIType.ARRAY,
            items=Schema(type=OpenAPIType.STRING, enum=[str(step) for step in Step]),
            min_items=1,
        )
    },
    required=["steps"],
)


@get("/medias", operation_class=with_parameters(list_parameters(COLLECTION)), summary="List medias")
async def index(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[Page]:
    """Return one page of medias: filtered, sorted, by number or by cursor."""
    query = parse_query(request.scope["query_string"], COLLECTION)
    found = await services.medias.page(resolve_principal(), query.listing, count=query.count)
    base = base_url(request, settings) + request.scope["path"].rstrip("/")
    page = Page(
        data=[resource(media, query.attributes) for media in found.medias],
        meta=page_meta(found),
        links=page_links(query, found, base, found.medias[-1] if found.medias else None),
    )
    return Response(page, media_type=media_type_for(request, MEDIA_TYPE))


@get(
    ["/medias/info/{name:str}", "/medias/info/{name:str}/{key:str}"],
    summary="Show what is known of a media",
)
async def info(
    request: AnyRequest, services: GivenServices, name: str, key: str | None = None
) -> Response[Document]:
    """Return one media as a resource."""
    address = _address(request, name, key)
    pairs = [pair for pair in parse_pairs(request.scope["query_string"]) if pair[0] != "key"]
    attributes = parse_fields(pairs, COLLECTION)
    media = await services.medias.find(resolve_principal(), *address)
    document = Document(resource(media, attributes))
    return Response(document, media_type=media_type_for(request, MEDIA_TYPE))


@route(
    ["/medias/files/{name:str}", "/medias/files/{name:str}/{key:str}"],
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation_class=with_headers(RANGE),
    summary="Download a media",
)
async def download(
    request: AnyRequest,
    services: GivenServices,
    settings: GivenSettings,
    name: str,
    key: str | None = None,
) -> Download | Redirect:
    """Return the bytes of a media, with conditions and ranges (RFC 9110)."""
    media = await services.medias.find(resolve_principal(), *_address(request, name, key))
    if settings.redirect_downloads:
        url = await services.medias.store_url(
            media,
            expires_in=settings.download_url_expiry,
            disposition=content_disposition(media.filename, inline=is_safe_inline(media.mime_type)),
        )
        if url is not None:
            return Redirect(url, status_code=307, headers={"Cache-Control": "no-store"})
    return Download(representation(services, media))


@post(
    ["/medias/files/{name:str}", "/medias/files/{name:str}/{key:str}"],
    status_code=200,
    operation_class=with_body("multipart/form-data", _FORM),
    summary="Upload a media",
)
async def upload(
    request: AnyRequest,
    services: GivenServices,
    bodies: GivenBodies,
    settings: GivenSettings,
    name: str,
    *,
    key: str | None = None,
) -> Response[Any]:
    """Take a form with one file, in the field ``media`` or ``file``.

    Fields ``key``, ``public`` and ``project_id`` may stand before or after it. A resumable upload
    (``Upload-Complete``) has the media's bytes for its body.
    """
    address = _address(request, name, key)
    if resumption.is_wanted(request):
        said = Destination(filename=name, resource=address[0], key=address[1])
        return await resumption.create(request, services, bodies, settings, destination=said)
    async with (
        aclosing(bodies.pieces(request)) as pieces,
        services.medias.receive(resolve_principal()) as reception,
    ):

        async def take(part: FilePart) -> bool:
            filename = part.filename or name
            await reception.take(filename, aiter(part), size_hint=content_length(request))
            return True

        form = await read_form(
            request.headers.get("content-type"),
            pieces,
            file_fields=FILE_FIELDS,
            on_file=take,
        )
        _check_fields(form.fields)
        if not form.file:
            raise InvalidError("The form has no file field named 'media'.", field="media")
        media = await reception.keep(
            resource=address[0],
            key=_one_key(address[1], form.fields.get("key", "")),
            public=parse_boolean(form.fields.get("public") or "false", field="public"),
            project_id=form.fields.get("project_id"),
        )
    return Response(Document(resource(media)), media_type=media_type_for(request, MEDIA_TYPE))


@route(
    ["/medias/files/{name:str}", "/medias/files/{name:str}/{key:str}"],
    http_method=[HttpMethod.OPTIONS],
    status_code=204,
    summary="What uploads of medias can do",
)
async def upload_abilities(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[None]:
    """Tell that uploads can be resumed, and their limits."""
    headers = resumption.abilities(request, services, settings)
    return Response(None, status_code=204, headers={"Allow": "GET, HEAD, OPTIONS, POST", **headers})


@post(
    "/medias/process/{name:str}",
    status_code=202,
    operation_class=with_body("application/json", _STEPS),
    summary="Look into a media, or make others of it",
)
async def process(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, name: str
) -> Response[JobIdentifier]:
    """Let a job do the ``steps`` that the body names with an original, and answer at once."""
    resource_name, _ = _address(request, name, None)
    steps = parse_steps(parse_json(await bodies.read_all(request)))
    job = await services.processing.request(resolve_principal(), resource_name, steps)
    return Response(
        JobIdentifier(JobReference(str(job.id))),
        status_code=202,
        media_type=media_type_for(request, MEDIA_TYPE),
        headers={"Location": f"/jobs/{job.id}"},
    )


def _address(request: AnyRequest, name: str, key: str | None) -> tuple[str, str]:
    """Return the address that the path and ``?key=`` name. Raises InvalidError."""
    if b"%2f" in request.scope["raw_path"].lower():
        raise InvalidError("A resource or key must not contain '/'.", field="resource")
    query_key = dict(parse_pairs(request.scope["query_string"])).get("key", "")
    address = (name, _one_key(key or "", query_key))
    check_address(*address)
    return address


def _one_key(first: str, second: str) -> str:
    if first and second and first != second:
        raise InvalidError(f"Two different keys are given: {first!r} and {second!r}.", field="key")
    chosen = first or second
    if chosen:
        check_address("-", chosen)
    return chosen


def _check_fields(fields: dict[str, str]) -> None:
    unknown = sorted(set(fields) - FORM_FIELDS)
    if unknown:
        raise InvalidError(f"The form has an unknown field {unknown[0]!r}.", field=unknown[0])


# What answers OPTIONS comes first: the framework makes an answer of its own for an address whose
# first route has none.
_HANDLERS = (upload_abilities, index, info, download, upload, process)
router = Router("/", route_handlers=_HANDLERS)
prefixed_router = Router("/api/v1/media", route_handlers=_HANDLERS)
