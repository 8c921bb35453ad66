"""The library: find medias, see what is known of one, hear when something changes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from litestar import Router, get
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.library import LibraryKind
from mediatheque.doors.dependencies import GivenServices
from mediatheque.doors.http.event_stream import (
    MEDIA_TYPE,
    EventStream,
    comment,
    server_sent_event,
)
from mediatheque.doors.http.openapi import with_parameters
from mediatheque.doors.http.requests import AnyRequest, parse_pairs
from mediatheque.doors.library.schemas import (
    PARAMETERS,
    LibraryItems,
    LibraryJobs,
    LibraryMedia,
    items_of,
    job_item,
    media_with_family,
    parse_library_query,
)
from mediatheque.services.library_changes import LibraryChanges

_KEEP_ALIVE_SECONDS = 15.0
_TEXT = Schema(type=OpenAPIType.STRING)
_KIND = Schema(type=OpenAPIType.STRING, enum=[str(kind) for kind in LibraryKind])
_SCHEMAS = {
    "tag": Schema(type=OpenAPIType.ARRAY, items=_TEXT),
    "kind": Schema(type=OpenAPIType.ARRAY, items=_KIND),
}


@get("/", operation_class=with_parameters(PARAMETERS, schemas=_SCHEMAS), summary="Find medias")
async def index(request: AnyRequest, services: GivenServices) -> LibraryItems:
    """Return one page of the medias that pass every filter, in the order asked for."""
    query = parse_library_query(parse_pairs(request.scope["query_string"]))
    return items_of(await services.library.page(resolve_principal(), query))


@get("/{media_id:str}", summary="Show a media and what was made of it")
async def show(services: GivenServices, media_id: str) -> LibraryMedia:
    """Return everything that is known of one media."""
    return media_with_family(await services.library.find(resolve_principal(), media_id))


@get("/{media_id:str}/jobs", summary="List the jobs that worked on a media")
async def list_jobs(services: GivenServices, media_id: str) -> LibraryJobs:
    """Return the newest jobs that worked on a media or on what it was made of."""
    found = await services.library.jobs(resolve_principal(), media_id)
    return LibraryJobs([job_item(job) for job in found])


@get("/changes", media_type=MEDIA_TYPE, summary="Hear when medias change")
async def watch(services: GivenServices) -> EventStream:
    """Send an event within two seconds of any change of the medias, until the client leaves."""
    return EventStream(pieces(services.library_changes))


async def pieces(changes: LibraryChanges) -> AsyncGenerator[bytes, None]:
    """Yield a stream block by block: changes, and signs of life."""
    yield comment("listening")
    async with aclosing(changes.listen(silence=_KEEP_ALIVE_SECONDS)) as several:
        async for changed in several:
            yield server_sent_event("changed", {}) if changed else comment("keep-alive")


router = Router("/library", route_handlers=[index, watch, show, list_jobs], tags=["library"])
