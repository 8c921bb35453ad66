"""Door 2: sync. Mirror a folder into a bucket, once or at times, ask how it stands, cancel it."""

from urllib.parse import urlencode

from litestar import Response, Router, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.config import Settings
from mediatheque.domain import syncs as domain
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.syncs import Action, OperationState
from mediatheque.doors.dependencies import GivenBodies, GivenServices, GivenSettings
from mediatheque.doors.http.connected import while_connected
from mediatheque.doors.http.openapi import with_body, with_parameters
from mediatheque.doors.http.requests import AnyRequest, base_url
from mediatheque.doors.sync.parameters import (
    Values,
    parse_after,
    parse_after_sync,
    parse_choice,
    parse_cron,
    parse_flag,
    parse_limit,
    parse_number,
    parse_preferred_wait,
    parse_sync,
    read_values,
    whole_number,
)
from mediatheque.doors.sync.schemas import (
    DEFAULT_SYNCS,
    OPERATIONS_PAGE,
    SYNCS_PAGE,
    DryRun,
    OperationPage,
    Schedule,
    Sync,
    SyncPage,
    operation_resource,
    schedule_resource,
    sync_values,
)
from mediatheque.services import Services

_DRY_RUN_WAIT = 30
_SCHEDULED = {
    "source": "Folder, relative to the uploads root; default: all of it.",
    "dest": "Name of the bucket; default `mybucket`.",
    "storage_url": "Address of an S3 store; default: the configured store.",
    "access_key": "For `storage_url`; default: the service's own.",
    "secret_key": "Together with `access_key`.",
    "region": "For `storage_url`; default `us-east-1`.",
    "wait": "Seconds between two file operations, 0 to 60; default 0.",
    "verify": "`1`: read every file and compare it by its digest.",
    "force": "`1`: delete as much as it takes; the limits of deletions do not hold.",
    "backup_prefix": "Keep what is overwritten or deleted below this prefix of the bucket.",
}
_PARAMETERS = {
    **_SCHEDULED,
    "dry_run": "`1`: only plan, and tell what would be done.",
    "watch": "`1`: go on whenever the folder changes, until it is cancelled.",
    "as_planned": "Id of a dry run: overwrite and delete nothing that its plan does not.",
}
_SCHEDULE_PARAMETERS = {**_SCHEDULED, "cron": "When, in UTC: five fields, as `17 * * * *`."}
_ID = {"id": "Id of the sync."}
_HISTORY_PARAMETERS = {
    "limit": "Syncs per page, 1 to 1000; default 100.",
    "after": "Id of the last sync of the page before.",
}
_OPERATION_PARAMETERS = {
    **_ID,
    "action": "`upload`, `copy`, `update` or `delete`; default: any.",
    "state": "`pending`, `done`, `failed` or `skipped`; default: any.",
    "under_way": "`1`: only files of which a part is in the bucket.",
    "limit": "Operations per page, 1 to 1000; default 1000.",
    "after": "From the `next` of the page before.",
}
# The application asks who means such a GET: see OriginGuard.
_ACTS = {"acts": True}


def _object(parameters: dict[str, str]) -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT,
        properties={
            name: Schema(type=OpenAPIType.STRING, description=description)
            for name, description in parameters.items()
        },
    )


@get(
    "/sync",
    opt=_ACTS,
    operation_class=with_parameters(_PARAMETERS),
    summary="Start a sync",
)
async def start_by_get(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> Response[Sync | DryRun]:
    """Start a sync and return it; with `Prefer: wait=N` once it has ended, or after N seconds."""
    return await _start(request, services, settings, await read_values(request, _PARAMETERS))


@post(
    "/sync",
    status_code=200,
    operation_class=with_body("application/json", _object(_PARAMETERS), required=False),
    summary="Start a sync",
)
async def start(
    request: AnyRequest, services: GivenServices, settings: GivenSettings, bodies: GivenBodies
) -> Response[Sync | DryRun]:
    """Start a sync and return it, as GET does; parameters can be a form as well."""
    values = await read_values(request, _PARAMETERS, bodies)
    return await _start(request, services, settings, values)


@get("/runnings", summary="List running syncs")
async def runnings_by_get(request: AnyRequest, services: GivenServices) -> list[Sync]:
    """Return the syncs that have not ended, oldest first."""
    await read_values(request, ())
    return await _runnings(services)


@post("/runnings", status_code=200, summary="List running syncs")
async def runnings(request: AnyRequest, services: GivenServices, bodies: GivenBodies) -> list[Sync]:
    """Return the syncs that have not ended, oldest first."""
    await read_values(request, (), bodies)
    return await _runnings(services)


@get("/get", operation_class=with_parameters(_ID), summary="Show a sync")
async def show_by_get(request: AnyRequest, services: GivenServices) -> Sync:
    """Return one sync."""
    return await _show(services, await read_values(request, _ID))


@post(
    "/get",
    status_code=200,
    operation_class=with_body("application/json", _object(_ID), required=False, parameters=_ID),
    summary="Show a sync",
)
async def show(request: AnyRequest, services: GivenServices, bodies: GivenBodies) -> Sync:
    """Return one sync."""
    return await _show(services, await read_values(request, _ID, bodies))


@get("/cancel", opt=_ACTS, operation_class=with_parameters(_ID), summary="Cancel a sync")
async def cancel_by_get(request: AnyRequest, services: GivenServices) -> Sync:
    """End a sync before its next file operation; one that has ended stays as it is."""
    return await _cancel(services, await read_values(request, _ID))


@post(
    "/cancel",
    status_code=200,
    operation_class=with_body("application/json", _object(_ID), required=False, parameters=_ID),
    summary="Cancel a sync",
)
async def cancel(request: AnyRequest, services: GivenServices, bodies: GivenBodies) -> Sync:
    """End a sync before its next file operation; one that has ended stays as it is."""
    return await _cancel(services, await read_values(request, _ID, bodies))


@get(
    "/sync/history",
    operation_class=with_parameters(_HISTORY_PARAMETERS),
    summary="List syncs",
)
async def history(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> SyncPage:
    """Return one page of the syncs that have ended or not, newest first."""
    values = await read_values(request, _HISTORY_PARAMETERS)
    found = await services.syncs.history(
        resolve_principal(),
        after=parse_after_sync(values),
        limit=parse_limit(values, most=SYNCS_PAGE, default=DEFAULT_SYNCS),
    )
    following = None
    if found.more:
        more = urlencode({**values, "after": found.syncs[-1].number})
        following = f"{base_url(request, settings)}/sync/history?{more}"
    return SyncPage([Sync(**sync_values(one)) for one in found.syncs], following)


@get(
    "/sync/operations",
    operation_class=with_parameters(_OPERATION_PARAMETERS),
    summary="List the operations of a sync",
)
async def operations(
    request: AnyRequest, services: GivenServices, settings: GivenSettings
) -> OperationPage:
    """Return one page of what a sync does, in the order of work."""
    values = await read_values(request, _OPERATION_PARAMETERS)
    return await _operations(request, services, settings, parse_number(values), values)


@post(
    "/sync/schedules",
    status_code=201,
    operation_class=with_body("application/json", _object(_SCHEDULE_PARAMETERS)),
    summary="Schedule a sync",
)
async def schedule(
    request: AnyRequest, services: GivenServices, bodies: GivenBodies
) -> Response[Schedule]:
    """Let a sync start again and again; parameters can be a form as well."""
    values = await read_values(request, _SCHEDULE_PARAMETERS, bodies)
    created = await services.sync_schedules.create(
        resolve_principal(), parse_cron(values), parse_sync(values)
    )
    location = f"/sync/schedules/{created.number}"
    return Response(schedule_resource(created), status_code=201, headers={"Location": location})


@get("/sync/schedules", summary="List schedules")
async def schedules(request: AnyRequest, services: GivenServices) -> list[Schedule]:
    """Return every schedule, oldest first."""
    await read_values(request, ())
    return [
        schedule_resource(one) for one in await services.sync_schedules.list(resolve_principal())
    ]


@delete("/sync/schedules/{number:str}", status_code=204, summary="Remove a schedule")
async def unschedule(services: GivenServices, number: str) -> None:
    """Start a sync no more; one that it has started goes on."""
    parsed = whole_number(number)
    if parsed is None:
        raise NotFoundError(f"There is no schedule {number[:100]!r}.")
    await services.sync_schedules.remove(resolve_principal(), parsed)


async def _start(
    request: AnyRequest, services: Services, settings: Settings, values: Values
) -> Response[Sync | DryRun]:
    asked = parse_sync(values)
    preferred = parse_preferred_wait(request.headers.getall("prefer", []))
    started = await services.syncs.start(resolve_principal(), asked)
    seconds = preferred
    if seconds is None:
        seconds = _DRY_RUN_WAIT if asked.options.dry_run else 0
    found = await _wait(request, services, started, seconds)
    answer = Sync(**sync_values(found))
    if asked.options.dry_run:
        page = await _operations(request, services, settings, found.number, {})
        answer = DryRun(**sync_values(found), operations=page.operations, next=page.next)
    headers = {} if preferred is None else {"Preference-Applied": f"wait={preferred}"}
    return Response(answer, headers=headers)


async def _wait(
    request: AnyRequest, services: Services, sync: domain.Sync, seconds: int
) -> domain.Sync:
    """Return a sync once it has ended, or after so many seconds, or when the client is gone."""
    if not seconds:
        return sync
    waiting = services.syncs.wait_for(resolve_principal(), sync.number, seconds)
    return await while_connected(request.receive, waiting) or sync


async def _runnings(services: Services) -> list[Sync]:
    found = await services.syncs.runnings(resolve_principal())
    return [Sync(**sync_values(sync)) for sync in found]


async def _show(services: Services, values: Values) -> Sync:
    found = await services.syncs.find(resolve_principal(), parse_number(values))
    return Sync(**sync_values(found))


async def _cancel(services: Services, values: Values) -> Sync:
    found = await services.syncs.cancel(resolve_principal(), parse_number(values))
    return Sync(**sync_values(found))


async def _operations(
    request: AnyRequest, services: Services, settings: Settings, number: int, values: Values
) -> OperationPage:
    action = parse_choice(values, "action", tuple(Action))
    state = parse_choice(values, "state", tuple(OperationState))
    found = await services.syncs.operations(
        resolve_principal(),
        number,
        action=Action(action) if action else None,
        state=OperationState(state) if state else None,
        under_way=parse_flag(values, "under_way"),
        after=parse_after(values),
        limit=parse_limit(values, most=OPERATIONS_PAGE),
    )
    following = None
    if found.more:
        last = found.operations[-1]
        more = urlencode({**values, "id": number, "after": f"{last.rank}-{last.position}"})
        following = f"{base_url(request, settings)}/sync/operations?{more}"
    return OperationPage([operation_resource(one) for one in found.operations], following)


router = Router(
    "/",
    route_handlers=[
        start_by_get,
        start,
        runnings_by_get,
        runnings,
        show_by_get,
        show,
        cancel_by_get,
        cancel,
        history,
        operations,
        schedule,
        schedules,
        unschedule,
    ],
    cache_control=CacheControlHeader(no_store=True),
    tags=["sync"],
)
