"""Door 1: recordings. Start one, send its chunks, complete it, watch it, play it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlencode

from litestar import Response, Router, get, post, route
from litestar.enums import HttpMethod
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.recordings import ChunkConflictError
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.accept import prefers
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.doors.http.digests import check_digests, sent_digests
from mediatheque.doors.http.downloads import Download
from mediatheque.doors.http.multipart import read_file
from mediatheque.doors.http.openapi import with_body, with_parameters
from mediatheque.doors.http.requests import (
    JSON,
    AnyRequest,
    base_url,
    content_length,
    media_type,
    parse_pairs,
    parse_query,
    parse_whole_number,
)
from mediatheque.doors.recordings.errors import answer_chunk_conflict
from mediatheque.doors.recordings.headers import (
    CHUNK_INDEX,
    UPLOAD_OFFSET,
    parse_place,
    position_headers,
)
from mediatheque.doors.recordings.playback import play, playable_names
from mediatheque.doors.recordings.schemas import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    Created,
    Message,
    Recording,
    RecordingPage,
    RecordingWithFiles,
    Status,
    Videos,
    recording_values,
    with_files,
)

_MULTIPART = "multipart/form-data"
_PLAYED = ("video/", "audio/", "application/octet-stream")
_CHUNK = Schema(
    type=OpenAPIType.STRING,
    format=OpenAPIFormat.BINARY,
    description="Bytes of any type, or multipart/form-data with one file.",
)
_CHUNK_HEADERS = {
    CHUNK_INDEX: "Number of the chunk, from 0.",
    UPLOAD_OFFSET: "How many bytes of the recording come before the chunk.",
    "Content-Digest": "Digest of the body (RFC 9530), which is then verified.",
}
_LIST_PARAMETERS = {
    "limit": "Recordings per page, 1 to 1000; default 100.",
    "after": "Id of the last recording of the page before.",
}
_VARY = {"Vary": "Accept, Range"}


@post("/create", status_code=200, summary="Start a recording")
async def create(request: AnyRequest, services: GivenServices, bodies: GivenBodies) -> Created:
    """Return the id of a new recording. A body is ignored."""
    await bodies.read_all(request)
    recording = await services.recordings.create(resolve_principal())
    return Created(str(recording.id))


@post(
    "/add_data/{video_id:str}",
    status_code=200,
    operation_class=with_body("*/*", _CHUNK, required=False, headers=_CHUNK_HEADERS),
    summary="Add a chunk",
)
async def add_data(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, video_id: str
) -> Response[Message]:
    """Append a chunk, durably. An empty one is acknowledged, and nothing is stored."""
    place = parse_place(request.scope["headers"])
    async with _chunk(request, bodies) as (pieces, digests):
        recording = await services.recordings.add(
            resolve_principal(), video_id, pieces, place=place, digests=digests
        )
    return Response(
        Message("Data added successfully"),
        headers=position_headers(chunks=recording.chunks, size=recording.size),
    )


@post("/complete_job/{video_id:str}", status_code=200, summary="Complete a recording")
async def complete_job(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, video_id: str
) -> Message:
    """Take no more chunks, and let what there is be processed. A body is ignored."""
    await bodies.read_all(request)
    await services.recordings.complete(resolve_principal(), video_id)
    return Message("Video recording completed, processing started")


@get("/check_status/{video_id:str}", summary="Where a recording stands")
async def check_status(services: GivenServices, video_id: str) -> Response[Status]:
    """Return the status of a recording in one word; headers tell where it goes on."""
    found = await services.recordings.find(resolve_principal(), video_id)
    return Response(
        Status(found.state, found.warning, found.error),
        headers=position_headers(chunks=found.chunks, size=found.size),
    )


@route(
    "/video/{video_id:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={200: ResponseSpec(Videos, generate_examples=False, description="The names.")},
    summary="List the files of a recording, or play it",
)
async def video(
    request: AnyRequest, services: GivenServices, video_id: str
) -> Response[Videos] | Download:
    """Return the names of the playable files.

    With `Range`, or where `Accept` prefers video or audio: the bytes, as far as they are there.
    """
    recording = await services.recordings.find(resolve_principal(), video_id)
    medias = await services.recordings.medias(resolve_principal(), recording)
    if _wants_bytes(request):
        return await play(services, recording, medias, headers=_VARY)
    return Response(Videos(playable_names(recording, medias)), headers=_VARY)


@route(
    "/video/{video_id:str}/{name:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    summary="Play a recording",
)
async def video_file(services: GivenServices, video_id: str, name: str) -> Download:
    """Return the bytes of one file; while the recording is not complete, what has arrived."""
    recording = await services.recordings.find(resolve_principal(), video_id)
    medias = await services.recordings.medias(resolve_principal(), recording)
    return await play(services, recording, medias, name)


@get("/recordings", operation_class=with_parameters(_LIST_PARAMETERS), summary="List recordings")
async def index(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> RecordingPage:
    """Return one page of recordings, newest first."""
    query = parse_query(
        parse_pairs(request.scope["query_string"]), known=frozenset(_LIST_PARAMETERS)
    )
    limit = query.get("limit", str(DEFAULT_PAGE_SIZE))
    found = await services.recordings.page(
        resolve_principal(),
        after=query.get("after"),
        limit=parse_whole_number(limit, field="limit", least=1, most=MAX_PAGE_SIZE),
    )
    following = None
    if found.more:
        more = urlencode({**query, "after": str(found.recordings[-1].id)})
        following = f"{base_url(request, settings)}/recordings?{more}"
    return RecordingPage(
        [Recording(**recording_values(one)) for one in found.recordings], following
    )


@get("/recordings/{video_id:str}", summary="Show a recording")
async def show(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, video_id: str
) -> RecordingWithFiles:
    """Return a recording with its medias."""
    recording = await services.recordings.find(resolve_principal(), video_id)
    medias = await services.recordings.medias(resolve_principal(), recording)
    return with_files(recording, medias, base_url(request, settings))


@asynccontextmanager
async def _chunk(
    request: AnyRequest, bodies: BodyReader
) -> AsyncIterator[tuple[AsyncIterator[bytes], Mapping[str, bytes]]]:
    """Open the chunk that a request carries: its bytes, and the digests that they must have."""
    digests = sent_digests(request, "Content-Digest")
    async with aclosing(bodies.pieces(request)) as body:
        if media_type(request) != _MULTIPART or content_length(request) == 0:
            yield body, digests
            return
        # A digest is that of the whole body, and the chunk is only the file in it.
        form = read_file(request.headers.get("content-type"), check_digests(body, digests))
        async with aclosing(form) as pieces:
            yield pieces, {}


def _wants_bytes(request: AnyRequest) -> bool:
    headers = request.headers
    return "range" in headers or prefers(headers.get("accept"), _PLAYED, over=JSON)


router = Router(
    "/",
    route_handlers=[
        create,
        add_data,
        complete_job,
        check_status,
        video,
        video_file,
        index,
        show,
    ],
    exception_handlers={ChunkConflictError: answer_chunk_conflict},
    tags=["recordings"],
)
