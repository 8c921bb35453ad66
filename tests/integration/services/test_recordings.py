"""Chunks of recordings: order, duplicates, gaps, digests, and several processes that take them."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import InvalidError, NotFoundError, TooLargeError
from mediatheque.domain.recordings import Chunk, ChunkConflictError, ChunkPlace, RecordingState
from mediatheque.storage.local import LocalStore
from mediatheque.storage.remote import open_remote
from mediatheque.storage.stores import Store
from tests.support.recordings import RecordingStage
from tests.support.stores import open_s3
from tests.support.watched import Watched, taking

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")
UNKNOWN = "b3ad7b4e-7e4e-4c36-9d5a-0f8f1b8a1c11"
ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}


@pytest.fixture(params=["local", "memory"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "local":
        opened = LocalStore(tmp_path / "objects", durable=False)
    elif request.param == "memory":
        opened = open_remote("memory://")
    else:
        opened = open_s3(request.getfixturevalue("seaweedfs"), monkeypatch)
    yield opened
    await opened.close()


@pytest.fixture
def stage(database: Database, store: Store) -> RecordingStage:
    return RecordingStage(database, store)


LOCAL = pytest.mark.parametrize("store", ["local"], indirect=True)
EVERY = pytest.mark.parametrize("store", ["local", "memory", "s3"], indirect=True)


async def test_chunks_are_appended_in_order_of_arrival(stage: RecordingStage) -> None:
    recording = await stage.create()
    assert recording.state is RecordingState.RECORDING

    first = await stage.add(recording, b"ab", b"", b"c")
    second = await stage.add(recording, b"defg")

    assert (first.chunks, first.size) == (1, 3)
    assert (second.chunks, second.size) == (2, 7)
    assert await stage.find(recording) == second
    assert await stage.read(recording) == b"abcdefg"
    assert [(c.number, c.start, c.size) for c in await stage.chunks(recording)] == [
        (0, 0, 3),
        (1, 3, 4),
    ]


@LOCAL
async def test_no_piece_stays_in_memory_while_the_next_one_is_waited_for(
    stage: RecordingStage,
) -> None:
    watched = Watched()
    recording = await stage.create()
    async with taking(stage.add_from(recording, watched.pieces(bytes(1_000_000)))):
        await watched.check_forgotten()


@EVERY
async def test_any_range_can_be_read_while_recording(stage: RecordingStage) -> None:
    bodies = [random.Random(n).randbytes(1000) for n in range(5)]
    recording = await stage.recorded(*bodies)
    whole = b"".join(bodies)

    for start, end in ((0, 1), (999, 1001), (1000, 2000), (0, 5000), (4999, 5000), (700, 4300)):
        assert await stage.read(recording, start, end) == whole[start:end]


@LOCAL
@pytest.mark.parametrize(
    "place", [{"number": 1}, {"offset": 3}, {"number": 1, "offset": 3}, {}], ids=str
)
async def test_the_next_chunk_may_say_where_it_belongs(
    stage: RecordingStage, place: dict[str, int]
) -> None:
    recording = await stage.recorded(b"abc")

    added = await stage.add(recording, b"def", **place)

    assert (added.chunks, added.size) == (2, 6)
    assert await stage.read(recording) == b"abcdef"


@LOCAL
@pytest.mark.parametrize(
    "place",
    [{"number": 0}, {"offset": 0}, {"number": 1}, {"offset": 3}, {"number": 1, "offset": 3}],
    ids=str,
)
async def test_a_chunk_that_was_received_already_is_acknowledged_again(
    stage: RecordingStage, place: dict[str, int]
) -> None:
    recording = await stage.recorded(b"abc", b"def")
    body = b"abc" if 0 in place.values() else b"def"

    again = await stage.add(recording, body[:1], body[1:], **place)

    assert again == await stage.find(recording) == recording
    assert await stage.read(recording) == b"abcdef"


@LOCAL
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"number": 0}, "Chunk 0 was received already, with other bytes."),
        ({"offset": 3}, "The chunk at offset 3 was received already, with other bytes."),
        ({"number": 3}, "Chunk 3 does not follow what was received."),
        ({"offset": 7}, "The chunk at offset 7 does not follow what was received."),
        ({"number": 2, "offset": 7}, "Chunk 2 at offset 7 does not follow what was received."),
        ({"number": 3, "offset": 6}, "Chunk 3 at offset 6 does not follow what was received."),
        ({"offset": 1}, "The chunk at offset 1 is none that was received."),
        ({"number": 0, "offset": 3}, "Chunk 0 at offset 3 is none that was received."),
        ({"number": 2, "offset": 3}, "Chunk 2 at offset 3 is none that was received."),
        ({"number": 1, "offset": 6}, "Chunk 1 at offset 6 is none that was received."),
    ],
    ids=str,
)
async def test_a_chunk_that_does_not_fit_is_refused_and_told_which_one_does(
    stage: RecordingStage, place: dict[str, int], reason: str
) -> None:
    recording = await stage.recorded(b"abc", b"def")

    with pytest.raises(ChunkConflictError) as refused:
        await stage.add(recording, b"other", **place)

    assert refused.value.detail == f"{reason} Expected is chunk 2, at offset 6."
    assert (refused.value.chunks, refused.value.size) == (2, 6)
    assert await stage.find(recording) == recording
    assert await stage.read(recording) == b"abcdef"


@LOCAL
async def test_an_empty_body_stores_nothing(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc")

    assert await stage.add(recording) == recording
    assert await stage.add(recording, b"", b"") == recording
    assert await stage.add(recording, offset=3) == recording
    assert (await stage.add(recording, b"def")).chunks == 2


async def test_an_empty_chunk_takes_the_number_it_names(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc")

    empty = await stage.add(recording, number=1)
    again = await stage.add(recording, number=1, offset=3)
    last = await stage.add(recording, b"def", number=2, offset=3)

    assert (empty.chunks, empty.size) == (2, 3)
    assert again == empty
    assert (last.chunks, last.size) == (3, 6)
    assert [c.size for c in await stage.chunks(recording)] == [3, 0, 3]
    assert await stage.read(recording) == b"abcdef"
    assert await stage.add(recording, b"def", offset=3) == last


async def test_the_first_chunk_may_be_empty(stage: RecordingStage) -> None:
    recording = await stage.create()

    assert (await stage.add(recording, number=0)).chunks == 1
    assert (await stage.add(recording, b"abc", number=1)).size == 3
    assert await stage.read(recording) == b"abc"


@LOCAL
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_chunks_must_hash_to_what_was_promised(stage: RecordingStage, algorithm: str) -> None:
    recording = await stage.recorded(b"abc")
    good = {algorithm: hashlib.new(ALGORITHMS[algorithm], b"def").digest()}
    bad = {"sha-256": hashlib.sha256(b"def").digest(), algorithm: b"\0" * len(good[algorithm])}

    named = "SHA-1" if algorithm == "sha" else algorithm.upper()
    for place in ({}, {"number": 1}):
        with pytest.raises(InvalidError, match=f"The {named} of what arrived"):
            await stage.add(recording, b"def", digests=bad, **place)
    assert await stage.find(recording) == recording
    added = await stage.add(recording, b"de", b"f", digests=good)
    assert added.size == 6
    with pytest.raises(InvalidError):
        await stage.add(recording, b"def", digests=bad, number=1)
    assert await stage.add(recording, b"def", digests=good, number=1) == added
    assert await stage.read(recording) == b"abcdef"


async def test_nothing_is_left_of_a_chunk_that_was_cut_off(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc")

    async def cut() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await stage.add_from(recording, cut())

    assert await stage.find(recording) == recording
    assert (await stage.add(recording, b"def", number=1, offset=3)).size == 6
    assert await stage.read(recording) == b"abcdef"


@LOCAL
async def test_a_recording_takes_no_more_than_the_longest_upload(
    database: Database, store: Store
) -> None:
    stage = RecordingStage(database, store, most_bytes=6)
    recording = await stage.recorded(b"abc")

    with pytest.raises(TooLargeError, match="at most 6 bytes"):
        await stage.add(recording, b"de", b"fg", number=1)

    assert await stage.find(recording) == recording
    full = await stage.add(recording, b"de", b"f", number=1)
    assert await stage.add(recording, b"abc", number=0) == full
    with pytest.raises(TooLargeError):
        await stage.add(recording, b"g")
    assert await stage.read(recording) == b"abcdef"
    assert (await stage.complete(recording)).state is RecordingState.PROCESSING


async def test_a_retry_waits_for_the_try_that_is_under_way(stage: RecordingStage) -> None:
    recording = await stage.create()
    sending, rest = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        sending.set()
        await rest.wait()
        yield b"c"

    first = asyncio.create_task(stage.add_from(recording, slow(), place=ChunkPlace(0)))
    await sending.wait()
    retry = asyncio.create_task(stage.add(recording, b"abc", number=0))
    following = asyncio.create_task(stage.add(recording, b"def", number=1))
    await asyncio.sleep(0.05)
    rest.set()

    taken = [(await task).chunks for task in (first, retry, following)]
    assert taken in ([1, 1, 2], [1, 2, 2])  # the retry may be answered after the following one
    assert await stage.read(recording) == b"abcdef"


@EVERY
async def test_processes_that_take_chunks_of_one_recording_never_mix_nor_lose_them(
    stage: RecordingStage, database: Database, store: Store
) -> None:
    stages = [stage, RecordingStage(database, store), RecordingStage(database, store)]
    one, two = await stage.create(), await stage.create()
    bodies = [bytes([number]) * (500 + number) for number in range(12)]

    async def send(which: int, body: bytes) -> None:
        for recording in (one, two):
            await stages[which].add(recording, body[:300], body[300:])

    await asyncio.gather(*(send(n % 3, body) for n, body in enumerate(bodies)))

    for recording in (one, two):
        content = await stage.read(recording)
        chunks = await stage.chunks(recording)
        received = [content[c.start : c.start + c.size] for c in chunks]
        assert sorted(received) == bodies
        assert [c.number for c in chunks] == list(range(12))


async def test_chunks_that_race_for_one_number_are_taken_once(
    stage: RecordingStage, database: Database, store: Store
) -> None:
    other = RecordingStage(database, store)
    recording = await stage.create()

    async def send(which: RecordingStage, number: int) -> None:
        await which.add(recording, bytes([number]) * 100, number=number)

    for number in range(5):
        await asyncio.gather(*(send(which, number) for which in (stage, other, stage)))

    assert await stage.read(recording) == b"".join(bytes([n]) * 100 for n in range(5))


@LOCAL
async def test_only_their_owners_and_operators_see_recordings(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc", principal=ALICE)

    assert (await stage.find(recording, ALICE)).created_by == "alice"
    assert await stage.find(recording, LOCAL_OPERATOR) == recording
    attempts: list[Any] = [
        stage.find(recording, BOB),
        stage.add(recording, b"x", principal=BOB),
        stage.complete(recording, BOB),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError, match="Video not found"):
            await attempt
    assert (await stage.recordings.page(BOB, after=None, limit=10)).recordings == []


@LOCAL
@pytest.mark.parametrize("unknown", [UNKNOWN, "nothing", "", "\0", UNKNOWN.replace("-", "")])
async def test_what_is_no_recording_is_not_found(stage: RecordingStage, unknown: str) -> None:
    with pytest.raises(NotFoundError, match="Video not found"):
        await stage.recordings.find(LOCAL_OPERATOR, unknown)


@LOCAL
async def test_pages_follow_each_other_newest_first(stage: RecordingStage) -> None:
    several = [await stage.create() for _ in range(3)]

    first = await stage.recordings.page(LOCAL_OPERATOR, after=None, limit=2)
    second = await stage.recordings.page(
        LOCAL_OPERATOR, after=str(first.recordings[-1].id), limit=2
    )

    assert first.recordings + second.recordings == several[::-1]
    assert (first.more, second.more) == (True, False)
    with pytest.raises(InvalidError, match="id of a recording"):
        await stage.recordings.page(LOCAL_OPERATOR, after=UNKNOWN, limit=2)


@LOCAL
async def test_the_rows_of_chunks_tell_what_they_hold(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc")

    assert await stage.chunks(recording) == [
        Chunk(0, 0, 3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")
    ]
