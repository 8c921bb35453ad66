"""The library: medias as people look for them."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.media import LISTED_FIELDS, Media
from mediatheque.domain.paging import Order, Value, decode_cursor, encode_cursor, total_order
from mediatheque.domain.processing import DERIVED, PLAYABLE

MOST_COUNTED = 10_000
"""Beyond this many, medias that pass a filter are not counted."""

_THUMBNAILS = ("thumbnail.webp", "thumbnail.jpg")
_PICTURES_OF_THE_WEB = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"}
_MOST_BYTES_OF_A_THUMBNAIL = 2 << 20


class LibraryKind(StrEnum):
    """What people take a media for."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"
    OTHER = "other"


class LibrarySort(StrEnum):
    """What a library can be sorted by; a minus begins with the largest, or the latest."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "name"
    NAME_DESCENDING = "-name"
    SMALLEST = "size"
    LARGEST = "-size"

    @property
    def order(self) -> tuple[Order, ...]:
        """The fields of a media that this sorts by; ``name`` is that of the file."""
        field = self.removeprefix("-").replace("name", "filename")
        return total_order((Order(field, descending=self.startswith("-")),))


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFilter:
    """What medias must be like.

    Each of ``words`` is part of the file's name, the resource or the key, in any case; every one of
    ``tags`` is on it; it is of one of ``kinds``, if there are any. Times and sizes (bytes) belong
    to what they bound. Only with ``derived`` it may be one that was made of another.
    """

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    kinds: frozenset[LibraryKind] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    min_size: int | None = None
    max_size: int | None = None
    project_id: str | None = None
    derived: bool = False

    @property
    def digest(self) -> str:
        """A short text that is another one for another filter."""
        said = [[field.name, _plain(getattr(self, field.name))] for field in fields(self)]
        return sha256(json.dumps(said).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class LibraryQuery:
    """One page of the library. ``after`` is where the page before ended, None for the first."""

    filter: LibraryFilter
    sort: LibrarySort
    limit: int
    after: tuple[Value | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A media, and the keys of what was made of the same original, as far as they are known."""

    media: Media
    made: frozenset[str]

    @property
    def thumbnail(self) -> str | None:
        """The key of a small picture of it; its own when it is one."""
        media = self.media
        if self._stands_for_the_original:
            found = next((key for key in _THUMBNAILS if key in self.made), None)
            if found is not None:
                return found
        small = media.size <= _MOST_BYTES_OF_A_THUMBNAIL
        return media.key if small and media.mime_type in _PICTURES_OF_THE_WEB else None

    @property
    def playable(self) -> str | None:
        """The key of what a browser plays best; None when there is nothing to play."""
        if library_kind(self.media.mime_type) not in {LibraryKind.VIDEO, LibraryKind.AUDIO}:
            return None
        if self.media.key:
            part = self.media.key in DERIVED and self.media.key not in PLAYABLE
            return None if part else self.media.key
        return next((key for key in PLAYABLE if key in self.made), "")

    def made_as(self, key: str) -> str | None:
        """Return ``key`` when there is such a media, and it belongs to this one."""
        return key if self._stands_for_the_original and key in self.made else None

    @property
    def _stands_for_the_original(self) -> bool:
        return self.media.key in {"", *PLAYABLE}


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What is known of how long (seconds) and how large (pixels, as it is shown) a media is."""

    duration: float | None
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Amount:
    """How many medias there are, and their bytes."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.count + other.count, self.bytes + other.bytes)


def library_kind(mime_type: str) -> LibraryKind:
    """Return what people take a media of this type for."""
    try:
        return LibraryKind(mime_type.partition("/")[0])
    except ValueError:
        return LibraryKind.OTHER


def dimensions(meta: Mapping[str, Any]) -> Dimensions:
    """Return what the ``meta`` of a media tells of its length and size."""
    picture = meta.get("video") or meta.get("image") or {}
    return Dimensions(meta.get("duration"), picture.get("width"), picture.get("height"))


def encode_position(query: LibraryQuery, last: Media) -> str:
    """Return an opaque text that says where a page ended: with ``last``."""
    order = query.sort.order
    ended = encode_cursor(order, tuple(getattr(last, item.field) for item in order))
    return base64.urlsafe_b64encode(f"{query.filter.digest}.{ended}".encode()).decode().rstrip("=")


def decode_position(
    text: str, wanted: LibraryFilter, sort: LibrarySort
) -> tuple[Value | None, ...]:
    """Return where the page that ``encode_position`` tells of ended.

    Raises InvalidError when it is of another filter or order.
    """
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        digest, _, ended = plain.partition(".")
        if digest == wanted.digest:
            return decode_cursor(
                ended, sort.order, LISTED_FIELDS, nullable=frozenset(), field="cursor"
            )
    except (binascii.Error, UnicodeError, ValueError, InvalidError):
        pass
    raise InvalidError(
        "cursor is not one of this search. Take it from `next`, with the same parameters, or "
        "begin without it.",
        field="cursor",
    )


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)
