"""Syncs as door 2 speaks of them."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from mediatheque.domain import syncs as domain
from mediatheque.domain.syncs import Action, OperationState, Phase

OPERATIONS_PAGE = 1000
"""Operations on one page, at most."""

SYNCS_PAGE = 1000
"""Syncs on one page, at most."""

DEFAULT_SYNCS = 100


class Tally(Struct, frozen=True):
    """A number of files and their bytes."""

    files: int
    bytes: int


class Plan(Struct, frozen=True, kw_only=True):
    """What there is to do, and how much needs nothing (``skip``).

    ``foreign`` of the deletions are of objects that were not uploaded by this service, ``objects``
    is how many the bucket had, ``ignored`` counts what is no file. ``empty``: the bucket goes away.
    """

    upload: Tally
    copy: Tally
    update: Tally
    delete: Tally
    skip: Tally
    foreign: int
    objects: int
    ignored: int
    empty: bool


class Sync(Struct, frozen=True, kw_only=True):
    """One sync. ``progress`` in percent of its operations, ``wait`` in seconds.

    ``status`` is ``running``, ``success``, ``cancelled`` or ``error (<reason>)``.
    """

    id: int
    progress: str
    status: str
    source: str
    dest: str
    storage_url: str | None
    job: str
    phase: Phase
    wait: float
    dry_run: bool
    verify: bool
    force: bool
    watch: bool
    as_planned: int | None
    backup_prefix: str | None
    plan: Plan | None
    done: Tally
    failed: int
    rounds: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class SyncPage(Struct, frozen=True):
    """One page of syncs, newest first; ``next`` is the address of the next page."""

    syncs: list[Sync]
    next: str | None


class Operation(Struct, frozen=True, kw_only=True):
    """One operation on the object ``key``; ``copy_from`` is another key.

    ``size`` is that of the file, or of the object that is deleted; ``bytes`` of a file are there.
    """

    action: Action
    key: str
    size: int
    bytes: int
    state: OperationState
    error: str | None
    copy_from: str | None


class OperationPage(Struct, frozen=True):
    """One page of operations, in the order of work; ``next`` is the address of the next page."""

    operations: list[Operation]
    next: str | None


class DryRun(Sync, frozen=True, kw_only=True):
    """A sync that only plans, with the first page of what it would do."""

    operations: list[Operation]
    next: str | None


class Schedule(Struct, frozen=True, kw_only=True):
    """A sync that starts again and again; ``cron`` is in UTC, ``wait`` in seconds."""

    id: int
    cron: str
    next_at: datetime
    source: str
    dest: str
    storage_url: str | None
    verify: bool
    force: bool
    wait: float
    backup_prefix: str | None
    created_at: datetime


def sync_values(sync: domain.Sync) -> dict[str, Any]:
    """Return the values of a ``Sync``."""
    options = sync.options
    return {
        "id": sync.number,
        "progress": _progress(sync),
        "status": sync.status,
        "source": sync.source,
        "dest": sync.bucket,
        "storage_url": sync.location or None,
        "job": str(sync.id),
        "phase": sync.phase,
        "wait": _number(options.wait),
        "dry_run": options.dry_run,
        "verify": options.verify,
        "force": options.force,
        "watch": options.watch,
        "as_planned": options.as_planned,
        "backup_prefix": options.backup_prefix,
        "plan": None if sync.plan is None else _plan(sync.plan),
        "done": _tally(sync.done),
        "failed": sync.failed,
        "rounds": sync.rounds,
        "error": sync.error,
        "created_at": sync.created_at,
        "started_at": sync.started_at,
        "finished_at": sync.finished_at,
    }


def operation_resource(operation: domain.Operation) -> Operation:
    """Return an operation of a sync."""
    copy_from = operation.copy_from
    there = operation.state is OperationState.DONE and operation.action is not Action.DELETE
    return Operation(
        action=operation.action,
        key=_text(operation.key),
        size=operation.size,
        bytes=operation.size if there else operation.sent,
        state=operation.state,
        error=operation.error,
        copy_from=None if copy_from is None else _text(copy_from),
    )


def schedule_resource(schedule: domain.SyncSchedule) -> Schedule:
    """Return a schedule."""
    options = schedule.options
    return Schedule(
        id=schedule.number,
        cron=schedule.cron,
        next_at=schedule.next_at,
        source=schedule.source,
        dest=schedule.bucket,
        storage_url=schedule.location or None,
        verify=options.verify,
        force=options.force,
        wait=_number(options.wait),
        backup_prefix=options.backup_prefix,
        created_at=schedule.created_at,
    )


def _progress(sync: domain.Sync) -> str:
    """Return how far a sync is; everything is done only when it says so itself."""
    between_rounds = sync.status == "running" and sync.phase is Phase.WATCHING
    if sync.status == "success" or between_rounds:
        return "100%"
    total = 0 if sync.plan is None else sync.plan.operations
    over = sync.done.files + sync.failed
    return f"{min(99, 100 * over // total) if total else 0}%"


def _plan(plan: domain.Plan) -> Plan:
    return Plan(
        upload=_tally(plan.upload),
        copy=_tally(plan.copy),
        update=_tally(plan.update),
        delete=_tally(plan.delete),
        skip=_tally(plan.skip),
        foreign=plan.foreign,
        objects=plan.objects,
        ignored=plan.ignored,
        empty=plan.empty,
    )


def _tally(tally: domain.Tally) -> Tally:
    return Tally(tally.files, tally.bytes)


def _number(seconds: float) -> float:
    """Return whole seconds without a fraction."""
    return int(seconds) if seconds == int(seconds) else seconds


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
