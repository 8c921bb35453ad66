"""Door 3: jobs. Served at ``/jobs`` and, for clients that use that prefix, below
``/api/v1/media``.
"""

from litestar import Response, Router, delete, get, post
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.jobs import Signal
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.bodies import BodyReader, parse_json
from mediatheque.doors.http.openapi import with_body, with_parameters
from mediatheque.doors.http.requests import AnyRequest, base_url, media_type_for
from mediatheque.doors.jobs.schemas import (
    COLLECTION,
    Document,
    Page,
    SignalledDocument,
    SignalledMeta,
    parse_signal,
    resource,
)
from mediatheque.doors.jsonapi.documents import MEDIA_TYPE, page_links, page_meta
from mediatheque.doors.jsonapi.openapi import (
    fields_parameter,
    filter_parameters,
    list_parameters,
)
from mediatheque.doors.jsonapi.query import parse_filters, parse_query, parse_show

_SIGNAL = Schema(
    type=OpenAPIType.OBJECT,
    properties={"signal": Schema(type=OpenAPIType.STRING, enum=[str(one) for one in Signal])},
    required=["signal"],
)


@get("/jobs", operation_class=with_parameters(list_parameters(COLLECTION)), summary="List jobs")
async def index(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[Page]:
    """Return one page of jobs: filtered, sorted, by number or by cursor."""
    query = parse_query(request.scope["query_string"], COLLECTION)
    found = await services.jobs.page(resolve_principal(), query.listing, count=query.count)
    base = base_url(request, settings) + request.scope["path"].rstrip("/")
    page = Page(
        data=[resource(job, query.attributes) for job in found.jobs],
        meta=page_meta(found),
        links=page_links(query, found, base, found.jobs[-1] if found.jobs else None),
    )
    return Response(page, media_type=media_type_for(request, MEDIA_TYPE))


@get(
    "/jobs/{job_id:str}",
    operation_class=with_parameters(fields_parameter(COLLECTION)),
    summary="Show a job",
)
async def show(request: AnyRequest, services: GivenServices, job_id: str) -> Response[Document]:
    """Return one job as a resource."""
    attributes = parse_show(request.scope["query_string"], COLLECTION)
    job = await services.jobs.find(resolve_principal(), job_id)
    document = Document(resource(job, attributes))
    return Response(document, media_type=media_type_for(request, MEDIA_TYPE))


@delete("/jobs/{job_id:str}", summary="Delete a job")
async def remove(services: GivenServices, job_id: str) -> None:
    """Delete a job with its history; cancel it first when it runs. An unknown one is fine."""
    await services.jobs.remove(resolve_principal(), job_id)


@post(
    "/jobs/{job_id:str}/signal",
    status_code=200,
    operation_class=with_body("application/json", _SIGNAL),
    summary="Cancel, pause, resume or retry a job",
)
async def signal(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, job_id: str
) -> Response[Document]:
    """Signal a job and return it as it stands then; a running one stops a moment later."""
    wanted = await _signal_of(request, bodies)
    job = await services.jobs.signal(resolve_principal(), job_id, wanted)
    return Response(Document(resource(job)), media_type=media_type_for(request, MEDIA_TYPE))


@post(
    "/jobs/signal",
    status_code=200,
    operation_class=with_body(
        "application/json", _SIGNAL, parameters=filter_parameters(COLLECTION)
    ),
    summary="Cancel, pause, resume or retry all jobs that pass filters",
)
async def signal_all(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[SignalledDocument]:
    """Signal every job that passes the filters, of which there must be at least one."""
    filters = parse_filters(request.scope["query_string"], COLLECTION)
    wanted = await _signal_of(request, bodies)
    done = await services.jobs.signal_all(resolve_principal(), filters, wanted)
    document = SignalledDocument(SignalledMeta(done.signalled, done.refused))
    return Response(document, media_type=media_type_for(request, MEDIA_TYPE))


async def _signal_of(request: AnyRequest, bodies: BodyReader) -> Signal:
    return parse_signal(parse_json(await bodies.read_all(request)))


_HANDLERS = [index, show, remove, signal, signal_all]

router = Router("/", route_handlers=_HANDLERS)
prefixed_router = Router("/api/v1/media", route_handlers=_HANDLERS)
