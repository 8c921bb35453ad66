"""Door 0: transfers. Start them or move them call by call, ask how they stand, steer them."""

from urllib.parse import urlencode

from litestar import Response, Router, get, patch, post
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain import transfers as domain
from mediatheque.domain.errors import DisconnectedError, InvalidError
from mediatheque.domain.jobs import Signal
from mediatheque.domain.transfers import BadSourcesError
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.bodies import BodyReader, parse_json
from mediatheque.doors.http.connected import while_connected
from mediatheque.doors.http.openapi import with_body, with_parameters
from mediatheque.doors.http.requests import (
    AnyRequest,
    base_url,
    parse_pairs,
    parse_query,
    parse_whole_number,
)
from mediatheque.doors.transfers.errors import answer_bad_sources
from mediatheque.doors.transfers.schemas import (
    DEFAULT_TRANSFERS,
    MAX_PAGE_SIZE,
    Moved,
    Preview,
    Status,
    Transfer,
    TransferPage,
    TransferWithFiles,
    file_resource,
    parse_bandwidth,
    parse_cursor,
    parse_limit,
    parse_media_files,
    parse_object,
    parse_state,
    preview_resource,
    transfer_values,
)
from mediatheque.services.transfers import parse_statuses

LONGEST_BODY = 16 << 20
"""Longest list of sources that is taken, in bytes."""

_MOST_POSITION = 10**11 - 1
_TEXT = Schema(type=OpenAPIType.STRING)
_NUMBER = Schema(type=OpenAPIType.INTEGER)
_URIS = Schema(type=OpenAPIType.ARRAY, items=_TEXT)
_BACKGROUND = Schema(
    type=OpenAPIType.OBJECT, properties={"media_files": _URIS}, required=["media_files"]
)
_SEGMENT = Schema(type=OpenAPIType.OBJECT, properties={"media_files": _URIS, "cursor": _TEXT})
_START = Schema(
    type=OpenAPIType.OBJECT,
    properties={"media_files": _URIS, "bandwidth": _NUMBER},
    required=["media_files"],
)
_LIMIT = Schema(type=OpenAPIType.OBJECT, properties={"bandwidth": _NUMBER})
_LIST_PARAMETERS = {
    "status": "Statuses, comma-separated; default: any.",
    "limit": "Transfers per page, 1 to 1000; default 100.",
    "after": "Id of the last transfer of the page before.",
}
_FILE_PARAMETERS = {
    "state": "`pending`, `complete`, `failed` or `skipped`; default: any.",
    "limit": "Files per page, 0 to 1000; default 1000.",
    "after": "Position of the last file of the page before.",
}


@post(
    "/transfer_media_segment",
    status_code=200,
    operation_class=with_body("application/json", _SEGMENT),
    summary="Transfer one segment",
)
async def move(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[Moved]:
    """Transfer at most one segment and return the cursor of the next call.

    Nobody waits any more for a client that is gone; its segment is moved all the same.
    """
    values = parse_object(await _json(request, bodies), known=frozenset({"media_files", "cursor"}))
    moving = services.transfers.move(
        resolve_principal(), parse_media_files(values), parse_cursor(values)
    )
    transfer = await while_connected(request.receive, moving)
    if transfer is None:
        raise DisconnectedError("The client went away while its segment was moved.")
    headers = {
        "Transfer-Status": transfer.status,
        "Transfer-Progress": f"{transfer.progress:.4f}",
    }
    return Response(Moved(transfer.cursor), headers=headers)


@post(
    "/transfer_media",
    status_code=202,
    operation_class=with_body("application/json", _BACKGROUND),
    summary="Transfer in the background",
)
async def transfer_media(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[bytes]:
    """Start a transfer; ``Location`` tells where to ask for its status."""
    values = parse_object(await _json(request, bodies), known=frozenset({"media_files"}))
    started = await services.transfers.start(resolve_principal(), parse_media_files(values) or [])
    location = f"/status/{started.cursor}"
    return Response(b"", status_code=202, headers={"Location": location}, media_type="text/plain")


@get("/status/{cursor:str}", summary="Where a transfer stands")
async def status(services: GivenServices, cursor: str) -> Status:
    """Return the status of a transfer in one word."""
    found = await services.transfers.find_by_cursor(resolve_principal(), cursor)
    return Status(found.status)


@get(
    "/status",
    operation_class=with_parameters({"cursor": "Cursor of the transfer."}),
    summary="Where a transfer stands",
)
async def status_by_query(request: AnyRequest, services: GivenServices) -> Status:
    """Return the status of a transfer in one word."""
    cursor = dict(parse_pairs(request.scope["query_string"])).get("cursor")
    if not cursor:
        raise InvalidError("The cursor is missing: /status?cursor=…", field="cursor")
    found = await services.transfers.find_by_cursor(resolve_principal(), cursor)
    return Status(found.status)


@post(
    "/transfers",
    status_code=202,
    operation_class=with_body("application/json", _START),
    summary="Start a transfer",
)
async def start(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[Transfer]:
    """Start a transfer of files, and of everything below folders."""
    values = parse_object(
        await _json(request, bodies), known=frozenset({"media_files", "bandwidth"})
    )
    started = await services.transfers.start(
        resolve_principal(), parse_media_files(values) or [], bandwidth=parse_bandwidth(values)
    )
    return Response(
        Transfer(**transfer_values(started)),
        status_code=202,
        headers={"Location": f"/transfers/{started.id}"},
    )


@post(
    "/transfers/preview",
    status_code=200,
    operation_class=with_body("application/json", _BACKGROUND),
    summary="See what a transfer would take along",
)
async def preview(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[Preview]:
    """Count the files of a transfer, and their bytes; nothing is started."""
    values = parse_object(await _json(request, bodies), known=frozenset({"media_files"}))
    looking = services.transfers.preview(parse_media_files(values) or [])
    found = await while_connected(request.receive, looking)
    if found is None:
        raise DisconnectedError("The client went away before the preview was complete.")
    return Response(preview_resource(found))


@get("/transfers", operation_class=with_parameters(_LIST_PARAMETERS), summary="List transfers")
async def index(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> TransferPage:
    """Return one page of transfers, newest first."""
    query = parse_query(
        parse_pairs(request.scope["query_string"]), known=frozenset(_LIST_PARAMETERS)
    )
    found = await services.transfers.page(
        resolve_principal(),
        statuses=parse_statuses(query.get("status", "")),
        after=query.get("after"),
        limit=parse_limit(query, default=DEFAULT_TRANSFERS, least=1),
    )
    following = None
    if found.more:
        more = urlencode({**query, "after": str(found.transfers[-1].id)}, safe=",")
        following = f"{base_url(request, settings)}/transfers?{more}"
    return TransferPage([Transfer(**transfer_values(one)) for one in found.transfers], following)


@get(
    "/transfers/{transfer_id:str}",
    operation_class=with_parameters(_FILE_PARAMETERS),
    summary="Show a transfer",
)
async def show(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, transfer_id: str
) -> TransferWithFiles:
    """Return a transfer with one page of its files."""
    query = parse_query(
        parse_pairs(request.scope["query_string"]), known=frozenset(_FILE_PARAMETERS)
    )
    state, limit = parse_state(query), parse_limit(query, default=MAX_PAGE_SIZE, least=0)
    after = -1
    if "after" in query:
        after = parse_whole_number(query["after"], field="after", least=0, most=_MOST_POSITION)
    transfer, found = await services.transfers.find_with_files(
        resolve_principal(), transfer_id, state=state, after=after, limit=limit
    )
    following = None
    if found.more and found.files:
        more = urlencode({**query, "after": found.files[-1][0].position})
        following = f"{base_url(request, settings)}/transfers/{transfer.id}?{more}"
    return TransferWithFiles(
        **transfer_values(transfer),
        file_list=[file_resource(file, uri) for file, uri in found.files],
        next=following,
    )


@patch(
    "/transfers/{transfer_id:str}",
    operation_class=with_body("application/json", _LIMIT),
    summary="Limit a transfer's bandwidth",
)
async def limit(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies, transfer_id: str
) -> Transfer:
    """Set bytes per second, or null for no limit. A running transfer follows within seconds."""
    values = parse_object(await _json(request, bodies), known=frozenset({"bandwidth"}))
    if "bandwidth" not in values:
        raise InvalidError("bandwidth is missing.", field="bandwidth")
    changed = await services.transfers.limit(
        resolve_principal(), transfer_id, parse_bandwidth(values)
    )
    return Transfer(**transfer_values(changed))


@post("/transfers/{transfer_id:str}/cancel", status_code=200, summary="Cancel a transfer")
async def cancel(services: GivenServices, transfer_id: str) -> Transfer:
    """End a transfer; files that are complete stay."""
    return await _signal(services, transfer_id, Signal.CANCEL)


@post("/transfers/{transfer_id:str}/pause", status_code=200, summary="Pause a transfer")
async def pause(services: GivenServices, transfer_id: str) -> Transfer:
    """Let a transfer wait until it is resumed."""
    return await _signal(services, transfer_id, Signal.PAUSE)


@post("/transfers/{transfer_id:str}/resume", status_code=200, summary="Resume a transfer")
async def resume(services: GivenServices, transfer_id: str) -> Transfer:
    """Let a paused transfer go on."""
    return await _signal(services, transfer_id, Signal.RESUME)


@post("/transfers/{transfer_id:str}/retry", status_code=200, summary="Retry what failed")
async def retry(services: GivenServices, transfer_id: str) -> Transfer:
    """Transfer the files that failed, and those that a cancelled transfer left."""
    return await _signal(services, transfer_id, Signal.RETRY)


async def _signal(services: GivenServices, transfer_id: str, signal: Signal) -> Transfer:
    changed: domain.Transfer = await services.transfers.signal(
        resolve_principal(), transfer_id, signal
    )
    return Transfer(**transfer_values(changed))


async def _json(request: AnyRequest, bodies: BodyReader) -> object:
    return parse_json(await bodies.read_all(request, limit=LONGEST_BODY))


router = Router(
    "/",
    route_handlers=[
        move,
        transfer_media,
        status,
        status_by_query,
        start,
        preview,
        index,
        show,
        limit,
        cancel,
        pause,
        resume,
        retry,
    ],
    exception_handlers={BadSourcesError: answer_bad_sources},
    tags=["transfers"],
)
