"""The library: what a media is taken for, what stands for it, where a page ended."""

import base64
from datetime import UTC, datetime

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.library import (
    Dimensions,
    LibraryEntry,
    LibraryFilter,
    LibraryKind,
    LibraryQuery,
    LibrarySort,
    decode_position,
    dimensions,
    encode_position,
    library_kind,
)
from mediatheque.domain.paging import Order
from tests.support.database import a_media

SMALL, LARGE = 2 << 20, (2 << 20) + 1
EVERYTHING = frozenset({"processed.mp4", "thumbnail.jpg", "thumbnail.webp", "sprite.vtt"})


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("video/mp4", "video"),
        ("image/svg+xml", "image"),
        ("audio/ogg", "audio"),
        ("text/vtt", "other"),
        ("application/vnd.apple.mpegurl", "other"),
        ("other/thing", "other"),
        ("", "other"),
    ],
)
def test_the_kind_is_the_first_part_of_the_type(mime_type: str, kind: str) -> None:
    assert library_kind(mime_type) == kind


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-created_at", (Order("created_at", True), Order("id", True))),
        ("created_at", (Order("created_at"), Order("id"))),
        ("name", (Order("filename"), Order("id"))),
        ("-name", (Order("filename", True), Order("id", True))),
        ("size", (Order("size"), Order("id"))),
        ("-size", (Order("size", True), Order("id", True))),
    ],
)
def test_every_sort_is_total_and_one_way(sort: str, order: tuple[Order, ...]) -> None:
    assert LibrarySort(sort).order == order


@pytest.mark.parametrize(
    ("key", "mime_type", "size", "made", "thumbnail"),
    [
        ("", "video/mp4", SMALL, EVERYTHING, "thumbnail.webp"),
        ("", "video/mp4", SMALL, {"thumbnail.jpg"}, "thumbnail.jpg"),
        ("", "video/mp4", SMALL, {"sprite.vtt"}, None),
        ("", "image/png", SMALL, set(), ""),
        ("", "image/png", LARGE, set(), None),
        ("", "image/png", LARGE, EVERYTHING, "thumbnail.webp"),
        ("", "image/heic", SMALL, set(), None),
        ("", "image/svg+xml", SMALL, set(), None),
        ("processed.mp4", "video/mp4", SMALL, EVERYTHING, "thumbnail.webp"),
        ("sprite.webp", "image/webp", SMALL, EVERYTHING, "sprite.webp"),
        ("waveform.json", "application/json", SMALL, EVERYTHING, None),
    ],
)
def test_a_thumbnail_is_one_that_was_made_or_a_small_picture_itself(
    key: str, mime_type: str, size: int, made: set[str], thumbnail: str | None
) -> None:
    media = a_media(key=key, mime_type=mime_type, size=size)

    assert LibraryEntry(media, frozenset(made)).thumbnail == thumbnail


@pytest.mark.parametrize(
    ("key", "mime_type", "made", "playable"),
    [
        ("", "video/webm", {"processed.webm"}, "processed.webm"),
        ("", "audio/webm", {"processed.mkv"}, "processed.mkv"),
        ("", "video/webm", set(), ""),
        ("", "image/png", {"processed.webm"}, None),
        ("", "text/plain", set(), None),
        ("processed.webm", "video/webm", {"processed.webm"}, "processed.webm"),
        ("seg.m4s", "video/iso.segment", {"processed.webm"}, None),
        ("of-a-client.mp4", "video/mp4", {"processed.webm"}, "of-a-client.mp4"),
    ],
)
def test_what_is_played_is_the_remuxed_file_or_the_media_itself(
    key: str, mime_type: str, made: set[str], playable: str | None
) -> None:
    assert LibraryEntry(a_media(key=key, mime_type=mime_type), frozenset(made)).playable == playable


def test_what_was_made_belongs_to_the_original_and_to_what_is_played_for_it() -> None:
    shown = {
        key: LibraryEntry(a_media(key=key), EVERYTHING).made_as("sprite.vtt")
        for key in ("", "processed.mp4", "thumbnail.jpg")
    }

    assert shown == {"": "sprite.vtt", "processed.mp4": "sprite.vtt", "thumbnail.jpg": None}
    assert LibraryEntry(a_media(), EVERYTHING).made_as("master.m3u8") is None


@pytest.mark.parametrize(
    ("meta", "known"),
    [
        ({}, Dimensions(None, None, None)),
        ({"duration": 1.5, "video": {"width": 4, "height": 3}}, Dimensions(1.5, 4, 3)),
        ({"duration": 1.5, "audio": {"channels": 2}}, Dimensions(1.5, None, None)),
        ({"image": {"width": 4, "height": 3, "frames": 1}}, Dimensions(None, 4, 3)),
    ],
)
def test_length_and_size_are_those_of_what_was_found_out(
    meta: dict[str, object], known: Dimensions
) -> None:
    assert dimensions(meta) == known


WANTED = LibraryFilter(
    words=("a", "b"), kinds=frozenset({LibraryKind.VIDEO, LibraryKind.AUDIO}), min_size=3
)


@pytest.mark.parametrize("sort", LibrarySort)
def test_a_position_comes_back_as_it_was(sort: LibrarySort) -> None:
    media = a_media(filename="Ümläut.\udcff".encode(errors="replace").decode(), size=2**62)

    position = encode_position(LibraryQuery(WANTED, sort, limit=1), media)

    field = sort.order[0].field
    assert decode_position(position, WANTED, sort) == (getattr(media, field), media.id)


@pytest.mark.parametrize(
    "wanted",
    [
        LibraryFilter(),
        LibraryFilter(words=("a",), kinds=WANTED.kinds, min_size=3),
        LibraryFilter(words=("a", "b"), kinds=WANTED.kinds, min_size=3, derived=True),
        LibraryFilter(words=("a", "b"), kinds=WANTED.kinds, max_size=3),
        LibraryFilter(words=("a", "b"), kinds=frozenset({LibraryKind.VIDEO}), min_size=3),
        LibraryFilter(
            words=("a", "b"), kinds=WANTED.kinds, min_size=3, since=datetime(2026, 1, 1, tzinfo=UTC)
        ),
    ],
)
def test_a_position_of_another_filter_is_refused(wanted: LibraryFilter) -> None:
    position = encode_position(LibraryQuery(WANTED, LibrarySort.NAME, limit=1), a_media())

    with pytest.raises(InvalidError, match="not one of this search"):
        decode_position(position, wanted, LibrarySort.NAME)


def test_a_position_of_another_order_is_refused() -> None:
    position = encode_position(LibraryQuery(WANTED, LibrarySort.NAME, limit=1), a_media())

    with pytest.raises(InvalidError):
        decode_position(position, WANTED, LibrarySort.NAME_DESCENDING)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "=", base64.b64encode(b"\xff").decode()])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        decode_position(text, WANTED, LibrarySort.NAME)

    assert caught.value.field == "cursor"


def test_a_position_with_another_filters_digest_put_before_it_is_refused_when_broken() -> None:
    forged = base64.urlsafe_b64encode(f"{WANTED.digest}.nonsense".encode()).decode().rstrip("=")

    with pytest.raises(InvalidError):
        decode_position(forged, WANTED, LibrarySort.NAME)
