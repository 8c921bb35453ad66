"""The job worker: one process that runs jobs until it is told to stop."""

import asyncio
import gc
import json
import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from mediatheque.auth.principals import resolve_principal
from mediatheque.catalog.connections import connection_arguments
from mediatheque.catalog.job_events import CHANNEL
from mediatheque.catalog.notices import Notices
from mediatheque.config import Settings
from mediatheque.domain.jobs import EventKind
from mediatheque.engine.driver import QueueDriver
from mediatheque.engine.worker import Handled, QueueLimits, QueueWorker, Schedule
from mediatheque.processing import sandbox
from mediatheque.runtime import Runtime, database_url, open_runtime
from mediatheque.services import Services, processing, recordings, syncs, transfers
from mediatheque.services.job_runs import JobRunner, Workflow
from mediatheque.telemetry.logs import get_logger
from mediatheque.workflows import janitor, sync, transfer
from mediatheque.workflows import processing as process
from mediatheque.workflows import recording as record

log = get_logger(__name__)

_POLL_SECONDS = 3.0
_EVERY_MINUTE = "* * * * *"
_STOPPING = {EventKind.SIGNALLED, EventKind.CANCELLED}


async def run_worker(settings: Settings) -> None:
    """Run the service's own jobs until SIGTERM or SIGINT, then hand back what is under way."""
    runtime = open_runtime(settings)
    services = runtime.services

    async def enqueue_janitor() -> None:
        await services.jobs.enqueue(
            resolve_principal(),
            job_class=janitor.JOB_CLASS,
            queue=janitor.QUEUE,
            arguments={},
            unicity=janitor.JOB_CLASS,
        )

    try:
        await run_jobs(
            runtime,
            workflows_of(services),
            queues_of(settings),
            [
                Schedule("janitor", settings.janitor_schedule, enqueue_janitor),
                Schedule("recordings", _EVERY_MINUTE, services.recordings.complete_quiet),
                Schedule("resumable-uploads", _EVERY_MINUTE, services.resumable_uploads.sweep),
                Schedule("syncs", _EVERY_MINUTE, services.sync_schedules.start_due),
            ],
        )
    finally:
        await runtime.close()


def workflows_of(services: Services) -> dict[str, Workflow]:
    """Return what every class of jobs does."""
    return {
        janitor.JOB_CLASS: partial(janitor.run, services=services),
        processing.JOB_CLASS: partial(process.run, services=services),
        recordings.JOB_CLASS: partial(record.run, services=services),
        syncs.JOB_CLASS: partial(sync.run, services=services),
        transfers.JOB_CLASS: partial(transfer.run, services=services),
    }


def queues_of(settings: Settings) -> dict[str, QueueLimits]:
    """Return every queue and how many of its jobs run at once."""
    return {
        janitor.QUEUE: QueueLimits(per_process=1, everywhere=1),
        processing.QUEUE: QueueLimits(settings.processing_at_once),
        # People wait for these, so they never stand behind the medias of a large transfer.
        recordings.QUEUE: QueueLimits(settings.processing_at_once),
        syncs.QUEUE: QueueLimits(settings.syncs_per_worker),
        syncs.WATCH_QUEUE: QueueLimits(per_process=100),
        transfers.QUEUE: QueueLimits(settings.transfers_per_worker, settings.transfers_at_once),
        # Requests wait for these, so they never stand behind transfers that take hours.
        transfers.SEGMENT_QUEUE: QueueLimits(per_process=8),
    }


async def run_jobs(
    runtime: Runtime,
    workflows: Mapping[str, Workflow],
    queues: Mapping[str, QueueLimits],
    schedules: Sequence[Schedule] = (),
) -> None:
    """Run jobs of ``queues`` by ``workflows`` until SIGTERM or SIGINT."""
    runtime.begin()
    settings = runtime.settings
    url = database_url(settings)
    runner = JobRunner(runtime.database, workflows)
    notices = Notices(url)
    driver = QueueDriver(connection_arguments(url), notices.subscribe)

    async def handle(job_id: UUID, queue_id: int) -> Handled:
        return Handled.DONE if await runner.run(job_id, queue_id) else Handled.LATER

    def stop() -> None:
        log.info("worker stopping")
        worker.stop()
        runner.drain()
        # A job that does not hear is as good as one whose worker was killed: it is taken over.
        loop.call_later(settings.shutdown_timeout, os._exit, 1)

    loop = asyncio.get_running_loop()
    worker = QueueWorker(
        driver,
        queues,
        handle,
        schedules,
        lease=settings.job_lease,
        poll=_POLL_SECONDS,
        on_failure=stop,
    )
    await _hear_signals(notices, runner)
    warning = sandbox.available().warning
    if warning is not None:
        log.warning("sandbox incomplete", reason=warning)
    alive = asyncio.create_task(runtime.services.workers.attend(runner.name, warning=warning))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    listening = asyncio.create_task(notices.run())
    # What is there now stays: the collector need not look through all modules again and again.
    gc.freeze()
    log.info("worker started", name=runner.name, queues=sorted(queues))
    try:
        await worker.run()
    finally:
        for task in (listening, alive):
            task.cancel()
        await asyncio.gather(listening, alive, return_exceptions=True)
        await driver.close()
    log.info("worker stopped")


async def _hear_signals(notices: Notices, runner: JobRunner) -> None:
    """Let running jobs hear at once of what people ask of them."""
    looking: set[asyncio.Task[None]] = set()

    def look(job_id: UUID | None = None) -> None:
        task = asyncio.create_task(runner.hear_signals(job_id))
        looking.add(task)
        task.add_done_callback(looking.discard)

    def hear(payload: str) -> None:
        notice = json.loads(payload)
        if notice["kind"] in _STOPPING:
            look(UUID(notice["job"]))

    await notices.subscribe(CHANNEL, hear, reconnected=look)
