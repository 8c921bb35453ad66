"""Running jobs: from the claim to the status they end in.

A worker claims a job with a new epoch and names it in everything it writes. A worker that was
presumed dead, and whose job another one claimed, thus changes nothing any more: its next write
finds no row, and its run stops. Work is done at least once; a job goes on from its checkpoint.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from mediatheque.catalog import job_events, jobs
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import ConflictError, MediathequeError, UnavailableError
from mediatheque.domain.jobs import (
    MOST_CRASHES,
    EventKind,
    Job,
    JobStatus,
    Signal,
    error_sentence,
    retry_delay,
)
from mediatheque.services.jobs import start_again
from mediatheque.telemetry import metrics
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

_SAVE_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.5


class JobStopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The run ends here, in good order, because it was asked to or asks for it itself."""


class JobPaused(JobStopped):
    """Raised by a workflow that wants to wait until somebody resumes it."""


class LeaseLost(JobStopped):
    """Another worker has claimed the job, or it was deleted: nothing may be written any more."""


class JobFailedError(ConflictError):
    """The job failed for a reason that trying again cannot mend."""


class JobRun:
    """One run of a job, as its workflow sees it.

    ``stopping`` is set as soon as the run is wanted to end; ``check`` raises then. Let JobStopped
    pass: what becomes of the job is decided by whoever called the workflow.
    """

    def __init__(self, job: Job, database: Database) -> None:
        self._job = job
        self._database = database
        self._progress: float | None = None
        self._checkpoint: dict[str, Any] | None = None
        self._saved_at = 0.0
        self._saving = asyncio.Lock()
        self.stopping = asyncio.Event()

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self._job.id

    @property
    def epoch(self) -> int:
        """Number of this claim."""
        return self._job.epoch

    @property
    def job_class(self) -> str:
        """What is to be done."""
        return self._job.job_class

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is to be done with."""
        return self._job.arguments

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """Where an earlier run left off; None at the beginning."""
        return self._job.checkpoint if self._checkpoint is None else self._checkpoint

    @property
    def retry_count(self) -> int:
        """How many times the job has failed since it last got on."""
        return self._job.retry_count

    @property
    def principal(self) -> Principal:
        """For whom the job runs."""
        return Principal(self._job.created_by, self._job.created_role)

    @property
    def unsaved(self) -> dict[str, Any]:
        """What ``save`` has not written yet, as columns."""
        values = {"progress": self._progress, "checkpoint": self._checkpoint}
        return {name: value for name, value in values.items() if value is not None}

    def forget_unsaved(self) -> None:
        """Give up what ``save`` has not written yet: it cannot be written."""
        self._progress = self._checkpoint = None

    def check(self) -> None:
        """Raise JobStopped when the run is wanted to end."""
        if self.stopping.is_set():
            raise JobStopped

    async def save(
        self,
        *,
        progress: float | None = None,
        checkpoint: dict[str, Any] | None = None,
        force: bool = False,
    ) -> None:
        """Save ``progress`` (a ratio) and ``checkpoint`` together, at most once per second.

        With ``force`` at once, for facts that must not be lost: durable when it returns. Raises
        JobStopped when the run is wanted to end, LeaseLost when it is not the newest any more, and
        UnavailableError when the database does not answer for half a minute.
        """
        self._progress = self._progress if progress is None else progress
        self._checkpoint = self._checkpoint if checkpoint is None else checkpoint
        if force or time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            # One at a time, so that what is older never comes last.
            async with self._saving:
                await patiently(self._write, seconds=_PATIENCE_SECONDS)
        self.check()

    async def still_holds(self, transaction: Transaction) -> Job:
        """Keep the claim until the transaction ends; return the job. Raises LeaseLost.

        For transactions that write more than the job: with this first, a zombie's write of
        anything is refused, not only of its progress.
        """
        held = await jobs.lock(transaction, self.id, owner=None)
        if held is None or held.epoch != self.epoch or held.status is not JobStatus.RUNNING:
            raise LeaseLost
        return held

    async def _write(self) -> None:
        progress, checkpoint = self._progress, self._checkpoint
        async with self._database.begin() as transaction:
            saved = await jobs.save(
                transaction, self.id, self.epoch, progress=progress, checkpoint=checkpoint
            )
            if saved is None:
                raise LeaseLost
            await job_events.tell_progress(transaction, saved)
        self._saved_at = time.monotonic()
        self._job = saved
        # What was set meanwhile is still to be saved.
        if self._progress is progress:
            self._progress = None
        if self._checkpoint is checkpoint:
            self._checkpoint = None
        if saved.signal is not None:
            self.stopping.set()


Workflow = Callable[[JobRun], Awaitable[None]]
"""What a class of jobs does. Idempotent: it may run again from its last checkpoint."""


class JobRunner:
    """Runs the jobs of one worker process. ``workflows`` by the class of jobs they run."""

    def __init__(self, database: Database, workflows: Mapping[str, Workflow]) -> None:
        self._database = database
        self._workflows = workflows
        self._runs: dict[UUID, JobRun] = {}
        self._draining = False
        self.name = f"worker {socket.gethostname()}:{os.getpid()}"

    async def run(self, job_id: UUID, queue_id: int) -> bool:
        """Run the job of an entry of the queue, if that is still wanted.

        Returns False, with nothing changed, when this version does not know the job's class. When
        it returns True or raises, the entry is void or somebody else's.
        """
        job = await patiently(lambda: self._claim(job_id, queue_id))
        if job is None:
            return True
        if job.status is JobStatus.PENDING:
            return False
        if job.status is not JobStatus.RUNNING:
            return True
        run = self._runs[job.id] = JobRun(job, self._database)
        if self._draining or job.signal is not None:
            run.stopping.set()
        try:
            await self._follow(run)
        finally:
            # A run that lost its claim may end after a newer one has begun in this process.
            if self._runs.get(job.id) is run:
                del self._runs[job.id]
        return True

    def drain(self) -> None:
        """Ask every run to save where it stands and end; its job goes on elsewhere."""
        self._draining = True
        for run in self._runs.values():
            run.stopping.set()

    async def hear_signals(self, job_id: UUID | None = None) -> None:
        """Look whether running jobs (one, or all) are asked to stop."""
        # The runs are listed before the database is read: one that begins meanwhile is not among
        # the rows, and looks for itself when it claims.
        runs = {i: run for i, run in self._runs.items() if job_id in {None, i}}
        if not runs:
            return
        with suppress(UnavailableError):  # every checkpoint looks as well
            async with self._database.read() as connection:
                wanted = await jobs.signals(connection, list(runs))
            for running_id, run in runs.items():
                if running_id not in wanted or wanted[running_id] is not None:
                    run.stopping.set()

    async def _claim(self, job_id: UUID, queue_id: int) -> Job | None:
        async with self._database.begin() as transaction:
            job = await jobs.lock(transaction, job_id, owner=None)
            if job is None or job.queue_id != queue_id:
                return None
            if job.status not in {JobStatus.PENDING, JobStatus.RUNNING}:
                return None
            if job.job_class not in self._workflows:
                return replace(job, status=JobStatus.PENDING)
            taken_over = job.status is JobStatus.RUNNING
            crashes = job.crashes + taken_over
            if crashes >= MOST_CRASHES:
                reason = f"Its worker ended {crashes} times while it ran this job."
                return await self._end(
                    transaction, job, JobStatus.ERRORED, error=reason, crashes=crashes
                )
            claimed = await jobs.change(
                transaction,
                job.id,
                status=JobStatus.RUNNING,
                epoch=job.epoch + 1,
                crashes=crashes,
                started_at=job.started_at or datetime.now(UTC),
            )
            kind = EventKind.TAKEN_OVER if taken_over else EventKind.STARTED
            await job_events.add(transaction, claimed, kind, self.name, epoch=claimed.epoch)
            return claimed

    async def _follow(self, run: JobRun) -> None:
        failure: Exception | None = None
        stopped = paused = False
        started = time.monotonic()
        try:
            await self._workflows[run.job_class](run)
        except LeaseLost:
            log.warning("job lost to another worker", job=str(run.id), epoch=run.epoch)
            return
        except JobStopped as reason:
            stopped, paused = True, isinstance(reason, JobPaused)
        except MediathequeError as error:
            failure = error
        except Exception as error:
            log.exception("job failed", job=str(run.id), job_class=run.job_class)
            failure = error
        try:
            ended = await self._end_run(run, failure, stopped=stopped, paused=paused)
        except LeaseLost:
            log.warning("job lost to another worker", job=str(run.id), epoch=run.epoch)
            return
        metrics.JOBS.labels(run.job_class, ended.status).inc()
        log.info(
            "job ran",
            job=str(run.id),
            job_class=run.job_class,
            status=ended.status,
            seconds=round(time.monotonic() - started, 3),
        )

    async def _end_run(
        self, run: JobRun, failure: Exception | None, *, stopped: bool, paused: bool
    ) -> Job:
        try:
            return await patiently(
                lambda: self._settle(run, failure, stopped=stopped, paused=paused)
            )
        except LeaseLost:
            raise
        except Exception as error:
            # The database refuses what the run wanted to keep. Whatever else it says about that:
            # the job must not stay running.
            log.exception("job failed", job=str(run.id), job_class=run.job_class)
            refused = error
        run.forget_unsaved()
        return await patiently(lambda: self._settle(run, refused, stopped=False, paused=False))

    async def _settle(
        self, run: JobRun, failure: Exception | None, *, stopped: bool, paused: bool
    ) -> Job:
        """Write what became of the run; what people asked for meanwhile comes first."""
        async with self._database.begin() as transaction:
            job = await run.still_holds(transaction)
            if run.unsaved:
                job = await jobs.change(transaction, run.id, **run.unsaved)
            if failure is None and not stopped:
                return await self._end(
                    transaction, job, JobStatus.COMPLETED, progress=1.0, error=None
                )
            if job.signal is Signal.CANCEL:
                return await self._end(transaction, job, JobStatus.CANCELLED)
            if failure is not None:
                return await self._fail(transaction, job, failure)
            if job.signal is Signal.PAUSE or paused:
                return await self._change(
                    transaction, job, EventKind.PAUSED, status=JobStatus.PAUSED, signal=None
                )
            job = await start_again(transaction, job)
            await job_events.add(transaction, job, EventKind.HANDED_BACK, self.name)
            return job

    async def _fail(self, transaction: Transaction, job: Job, failure: Exception) -> Job:
        reason = error_sentence(failure)
        delay = None if isinstance(failure, JobFailedError) else retry_delay(job.retry_count)
        if delay is None:
            return await self._end(transaction, job, JobStatus.ERRORED, error=reason)
        attempt = job.retry_count + 1
        if job.signal is Signal.PAUSE:
            return await self._change(
                transaction,
                job,
                EventKind.PAUSED,
                status=JobStatus.PAUSED,
                signal=None,
                error=reason,
            )
        job = await start_again(transaction, job, delay=delay, retry_count=attempt, error=reason)
        await job_events.add(
            transaction,
            job,
            EventKind.RETRYING,
            self.name,
            reason=reason,
            attempt=attempt,
            delay=delay,
        )
        return job

    async def _end(
        self, transaction: Transaction, job: Job, status: JobStatus, **values: Any
    ) -> Job:
        return await self._change(
            transaction,
            job,
            EventKind(status),
            status=status,
            signal=None,
            finished_at=datetime.now(UTC),
            **values,
        )

    async def _change(
        self, transaction: Transaction, job: Job, kind: EventKind, **values: Any
    ) -> Job:
        job = await jobs.change(transaction, job.id, **values)
        detail = {"reason": job.error} if job.error else {}
        await job_events.add(transaction, job, kind, self.name, **detail)
        return job


async def patiently(write: Callable[[], Awaitable[T]], *, seconds: float | None = None) -> T:
    """Do a fenced or keyed write, again while the database does not answer.

    Raises UnavailableError after ``seconds``; without them it waits as long as it takes.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            return await write()
        except UnavailableError:
            if deadline is not None and time.monotonic() > deadline:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
