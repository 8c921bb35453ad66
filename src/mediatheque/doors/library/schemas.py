"""Medias as the library shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import Job, JobStatus
from mediatheque.domain.library import (
    MOST_COUNTED,
    LibraryEntry,
    LibraryFilter,
    LibraryKind,
    LibraryQuery,
    LibrarySort,
    decode_position,
    dimensions,
    library_kind,
)
from mediatheque.domain.paging import FieldType, parse_boolean, parse_value
from mediatheque.doors.http.requests import Pairs, parse_count, parse_whole_number
from mediatheque.services.library import LibraryFamily, LibraryPage

DEFAULT_LIMIT = 60
MAX_LIMIT = 200
PARAMETERS: Mapping[str, str] = {
    "q": "Words, each part of the file's name, the resource or the key, in any case.",
    "tag": "A tag that must be on it; repeat it for several.",
    "kind": "`video`, `image`, `audio` or `other`; repeat it for any of several.",
    "since": "Not created before this time (RFC 3339).",
    "until": "Not created after this time (RFC 3339).",
    "min_size": "At least so many bytes.",
    "max_size": "At most so many bytes.",
    "project_id": "Of this project.",
    "derived": "`true`: also medias with a key, which were made of others.",
    "sort": "`-created_at` (default), `created_at`, `name`, `-name`, `size` or `-size`.",
    "limit": f"Medias per page, 1 to {MAX_LIMIT}; default {DEFAULT_LIMIT}.",
    "cursor": "`next` of the page before, with the same parameters.",
}
_REPEATED = frozenset({"tag", "kind"})
_MOST_WORDS = 10
_MOST_TAGS = 100


class LibraryItem(Struct, frozen=True, kw_only=True):
    """One media. ``size`` in bytes, ``duration`` in seconds, ``width`` and ``height`` in pixels.

    Addresses are paths of this service: ``thumbnail`` of a small picture, ``sprite`` of the WebVTT
    that tells which part of a picture shows which time.
    """

    id: str
    resource: str
    key: str
    filename: str
    size: int
    mime_type: str
    kind: LibraryKind
    tags: tuple[str, ...]
    public: bool
    project_id: str | None
    created_at: datetime
    updated_at: datetime
    duration: float | None
    width: int | None
    height: int | None
    url: str
    thumbnail: str | None
    sprite: str | None


class LibraryItems(Struct, frozen=True):
    """One page of medias; ``next`` is the cursor of the next one.

    ``count`` of all that pass the filters is with the first page only; of many it is not exact.
    """

    items: list[LibraryItem]
    next: str | None
    count: int | None
    count_is_exact: bool


class LibraryMedia(LibraryItem, frozen=True, kw_only=True):
    """One media with everything that is known of it.

    ``derived`` was made of it, ``of`` is what it was made of. ``playable`` is the address of what a
    browser plays best, ``hls`` of a playlist, ``waveform`` of the loudness as JSON. ``crc64nvme``
    in base64 as S3 writes it, ``blake3`` hexadecimal.
    """

    meta: dict[str, Any]
    crc64nvme: str | None
    blake3: str | None
    created_by: str
    derived: list[LibraryItem]
    of: LibraryItem | None
    hls: str | None
    waveform: str | None
    playable: str | None


class LibraryJob(Struct, frozen=True, kw_only=True):
    """One job that worked on a media. ``progress`` from 0 to 1."""

    id: str
    job_class: str
    status: JobStatus
    progress: float
    created_at: datetime
    finished_at: datetime | None
    error: str | None


class LibraryJobs(Struct, frozen=True):
    """The jobs that worked on a media, newest first."""

    items: list[LibraryJob]


def parse_library_query(pairs: Pairs) -> LibraryQuery:
    """Return the page that a query asks for. Raises InvalidError."""
    for name, text in pairs:
        if name not in PARAMETERS:
            raise InvalidError(f"There is no parameter {name[:100]!r}.", field=name[:100])
        if name not in _REPEATED and sum(other == name for other, _ in pairs) > 1:
            raise InvalidError(f"{name} is given twice.", field=name)
        parse_value(text, FieldType.TEXT, field=name)
    query = {name: text for name, text in pairs if text}
    wanted = LibraryFilter(
        words=_words(query.get("q", "")),
        tags=_tags([text for name, text in pairs if name == "tag" and text]),
        kinds=frozenset(_kind(text) for name, text in pairs if name == "kind" and text),
        since=_time(query, "since"),
        until=_time(query, "until"),
        min_size=_size(query, "min_size"),
        max_size=_size(query, "max_size"),
        project_id=query.get("project_id"),
        derived=parse_boolean(query.get("derived", "false"), field="derived"),
    )
    sort = _sort(query.get("sort", LibrarySort.NEWEST))
    after = decode_position(query["cursor"], wanted, sort) if "cursor" in query else None
    limit = DEFAULT_LIMIT
    if "limit" in query:
        limit = parse_whole_number(query["limit"], field="limit", least=1, most=MAX_LIMIT)
    return LibraryQuery(wanted, sort, limit, after)


def items_of(page: LibraryPage) -> LibraryItems:
    """Return one page of medias as the library shows it."""
    exact = page.count is not None and page.count <= MOST_COUNTED
    count = None if page.count is None else min(page.count, MOST_COUNTED)
    items = [LibraryItem(**_values(entry)) for entry in page.entries]
    return LibraryItems(items, page.next, count, exact)


def media_with_family(family: LibraryFamily) -> LibraryMedia:
    """Return a media with everything that is known of it."""
    entry, media = family.entry, family.entry.media
    return LibraryMedia(
        **_values(entry),
        meta=media.meta,
        crc64nvme=media.crc64nvme,
        blake3=media.blake3,
        created_by=media.created_by,
        derived=[LibraryItem(**_values(one)) for one in family.derived],
        of=None if family.of is None else LibraryItem(**_values(family.of)),
        hls=_address(entry, entry.made_as("master.m3u8")),
        waveform=_address(entry, entry.made_as("waveform.json")),
        playable=_address(entry, entry.playable),
    )


def job_item(job: Job) -> LibraryJob:
    """Return a job as the library shows it."""
    return LibraryJob(
        id=str(job.id),
        job_class=job.job_class,
        status=job.status,
        progress=job.progress,
        created_at=job.created_at,
        finished_at=job.finished_at,
        error=job.error,
    )


def _values(entry: LibraryEntry) -> dict[str, Any]:
    media = entry.media
    known = dimensions(media.meta)
    return {
        "id": str(media.id),
        "resource": media.resource,
        "key": media.key,
        "filename": media.filename,
        "size": media.size,
        "mime_type": media.mime_type,
        "kind": library_kind(media.mime_type),
        "tags": media.tags,
        "public": media.public,
        "project_id": media.project_id,
        "created_at": media.created_at,
        "updated_at": media.updated_at,
        "duration": known.duration,
        "width": known.width,
        "height": known.height,
        "url": _address(entry, media.key),
        "thumbnail": _address(entry, entry.thumbnail),
        "sprite": _address(entry, entry.made_as("sprite.vtt")),
    }


def _address(entry: LibraryEntry, key: str | None) -> str | None:
    """Return the path of the media that has this key beside an entry; None for no key."""
    if key is None:
        return None
    names = (entry.media.resource, key) if key else (entry.media.resource,)
    return "/medias/files/" + "/".join(quote(name, safe="") for name in names)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split()))
    if len(words) > _MOST_WORDS:
        raise InvalidError(
            f"q has {len(words)} words; at most {_MOST_WORDS} are looked for.", field="q"
        )
    return words


def _tags(texts: list[str]) -> tuple[str, ...]:
    if len(texts) > _MOST_TAGS:
        raise InvalidError(f"At most {_MOST_TAGS} tags can be asked for.", field="tag")
    return tuple(sorted(set(texts)))


def _kind(text: str) -> LibraryKind:
    if text not in list(LibraryKind):
        raise InvalidError(f"kind must be one of {', '.join(LibraryKind)}.", field="kind")
    return LibraryKind(text)


def _sort(text: str) -> LibrarySort:
    if text not in list(LibrarySort):
        raise InvalidError(f"sort must be one of {', '.join(LibrarySort)}.", field="sort")
    return LibrarySort(text)


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    found = parse_value(query[name], FieldType.TIME, field=name)
    assert isinstance(found, datetime)  # that is what the type means
    return found


def _size(query: Mapping[str, str], name: str) -> int | None:
    return parse_count(query[name], field=name) if name in query else None
