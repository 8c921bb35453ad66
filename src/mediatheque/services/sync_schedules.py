"""Syncs that start again and again, at times that a cron expression names."""

from dataclasses import replace
from datetime import UTC, datetime

from mediatheque.catalog import sync_buckets, sync_schedules
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ForbiddenError, InvalidError, NotFoundError
from mediatheque.domain.syncs import SyncSchedule
from mediatheque.services.sync_requests import SyncRequest, SyncTask, check_request
from mediatheque.services.syncs import start_in
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.sealing import Sealer
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_FIELDS = 5


class SyncScheduleService:
    """Keeps schedules, and starts the syncs that are due."""

    def __init__(self, database: Database, endpoints: Endpoints, sealer: Sealer) -> None:
        self._database = database
        self._endpoints = endpoints
        self._sealer = sealer

    async def create(self, principal: Principal, cron: str, request: SyncRequest) -> SyncSchedule:
        """Let a sync start whenever ``cron`` says, in UTC.

        Raises what ``SyncService.start`` raises for the request, and InvalidError for what is no
        cron expression of five fields, and for a sync that only looks or that watches.
        """
        options = request.options
        if options.dry_run or options.watch:
            name = "dry_run" if options.dry_run else "watch"
            raise InvalidError(f"A schedule has no {name}.", field=name)
        next_at = _next_time(cron, datetime.now(UTC))
        task = check_request(request, self._endpoints, self._sealer)
        owner = owner_scope(principal)
        async with self._database.begin() as transaction:
            bucket = await sync_buckets.claim(transaction, task.location, task.bucket)
            number = await sync_schedules.add(
                transaction,
                bucket_id=bucket.id,
                source=task.source,
                options=task.options,
                credentials=task.credentials,
                cron=cron,
                next_at=next_at,
                created_by=principal.name,
                created_role=principal.role,
            )
            created = await sync_schedules.find(transaction, number, owner=owner)
        assert created is not None
        return created

    async def list(self, principal: Principal) -> list[SyncSchedule]:
        """Return every schedule, oldest first."""
        async with self._database.read() as connection:
            return await sync_schedules.page(connection, owner=owner_scope(principal))

    async def remove(self, principal: Principal, number: int) -> None:
        """Delete a schedule; a sync that it has started goes on. Raises NotFoundError."""
        async with self._database.begin() as transaction:
            removed = await sync_schedules.remove(transaction, number, owner=owner_scope(principal))
        if not removed:
            raise NotFoundError("There is no such schedule.")

    async def start_due(self) -> None:
        """Start every sync that is due, each once, however many workers call this.

        Times that were missed count as one. Where another sync of the bucket goes on, the next
        time is waited for.
        """
        now = datetime.now(UTC)
        while await self._start_one(now):
            pass

    async def _start_one(self, now: datetime) -> bool:
        """Start the sync that is due for longest; False when none is."""
        async with self._database.begin() as transaction:
            # Locked until its next time is written: no other worker finds it due.
            due = await sync_schedules.due(transaction, now, 1)
            for schedule in due:
                await sync_schedules.change(
                    transaction, schedule.number, next_at=_next_time(schedule.cron, now)
                )
                await self._start(transaction, schedule)
        return bool(due)

    async def _start(self, transaction: Transaction, schedule: SyncSchedule) -> None:
        said = log.bind(schedule=schedule.number, bucket=schedule.bucket)
        try:
            # What the operator allows may have changed since.
            location = schedule.location and self._endpoints.check(schedule.location)
        except ForbiddenError as error:
            said.warning("scheduled sync not started", reason=error.detail)
            return
        task = SyncTask(
            location=location,
            bucket=schedule.bucket,
            source=schedule.source,
            options=replace(schedule.options, scheduled=True),
            credentials=await sync_schedules.credentials(transaction, schedule.number),
        )
        principal = Principal(schedule.created_by, schedule.created_role)
        job, started = await start_in(transaction, principal, task)
        if started is None:
            said.warning(
                "scheduled sync not started", reason="another one goes on", job=str(job.id)
            )
        else:
            said.info("scheduled sync started", sync=started.number)


def _next_time(cron: str, after: datetime) -> datetime:
    # Imported when first needed: the library costs every web process 17 MB.
    from mediatheque.engine.worker import next_time  # noqa: PLC0415

    if not cron.startswith("@") and len(cron.split()) != _FIELDS:
        raise InvalidError(
            f"cron must have five fields, as '17 * * * *' has; {cron[:100]!r} has not.",
            field="cron",
        )
    return next_time(cron, after)
