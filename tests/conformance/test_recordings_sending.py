"""Door 1, chunks under way: huge ones, ones that are cut off, and several at once."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.support.door_one import (
    COMPLETED,
    add,
    arrived,
    check_added,
    check_error,
    content_digest,
    create,
    position,
    record,
    status,
    wait_for_end,
)
from tests.support.forms import FORM, file_field, form
from tests.support.service import Service, weigh
from tests.support.wire import connect, head, read_reply

HUGE = 100 << 20
_MOST_GROWTH = 96 << 20
_UNANSWERED_SECONDS = 0.3


def web_memory(service: Service) -> int:
    """Return the resident bytes of everything but the database."""
    return weigh(service.processes(), lambda process: process.memory_info().rss)


@contextmanager
def memory_bounded(service: Service) -> Iterator[None]:
    """Check that a service holds little more memory during a block than before it."""
    before = most = web_memory(service)
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, web_memory(service))

    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch)
        try:
            yield
        finally:
            ended.set()
        watching.result()
    assert most - before < _MOST_GROWTH


def begin(
    service: Service, video_id: str, body: bytes, length: int, **headers: str
) -> socket.socket:
    """Send the head of a chunk of ``length`` bytes and as much of it as ``body`` is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = connect(service)
    connection.sendall(
        head(service, "POST", f"/add_data/{video_id}/", {"Content-Length": str(length), **named})
        + body
    )
    return connection


def test_one_huge_chunk_streams(service: Service) -> None:
    piece = os.urandom(1 << 20)
    video_id = record(service, b"before")

    with memory_bounded(service):
        answer = service.http.post(
            f"/add_data/{video_id}/",
            content=(piece for _ in range(HUGE // len(piece))),
            headers={"Content-Type": "video/webm"},
        )

    check_added(answer, chunks=2, size=6 + HUGE)
    check_added(add(service, video_id, b"after"), chunks=3)
    assert arrived(service, video_id) == b"before" + piece * (HUGE // len(piece)) + b"after"


def test_a_huge_form_streams_too(local_service: Service) -> None:
    video_id = create(local_service)
    content = os.urandom(30 << 20)
    body = form(file_field(content))
    answer = add(
        local_service,
        video_id,
        body,
        Content_Type=FORM,
        Content_Digest=content_digest("sha-256", body),
    )
    check_added(answer, chunks=1, size=len(content))
    assert arrived(local_service, video_id) == content


@pytest.mark.parametrize("content_type", ["video/webm", FORM])
@pytest.mark.parametrize("sent", [1, 300_000])
def test_of_a_chunk_that_is_cut_off_nothing_stays(
    service: Service, content_type: str, sent: int
) -> None:
    video_id = record(service, b"before")
    chunk = os.urandom(1_000_000)
    body = form(file_field(chunk)) if content_type == FORM else chunk

    connection = begin(service, video_id, body[:sent], len(body), Content_Type=content_type)
    assert position(service.http.get(f"/check_status/{video_id}")) == (1, 6)
    connection.close()

    check_added(add(service, video_id, chunk, Chunk_Index=1), chunks=2, size=1_000_006)
    assert arrived(service, video_id) == b"before" + chunk


def test_a_chunk_counts_when_it_is_acknowledged(service: Service) -> None:
    video_id = record(service, b"before")
    connection = begin(service, video_id, b"x" * 400_000, 400_001)

    time.sleep(_UNANSWERED_SECONDS)
    assert position(service.http.get(f"/check_status/{video_id}")) == (1, 6)
    assert arrived(service, video_id) == b"before"
    connection.sendall(b"y")

    assert read_reply(connection, "POST").status == 200
    connection.close()
    assert arrived(service, video_id) == b"before" + b"x" * 400_000 + b"y"


def test_chunks_of_one_recording_wait_for_each_other(service: Service) -> None:
    video_id = create(service)
    first, second = os.urandom(300_000), os.urandom(300_000)
    connection = begin(service, video_id, first[:200_000], len(first))
    with ThreadPoolExecutor(1) as threads:
        time.sleep(_UNANSWERED_SECONDS)
        waiting = threads.submit(add, service, video_id, second)
        time.sleep(_UNANSWERED_SECONDS)
        assert not waiting.done()
        connection.sendall(first[200_000:])
        reply = read_reply(connection, "POST")
        connection.close()
        check_added(waiting.result(), chunks=2, size=600_000)
    assert (reply.headers["chunk-index"], reply.headers["upload-offset"]) == ("1", "300000")
    assert arrived(service, video_id) == first + second


def test_a_slow_chunk_keeps_no_other_recording_waiting(local_service: Service) -> None:
    slow, quick = create(local_service), create(local_service)
    connection = begin(local_service, slow, b"x" * 100_000, 100_001)
    for number in range(5):
        check_added(add(local_service, quick, b"quick"), chunks=number + 1)
    connection.sendall(b"x")
    assert read_reply(connection, "POST").status == 200
    connection.close()


def test_completing_waits_for_the_chunk_under_way(local_service: Service) -> None:
    video_id = record(local_service, b"before")
    connection = begin(local_service, video_id, b"x" * 100_000, 100_001)
    with ThreadPoolExecutor(1) as threads:
        time.sleep(_UNANSWERED_SECONDS)
        completing = threads.submit(local_service.http.post, f"/complete_job/{video_id}/")
        time.sleep(_UNANSWERED_SECONDS)
        assert not completing.done()
        assert status(local_service, video_id) == {"status": "recording"}
        connection.sendall(b"y")
        assert read_reply(connection, "POST").status == 200
        connection.close()
        assert completing.result().json() == COMPLETED
    wait_for_end(local_service, video_id)
    assert local_service.http.get(f"/video/{video_id}/original").content == (
        b"before" + b"x" * 100_000 + b"y"
    )


def test_chunks_of_several_recordings_at_once_never_mix(service: Service) -> None:
    def send(letter: bytes) -> tuple[str, bytes]:
        chunks = [letter * (40_000 + 1_000 * number) for number in range(6)]
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
            video_id = http.post("/create/").json()["video_id"]
            for number, chunk in enumerate(chunks):
                answer = http.post(
                    f"/add_data/{video_id}", content=chunk, headers={"Chunk-Index": str(number)}
                )
                check_added(answer, chunks=number + 1)
        return video_id, b"".join(chunks)

    with ThreadPoolExecutor(8) as threads:
        sent = list(threads.map(send, (bytes([65 + n]) for n in range(8))))
    for video_id, content in sent:
        assert arrived(service, video_id) == content


def test_chunks_of_one_recording_at_once_never_interleave(service: Service) -> None:
    video_id = create(service)
    size = 150_000
    letters = [bytes([65 + n]) for n in range(8)]

    def send(letter: bytes) -> tuple[int, int]:
        answer = httpx.post(
            f"{service.url}/add_data/{video_id}", content=letter * size, trust_env=False, timeout=60
        )
        check_added(answer)
        return position(answer)

    with ThreadPoolExecutor(8) as threads:
        places = list(threads.map(send, letters))

    assert sorted(places) == [(n, n * size) for n in range(1, 9)]
    content = arrived(service, video_id)
    assert len(content) == 8 * size
    for letter, (_, end) in zip(letters, places, strict=True):
        assert content[end - size : end] == letter * size


@pytest.mark.parametrize("same", [True, False])
def test_of_chunks_with_one_number_one_is_kept(service: Service, same: bool) -> None:
    video_id = record(service, b"before")
    chunks = [b"same" * 20_000 if same else bytes([65 + n]) * 80_000 for n in range(6)]

    def send(chunk: bytes) -> httpx.Response:
        headers = {"Chunk-Index": "1", "Upload-Offset": "6"}
        return httpx.post(
            f"{service.url}/add_data/{video_id}", content=chunk, headers=headers, trust_env=False
        )

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(send, chunks))

    kept = [chunk for chunk, answer in zip(chunks, answers, strict=True) if answer.is_success]
    assert len(kept) == (6 if same else 1)
    assert arrived(service, video_id) == b"before" + kept[0]
    for answer in answers:
        assert position(answer) == (2, 80_006)
        if not answer.is_success:
            check_error(answer, 409, says="other bytes")
