"""The tables, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _times() -> tuple[Column[object], Column[object]]:
    return (
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    )


# One row: which catalog this is. The store carries the same id, so that neither is ever used with
# another one: to an empty catalog everything in a full store would look left behind.
identity = Table(
    "identity",
    metadata,
    Column("single", Boolean, CheckConstraint("single", name="identity_single"), primary_key=True),
    Column("id", Uuid, nullable=False),
)

medias = Table(
    "medias",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("resource", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    Column("public", Boolean, nullable=False, server_default=text("false")),
    Column("project_id", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("meta", JSONB, nullable=False, server_default=text("'{}'")),
    Column("crc64nvme", Text),
    Column("blake3", Text),
    Column("object_key", Text, nullable=False),
    *_times(),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    Column("staged_key", Text),
    Column("crc64nvme", Text),
    Column("blake3", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("uploads_expires_at", "expires_at"),
)

# The only truth about a job; the queue's own tables only say which ones want to be run.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_class", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("signal", Text),
    Column("progress", Double, nullable=False, server_default=text("0")),
    Column("checkpoint", JSONB(none_as_null=True)),
    Column("error", Text),
    Column("retry_count", Integer, nullable=False, server_default=text("0")),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("unicity", Text),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("queue_id", BigInteger),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    Column("scheduled_at", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    *_times(),
    # Which jobs were about a media; those of other classes name none.
    Index(
        "jobs_medias",
        text("(arguments -> 'medias')"),
        postgresql_using="gin",
        postgresql_where=text("job_class = 'processing'"),
    ),
)

# ``number`` is given, and told to those who listen, by a trigger at the end of the transaction: so
# events are numbered in the order in which they become visible.
job_events = Table(
    "job_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("number", BigInteger),
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", Double, nullable=False),
    Index("job_events_number", "number", unique=True),
    Index("job_events_job_id", "job_id", "number"),
)

# The job of the same id holds everything that transfers share with other jobs. The counts change
# together with the rows of the files.
transfers = Table(
    "transfers",
    metadata,
    Column("id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sources", JSONB, nullable=False),
    Column("request_digest", Text, nullable=False),
    Column("segmented", Boolean, nullable=False),
    Column("segments", Integer, nullable=False, server_default=text("0")),
    Column("scanned", Boolean, nullable=False, server_default=text("false")),
    Column("retake", Boolean, nullable=False, server_default=text("false")),
    Column("bandwidth", BigInteger),
    Column("files_total", BigInteger, nullable=False, server_default=text("0")),
    Column("files_complete", BigInteger, nullable=False, server_default=text("0")),
    Column("files_failed", BigInteger, nullable=False, server_default=text("0")),
    Column("files_skipped", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_total", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_complete", BigInteger, nullable=False, server_default=text("0")),
)

transfer_files = Table(
    "transfer_files",
    metadata,
    Column("transfer_id", Uuid, ForeignKey("transfers.id", ondelete="CASCADE"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("error", Text),
    Column("media_id", Uuid),
    Column("upload_id", Text),
    Column("crc64nvme", Text),
    Column("blake3", Text),
    Index("transfer_files_state", "transfer_id", "state", "position"),
)
# By its digest: a path can be longer than what an index holds.
Index(
    "transfer_files_path",
    transfer_files.c.transfer_id,
    func.sha256(transfer_files.c.path),
    unique=True,
)
# Whose object is not a media's yet: what the janitor must leave alone.
Index(
    "transfer_files_unfinished",
    transfer_files.c.media_id,
    postgresql_where=text("media_id IS NOT NULL AND state <> 'complete'"),
)

# A bucket that syncs write to; an empty location is the configured store.
sync_buckets = Table(
    "sync_buckets",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("location", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", Boolean, nullable=False, server_default=text("false")),
    Column("ordered", Boolean, nullable=False, server_default=text("true")),
    Column("backslashes", Boolean),
    Column("backup_prefixes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Index("sync_buckets_place", "location", "name", unique=True),
)

# What is known of the objects in it, and what the file of each looked like.
sync_objects = Table(
    "sync_objects",
    metadata,
    Column("bucket_id", ForeignKey("sync_buckets.id", ondelete="CASCADE"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("blake3", Text, nullable=False),
    Column("uploaded", Boolean, nullable=False),
    # A file that was moved keeps its size and its time.
    Index("sync_objects_moved", "bucket_id", "size", "mtime_ns"),
)

# The job of the same id holds everything that syncs share with other jobs. ``credentials`` are
# sealed, and wiped by a trigger when the job ends.
syncs = Table(
    "syncs",
    metadata,
    Column("id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("bucket_id", BigInteger, ForeignKey("sync_buckets.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("credentials", LargeBinary),
    Column("phase", Text, nullable=False),
    Column("plan", JSONB(none_as_null=True)),
    Column("planned_at", DateTime(timezone=True)),
    Column("done_files", BigInteger, nullable=False, server_default=text("0")),
    Column("done_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("failed", BigInteger, nullable=False, server_default=text("0")),
    Column("rounds", BigInteger, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Index("syncs_bucket_id", "bucket_id"),
)

sync_operations = Table(
    "sync_operations",
    metadata,
    Column("sync_id", Uuid, ForeignKey("syncs.id", ondelete="CASCADE"), primary_key=True),
    Column("rank", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_etag", Text),
    Column("stored_size", BigInteger),
    Column("copy_from", LargeBinary),
    Column("mtime_ns", BigInteger),
    Column("ctime_ns", BigInteger),
    Column("inode", BigInteger),
    Column("blake3", Text),
    Column("owned", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text),
    Column("upload_id", Text),
    Column("sent", BigInteger, nullable=False, server_default="0"),
)
# What is still to be done, in order.
Index(
    "sync_operations_pending",
    sync_operations.c.sync_id,
    sync_operations.c.rank,
    sync_operations.c.position,
    postgresql_where=text("state = 'pending'"),
)
# Files of which a part was sent.
Index(
    "sync_operations_under_way",
    sync_operations.c.sync_id,
    sync_operations.c.rank,
    sync_operations.c.position,
    postgresql_where=text("state = 'pending' AND sent > 0"),
)
# Multipart uploads that somebody means to continue.
Index(
    "sync_operations_uploads",
    sync_operations.c.upload_id,
    postgresql_where=text("upload_id IS NOT NULL"),
)

sync_schedules = Table(
    "sync_schedules",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("bucket_id", BigInteger, ForeignKey("sync_buckets.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("credentials", LargeBinary),
    Column("cron", Text, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("sync_schedules_next_at", "next_at"),
)

# Items whose bytes arrive in pieces. Who holds one, until when, may add to it; a hold that is not
# renewed ends by itself.
intakes = Table(
    "intakes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("size", BigInteger, nullable=False, server_default=text("0")),
    Column("crc64nvme", Text, nullable=False),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    Column("holder", Uuid),
    Column("held_until", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("touched_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# The objects that hold its acknowledged bytes, by the offset of their first one.
intake_segments = Table(
    "intake_segments",
    metadata,
    Column("intake_id", Uuid, ForeignKey("intakes.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("upload_id", Text),
    Column("part_number", Integer),
    Column("etag", Text),
    Index("intake_segments_upload_id", "upload_id", postgresql_where=text("upload_id IS NOT NULL")),
)

# Its id is the intake's. The row of one that has become a media goes with that.
resumable_uploads = Table(
    "resumable_uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("concatenation", Text, nullable=False),
    Column("length", BigInteger),
    Column("ending", Boolean, nullable=False),
    Column("parts", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("final_id", Uuid),
    Column("destination", JSONB, nullable=False),
    Column("metadata", Text),
    Column("concat", Text),
    Column("digests", JSONB, nullable=False, server_default=text("'{}'")),
    Column("media_id", Uuid, ForeignKey("medias.id", ondelete="CASCADE")),
    Column("idempotency_key", Text),
    Column("request", Text),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    *_times(),
    Index("resumable_uploads_media_id", "media_id"),
)
Index(
    "resumable_uploads_idempotency_key",
    resumable_uploads.c.created_by,
    resumable_uploads.c.idempotency_key,
    unique=True,
    postgresql_where=resumable_uploads.c.idempotency_key.is_not(None),
)
# Those that may have to be finished or to be removed.
Index(
    "resumable_uploads_unfinished",
    resumable_uploads.c.updated_at,
    postgresql_where=resumable_uploads.c.media_id.is_(None),
)

# ``media_id`` is the intake's id, and the original's once there is one.
recordings = Table(
    "recordings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("media_id", Uuid, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("chunks", BigInteger, nullable=False, server_default=text("0")),
    Column("size", BigInteger, nullable=False, server_default=text("0")),
    Column("warning", Text),
    Column("error", Text),
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("created_by", Text, nullable=False),
    Column("created_role", Text, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    *_times(),
    Index("recordings_created_at", "created_at", "id"),
    Index("recordings_job_id", "job_id"),
)
# Those that may have to be completed by themselves.
Index(
    "recordings_unfinished",
    recordings.c.updated_at,
    postgresql_where=text("state IN ('recording', 'processing')"),
)

recording_chunks = Table(
    "recording_chunks",
    metadata,
    Column("recording_id", Uuid, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blake3", Text, nullable=False),
    Index("recording_chunks_start", "recording_id", "start"),
)

# Who runs jobs, when each last gave a sign of life, and what its operator should know of it.
workers = Table(
    "workers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("warning", Text),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# Of jobs with one key at most one is live; the others are history. Constants, not parameters: an
# INSERT names the index by this condition, and a prepared statement forgets parameters' values.
LIVE_JOBS = text("status IN ('pending', 'running', 'paused')")
Index(
    "jobs_unicity_live",
    jobs.c.unicity,
    unique=True,
    postgresql_where=LIVE_JOBS,
)
for _name in (
    "job_class",
    "priority",
    "status",
    "progress",
    "retry_count",
    "error",
    "unicity",
    "scheduled_at",
    "created_at",
    "updated_at",
):
    Index(f"jobs_{_name}", jobs.c[_name], jobs.c.id)
Index("jobs_created_by", jobs.c.created_by, jobs.c.id)

Index("medias_resource_key", medias.c.resource, medias.c.key, unique=True)
# Every field that a list can be filtered or sorted by is followed by id, the tie-breaker, so that
# any page of any declared filter is one index scan.
for _name in (
    "key",
    "filename",
    "size",
    "mime_type",
    "created_by",
    "created_role",
    "public",
    "created_at",
    "updated_at",
    "project_id",
):
    Index(f"medias_{_name}", medias.c[_name], medias.c.id)
# Originals, newest first: what door 4 lists and counts. The library also lists them by name and by
# size, and newest first of one kind.
ORIGINALS = text("key = ''")
MEDIA_KIND = "coalesce(substring(mime_type, '^(video|image|audio)/'), 'other')"
Index("medias_originals", medias.c.created_at, medias.c.id, postgresql_where=ORIGINALS)
Index("medias_originals_filename", medias.c.filename, medias.c.id, postgresql_where=ORIGINALS)
Index("medias_originals_size", medias.c.size, medias.c.id, postgresql_where=ORIGINALS)
Index(
    "medias_originals_kind",
    text(MEDIA_KIND),
    medias.c.created_at,
    medias.c.id,
    postgresql_where=ORIGINALS,
)
Index("medias_tags", medias.c.tags, postgresql_using="gin")
# The same bytes again, and every media of one object: an object goes with the last of them.
Index(
    "medias_blake3",
    medias.c.blake3,
    medias.c.size,
    postgresql_where=text("blake3 IS NOT NULL"),
)
Index("medias_object_key", medias.c.object_key)
