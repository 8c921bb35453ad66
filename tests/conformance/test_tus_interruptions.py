"""tus 1.0.0 on connections that break, stall and crawl: what arrived counts."""

import os
import socket
import struct
import time
from contextlib import ExitStack

import pytest

from tests.support.door_uploads import (
    BYTES,
    TUS,
    begin,
    check_added,
    check_bytes,
    check_error,
    check_offset,
    checksum,
    create,
    delete,
    look,
    patch,
)
from tests.support.service import Service
from tests.support.wire import connect, head, read_reply

_YIELD_SECONDS = 1.0
_ARRIVING_SECONDS = 0.2
_ROUNDS = 4
"""Connections of one test, so that some meet the same process and some another one."""
_CROWD = 80
"""Bodies of which every process has more than it takes for many."""


def offset_of(service: Service, path: str) -> int:
    """Return where an upload is, as soon as it says so."""
    return int(look(service, path).headers["upload-offset"])


@pytest.mark.parametrize("sent", [0, 1, 300_000])
def test_what_arrived_before_a_connection_broke_counts(service: Service, sent: int) -> None:
    content = os.urandom(1_000_000)
    path = create(service, len(content))
    connection = begin(service, path, content[:sent], len(content))
    time.sleep(_ARRIVING_SECONDS)
    connection.close()
    check_offset(look(service, path), sent, length=len(content))
    check_added(patch(service, path, content[sent:], sent), len(content))
    check_bytes(service, path, content)


def test_what_arrived_before_a_reset_counts(local_service: Service) -> None:
    content = os.urandom(300_000)
    path = create(local_service, len(content))
    connection = begin(local_service, path, content[:200_000], len(content))
    time.sleep(_ARRIVING_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert offset_of(local_service, path) == 200_000


def test_a_client_that_goes_away_is_no_defect(local_service: Service) -> None:
    log_before = local_service.log.stat().st_size
    path = create(local_service, 10)
    begin(local_service, path, b"abc", 10).close()
    with connect(local_service) as connection:
        length = {"Content-Length": "10", "Upload-Length": "10"}
        connection.sendall(head(local_service, "POST", "/uploads", {**TUS, **BYTES, **length}))
        connection.sendall(b"abc")
    time.sleep(_ARRIVING_SECONDS)
    assert offset_of(local_service, path) == 3
    with local_service.log.open("rb") as log:
        log.seek(log_before)
        said = log.read().decode()
    assert '"client_gone": true' in said
    assert "Traceback" not in said
    assert "failed" not in said


def test_of_bytes_with_a_checksum_nothing_counts_before_all_arrived(service: Service) -> None:
    path = create(service, 6)
    said = checksum("sha1", b"abcdef")
    connection = begin(service, path, b"abc", 6, Upload_Checksum=said)
    time.sleep(_ARRIVING_SECONDS)
    connection.close()
    check_offset(look(service, path), 0, length=6)
    check_added(patch(service, path, b"abcdef", Upload_Checksum=said), 6)


def test_a_request_that_stalls_yields_to_a_question(service: Service) -> None:
    content = os.urandom(100_000)
    path = create(service, len(content))
    for sent in range(0, 10 * _ROUNDS, 10):
        with begin(service, path, content[sent : sent + 10], 100_000 - sent, offset=sent):
            time.sleep(_ARRIVING_SECONDS)
            asked = time.monotonic()
            check_offset(look(service, path), sent + 10, length=len(content))
            assert time.monotonic() - asked < _YIELD_SECONDS
    sent = 10 * _ROUNDS
    check_added(patch(service, path, content[sent:], sent), len(content))
    check_bytes(service, path, content)


def test_a_request_that_stalls_yields_to_newer_bytes(local_service: Service) -> None:
    path = create(local_service, 3 * _ROUNDS)
    for sent in range(0, 3 * _ROUNDS, 3):
        with begin(local_service, path, b"ab", 3 * _ROUNDS - sent, offset=sent):
            time.sleep(_ARRIVING_SECONDS)
            asked = time.monotonic()
            check_added(patch(local_service, path, b"c", sent + 2), sent + 3)
            assert time.monotonic() - asked < _YIELD_SECONDS
    check_bytes(local_service, path, b"abc" * _ROUNDS)


def test_a_request_that_stalls_yields_to_who_gives_the_upload_up(local_service: Service) -> None:
    for _ in range(_ROUNDS):
        path = create(local_service, 10)
        with begin(local_service, path, b"abc", 10):
            time.sleep(_ARRIVING_SECONDS)
            asked = time.monotonic()
            assert delete(local_service, path).status_code == 204
            assert time.monotonic() - asked < _YIELD_SECONDS
        assert look(local_service, path).status_code == 404


def test_a_request_that_was_stopped_says_so(local_service: Service) -> None:
    path = create(local_service, 10)
    with begin(local_service, path, b"abc", 10) as connection:
        time.sleep(_ARRIVING_SECONDS)
        check_offset(look(local_service, path), 3, length=10)
        reply = read_reply(connection, "PATCH")
    assert (reply.status, reply.headers["tus-resumable"]) == (409, "1.0.0")
    assert reply.headers["upload-offset"] == "3"
    assert b"taken over" in reply.body


def test_who_downloads_keeps_nobody_from_uploading(local_service: Service) -> None:
    path = create(local_service, 6)
    with begin(local_service, path, b"abc", 6) as connection:
        time.sleep(_ARRIVING_SECONDS)
        check_error(local_service.http.get(path), 404, says="not become a media")
        connection.sendall(b"def")
        assert read_reply(connection, "PATCH").status == 204
    check_bytes(local_service, path, b"abcdef")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": "5"}, 409),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "0", "Content-Type": "video/webm"}, 415),
        ({"Upload-Offset": "0", "Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Offset": "0"}, 413),
    ],
)
def test_who_sends_a_long_body_in_vain_hears_why(
    local_service: Service, headers: dict[str, str], status: int
) -> None:
    path = create(local_service, 10)
    with connect(local_service) as connection:
        body = os.urandom(6 << 20)
        said = {**TUS, **BYTES, "Content-Length": str(len(body)), **headers}
        connection.sendall(head(local_service, "PATCH", path, said) + body)
        assert read_reply(connection, "PATCH").status == status


def test_who_asks_before_sending_is_told_before_sending(local_service: Service) -> None:
    path = create(local_service, 3)
    expecting = {**TUS, **BYTES, "Content-Length": "3", "Expect": "100-continue"}
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", path, {**expecting, "Upload-Offset": "1"}))
        assert read_reply(connection, "PATCH").status == 409
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", path, {**expecting, "Upload-Offset": "0"}))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert read_reply(connection, "PATCH").status == 204
    check_bytes(local_service, path, b"abc")


def test_in_a_crowd_a_long_body_is_the_last_on_its_connection(local_service: Service) -> None:
    content = os.urandom((4 << 20) + 1)
    paths = [create(local_service, len(content)) for _ in range(_CROWD + 2)]
    kept = {**TUS, "Connection": "keep-alive"}
    said = {**kept, **BYTES, "Upload-Offset": "0", "Content-Length": str(len(content))}
    with ExitStack() as waiting:
        for path in paths[:_CROWD]:
            waiting.enter_context(begin(local_service, path, b"a", len(content)))
        with connect(local_service) as connection:
            connection.sendall(head(local_service, "PATCH", paths[-1], said) + content)
            answer = read_reply(connection, "PATCH")
            assert (answer.status, answer.headers["connection"]) == (204, "close")
            assert connection.recv(1) == b""
    check_bytes(local_service, paths[-1], content)
    for path in paths[:_CROWD]:
        assert offset_of(local_service, path) == 1
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", paths[-2], said) + content)
        answer = read_reply(connection, "PATCH")
        assert (answer.status, answer.headers.get("connection")) == (204, None)
        connection.sendall(head(local_service, "HEAD", paths[-2], kept))
        assert read_reply(connection, "HEAD").status == 200


def test_a_body_whose_length_is_not_told_is_taken(service: Service) -> None:
    path = create(service, 6)
    headers = {**TUS, **BYTES, "Upload-Offset": "0", "Transfer-Encoding": "chunked"}
    with connect(service) as connection:
        connection.sendall(
            head(service, "PATCH", path, headers) + b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
        )
        reply = read_reply(connection, "PATCH")
    assert (reply.status, reply.headers["upload-offset"]) == (204, "6")
    check_bytes(service, path, b"abcdef")


def test_what_arrived_of_a_broken_chunked_body_counts(local_service: Service) -> None:
    path = create(local_service, 6)
    headers = {**TUS, **BYTES, "Upload-Offset": "0", "Transfer-Encoding": "chunked"}
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", path, headers) + b"3\r\nabc\r\n")
        time.sleep(_ARRIVING_SECONDS)
    check_offset(look(local_service, path), 3, length=6)


def test_half_a_connection_is_a_broken_one(local_service: Service) -> None:
    path = create(local_service, 6)
    headers = {**TUS, **BYTES, "Upload-Offset": "0", "Content-Length": "6"}
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", path, headers) + b"abc")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    check_offset(look(local_service, path), 3, length=6)
