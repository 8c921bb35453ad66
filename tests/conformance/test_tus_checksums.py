"""tus 1.0.0, checksum: bytes that were damaged on their way are not kept."""

import os

import pytest

from tests.support.door_uploads import (
    BYTES,
    TUS,
    check_added,
    check_bytes,
    check_error,
    check_offset,
    checksum,
    create,
    look,
    patch,
    path_of,
    post,
)
from tests.support.service import Service
from tests.support.wire import connect, head, read_reply

ALGORITHMS = {"sha1": "SHA-1", "sha256": "SHA-256", "md5": "MD5", "crc32": "CRC-32"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bytes_are_kept_when_they_have_the_checksum(service: Service, algorithm: str) -> None:
    content = os.urandom(100_000)
    path = create(service, len(content))
    first, second = content[:60_000], content[60_000:]
    check_added(patch(service, path, first, Upload_Checksum=checksum(algorithm, first)), 60_000)
    check_added(
        patch(service, path, second, 60_000, Upload_Checksum=checksum(algorithm, second)), 100_000
    )
    check_bytes(service, path, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_damaged_bytes_are_not_kept(service: Service, algorithm: str) -> None:
    path = create(service, 6)
    check_added(patch(service, path, b"abc"), 3)
    answer = patch(service, path, b"dxf", 3, Upload_Checksum=checksum(algorithm, b"def"))
    check_error(answer, 460, says=f"The {ALGORITHMS[algorithm]} of what arrived")
    assert answer.headers["upload-offset"] == "3"
    assert answer.headers["upload-expires"]
    check_offset(look(service, path), 3, length=6)
    check_added(patch(service, path, b"def", 3, Upload_Checksum=checksum(algorithm, b"def")), 6)
    check_bytes(service, path, b"abcdef")


def test_the_checksum_published_with_the_protocol_holds(local_service: Service) -> None:
    path = create(local_service, 11)
    said = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
    check_added(patch(local_service, path, b"hello world", Upload_Checksum=said), 11)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "sha1",
        "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "sha512 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "sha1 not-base64",
        "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0",
        "sha1 YWJj",
        "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "sha1:Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=, sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
    ],
)
def test_a_checksum_that_is_none_is_refused(local_service: Service, said: str) -> None:
    path = create(local_service, 11)
    answer = patch(local_service, path, b"hello world", Upload_Checksum=said)
    check_error(answer, 400, says="Upload-Checksum")
    check_offset(look(local_service, path), 0, length=11)
    answer = post(local_service, b"hello world", Upload_Length=11, Upload_Checksum=said)
    check_error(answer, 400, says="Upload-Checksum")
    assert "location" not in answer.headers


def test_the_bytes_of_a_creation_are_checked_too(service: Service) -> None:
    said = checksum("sha1", b"abc")
    path = path_of(post(service, b"abc", Upload_Length=3, Upload_Checksum=said))
    check_bytes(service, path, b"abc")
    damaged = post(service, b"axc", Upload_Length=3, Upload_Checksum=said)
    check_error(damaged, 460, says="damaged")
    left = damaged.headers["location"].removeprefix(service.url)
    check_offset(look(service, left), 0, length=3)
    check_added(patch(service, left, b"abc", Upload_Checksum=said), 3)


def test_of_more_bytes_than_are_left_none_are_kept_unchecked(local_service: Service) -> None:
    path = create(local_service, 3)
    answer = patch(local_service, path, b"abcd", Upload_Checksum=checksum("sha1", b"abcd"))
    check_error(answer, 413, says="Nothing of it was kept")
    check_offset(look(local_service, path), 0, length=3)


def test_a_checksum_behind_the_bytes_is_refused_not_ignored(local_service: Service) -> None:
    path = create(local_service, 3)
    headers = {
        **TUS,
        **BYTES,
        "Upload-Offset": "0",
        "Transfer-Encoding": "chunked",
        "Trailer": "Upload-Checksum",
    }
    body = f"3\r\nabc\r\n0\r\nUpload-Checksum: {checksum('sha1', b'xyz')}\r\n\r\n".encode()
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", path, headers) + body)
        reply = read_reply(connection, "PATCH")
    assert (reply.status, reply.headers["tus-resumable"]) == (400, "1.0.0")
    assert b"trailers" in reply.body
    check_offset(look(local_service, path), 0, length=3)
