"""The system as operators see it."""

import os
import platform
from datetime import UTC, date, datetime
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import Struct

from mediatheque import __version__
from mediatheque.config import Settings, describe, environment_variable, masked
from mediatheque.domain.library import Amount, LibraryKind
from mediatheque.domain.workers import Worker
from mediatheque.services.folders import Folder
from mediatheque.services.system import Standing, StoredAmounts
from mediatheque.storage.fingerprints import calendar_time
from mediatheque.storage.folders import FolderEntry
from mediatheque.telemetry.metrics import Throughput


class SystemReadiness(Struct, frozen=True):
    """``status`` is ``ready`` or ``unavailable``; per part ``ok`` or what is wrong with it.

    ``warnings`` are sentences; they do not make the service unavailable.
    """

    status: Literal["ready", "unavailable"]
    checks: dict[str, str]
    warnings: list[str]


class SystemDisk(Struct, frozen=True):
    """The disk of the store, in bytes; ``free_bytes`` is what is left of it."""

    free_bytes: int
    total_bytes: int


class SystemWorker(Struct, frozen=True, kw_only=True):
    """One that runs jobs, ``running`` of them now. ``seen_at`` is its last sign of life."""

    id: str
    name: str
    host: str
    running: int
    warning: str | None
    started_at: datetime
    seen_at: datetime


class SystemSetting(Struct, frozen=True, kw_only=True):
    """One setting in effect, ``about`` what it is for. Secrets are masked, null is not set."""

    name: str
    variable: str
    value: str | None
    is_default: bool
    about: str


class System(Struct, frozen=True, kw_only=True):
    """What the service is and how it stands; no ``disk`` where the store is a remote one."""

    version: str
    python: str
    started_at: datetime | None
    ready: SystemReadiness
    disk: SystemDisk | None
    workers: list[SystemWorker]
    settings: list[SystemSetting]


class StoredTotal(Struct, frozen=True):
    """How many medias there are, and their bytes."""

    count: int
    bytes: int


class StoredKind(Struct, frozen=True):
    """The medias of one kind."""

    kind: LibraryKind
    count: int
    bytes: int


class StoredDay(Struct, frozen=True):
    """The medias of one kind that came on one day (UTC)."""

    day: date
    kind: LibraryKind
    count: int
    bytes: int


class Stored(Struct, frozen=True):
    """What is stored, medias that were made of others included.

    ``by_day`` in order of time; where nothing came there is nothing.
    """

    total: StoredTotal
    by_kind: list[StoredKind]
    by_day: list[StoredDay]


class Passed(Struct, frozen=True):
    """What passed through all web processes of this machine since ``started_at``."""

    at: datetime
    received_bytes: int
    sent_bytes: int
    requests: int
    started_at: datetime | None


class FolderItem(Struct, frozen=True):
    """A folder or a file; ``size`` in bytes is a file's.

    There is no ``path`` where its exact name cannot be written as text.
    """

    name: str
    path: str | None
    kind: Literal["folder", "file"]
    size: int | None
    modified: datetime | None


class FolderItems(Struct, frozen=True):
    """What is in a folder, folders first; ``truncated`` when there is more than this.

    An empty ``path`` is above all ``roots``, which are its folders then.
    """

    path: str
    parent: str | None
    roots: list[str]
    entries: list[FolderItem]
    truncated: bool


def system_of(standing: Standing, settings: Settings, started_at: float | None) -> System:
    """Return how the service stands, with its settings."""
    readiness, disk = standing.readiness, standing.disk
    return System(
        version=__version__,
        python=platform.python_version(),
        started_at=_moment(started_at),
        ready=SystemReadiness(
            "ready" if readiness.ready else "unavailable", readiness.parts, readiness.warnings
        ),
        disk=None if disk is None else SystemDisk(disk.free_bytes, disk.total_bytes),
        workers=[_worker(worker) for worker in standing.workers],
        settings=settings_in_effect(settings),
    )


def settings_in_effect(settings: Settings) -> list[SystemSetting]:
    """Return every setting as ``mediatheque config`` prints it, and those that are not set."""
    shown, default = masked(settings), Settings()
    return [
        SystemSetting(
            name=name,
            variable=environment_variable(name),
            value=_text(shown.get(name)),
            is_default=getattr(settings, name) == getattr(default, name),
            about=describe(annotation).description or "",
        )
        for name, annotation in get_type_hints(Settings, include_extras=True).items()
    ]


def stored_of(stored: StoredAmounts) -> Stored:
    """Return what is stored, by kind and by day."""
    return Stored(
        total=StoredTotal(stored.total.count, stored.total.bytes),
        by_kind=[
            StoredKind(kind, amount.count, amount.bytes)
            for kind in LibraryKind
            for amount in [stored.by_kind.get(kind, Amount())]
        ],
        by_day=[
            StoredDay(day, kind, amount.count, amount.bytes)
            for (day, kind), amount in sorted(stored.by_day.items())
        ],
    )


def passed_of(counted: Throughput, at: datetime) -> Passed:
    """Return what was counted until ``at``."""
    return Passed(
        at=at,
        received_bytes=counted.received_bytes,
        sent_bytes=counted.sent_bytes,
        requests=counted.requests,
        started_at=_moment(counted.started_at),
    )


def folder_items(folder: Folder) -> FolderItems:
    """Return what is in a folder."""
    roots = [os.fsencode(root).decode(errors="replace") for root in folder.roots]
    if folder.place is None:
        items = [FolderItem(root.rpartition("/")[2], root, "folder", None, None) for root in roots]
        return FolderItems("", None, roots, items, truncated=False)
    place = folder.place
    parent = place.path.rpartition(b"/")[0].decode() if place.relative else None
    items = [_item(entry) for entry in folder.entries]
    return FolderItems(place.path.decode(), parent, roots, items, folder.truncated)


def _worker(worker: Worker) -> SystemWorker:
    return SystemWorker(
        id=str(worker.id),
        name=worker.name,
        host=worker.host,
        running=worker.running,
        warning=worker.warning,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
    )


def _item(entry: FolderEntry) -> FolderItem:
    return FolderItem(
        name=entry.name,
        path=_exact(entry.place.path),
        kind="folder" if entry.is_folder else "file",
        size=None if entry.is_folder else entry.size,
        modified=calendar_time(entry.mtime_ns),
    )


def _exact(path: bytes) -> str | None:
    try:
        return path.decode()
    except UnicodeDecodeError:
        return None


def _text(value: Any) -> str | None:
    """Return a setting's value as it would be written."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return msgspec.json.encode(value).decode()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
