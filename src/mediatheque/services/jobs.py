"""What can be asked of jobs.

A job and its entry in the queue are always changed in one transaction, so that no job waits
without an entry and no entry survives a transaction that failed.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mediatheque.catalog import job_events, jobs
from mediatheque.catalog.connections import driver_connection
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError
from mediatheque.domain.ids import new_id, parse_id
from mediatheque.domain.jobs import (
    MAX_UNICITY_LENGTH,
    SIGNALS_ALLOWED,
    EventKind,
    Job,
    JobEvent,
    JobStatus,
    Signal,
)
from mediatheque.domain.paging import Filter, Listing, one_more

_BATCH = 500


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs; ``count`` of all that pass the filters, when it was asked for."""

    jobs: list[Job]
    more: bool
    count: int | None


@dataclass(frozen=True, slots=True)
class Signalled:
    """How many jobs took a signal, and how many were in a status that does not allow it."""

    signalled: int
    refused: int


class JobService:
    """Enqueues, lists, removes and signals jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(
        self,
        principal: Principal,
        *,
        job_class: str,
        queue: str,
        arguments: dict[str, Any],
        priority: int = 0,
        unicity: str | None = None,
        delay: float = 0,
    ) -> Job:
        """Add a job and return it; see ``enqueue_in``."""
        async with self._database.begin() as transaction:
            return await enqueue_in(
                transaction,
                principal,
                job_class=job_class,
                queue=queue,
                arguments=arguments,
                priority=priority,
                unicity=unicity,
                delay=delay,
            )

    async def find(self, principal: Principal, job_id: str) -> Job:
        """Return a job. Raises NotFoundError."""
        parsed = parse_id(job_id)
        if parsed is not None:
            async with self._database.read() as connection:
                job = await jobs.find(connection, parsed, owner=owner_scope(principal))
            if job is not None:
                return job
        raise unknown_job(job_id)

    async def page(self, principal: Principal, listing: Listing, *, count: bool) -> JobPage:
        """Return one page of jobs, and how many there are in all when ``count``."""
        scope = owner_scope(principal)
        async with self._database.read() as connection:
            found = await jobs.page(connection, one_more(listing), owner=scope)
            total = await jobs.count(connection, listing.filters, owner=scope) if count else None
        return JobPage(found[: listing.limit], len(found) > listing.limit, total)

    async def remove(self, principal: Principal, job_id: str) -> None:
        """Delete a job and its history, running or not; one that is not there is fine.

        A worker that runs it finds its claim gone at its next checkpoint and stops.
        """
        parsed = parse_id(job_id)
        if parsed is None:
            return
        async with self._database.begin() as transaction:
            job = await jobs.lock(transaction, parsed, owner=owner_scope(principal))
            if job is not None and job.status.live:
                ended = replace(job, status=JobStatus.CANCELLED)
                await job_events.add(transaction, ended, EventKind.CANCELLED, principal.name)
            if job is not None:
                await _withdraw(transaction, job)
                await jobs.remove(transaction, job.id)

    async def signal(self, principal: Principal, job_id: str, signal: Signal) -> Job:
        """Cancel, pause, resume or retry a job and return it as it stands now.

        A running job is asked: its worker stops at its next checkpoint. Raises NotFoundError, and
        ConflictError when its status does not allow it.
        """
        parsed = parse_id(job_id)
        async with self._database.begin() as transaction:
            job = parsed and await jobs.lock(transaction, parsed, owner=owner_scope(principal))
            if not job:
                raise unknown_job(job_id)
            return await signal_in(transaction, principal, job, signal)

    async def signal_all(
        self, principal: Principal, filters: tuple[Filter, ...], signal: Signal
    ) -> Signalled:
        """Signal every job that passes the filters now, in transactions of a few hundred."""
        if not filters:
            raise InvalidError("A signal for many jobs needs at least one filter.", field="filter")
        scope = owner_scope(principal)
        after: UUID | None = None
        signalled = refused = 0
        while True:
            async with self._database.begin() as transaction:
                found = await jobs.lock_page(
                    transaction, filters, after=after, limit=_BATCH, owner=scope
                )
                for job in found:
                    try:
                        await signal_in(transaction, principal, job, signal)
                        signalled += 1
                    except ConflictError:
                        refused += 1
            if len(found) < _BATCH:
                return Signalled(signalled, refused)
            after = found[-1].id

    async def events(
        self, principal: Principal, after: int, *, job_ids: list[UUID] | None, limit: int
    ) -> list[JobEvent]:
        """Return the next events of the history after number ``after``, oldest first."""
        async with self._database.read() as connection:
            return await job_events.after(
                connection, after, job_ids=job_ids, owner=owner_scope(principal), limit=limit
            )


async def enqueue_in(
    transaction: Transaction,
    principal: Principal,
    *,
    job_class: str,
    queue: str,
    arguments: dict[str, Any],
    priority: int = 0,
    unicity: str | None = None,
    delay: float = 0,
    job_id: UUID | None = None,
) -> Job:
    """Add a job together with the rows it is about; higher ``priority`` first.

    ``delay`` in seconds before it may start. When a live job has the same ``unicity``, that one is
    returned and nothing is added.
    """
    if unicity is not None and not 0 < len(unicity) <= MAX_UNICITY_LENGTH:
        raise InvalidError(
            f"A unicity key has 1 to {MAX_UNICITY_LENGTH} characters.", field="unicity"
        )
    while True:
        job = await jobs.add(
            transaction,
            id=job_id or new_id(),
            job_class=job_class,
            queue=queue,
            arguments=arguments,
            priority=priority,
            unicity=unicity,
            scheduled_at=_later(delay),
            created_by=principal.name,
            created_role=principal.role,
        )
        if job is not None:
            job = await _requeue(transaction, job, delay=delay)
            await job_events.add(transaction, job, EventKind.ENQUEUED, principal.name)
            return job
        assert unicity is not None
        holder = await jobs.find_live(transaction, unicity)
        if holder is not None:
            return holder
        # It ended between the two statements: the key is free now.


async def signal_in(
    transaction: Transaction, principal: Principal, job: Job, signal: Signal
) -> Job:
    """Signal a job that the transaction has locked; see ``JobService.signal``."""
    if job.status not in SIGNALS_ALLOWED[signal]:
        raise ConflictError(f"A job that is {job.status} cannot take the signal {signal}.")
    if job.status is JobStatus.RUNNING:
        return await _ask(transaction, principal, job, signal)
    if signal is Signal.CANCEL:
        await _withdraw(transaction, job)
        changed = await jobs.change(
            transaction, job.id, status=JobStatus.CANCELLED, finished_at=datetime.now(UTC)
        )
        kind = EventKind.CANCELLED
    elif signal is Signal.PAUSE and job.status is JobStatus.PENDING:
        await _withdraw(transaction, job)
        changed = await jobs.change(transaction, job.id, status=JobStatus.PAUSED)
        kind = EventKind.PAUSED
    elif signal is Signal.RESUME and job.status is JobStatus.PAUSED:
        changed = await start_again(transaction, job)
        kind = EventKind.RESUMED
    elif signal is Signal.RETRY:
        changed = await start_again(transaction, await _revive(transaction, job))
        kind = EventKind.RESUMED
    else:
        return job
    await job_events.add(transaction, changed, kind, principal.name, signal=signal)
    return changed


async def start_again(
    transaction: Transaction, job: Job, *, delay: float = 0, **values: Any
) -> Job:
    """Make a job that the transaction has locked pending, with a new entry in the queue."""
    job = await jobs.change(
        transaction,
        job.id,
        status=JobStatus.PENDING,
        signal=None,
        scheduled_at=_later(delay),
        **values,
    )
    return await _requeue(transaction, job, delay=delay)


async def _ask(transaction: Transaction, principal: Principal, job: Job, signal: Signal) -> Job:
    wanted = None if signal is Signal.RESUME else signal
    if wanted is job.signal or job.signal is Signal.CANCEL:
        return job  # asked already, or on its way out
    changed = await jobs.change(transaction, job.id, signal=wanted)
    await job_events.add(transaction, changed, EventKind.SIGNALLED, principal.name, signal=signal)
    return changed


async def _revive(transaction: Transaction, job: Job) -> Job:
    revived = await jobs.revive(
        transaction, job.id, retry_count=0, crashes=0, error=None, finished_at=None
    )
    if revived is not None:
        return revived
    holder = job.unicity and await jobs.find_live(transaction, job.unicity)
    if not holder:
        raise ConflictError("Another job did the same work just now. Try again.")
    raise ConflictError(f"The job {holder.id} does the same work and is {holder.status}.")


async def _requeue(transaction: Transaction, job: Job, *, delay: float) -> Job:
    # Imported when first needed: the library costs every web process 17 MB, most of which never
    # enqueue anything.
    from mediatheque.engine.queue import enqueue  # noqa: PLC0415

    queue_id = await enqueue(
        await driver_connection(transaction),
        queue=job.queue,
        job_id=job.id,
        priority=job.priority,
        delay=delay,
    )
    return await jobs.change(transaction, job.id, queue_id=queue_id)


async def _withdraw(transaction: Transaction, job: Job) -> None:
    """Take a waiting job's entry out of the queue: each costs workers time, void or not."""
    from mediatheque.engine.queue import withdraw  # noqa: PLC0415 - as above

    if job.status is JobStatus.PENDING and job.queue_id is not None:
        await withdraw(await driver_connection(transaction), job.queue_id)


def _later(delay: float) -> datetime | None:
    return datetime.now(UTC) + timedelta(seconds=delay) if delay else None


def unknown_job(job_id: str) -> NotFoundError:
    """Return the error for a job that is not there, or that the caller may not see."""
    return NotFoundError(f"There is no job {job_id[:100]!r}.")
