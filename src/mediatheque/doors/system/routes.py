"""The system: how the service stands, what it holds, what passes, and folders to choose from."""

import asyncio
from datetime import UTC, datetime

from litestar import Router, get
from litestar.openapi.spec import OpenAPIType, Schema

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import InvalidError
from mediatheque.doors.dependencies import GivenServices, GivenSettings
from mediatheque.doors.http.openapi import with_parameters
from mediatheque.doors.http.requests import AnyRequest, parse_pairs, parse_query, parse_whole_number
from mediatheque.doors.system.schemas import (
    FolderItems,
    Passed,
    Stored,
    System,
    folder_items,
    passed_of,
    stored_of,
    system_of,
)
from mediatheque.telemetry.metrics import throughput

_DEFAULT_DAYS = 30
_MOST_DAYS = 3660
_STORED_PARAMETERS = {
    "days": f"Days to tell one by one, today (UTC) included: 1 to {_MOST_DAYS}; default 30."
}
_FOLDER_PARAMETERS = {
    "of": "`transfers` or `sync`: who would read it.",
    "path": "Absolute path of the folder; without one, the roots.",
}
_OF = Schema(type=OpenAPIType.STRING, enum=["transfers", "sync"])


@get("/", summary="How the service stands")
async def show(services: GivenServices, settings: GivenSettings) -> System:
    """Return version, health, workers, and the settings in effect with secrets masked."""
    standing = await services.system.standing(resolve_principal())
    counted = await asyncio.to_thread(throughput)
    return system_of(standing, settings, counted.started_at)


@get("/stored", operation_class=with_parameters(_STORED_PARAMETERS), summary="What is stored")
async def stored(request: AnyRequest, services: GivenServices) -> Stored:
    """Return how many medias there are, and their bytes: in all, by kind, by day."""
    query = parse_query(
        parse_pairs(request.scope["query_string"]), known=frozenset(_STORED_PARAMETERS)
    )
    days = _DEFAULT_DAYS
    if "days" in query:
        days = parse_whole_number(query["days"], field="days", least=1, most=_MOST_DAYS)
    return stored_of(await services.system.stored(resolve_principal(), days=days))


@get("/throughput", summary="What passed through")
async def passed() -> Passed:
    """Return the counters of all web processes of this machine."""
    counted = await asyncio.to_thread(throughput)
    return passed_of(counted, datetime.now(UTC))


@get(
    "/folders",
    operation_class=with_parameters(_FOLDER_PARAMETERS, schemas={"of": _OF}),
    summary="Look into a folder",
)
async def folders(request: AnyRequest, services: GivenServices) -> FolderItems:
    """Return the folders and files in a folder that transfers or syncs may read."""
    query = parse_query(
        parse_pairs(request.scope["query_string"]), known=frozenset(_FOLDER_PARAMETERS)
    )
    readers = {"transfers": services.transfer_folders, "sync": services.sync_folders}
    if query.get("of") not in readers:
        raise InvalidError("of must be transfers or sync.", field="of")
    found = await readers[query["of"]].look(resolve_principal(), query.get("path", ""))
    return folder_items(found)


router = Router("/system", route_handlers=[show, stored, passed, folders], tags=["system"])
