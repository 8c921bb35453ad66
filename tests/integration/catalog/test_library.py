"""Finding medias: every filter, every order, page by page, and how many there are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediatheque.catalog import library
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.library import LibraryFilter, LibraryKind, LibraryQuery, LibrarySort
from mediatheque.domain.media import Media
from tests.support.database import a_media, add_medias

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Transaction]:
    async with database.read() as opened:
        yield opened


def numbered(number: int, **values: Any) -> Media:
    return a_media(created_at=NOON + timedelta(hours=number), **values)


async def names(
    connection: Transaction,
    *,
    sort: str = "created_at",
    owner: str | None = None,
    limit: int = 100,
    **wanted: Any,
) -> list[str]:
    query = LibraryQuery(LibraryFilter(**wanted), LibrarySort(sort), limit)
    return [media.filename for media in await library.page(connection, query, owner=owner)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("film",), ["Film.mp4", "second FILM.mp4"]),
        (("FILM",), ["Film.mp4", "second FILM.mp4"]),
        (("film", "second"), ["second FILM.mp4"]),
        (("ümläut",), ["ÜMLÄUT.png"]),
        (("p4", "fi"), ["Film.mp4", "second FILM.mp4"]),
        (("%",), ["100%_a\\b.txt"]),
        (("%_a\\b",), ["100%_a\\b.txt"]),
        (("_",), ["100%_a\\b.txt"]),
        (("resource-of-song",), ["song.mp3"]),
        (("none",), []),
    ],
)
async def test_every_word_is_part_of_a_name_in_any_case(
    database: Database, connection: Transaction, words: tuple[str, ...], found: list[str]
) -> None:
    await add_medias(
        database,
        numbered(1, filename="Film.mp4", resource="1"),
        numbered(2, filename="second FILM.mp4", resource="2"),
        numbered(3, filename="ÜMLÄUT.png", resource="3"),
        numbered(4, filename="100%_a\\b.txt", resource="4"),
        numbered(5, filename="song.mp3", resource="RESOURCE-of-song"),
    )

    assert await names(connection, words=words) == found


async def test_a_word_is_also_looked_for_in_keys(
    database: Database, connection: Transaction
) -> None:
    await add_medias(
        database,
        numbered(1, filename="a", resource="x", key=""),
        numbered(2, filename="b", resource="x", key="thumbnail.jpg"),
    )

    assert await names(connection, words=("thumb",), derived=True) == ["b"]
    assert await names(connection, words=("thumb",)) == []


async def test_what_was_made_of_others_is_left_out_unless_it_is_wanted(
    database: Database, connection: Transaction
) -> None:
    await add_medias(
        database,
        numbered(1, filename="original", resource="x"),
        numbered(2, filename="derived", resource="x", key="processed.mp4"),
    )

    assert await names(connection) == ["original"]
    assert await names(connection, derived=True) == ["original", "derived"]


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ({"video"}, ["v"]),
        ({"image"}, ["i"]),
        ({"audio"}, ["a"]),
        ({"other"}, ["o", "strange"]),
        ({"video", "other"}, ["v", "o", "strange"]),
        ({"image", "audio"}, ["i", "a"]),
        ({"video", "image", "audio", "other"}, ["v", "i", "a", "o", "strange"]),
        (set(), ["v", "i", "a", "o", "strange"]),
    ],
)
async def test_a_media_is_of_one_of_the_kinds(
    database: Database, connection: Transaction, kinds: set[str], found: list[str]
) -> None:
    types = {
        "v": "video/mp4",
        "i": "image/png",
        "a": "audio/ogg",
        "o": "text/plain",
        "strange": "videos/mp4",
    }
    await add_medias(
        database,
        *(
            numbered(number, filename=name, mime_type=mime_type)
            for number, (name, mime_type) in enumerate(types.items())
        ),
    )

    wanted = frozenset(LibraryKind(kind) for kind in kinds)
    assert await names(connection, kinds=wanted) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"tags": ("sea",)}, ["1", "2"]),
        ({"tags": ("beach", "sea")}, ["2"]),
        ({"tags": ("Sea",)}, []),
        ({"since": NOON + timedelta(hours=2)}, ["2", "3"]),
        ({"until": NOON + timedelta(hours=2)}, ["1", "2"]),
        ({"since": NOON + timedelta(hours=2), "until": NOON + timedelta(hours=2)}, ["2"]),
        ({"min_size": 20}, ["2", "3"]),
        ({"max_size": 20}, ["1", "2"]),
        ({"min_size": 2**63 - 1}, []),
        ({"project_id": "p"}, ["3"]),
        ({"tags": ("sea",), "min_size": 20, "words": ("2",)}, ["2"]),
    ],
)
async def test_filters_are_joined_and_their_bounds_belong_to_them(
    database: Database, connection: Transaction, wanted: dict[str, Any], found: list[str]
) -> None:
    await add_medias(
        database,
        numbered(1, filename="1", size=10, tags=("sea",)),
        numbered(2, filename="2", size=20, tags=("sea", "beach")),
        numbered(3, filename="3", size=30, project_id="p"),
    )

    assert await names(connection, **wanted) == found


async def test_others_medias_are_not_found(database: Database, connection: Transaction) -> None:
    await add_medias(
        database,
        numbered(1, filename="mine", created_by="me"),
        numbered(2, filename="theirs", created_by="them"),
    )

    assert await names(connection, owner="me") == ["mine"]
    assert await library.count(connection, LibraryFilter(), most=9, owner="me") == 1


@pytest.mark.parametrize("sort", LibrarySort)
async def test_pages_of_any_order_have_every_media_once(
    database: Database, connection: Transaction, sort: LibrarySort
) -> None:
    several = [
        numbered(number % 3, filename=f"{number % 2}.bin", size=number % 4) for number in range(17)
    ]
    await add_medias(database, *several)
    field = sort.order[0].field

    found: list[Media] = []
    after = None
    while True:
        query = LibraryQuery(LibraryFilter(), sort, limit=5, after=after)
        page = await library.page(connection, query, owner=None)
        found += page[:5]
        if len(page) <= 5:
            break
        after = tuple(getattr(page[4], item.field) for item in sort.order)

    ordered = sorted(several, key=lambda media: (getattr(media, field), media.id))
    if sort.startswith("-"):
        ordered.reverse()
    assert [media.id for media in found] == [media.id for media in ordered]


async def test_counting_ends_at_the_most(database: Database, connection: Transaction) -> None:
    await add_medias(database, *(numbered(number) for number in range(5)))

    counted = [
        await library.count(connection, LibraryFilter(), most=most, owner=None)
        for most in (3, 4, 5, 6)
    ]

    assert counted == [4, 5, 5, 5]


async def test_what_the_service_made_is_told_of_each_resource(
    database: Database, connection: Transaction
) -> None:
    await add_medias(
        database,
        numbered(1, resource="x"),
        numbered(2, resource="x", key="thumbnail.jpg"),
        numbered(3, resource="x", key="sprite.vtt", created_by="them"),
        numbered(4, resource="x", key="of-a-client"),
        numbered(5, resource="y"),
        numbered(6, resource="z", key="thumbnail.jpg"),
    )

    made = await library.made_of(connection, ["x", "y"], owner=None)
    mine = await library.made_of(connection, ["x", "y"], owner="local")

    assert made == {"x": {"thumbnail.jpg", "sprite.vtt"}}
    assert mine == {"x": {"thumbnail.jpg"}}


async def test_a_resource_has_its_original_first(
    database: Database, connection: Transaction
) -> None:
    await add_medias(
        database,
        numbered(1, resource="x", key="b"),
        numbered(2, resource="x", key="a"),
        numbered(3, resource="x"),
        numbered(4, resource="y"),
    )

    family = await library.of_resource(connection, "x", owner=None)

    assert [media.key for media in family] == ["", "a", "b"]
