"""Syncs: one-way mirrors of a folder into a bucket. Each is a job of the same id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import JobStatus

DEFAULT_BUCKET = "mybucket"
DEFAULT_REGION = "us-east-1"
LONGEST_WAIT = 60
"""Seconds between two file operations, at most."""

MAX_KEY_BYTES = 1024
"""Longest key of S3, in bytes of UTF-8."""

MAX_PREFIX_BYTES = 200

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


class Action(StrEnum):
    """What is done to one object of the bucket."""

    UPLOAD = "upload"
    COPY = "copy"
    """The content is in the bucket already, under another key."""
    UPDATE = "update"
    DELETE = "delete"


RANK: Mapping[Action, int] = {
    Action.UPLOAD: 1,
    Action.COPY: 1,
    Action.UPDATE: 2,
    Action.DELETE: 3,
}
"""The order of work: what is missing first, what goes away last."""


class OperationState(StrEnum):
    """What became of one operation. SKIPPED: there was nothing to do any more, and that is fine."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """What a sync is busy with."""

    PLANNING = "planning"
    UPLOADING = "uploading"
    UPDATING = "updating"
    DELETING = "deleting"
    WATCHING = "watching"
    """Everything is done; changes of the folder are waited for."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of files and their bytes."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync has to do: how much of each action, and how much needs nothing.

    ``foreign`` of the deletions are of objects that were not uploaded by this service. ``objects``
    is the number of objects that the bucket had, backups left out. ``ignored`` counts entries of
    the folder that are no files: symbolic links, pipes, devices. ``empty``: the source is missing,
    or has no files, so that the bucket itself goes away.
    """

    upload: Tally = Tally()
    copy: Tally = Tally()
    update: Tally = Tally()
    delete: Tally = Tally()
    skip: Tally = Tally()
    foreign: int = 0
    objects: int = 0
    ignored: int = 0
    empty: bool = False

    @property
    def operations(self) -> int:
        """How many file operations there are to do."""
        return self.upload.files + self.copy.files + self.update.files + self.delete.files


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How a sync is to be done.

    ``wait`` in seconds between two file operations. ``verify``: every file is read and compared by
    its digest. ``force``: the limits of deletions do not hold. What is overwritten or deleted is
    kept under ``backup_prefix``, unless it is None. ``watch``: go on whenever the folder changes.
    ``as_planned``: the number of a dry run, beyond whose plan the first round overwrites and
    deletes nothing. ``scheduled``: nobody asked for this very sync. ``keyed``: keys were given for
    it.
    """

    wait: float = 0.0
    dry_run: bool = False
    verify: bool = False
    force: bool = False
    backup_prefix: str | None = None
    watch: bool = False
    as_planned: int | None = None
    scheduled: bool = False
    keyed: bool = False
    region: str = DEFAULT_REGION


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One sync, with the job's side of it.

    ``number`` is its id for people. ``location`` is the address of the bucket's store, empty for
    the configured one. ``source`` is relative to the uploads root, empty for all of it. ``plan``
    is None before it is made; ``done`` and ``failed`` count operations of it. ``reason`` tells in
    a few words why it failed, ``error`` in a sentence.
    """

    id: UUID
    number: int
    bucket_id: int
    location: str
    bucket: str
    source: str
    options: SyncOptions
    phase: Phase
    plan: Plan | None
    planned_at: datetime | None
    done: Tally = field(default_factory=Tally)
    failed: int = 0
    rounds: int = 0
    reason: str | None
    job_status: JobStatus
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def status(self) -> str:
        """Where it stands, in the words of its door."""
        match self.job_status:
            case JobStatus.COMPLETED:
                return "success"
            case JobStatus.CANCELLED:
                return "cancelled"
            case JobStatus.ERRORED:
                return f"error ({self.reason or self.error or 'unknown'})"
            case _:
                return "running"

    @property
    def progress(self) -> float:
        """Ratio of the file operations that are over, from 0 to 1."""
        if self.job_status is JobStatus.COMPLETED or self.phase is Phase.WATCHING:
            return 1.0
        if self.plan is None:
            return 0.0
        return ratio(self.done.files + self.failed, self.plan.operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a sync's plan, and what became of it.

    ``position`` counts the operations of one rank from 0. ``path`` is the file's, relative to the
    source; it differs from ``key`` only in a bucket that cannot keep backslashes. ``size`` in
    bytes is the file's, or the deleted object's. ``stored_etag`` and ``stored_size`` are those of
    the object that is overwritten, deleted or (``copy_from``) copied. ``mtime_ns``, ``ctime_ns``,
    ``inode`` and ``blake3`` are those of the file when a copy was planned. ``owned``: the object
    that goes away was uploaded by this service. ``sent``: bytes of a large file that were sent
    while it was not done.
    """

    action: Action
    position: int
    key: bytes
    path: bytes
    size: int
    stored_etag: str | None = None
    stored_size: int | None = None
    copy_from: bytes | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    inode: int | None = None
    blake3: str | None = None
    owned: bool = True
    state: OperationState = OperationState.PENDING
    error: str | None = None
    upload_id: str | None = None
    sent: int = 0

    @property
    def rank(self) -> int:
        """When it is done; see ``RANK``."""
        return RANK[self.action]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncBucket:
    """What is known of a bucket that syncs write to.

    ``created``: by this service. ``ordered``: its listing is in the order of the keys' bytes.
    ``backslashes``: it keeps them in keys; None while that is unknown. What lies below one of
    ``backup_prefixes`` (each ends with a slash) is no part of the mirror.
    """

    id: int
    location: str
    name: str
    created: bool
    ordered: bool
    backslashes: bool | None
    backup_prefixes: tuple[str, ...]

    @property
    def place(self) -> str:
        """What people call it."""
        return f"the bucket {self.name!r}" + (f" at {self.location}" if self.location else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSchedule:
    """A sync that starts again and again. ``cron`` is in UTC; ``next_at`` is when it is due."""

    number: int
    bucket_id: int
    location: str
    bucket: str
    source: str
    options: SyncOptions
    cron: str
    next_at: datetime
    created_by: str
    created_role: str
    created_at: datetime


def ratio(done: int, total: int) -> float:
    """Return ``done`` of ``total`` as a ratio; 0 of nothing is 0."""
    return done / total if total else 0.0


def check_bucket_name(name: str) -> str:
    """Return a name that S3 takes for a bucket. Raises InvalidError for any other.

    Rules of Amazon S3's "General purpose bucket naming rules": 3 to 63 lower-case letters, digits,
    dots and dashes, a letter or digit at both ends, no two dots in a row, no IPv4 address.
    """
    if not _BUCKET_NAME.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        raise InvalidError(
            f"dest must be a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes. "
            f"{name[:100]!r} is none.",
            field="dest",
        )
    return name


def check_source(text: str) -> str:
    """Return a path relative to the uploads root, without empty and ``.`` names.

    Raises InvalidError for an absolute path, for one with ``..`` in it, and for a text that no
    path can be.
    """
    if text.startswith("/"):
        raise InvalidError(
            f"source must be relative to the uploads root; {text[:200]!r} is absolute.",
            field="source",
        )
    names = [name for name in text.split("/") if name not in {"", "."}]
    if ".." in names:
        raise InvalidError(
            f"source must stay below the uploads root; {text[:200]!r} has '..' in it.",
            field="source",
        )
    _check_text(text, "source")
    return "/".join(names)


def check_backup_prefix(text: str) -> str:
    """Return a prefix for backups, without slashes at its ends. Raises InvalidError."""
    prefix = text.strip("/")
    _check_text(prefix, "backup_prefix")
    names = prefix.split("/")
    if not prefix or len(prefix.encode()) > MAX_PREFIX_BYTES or {"", ".", ".."} & set(names):
        raise InvalidError(
            f"backup_prefix must be the beginning of a key, as in 'backups/november', of at most "
            f"{MAX_PREFIX_BYTES} bytes; {text[:100]!r} is none.",
            field="backup_prefix",
        )
    return prefix


def _check_text(text: str, field_name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidError(f"{field_name} has characters that no name has.", field=field_name)
