"""What is measured: one module for each question."""

from collections.abc import Callable, Mapping

from tests.bench.cases import (
    download,
    jobs,
    lists,
    memory,
    processing,
    recordings,
    small,
    sync,
    transfers,
    transfers_alone,
    upload,
    uploads_resumable,
)
from tests.bench.outcome import Outcome
from tests.bench.plan import Plan

CASES: Mapping[str, Callable[[Plan], list[Outcome]]] = {
    "upload": upload.run,
    "resumable": uploads_resumable.run,
    "download": download.run,
    "memory": memory.run,
    "lists": lists.run,
    "small": small.run,
    "jobs": jobs.run,
    "recordings": recordings.run,
    "processing": processing.run,
    "transfers": transfers.run,
    "transfers-alone": transfers_alone.run,
    "sync": sync.run,
}
"""Every case by the name that ``--only`` takes, in the order in which they run."""
