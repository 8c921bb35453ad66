"""What every store may keep open between two pieces of an intake."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appended, Appender, RestingAppender
from mediatheque.storage.stores import Store
from tests.support.intakes import acknowledged, append, crc_of, new_intake, recorded
from tests.support.stores import get, open_kind

KEY = "originals/1/a"
MIB = 1 << 20


@pytest.fixture(params=["local", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened = open_kind(request.param, request, tmp_path, monkeypatch)
    yield opened
    await opened.close()


async def add(appender: Appender, content: bytes) -> tuple[Appended, RestingAppender | None]:
    """Append one piece; return what to record, and what stays open."""
    await appender.write(content)
    appended = await appender.flush()
    return appended, await appender.rest()


async def test_pieces_follow_each_other_whatever_stays_open(store: Store) -> None:
    contents = [b"first,", b"x" * MIB, b"", b"last."]
    intake, resting = new_intake(), None
    for content in contents:
        digest = sha256()
        appender = resting.go_on([digest]) if resting else store.appender(intake, digests=[digest])
        appended, resting = await add(appender, content)
        assert digest.digest() == sha256(content).digest()
        intake = recorded(intake, appended)
    if resting is not None:
        await resting.close()

    whole = b"".join(contents)
    assert (intake.size, intake.crc64nvme) == (len(whole), crc_of(whole))
    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == whole


@pytest.mark.parametrize("flushed", [True, False], ids=["flushed", "not flushed"])
async def test_a_piece_that_turns_out_to_be_wrong_takes_none_before_it_along(
    store: Store, *, flushed: bool
) -> None:
    intake = new_intake()
    appended, resting = await add(store.appender(intake), b"right, ")
    intake = recorded(intake, appended)
    wrong = resting.go_on([]) if resting else store.appender(intake)
    await wrong.write(b"wrong" * MIB)
    if flushed:
        await wrong.flush()
    await wrong.close(recorded=False)

    assert await acknowledged(store, intake) == b"right, "
    intake = await append(store, intake, b"and right")
    assert await acknowledged(store, intake) == b"right, and right"
    assert len(intake.segments) <= 2


async def test_others_go_on_while_something_is_still_open(store: Store) -> None:
    intake = new_intake()
    appended, resting = await add(store.appender(intake), b"abc")
    intake = recorded(intake, appended)

    intake = await append(store, intake, b"def")
    if resting is not None:
        await resting.close()

    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == b"abcdef"


async def test_nothing_that_was_recorded_goes_when_what_is_open_is_closed(store: Store) -> None:
    appended, resting = await add(store.appender(new_intake()), b"abc")
    intake: Intake = recorded(new_intake(), appended)
    if resting is not None:
        await resting.close()
        await resting.close()
    assert await acknowledged(store, intake) == b"abc"
