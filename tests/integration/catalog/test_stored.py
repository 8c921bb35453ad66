"""What the catalog holds, in sums, and which medias changed lately."""

from datetime import UTC, date, datetime, timedelta

from mediatheque.catalog import changes, medias, stored
from mediatheque.catalog.database import Database
from mediatheque.domain.library import Amount, LibraryKind
from tests.support.database import a_media, add_medias, execute

MAY_DAY = datetime(2026, 5, 1, tzinfo=UTC)


async def test_amounts_are_of_each_kind_on_each_day_in_utc(database: Database) -> None:
    moment = timedelta(microseconds=1)
    await add_medias(
        database,
        a_media(created_at=MAY_DAY - moment, size=1, mime_type="video/mp4"),
        a_media(created_at=MAY_DAY, size=2, mime_type="video/mp4"),
        a_media(created_at=MAY_DAY + moment, size=2**62, mime_type="video/webm", key="k"),
        a_media(created_at=MAY_DAY, size=5, mime_type="text/vtt"),
        a_media(created_at=MAY_DAY, size=6, mime_type="application/zip", created_by="them"),
    )

    async with database.read() as connection:
        everything = await stored.amounts(connection, owner=None)
        mine = await stored.amounts(connection, owner="local")

    assert everything == {
        (date(2026, 4, 30), LibraryKind.VIDEO): Amount(1, 1),
        (date(2026, 5, 1), LibraryKind.VIDEO): Amount(2, 2 + 2**62),
        (date(2026, 5, 1), LibraryKind.OTHER): Amount(2, 11),
    }
    assert mine[date(2026, 5, 1), LibraryKind.OTHER] == Amount(1, 5)


async def test_nothing_at_all_has_no_amounts(database: Database) -> None:
    async with database.read() as connection:
        assert await stored.amounts(connection, owner=None) == {}


async def changed_since(database: Database, before: changes.Recent | None) -> changes.Recent:
    async with database.read() as connection:
        found, changed = await changes.recent(connection, before)
    assert changed
    return found


async def assert_unchanged(database: Database, before: changes.Recent) -> changes.Recent:
    async with database.read() as connection:
        found, changed = await changes.recent(connection, before)
    assert not changed
    return found


async def test_a_media_that_is_added_changed_or_removed_shows(database: Database) -> None:
    media = a_media()
    seen = await changed_since(database, None)
    seen = await assert_unchanged(database, seen)

    await add_medias(database, media)
    seen = await changed_since(database, seen)
    seen = await assert_unchanged(database, seen)

    async with database.begin() as transaction:
        await medias.set_tags(transaction, media.id, ["new"])
    seen = await changed_since(database, seen)
    seen = await assert_unchanged(database, seen)

    async with database.begin() as transaction:
        await medias.remove_resource(transaction, media.id, owner=None)
    await changed_since(database, seen)


async def test_what_becomes_visible_late_shows_by_its_earlier_time(database: Database) -> None:
    now = datetime.now(UTC)
    await add_medias(database, a_media(updated_at=now + timedelta(minutes=1)))
    seen = await changed_since(database, None)

    await add_medias(database, a_media(updated_at=now - timedelta(seconds=20)))

    await changed_since(database, seen)


async def test_what_only_grows_old_is_no_change(database: Database, database_url: str) -> None:
    media = a_media()
    await add_medias(database, media)
    seen = await changed_since(database, None)
    older = "UPDATE medias SET updated_at = now() - interval '1 hour'"

    assert seen.number == 1
    await execute(database_url, older)
    seen = await changed_since(database, seen)

    assert seen.number == 0
    await assert_unchanged(database, seen)
