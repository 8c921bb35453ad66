"""A long list: rows of medias written straight into the database, with no bytes behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tests.bench.outcome import BenchError

_USER = "mediatheque"
_DATABASE = "postgres"

# Values are spread as in an archive in use: a few kinds, people and projects own most of it, and
# there are some of which next to nothing exists. Every row draws from the same generator.
_ROWS = """
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


class Database:
    """A connection to the database of a running service."""

    def __init__(self, connected: Any) -> None:
        self._connected = connected

    async def fill(self, rows: int) -> None:
        """Insert so many rows, the same ones each time, and put the table in its settled state.

        The settled state is what autovacuum comes to by itself: statistics and visibility map.
        """
        async with self._connected.transaction():
            await self._connected.execute("SELECT setseed(0.25)")
            await self._connected.execute(_ROWS, rows, timeout=3600)
        await self._connected.execute("VACUUM (FREEZE, ANALYZE) medias", timeout=3600)
        await self._connected.execute("CHECKPOINT", timeout=3600)

    async def values(self, column: str) -> list[tuple[Any, int]]:
        """Return the commonest and the rarest value of a column with the number of their rows.

        One only when there is no difference between the two.
        """
        counted = f"SELECT {column}, count(*) FROM medias WHERE {column} IS NOT NULL GROUP BY 1"
        common, rare = [
            tuple(await self._connected.fetchrow(f"{counted} ORDER BY 2 {order}, 1 LIMIT 1"))
            for order in ("DESC", "ASC")
        ]
        return [common] if common[1] == rare[1] else [common, rare]

    async def quantiles(self, column: str, fractions: Sequence[float]) -> list[Any]:
        """Return the values of a column that so large a part of the rows does not exceed."""
        query = f"SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY {column}) FROM medias"
        return list(await self._connected.fetchval(query, fractions))

    async def count(self, condition: str, *values: Any) -> int:
        """Return how many rows fulfil an SQL condition on ``$1``, ``$2``, …"""
        query = f"SELECT count(*) FROM medias WHERE {condition}"
        return int(await self._connected.fetchval(query, *values))

    async def close(self) -> None:
        """Close the connection."""
        await self._connected.close()


async def connect(data_dir: Path) -> Database:
    """Connect to the PostgreSQL that a service embeds, as its ``postmaster.pid`` says.

    :raises BenchError: none runs there.
    """
    try:
        facts = (data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        raise BenchError(f"no PostgreSQL runs in {data_dir}") from None
    port, socket_directory = int(facts[3]), facts[4]
    connected = await asyncpg.connect(
        host=socket_directory, port=port, user=_USER, database=_DATABASE
    )
    return Database(connected)
