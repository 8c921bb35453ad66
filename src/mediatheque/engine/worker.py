"""Taking entries from the queue and handing them to whoever runs jobs, in this process."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from croniter import CroniterError, croniter
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.domain import errors, models
from pgqueuer.domain.types import JobId, QueueEntrypoint
from pgqueuer.ports.repository import EntrypointExecutionParameter

from mediatheque.domain.errors import InvalidError
from mediatheque.engine.driver import QueueDriver
from mediatheque.engine.queue import SETTINGS, QueueQueries, queries

_BATCH = 10
_LATER_SECONDS = 30
_LOG_SWEEP = "23 * * * *"


class Handled(Enum):
    """What became of an entry."""

    DONE = auto()  # the job is where it should be; the entry is void
    LATER = auto()  # this worker cannot run the job; the entry waits for another one


Handle = Callable[[UUID, int], Awaitable[Handled]]
"""Runs the job of an entry: the job's id, the entry's number."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many jobs of a queue run at once: in one process, and (0: no limit) everywhere."""

    per_process: int
    everywhere: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something to do at times that a cron expression names, by one worker of all."""

    name: str
    expression: str
    do: Callable[[], Awaitable[None]]


class QueueWorker:
    """Runs jobs until it is stopped.

    ``lease`` in seconds: an entry whose worker gave no sign of life for so long is taken over.
    ``poll`` in seconds: how often entries are looked for that nobody told of. A dead worker's
    jobs therefore go on elsewhere within ``lease + poll``. ``on_failure`` is called when no more
    entries can be taken, for a reason that nobody foresaw: jobs under way are to be ended then,
    because ``run`` raises only afterwards.
    """

    def __init__(
        self,
        driver: QueueDriver,
        queues: Mapping[str, QueueLimits],
        handle: Handle,
        schedules: Sequence[Schedule] = (),
        *,
        lease: float,
        poll: float,
        on_failure: Callable[[], None],
    ) -> None:
        self._on_failure = on_failure
        self._lease = timedelta(seconds=lease)
        self._poll = timedelta(seconds=poll)
        self._queries = queries(driver)
        self._manager = _Manager(self._queries, queues, on_failure)
        for name, limits in queues.items():
            self._manager.entrypoint(
                name, concurrency_limit=limits.everywhere, accepts_context=False
            )(_entrypoint(handle))
        self._scheduler = SchedulerManager(self._queries)
        log_sweep = Schedule("queue-log", _LOG_SWEEP, self._queries.clear_log)
        for schedule in (*schedules, log_sweep):
            self._scheduler.schedule(schedule.name, schedule.expression, accepts_context=False)(
                _crontab(schedule)
            )

    async def run(self) -> None:
        """Run jobs; returns when it was stopped and the jobs under way have ended."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_schedules())
            tasks.create_task(
                self._manager.run(
                    dequeue_timeout=self._poll,
                    batch_size=_BATCH,
                    heartbeat_timeout=self._lease,
                    # Statistics of the library that nobody reads: the jobs' own history has all.
                    log_aggregation_interval=timedelta(0),
                )
            )

    async def _keep_schedules(self) -> None:
        try:
            await self._scheduler.run()
        except Exception:
            self._on_failure()
            raise

    def stop(self) -> None:
        """Take nothing new; ``run`` returns when what is under way has ended."""
        self._manager.shutdown.set()
        self._scheduler.shutdown.set()


class _Manager(QueueManager):
    """The library's manager, which has limits per queue but none per queue and process."""

    def __init__(
        self,
        statements: QueueQueries,
        queues: Mapping[str, QueueLimits],
        on_failure: Callable[[], None],
    ) -> None:
        super().__init__(statements, channel=SETTINGS.channel)
        # How often a queue that waits for room is looked at; room is told of by a notice as well.
        self.min_dequeue_poll_interval = timedelta(seconds=0.25)
        self._limits = queues
        self._on_failure = on_failure
        self._queue_of: dict[JobId, QueueEntrypoint] = {}

    async def fetch_jobs(
        self,
        batch_size: int,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> AsyncGenerator[models.Job, None]:
        """Yield entries of queues that have room in this process, never more than that."""
        while not self.shutdown.is_set():
            room = self._room()
            if not room:
                return
            try:
                found = await self.queries.dequeue(
                    batch_size=min(batch_size, *room.values()),
                    entrypoints={
                        name: EntrypointExecutionParameter(self._limits[name].everywhere)
                        for name in room
                    },
                    queue_manager_id=self.queue_manager_id,
                    global_concurrency_limit=global_concurrency_limit,
                    heartbeat_timeout=heartbeat_timeout,
                )
            except Exception:
                self._on_failure()
                raise
            if not found:
                return
            for entry in found:
                self._queue_of[entry.id] = entry.entrypoint
                yield entry

    def _room(self) -> dict[QueueEntrypoint, int]:
        self._queue_of = {i: name for i, name in self._queue_of.items() if i in self.job_context}
        running = Counter(self._queue_of.values())
        free = {
            QueueEntrypoint(name): limits.per_process - running[QueueEntrypoint(name)]
            for name, limits in self._limits.items()
        }
        return {name: count for name, count in free.items() if count > 0}


def _entrypoint(handle: Handle) -> Callable[[models.Job], Awaitable[None]]:
    async def run(entry: models.Job) -> None:
        assert entry.payload is not None
        if await handle(UUID(bytes=entry.payload), entry.id) is Handled.LATER:
            raise errors.RetryRequested(timedelta(seconds=_LATER_SECONDS), "not for this worker")

    return run


def _crontab(schedule: Schedule) -> Callable[[models.Schedule], Awaitable[None]]:
    async def run(_schedule: models.Schedule) -> None:
        await schedule.do()

    return run


def check_schedule(expression: str) -> None:
    """Raise InvalidError unless ``expression`` is a cron expression for times that come."""
    next_time(expression, datetime.now(UTC))


def next_time(expression: str, after: datetime) -> datetime:
    """Return the first time after ``after``, in its time zone, that a cron expression names.

    Raises InvalidError for what is no cron expression, and for one that names no time to come.
    """
    try:
        found: datetime = croniter(expression, after).get_next(datetime)
    except CroniterError as error:
        raise InvalidError(
            f"{expression[:100]!r} is not a cron expression such as '17 * * * *'.", field="cron"
        ) from error
    return found
