"""The Python client records, also through connections that break."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import pytest

from mediatheque.client import (
    AsyncClient,
    Client,
    ConflictError,
    ConnectionLostError,
    InvalidError,
    NotFoundError,
    Received,
)
from mediatheque.client.recordings import Source
from tests.support.films import chunks, make_recording
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.service import Service

CHUNKS = (b"first ", b"second ", b"third")
WHOLE = b"".join(CHUNKS)


async def arrived(service: Service, recording_id: str) -> bytes:
    """Return what has arrived of a recording that is not complete."""
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
        return (await http.get(f"/video/{recording_id}/now")).content


async def test_a_film_that_is_sent_in_chunks_can_be_played_and_is_known(
    client: AsyncClient,
) -> None:
    film = make_recording()
    told: list[int] = []
    completed = await client.recordings.record(chunks(film, 5), on_progress=told.append)
    ended = await client.recordings.wait(completed.id)
    original = await client.medias.find(ended.id)

    assert (completed.status, completed.size, completed.chunks) == ("processing", len(film), 5)
    assert told[-1] == len(film)
    assert (ended.status, ended.warning, ended.error) == ("complete", None, None)
    assert b"".join([piece async for piece in client.medias.read(original)]) == film
    assert original.id == ended.media
    assert original.meta["duration"] == pytest.approx(2.0, abs=0.2)
    assert ended.playable is not None
    assert ended.playable.key == "processed.webm"
    played = await client.medias.find(ended.resource, key=ended.playable.key)
    assert (played.size, played.mime_type) == (ended.playable.size, "video/webm")
    (listed,) = [each async for each in client.recordings.list(limit=1)]
    assert (listed.id, listed.status, listed.live) == (ended.id, "complete", False)


async def test_chunks_have_numbers_or_offsets_or_neither(
    service: Service, client: AsyncClient
) -> None:
    first, second, third = CHUNKS
    recording_id = await client.recordings.create()
    assert await client.recordings.add(recording_id, first) == Received(size=6, chunks=1)
    for _ in range(2):
        received = await client.recordings.add(recording_id, second, number=1)
        assert received == Received(size=13, chunks=2)
    with pytest.raises(ConflictError):
        await client.recordings.add(recording_id, third, number=3)
    received = await client.recordings.add(recording_id, third, offset=13)

    assert received == Received(size=len(WHOLE), chunks=3)
    assert await arrived(service, recording_id) == WHOLE


async def test_a_completed_recording_takes_nothing_more(local_service: Service) -> None:
    async with AsyncClient(local_service.url) as client:
        completed = await client.recordings.record([WHOLE])
        again = await client.recordings.complete(completed.id)
        with pytest.raises(ConflictError):
            await client.recordings.add(completed.id, b"late", number=1)

    assert (again.id, again.size, again.job) == (completed.id, len(WHOLE), completed.job)


async def later(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


@pytest.mark.parametrize(
    ("kind", "sent"), [("path", 5), ("file", 5), ("raw", 5), ("pieces", 3), ("later", 3)]
)
async def test_anything_that_gives_bytes_can_be_sent(
    local_service: Service, tmp_path: Path, kind: str, sent: int
) -> None:
    path = tmp_path / "film"
    path.write_bytes(WHOLE)
    with path.open("rb", buffering=0) as raw:
        sources: dict[str, Source] = {
            "path": path,
            "file": io.BytesIO(WHOLE),
            "raw": raw,
            "pieces": CHUNKS,
            "later": later(CHUNKS),
        }
        async with AsyncClient(local_service.url) as client:
            recording_id = await client.recordings.create()
            received = await client.recordings.send(recording_id, sources[kind], chunk_bytes=4)

    assert received == Received(size=len(WHOLE), chunks=sent)
    assert await arrived(local_service, recording_id) == WHOLE


async def test_sending_goes_on_after_what_is_there(local_service: Service) -> None:
    async with AsyncClient(local_service.url) as client:
        recording_id = await client.recordings.create()
        await client.recordings.send(recording_id, CHUNKS[:1])
        await client.recordings.send(recording_id, CHUNKS[1:])

    assert await arrived(local_service, recording_id) == WHOLE


@pytest.mark.parametrize(
    ("line", "harm"),
    [
        ("POST /create", Harm.LOSE_ANSWER),
        ("POST /add_data/", Harm.CUT),
        ("POST /add_data/", Harm.LOSE_ANSWER),
        ("POST /add_data/", Harm.ANSWER),
        ("POST /complete_job/", Harm.LOSE_ANSWER),
    ],
)
async def test_a_recording_survives_what_happens_to_any_of_its_requests(
    proxy: Proxy, shaky: AsyncClient, line: str, harm: Harm
) -> None:
    proxy.faults.append(Fault(line, harm, 1, answer("503 Slow Down")))
    recording = await shaky.recordings.record(CHUNKS)

    assert (recording.size, recording.chunks) == (len(WHOLE), len(CHUNKS))
    assert proxy.count(line) == (4 if "add_data" in line else 2)


async def test_a_lost_answer_without_a_number_is_not_guessed_at(
    proxy: Proxy, shaky: AsyncClient
) -> None:
    recording_id = await shaky.recordings.create()
    proxy.faults.append(Fault("POST /add_data/", Harm.LOSE_ANSWER))
    with pytest.raises(ConnectionLostError):
        await shaky.recordings.add(recording_id, b"once")

    assert proxy.count("POST /add_data/") == 1
    assert (await shaky.recordings.find(recording_id)).size == len(b"once")


async def test_a_chunk_that_is_damaged_on_the_way_is_not_kept(
    local_service: Service, proxy: Proxy, shaky: AsyncClient
) -> None:
    recording_id = await shaky.recordings.create()
    await shaky.recordings.send(recording_id, CHUNKS[:1])
    proxy.faults.append(Fault("POST /add_data/", Harm.DAMAGE))
    with pytest.raises(InvalidError):
        await shaky.recordings.send(recording_id, CHUNKS[1:])
    await shaky.recordings.send(recording_id, CHUNKS[1:])

    assert await arrived(local_service, recording_id) == WHOLE


async def test_what_is_not_there_or_empty_is_refused(client: AsyncClient) -> None:
    for unknown in (str(uuid.uuid4()), "no id", ""):
        with pytest.raises(NotFoundError):
            await client.recordings.find(unknown)
    with pytest.raises(ConflictError):
        await client.recordings.record([])


def test_programs_without_a_loop_use_the_same_verbs(local_service: Service) -> None:
    with Client(local_service.url) as client:
        recording_id = client.recordings.create()
        client.recordings.add(recording_id, CHUNKS[0], number=0)
        client.recordings.send(recording_id, io.BytesIO(WHOLE[6:]))
        completed = client.recordings.complete(recording_id)
        assert recording_id in {each.id for each in client.recordings.list(limit=100)}
        assert client.recordings.wait(recording_id).id == completed.id
        # Not a film: that is said of it, and its bytes are kept.
        ended = client.recordings.find(recording_id)
        assert (ended.status, bool(ended.error)) == ("failed", True)
        original = client.medias.find(recording_id)
        assert b"".join(client.medias.read(original)) == WHOLE
