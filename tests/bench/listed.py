"""The two long lists: what they are made of, and what can be asked of them."""

from dataclasses import dataclass

# Values are spread as in an archive in use: a few kinds, people and projects own most of it, and
# there are some of which next to nothing exists. Every row draws from the same generator.
_MEDIAS = """
WITH numbers AS (
    SELECT
        n,
        timestamptz '2024-01-01' + n * (interval '730 days' / $1::bigint) AS created_at,
        least(19, floor(-ln(1 - random()) / ln(2)))::int AS kind,
        least(49, floor(-ln(1 - random()) / ln(1.25)))::int AS creator,
        least(999, floor(1000 * random() * random()))::int AS project,
        random() AS derived,
        random() AS role,
        random() AS has_project,
        floor(random() * 4)::int AS tag_count
    FROM generate_series(1, $1::bigint) AS n
), named AS (
    SELECT
        *,
        (
            lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0')
            || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
        )::uuid AS id,
        (ARRAY[
            'video/mp4', 'image/jpeg', 'video/quicktime', 'image/png', 'audio/mpeg',
            'video/webm', 'audio/wav', 'image/heic', 'application/pdf', 'audio/flac',
            'image/webp', 'video/x-matroska', 'image/tiff', 'audio/ogg', 'image/gif',
            'video/mp2t', 'application/vnd.apple.mpegurl', 'text/vtt', 'application/zip',
            'image/x-adobe-dng'
        ])[kind + 1] AS mime_type,
        (ARRAY['Interview', 'Holiday', 'Rehearsal', 'Lecture', 'Match'])[1 + n % 5] AS subject,
        (ARRAY['mp4', 'jpg', 'mov', 'png', 'mp3'])[least(kind, 4) + 1] AS suffix
    FROM numbers
)
INSERT INTO medias (
    id, resource, key, filename, size, mime_type, created_by, created_role, public, project_id,
    tags, meta, crc64nvme, blake3, object_key, created_at, updated_at
)
SELECT
    id,
    substr(md5('resource' || n), 1, 16) || '.' || suffix,
    CASE
        WHEN derived < 0.97 THEN ''
        WHEN derived < 0.99 THEN 'thumbnail.jpg'
        WHEN derived < 0.9999 THEN 'master.m3u8'
        ELSE 'waveform.json'
    END,
    subject || ' ' || lpad(n::text, 8, '0') || '.' || suffix,
    floor(power(10, 3 + 7 * random()))::bigint,
    mime_type,
    'user-' || lpad(creator::text, 2, '0'),
    CASE WHEN role < 0.9 THEN 'operator' WHEN role < 0.9999 THEN 'editor' ELSE 'auditor' END,
    random() < 0.01,
    CASE WHEN has_project < 0.9 THEN 'project-' || lpad(project::text, 3, '0') END,
    (ARRAY['raw', 'checked', 'published', 'archive'])[1:tag_count],
    jsonb_build_object('width', 1920, 'height', 1080, 'duration', 10 + n % 3600, 'fps', 25),
    encode(substr(decode(md5('crc' || n), 'hex'), 1, 8), 'base64'),
    md5('blake' || n) || md5('three' || n),
    'originals/' || id || '/' || subject || '.' || suffix,
    created_at,
    created_at + (random() * interval '1 day')
FROM named
"""

# Nearly all of a long history has ended well; what is wrong, waits or runs is rare in it.
_JOBS = """
WITH numbers AS (
    SELECT
        n,
        timestamptz '2024-01-01' + n * (interval '730 days' / $1::bigint) AS created_at,
        least(4, floor(-ln(1 - random()) / ln(6)))::int AS kind,
        random() AS ending,
        random() AS priority,
        random() AS delayed,
        random() AS retried,
        random() AS keyed
    FROM generate_series(1, $1::bigint) AS n
), judged AS (
    SELECT
        *,
        CASE
            WHEN ending < 0.97 THEN 'completed' WHEN ending < 0.99 THEN 'errored'
            WHEN ending < 0.999 THEN 'cancelled' WHEN ending < 0.9998 THEN 'pending'
            WHEN ending < 0.9999 THEN 'paused' ELSE 'running'
        END AS status
    FROM numbers
)
INSERT INTO jobs (
    id, job_class, queue, arguments, priority, status, progress, error, retry_count, unicity,
    created_by, created_role, scheduled_at, created_at, started_at, finished_at, updated_at
)
SELECT
    (
        lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
    )::uuid,
    (ARRAY['transfer', 'segment', 'sync', 'janitor', 'probe'])[kind + 1],
    'transfers',
    jsonb_build_object('media_files', jsonb_build_array('file:///archive/' || n || '.mov')),
    CASE WHEN priority < 0.95 THEN 0 WHEN priority < 0.9999 THEN 10 ELSE -5 END,
    status,
    CASE status
        WHEN 'completed' THEN 1
        WHEN 'pending' THEN 0
        ELSE floor(random() * 1000) / 1000
    END,
    CASE
        WHEN status <> 'errored' THEN NULL
        WHEN n % 50 = 0 THEN 'The file ' || n || '.mov changed while it was read.'
        ELSE 'The store does not answer.'
    END,
    CASE WHEN retried < 0.95 THEN 0 ELSE 1 + floor(random() * 5) END,
    CASE WHEN keyed < 0.05 THEN 'key-' || n END,
    'local',
    'operator',
    CASE WHEN delayed < 0.05 THEN created_at + interval '5 seconds' END,
    created_at,
    created_at,
    created_at + interval '1 minute',
    created_at + (random() * interval '1 day')
FROM judged
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of door 3: its path, its table, SQL that inserts ``$1`` rows, its filters.

    ``ranges`` are the fields whose filters have bounds, ``several`` the field that is asked for
    one of several values.
    """

    path: str
    table: str
    rows: str
    filters: tuple[str, ...]
    ranges: tuple[str, ...]
    several: str


MEDIAS = Listed(
    path="/medias",
    table="medias",
    rows=_MEDIAS,
    filters=(
        "id",
        "resource",
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
    ),
    ranges=("size", "created_at", "updated_at"),
    several="mime_type",
)

JOBS = Listed(
    path="/jobs",
    table="jobs",
    rows=_JOBS,
    filters=(
        "id",
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
    ),
    ranges=("priority", "progress", "retry_count", "scheduled_at", "created_at", "updated_at"),
    several="status",
)
