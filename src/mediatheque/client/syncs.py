"""Syncs: folders of the server's own machine, mirrored into buckets."""

from collections.abc import AsyncIterator

from msgspec import Struct, field

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.pages import every_item
from mediatheque.client.results import Sync, SyncOperation, SyncSchedule

_ANSWER_SECONDS = 60.0
"""How long an answer may take beyond what the server was asked to wait."""


class _OperationPage(Struct, frozen=True):
    items: tuple[SyncOperation, ...] = field(name="operations")
    next: str | None


class Syncs:
    """What can be asked of syncs. Each one is a job, whose id is its ``job``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(
        self,
        source: str = "",
        *,
        dest: str | None = None,
        storage_url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        region: str | None = None,
        wait: float = 0.0,
        dry_run: bool = False,
        verify: bool = False,
        force: bool = False,
        watch: bool = False,
        as_planned: int | None = None,
        backup_prefix: str | None = None,
        prefer_wait: int = 0,
    ) -> Sync:
        """Start to make a bucket the mirror of a folder; what the folder lacks is deleted there.

        ``source`` is relative to the server's uploads root, all of it when empty. ``dest``: the
        bucket, in the S3 store at ``storage_url`` or in the server's own. ``wait``: seconds
        between two file operations. ``dry_run`` only plans. ``verify`` reads every file. ``force``
        overrules the limits of deletions. What is overwritten or deleted is kept under
        ``backup_prefix``. ``watch``: go on with it whenever the folder changes. ``as_planned``:
        the id of a dry run; what its plan does not overwrite or delete is not. ``prefer_wait``:
        return when it has ended, or after so many seconds (0 to 300).

        Raises ConflictError while another sync of the bucket runs or when ``as_planned`` is out of
        date, and ForbiddenError for a ``storage_url`` that the server does not allow.
        """
        answer = await self._connection.request(
            "POST",
            "/sync",
            # In the body: addresses end up in logs, keys must not.
            body=_given(
                source=source,
                dest=dest,
                storage_url=storage_url,
                access_key=access_key,
                secret_key=secret_key,
                region=region,
                wait=wait,
                dry_run=dry_run,
                verify=verify,
                force=force,
                watch=watch,
                as_planned=as_planned,
                backup_prefix=backup_prefix,
            ),
            headers={"Prefer": f"wait={prefer_wait}"},
            repeatable=False,
            read_timeout=prefer_wait + _ANSWER_SECONDS if prefer_wait else None,
        )
        return decode(answer, Sync)

    async def find(self, sync_id: int) -> Sync:
        """Return a sync. Raises NotFoundError."""
        return decode(await self._connection.request("GET", "/get", params=_id(sync_id)), Sync)

    async def running(self) -> list[Sync]:
        """Return the syncs that run."""
        return decode(await self._connection.request("GET", "/runnings"), list[Sync])

    async def cancel(self, sync_id: int) -> Sync:
        """End a sync before its next file operation; return it, ended if that took no 2 seconds.

        One that has ended stays as it is. Raises NotFoundError.
        """
        return decode(await self._connection.request("POST", "/cancel", params=_id(sync_id)), Sync)

    def operations(
        self,
        sync_id: int,
        *,
        action: str | None = None,
        state: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[SyncOperation]:
        """Yield the operations of a sync in the order of work: all, or of one action or state."""
        given = {"action": action, "state": state}
        params = dict(_id(sync_id)) | {name: value for name, value in given.items() if value}
        return every_item(self._connection, "/sync/operations", params, _OperationPage, limit=limit)

    async def schedule(
        self,
        cron: str,
        source: str = "",
        *,
        dest: str | None = None,
        storage_url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        region: str | None = None,
        wait: float = 0.0,
        verify: bool = False,
        force: bool = False,
        backup_prefix: str | None = None,
    ) -> SyncSchedule:
        """Start a sync again and again: at the times of ``cron``, in UTC. The rest as ``start``."""
        answer = await self._connection.request(
            "POST",
            "/sync/schedules",
            body=_given(
                cron=cron,
                source=source,
                dest=dest,
                storage_url=storage_url,
                access_key=access_key,
                secret_key=secret_key,
                region=region,
                wait=wait,
                verify=verify,
                force=force,
                backup_prefix=backup_prefix,
            ),
            repeatable=False,
        )
        return decode(answer, SyncSchedule)

    async def schedules(self) -> list[SyncSchedule]:
        """Return all schedules."""
        return decode(await self._connection.request("GET", "/sync/schedules"), list[SyncSchedule])

    async def unschedule(self, schedule_id: int) -> None:
        """Remove a schedule. Raises NotFoundError."""
        await self._connection.request("DELETE", f"/sync/schedules/{schedule_id}")


def _given(**values: str | float | bool | None) -> dict[str, str | float | bool]:
    """Return the parameters that say something; the server has defaults for the others."""
    return {name: value for name, value in values.items() if value}


def _id(sync_id: int) -> tuple[tuple[str, str], ...]:
    return (("id", str(sync_id)),)
