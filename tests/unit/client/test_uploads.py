import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from mediatheque.client import (
    AsyncClient,
    ConnectionLostError,
    InvalidError,
    NotFoundError,
    NotUnderstoodError,
    SourceChangedError,
    StorageFullError,
    retries,
    uploads,
)
from mediatheque.client.digest import RunningCrc
from mediatheque.client.sources import Stretch, opened
from mediatheque.client.upload_states import StateFile, Subject
from mediatheque.client.uploads import _REMEMBERED_BYTES, split
from tests.support.proxy import answer
from tests.support.scripted import BROKEN, Scripted, json_answer, scripted

MIB = 1 << 20
_AT_ONE = ["HEAD /uploads/1", "PATCH /uploads/1"]
NOT_HERE = json_answer('{"error": "There is nothing here."}', status="404 Not Found")


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, [0]),
        (1, [1]),
        (64 * MIB - 1, [64 * MIB - 1]),
        (64 * MIB, [16 * MIB] * 4),
        (64 * MIB + 1, [24 * MIB, 24 * MIB, 16 * MIB + 1]),
        (1 << 40, [1 << 38] * 4),
    ],
)
def test_large_files_go_in_a_few_parts_that_begin_where_stores_can_join_them(
    size: int, parts: list[int]
) -> None:
    found = split(size)

    assert [length for _, length in found] == parts
    assert [start for start, _ in found] == [sum(parts[:n]) for n in range(len(parts))]
    assert all(start % (8 * MIB) == 0 for start, _ in found)


def test_a_checksum_goes_on_in_parts() -> None:
    whole, first, second = RunningCrc(), RunningCrc(), RunningCrc()
    data = os.urandom(1000)
    whole.update(data)
    first.update(data[:300])
    second.update(data[300:])
    first.extend(second)

    assert (first.value, first.size) == (whole.value, 1000)


def test_bytes_that_are_read_again_count_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(5 * MIB))
    expected = RunningCrc()
    expected.update(file.read_bytes()[MIB : 4 * MIB])
    with opened(file) as source:
        stretch = Stretch(source, MIB, 3 * MIB)
        for position in (0, MIB, MIB // 2, 0, 3 * MIB // 2, 2 * MIB + MIB // 2):
            piece = stretch.read(position)
            assert piece == file.read_bytes()[MIB + position :][: len(piece)]

    assert len(piece) == MIB // 2, "not beyond the end of the stretch"
    assert (stretch.crc.value, stretch.crc.size) == (expected.value, 3 * MIB)


def test_a_change_is_found_by_who_reads_the_end(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    with opened(file) as source:
        stretch = Stretch(source, 0, 6)
        os.utime(file, ns=(1, 1))
        with pytest.raises(SourceChangedError, match="changed while it was uploaded"):
            stretch.read(0)


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[AsyncClient, Scripted]]:
    async with (
        scripted(*answers) as server,
        AsyncClient(server.url, timeout=5, patience=0) as client,
    ):
        yield client, server


@pytest.mark.parametrize("size", [0, 1, 64 * MIB])
async def test_a_server_that_has_no_resumable_uploads_is_told_as_that(
    tmp_path: Path, size: int
) -> None:
    (tmp_path / "film").touch()
    os.truncate(tmp_path / "film", size)
    async with answering(NOT_HERE, NOT_HERE) as (client, _):
        with pytest.raises(NotUnderstoodError, match="older than this client"):
            await client.medias.upload(tmp_path / "film")


@pytest.mark.parametrize("headers", ["", "Location: /\r\n", "Location: /uploads/1\r\n"])
async def test_an_answer_without_its_headers_is_not_understood(
    tmp_path: Path, headers: str
) -> None:
    (tmp_path / "film").write_bytes(b"x")
    created = answer("201 Created", headers=headers)
    async with answering(created, created, created) as (client, _):
        with pytest.raises(NotUnderstoodError, match="removes headers"):
            await client.medias.upload(tmp_path / "film")


async def test_what_is_too_large_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "film").touch()
    os.truncate(tmp_path / "film", 64 * MIB)
    can = answer("204 No Content", headers="Tus-Max-Size: 1000\r\nTus-Extension: concatenation\r\n")
    async with answering(can) as (client, server):
        with pytest.raises(InvalidError, match="67108864 bytes; the service takes at most 1000"):
            await client.medias.upload(tmp_path / "film")

    assert server.lines() == ["OPTIONS /uploads"]


async def test_a_small_file_is_sent_in_one_request(tmp_path: Path) -> None:
    (tmp_path / "é.mov").write_bytes(b"bytes")
    created = answer("201 Created", headers="Location: /uploads/1\r\nUpload-Offset: 5\r\n")
    async with answering(created, NOT_HERE) as (client, server):
        with pytest.raises(Exception, match="There is nothing here"):
            await client.medias.upload(tmp_path / "é.mov", tags=["a", "b"], public=True)

    assert server.lines() == ["POST /uploads", "GET /medias/info/1"]
    sent = server.asked[0]
    assert sent.body == b"bytes"
    assert sent.headers["tus-resumable"] == "1.0.0"
    assert sent.headers["upload-length"] == "5"
    assert sent.headers["upload-metadata"] == "filename w6kubW92,public dHJ1ZQ==,tags YSxi"
    assert len(sent.headers["idempotency-key"]) == 32


async def test_answers_that_are_lost_again_and_again_are_told_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"bytes")
    async with (
        scripted(*[BROKEN] * 20) as server,
        AsyncClient(server.url, timeout=5, patience=1) as client,
    ):
        with pytest.raises(ConnectionLostError, match="broke"):
            await client.medias.upload(tmp_path / "film")


async def test_who_refuses_while_bytes_come_is_heard_with_a_shorter_body(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(bytes(3 * MIB))
    created = answer("201 Created", headers="Location: /uploads/1\r\nUpload-Offset: 0\r\n")
    here = answer("200 OK", headers="Upload-Offset: 0\r\nUpload-Length: 3145728\r\n")
    full = json_answer('{"error": "No room."}', status="507 Insufficient Storage")
    async with (
        scripted(BROKEN, created, here, full) as server,
        AsyncClient(server.url, timeout=5, patience=5) as client,
    ):
        with pytest.raises(StorageFullError, match="No room"):
            await client.medias.upload(tmp_path / "film", resume=True)

    assert server.lines()[:4] == ["POST /uploads", "POST /uploads", *_AT_ONE]
    assert len(server.asked[3].body) == MIB


async def test_the_patience_begins_anew_with_whatever_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film").write_bytes(bytes(3 * MIB))
    hours = itertools.count(0, 3600)  # from one failure to the next
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: float(next(hours))))

    def at(status: str, offset: int) -> bytes:
        headers = f"Location: /uploads/1\r\nUpload-Offset: {offset}\r\n"
        return answer(status, headers=headers)

    first = (BROKEN, at("201 Created", 0), at("200 OK", 0))
    while_sent = (BROKEN, at("200 OK", MIB))
    between = (at("204 No Content", 2 * MIB), BROKEN, at("200 OK", 2 * MIB))
    rest = (at("204 No Content", 3 * MIB), NOT_HERE)
    async with (
        scripted(*first, *while_sent, *between, *rest) as server,
        AsyncClient(server.url, timeout=5, patience=60) as client,
    ):
        with pytest.raises(NotFoundError, match="There is nothing here"):
            await client.medias.upload(tmp_path / "film", resume=True)

    assert server.lines() == [
        *["POST /uploads", "POST /uploads", "HEAD /uploads/1"],
        *["PATCH /uploads/1", "HEAD /uploads/1"],
        *["PATCH /uploads/1", "PATCH /uploads/1", "HEAD /uploads/1"],
        *["PATCH /uploads/1", "GET /medias/info/1"],
    ]


async def test_it_is_remembered_until_it_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    (tmp_path / "film").write_bytes(bytes(MIB))
    created = answer("201 Created", headers=f"Location: /uploads/1\r\nUpload-Offset: {MIB}\r\n")
    async with answering(created, BROKEN) as (client, _):
        with pytest.raises(ConnectionLostError):
            await client.medias.upload(tmp_path / "film", resume=True)

    assert len(list((tmp_path / "home" / "mediatheque" / "uploads").glob("*.json"))) == 1


async def test_bytes_are_not_sent_to_where_a_server_sends_them_on(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"bytes")
    moved = answer("308 Permanent Redirect", headers="Location: http://elsewhere/x?secret=1\r\n")
    async with answering(moved, moved) as (client, server):
        with pytest.raises(InvalidError, match=r"sends this on to http://elsewhere/x\."):
            await client.medias.upload(tmp_path / "film")

    assert set(server.lines()) == {"POST /uploads"}


async def test_what_is_said_of_a_file_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"bytes")
    async with answering() as (client, _):
        with pytest.raises(InvalidError, match="is not UTF-8") as refused:
            await client.medias.upload(tmp_path / "film", tags=["a\udcff"])

    assert refused.value.field == "tags"


@pytest.mark.parametrize("tag", ["", "a,b"])
async def test_what_is_no_tag_is_refused(tmp_path: Path, tag: str) -> None:
    async with answering() as (client, server):
        with pytest.raises(InvalidError, match="is no tag"):
            await client.medias.upload(tmp_path, tags=["good", tag])

    assert server.asked == []


async def test_an_upload_that_is_cancelled_early_does_not_lock_out_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    source = tmp_path / "film.mov"
    source.write_bytes(bytes(_REMEMBERED_BYTES))
    opening, go_on, subjects = threading.Event(), threading.Event(), []

    def slow(subject: Subject) -> StateFile:
        opening.set()
        assert go_on.wait(10)
        subjects.append(subject)
        return StateFile(subject)

    monkeypatch.setattr(uploads, "StateFile", slow)
    async with AsyncClient("http://127.0.0.1:9") as client:
        uploading = asyncio.create_task(client.medias.upload(source, resume=True))
        assert await asyncio.to_thread(opening.wait, 10)
        uploading.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await uploading

    [subject] = subjects
    StateFile(subject).close()
