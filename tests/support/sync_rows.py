"""Syncs as rows of the catalog, with a job of each, and operations of their plans."""

from typing import Any

from mediatheque.catalog import sync_buckets, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.ids import new_id
from mediatheque.domain.sync_plan import Remembered
from mediatheque.domain.syncs import Action, Operation, Sync, SyncOptions
from mediatheque.services.jobs import enqueue_in

LOCATION = "https://127.0.0.1:9000"


async def add_sync(
    database: Database,
    bucket: str = "photos",
    *,
    principal: Principal = LOCAL_OPERATOR,
    options: SyncOptions | None = None,
    **values: Any,
) -> Sync:
    """Insert a sync and its job, which waits for a worker; two of one bucket may be live."""
    async with database.begin() as transaction:
        job = await enqueue_in(
            transaction, principal, job_class="sync", queue="syncs", arguments={}
        )
        held = await sync_buckets.claim(transaction, LOCATION, bucket)
        plain: dict[str, Any] = {"id": job.id, "bucket_id": held.id, "source": "2026/november"}
        await syncs.add(transaction, options=options or SyncOptions(), **(plain | values))
        added = await syncs.find_by_id(transaction, job.id)
    assert added is not None
    return added


def an_operation(position: int, action: Action = Action.UPLOAD, **values: Any) -> Operation:
    """Return an operation with these values; what is not given is plain."""
    key = f"file {position}".encode()
    plain: dict[str, Any] = {"key": key, "path": key, "size": 10 + position}
    return Operation(action=action, position=position, **(plain | values))


def remembered(key: bytes, **values: Any) -> Remembered:
    """Return what is remembered of an object; what is not given is plain."""
    plain: dict[str, Any] = {
        "size": 10,
        "etag": "e",
        "mtime_ns": 1_700_000_000_123_456_789,
        "ctime_ns": 1_700_000_000_123_456_790,
        "inode": 2**63 - 1,
        "blake3": new_id().hex * 2,
        "uploaded": True,
    }
    return Remembered(key=key, **(plain | values))
