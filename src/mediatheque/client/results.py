"""What the server answers with, typed. Sizes in bytes, times in UTC, ratios from 0 to 1."""

from datetime import datetime
from typing import Any

from msgspec import Struct

LIVE_STATUSES = frozenset({"pending", "running", "paused"})
"""Statuses of jobs and transfers of which more is to come."""


class Checksum(Struct, frozen=True):
    """``crc64nvme`` in base64 as S3 writes it, ``blake3`` hexadecimal; None when not known."""

    crc64nvme: str | None = None
    blake3: str | None = None


class Media(Struct, frozen=True, kw_only=True):
    """One stored file. ``(resource, key)`` is its address; ``key`` is empty for an original."""

    id: str
    resource: str
    key: str
    filename: str
    size: int
    mime_type: str
    created_by: str
    created_role: str
    public: bool
    created_at: datetime
    updated_at: datetime
    project_id: str | None
    checksum: Checksum
    tags: tuple[str, ...]
    meta: dict[str, Any]


class Job(Struct, frozen=True, kw_only=True):
    """One durable piece of work.

    ``status``: pending, running, paused, completed, errored or cancelled. Higher ``priority``
    first. ``unicity``: no two live jobs have the same.
    """

    id: str
    job_class: str
    arguments: dict[str, Any]
    priority: int
    status: str
    progress: float
    retry_count: int
    error: str | None
    unicity: str | None
    scheduled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def live(self) -> bool:
        """Whether there is still something to come."""
        return self.status in LIVE_STATUSES


class Signalled(Struct, frozen=True):
    """How many jobs took a signal, and how many are in a status that does not allow it."""

    signalled: int
    refused: int


class JobEvent(Struct, frozen=True, kw_only=True):
    """Something that happened to a job.

    ``kind`` names it: ``started``, ``completed``, …; ``progress`` for news of a running job and
    ``state`` for where a job stood when watching began, both without a history ``id``.
    """

    job: str
    kind: str
    at: datetime
    status: str
    progress: float
    id: int | None = None
    actor: str | None = None
    detail: dict[str, Any] = {}

    @property
    def live(self) -> bool:
        """Whether there is still something to come."""
        return self.status in LIVE_STATUSES


class FileCounts(Struct, frozen=True):
    """How many files of a transfer stand where; ``total`` grows until all are found."""

    total: int
    complete: int
    failed: int
    skipped: int
    pending: int


class ByteCounts(Struct, frozen=True):
    """How many bytes a transfer has to move, and has moved."""

    total: int
    complete: int


class Transfer(Struct, frozen=True, kw_only=True):
    """Files of the server's machine on their way to the store.

    ``status``: pending, running, paused, complete, failed or cancelled. ``sources`` are URIs.
    ``scanned``: whether all files below the sources are known. ``rate`` in bytes per second,
    ``eta`` in seconds, ``bandwidth`` the limit in bytes per second; None where not known or none.
    """

    id: str
    status: str
    sources: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    files: FileCounts
    bytes: ByteCounts
    scanned: bool
    rate: float | None
    eta: float | None
    bandwidth: int | None
    error: str | None

    @property
    def live(self) -> bool:
        """Whether there is still something to come."""
        return self.status in LIVE_STATUSES


class TransferPreview(Struct, frozen=True, kw_only=True):
    """What a transfer would take along: so many files, and the bytes of all of them.

    ``failing`` cannot be read, ``skipped`` have no bytes; ``problems`` says why of the first.
    ``whole``: everything was looked at; else there are more.
    """

    files: int
    bytes: int
    failing: int
    skipped: int
    problems: tuple[str, ...]
    whole: bool


class TransferFile(Struct, frozen=True, kw_only=True):
    """One file of a transfer. ``state``: pending, complete, failed or skipped."""

    position: int
    uri: str
    size: int | None
    state: str
    bytes: int
    checksum: Checksum | None
    error: str | None
    media_id: str | None
    resource: str | None


class Tally(Struct, frozen=True):
    """A number of files and their bytes."""

    files: int
    bytes: int


class SyncPlan(Struct, frozen=True, kw_only=True):
    """What a sync has to do.

    ``copy``: the content is in the bucket already, under another key. ``skip`` needs nothing.
    ``foreign`` of the deletions are of objects that the server did not upload. ``objects``: how
    many the bucket had, backups left out. ``ignored``: links, pipes and devices of the source.
    ``empty``: there is no file in the source, so that the bucket itself goes away.
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

    @property
    def operations(self) -> int:
        """How many file operations there are to do."""
        return self.upload.files + self.copy.files + self.update.files + self.delete.files


class Sync(Struct, frozen=True, kw_only=True):
    """A folder of the server's machine on its way into a bucket, one-way.

    ``status``: running, success, cancelled, or ``error (…)`` with the reason. ``progress``: as in
    ``42%``, of file operations. ``job`` is the id of its job. ``source`` is relative to the
    server's uploads root, empty for all of it. ``storage_url`` is None for the server's own store.
    ``phase``: planning, uploading, updating, deleting or watching. ``plan`` is None until it is
    made; ``done`` and ``failed`` count operations of it, and ``rounds`` how often everything was
    done. ``wait`` in seconds.
    """

    id: int
    progress: str
    status: str
    source: str
    dest: str
    storage_url: str | None
    job: str
    phase: str
    wait: float
    dry_run: bool
    verify: bool
    force: bool
    watch: bool
    as_planned: int | None
    backup_prefix: str | None
    plan: SyncPlan | None
    done: Tally
    failed: int
    rounds: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def live(self) -> bool:
        """Whether there is still something to come."""
        return self.status == "running"


class SyncOperation(Struct, frozen=True, kw_only=True):
    """One operation of a sync's plan.

    ``action``: upload, copy, update or delete. ``state``: pending, done, failed or skipped.
    ``copy_from`` is the key of the object that is copied; ``bytes`` of a file are in the bucket.
    """

    action: str
    key: str
    size: int
    bytes: int
    state: str
    error: str | None
    copy_from: str | None


class SyncSchedule(Struct, frozen=True, kw_only=True):
    """A sync that starts again and again, at the times of ``cron``, in UTC."""

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


class Received(Struct, frozen=True):
    """How many bytes and chunks of a recording the server has acknowledged."""

    size: int
    chunks: int


class RecordingFile(Struct, frozen=True):
    """One media of a recording: ``key`` is empty for the original; ``url`` its address."""

    key: str
    url: str
    mime_type: str
    size: int


class Recording(Struct, frozen=True, kw_only=True):
    """A media that is sent in chunks while it is being made.

    ``status``: recording, processing, complete or failed. ``size`` and ``chunks``: what was
    acknowledged. ``warning`` is what people should know of a complete one, ``error`` why it
    failed. ``job`` is the id of its processing, ``resource`` what its medias have in common:
    ``media`` is the id of the original once there is one, ``files`` are all of them. Lists leave
    these two out.
    """

    id: str
    status: str
    size: int
    chunks: int
    warning: str | None
    error: str | None
    job: str | None
    resource: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    media: str | None = None
    files: tuple[RecordingFile, ...] = ()

    @property
    def live(self) -> bool:
        """Whether there is still something to come."""
        return self.status in {"recording", "processing"}

    @property
    def playable(self) -> RecordingFile | None:
        """The file to play: the processed one, else the original, None before there is either."""
        processed = (file for file in self.files if file.key.startswith("processed."))
        originals = (file for file in self.files if not file.key)
        return next(processed, None) or next(originals, None)
