"""HTTP's own resumable uploads: bodies that break, stall, or come too late."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.door_uploads import let_expire
from tests.support.medias import fresh
from tests.support.resumption import (
    PARTIAL,
    VERSIONS,
    add,
    begin,
    check_at,
    check_media,
    check_problem,
    created,
    look,
)
from tests.support.service import Service, running
from tests.support.wire import connect, head, named, read_reply

CONTENT = bytes(range(256)) * 1200
SENT = 100_000
_SECONDS = 10


def send_some(
    service: Service, method: str, target: str, size: int, *, length: int, **headers: object
) -> socket.socket:
    """Send the first ``size`` bytes of a body of ``length``, and leave the connection open."""
    connection = connect(service)
    said = named(Content_Length=length, **headers)
    connection.sendall(head(service, method, target, said) + CONTENT[:size])
    return connection


def add_some(
    service: Service, url: str, *, offset: int = 0, complete: str = "?0", **headers: object
) -> socket.socket:
    """Send the first bytes of a longer body to an upload, and leave the connection open."""
    said = named(Upload_Complete=complete, Upload_Offset=offset, Content_Type=PARTIAL, **headers)
    target = url.removeprefix(service.url)
    return send_some(service, "PATCH", target, SENT, length=len(CONTENT), **said)


def arrived(service: Service, url: str, size: int) -> httpx.Response:
    """Wait until an upload has so many bytes, without disturbing who sends them."""
    deadline = time.monotonic() + _SECONDS
    while True:
        answer = look(service, url)
        if answer.headers.get("upload-offset") == str(size) or time.monotonic() > deadline:
            return answer
        time.sleep(0.02)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("complete", ["?1", "?0"])
def test_what_came_before_a_connection_broke_is_kept(
    service: Service, version: int, complete: str
) -> None:
    url = created(service, version=version, Upload_Length=len(CONTENT))
    with add_some(service, url, complete=complete, Upload_Draft_Interop_Version=version):
        time.sleep(0.1)

    answer = arrived(service, url, SENT)

    assert answer.headers["upload-offset"] == str(SENT)
    assert answer.headers["upload-complete"] == "?0"
    ended = add(service, url, CONTENT[SENT:], offset=SENT, complete="?1", version=version)
    check_media(service, ended, CONTENT)


@pytest.mark.parametrize("length", [None, SENT, SENT + 5], ids=["unknown", "all there", "longer"])
@pytest.mark.parametrize("more", [b"", b"6\r\n"], ids=["between", "within"])
def test_a_chunked_body_that_broke_off_is_not_the_end(
    local_service: Service, length: int | None, more: bytes
) -> None:
    options: dict[str, Any] = {} if length is None else {"Upload_Length": length}
    url = created(local_service, **options)
    said = named(
        Upload_Complete="?1", Upload_Offset=0, Content_Type=PARTIAL, Transfer_Encoding="chunked"
    )
    target = url.removeprefix(local_service.url)
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "PATCH", target, said) + chunk(more))
        time.sleep(0.1)

    answer = arrived(local_service, url, SENT)

    assert answer.headers["upload-offset"] == str(SENT)
    assert answer.headers["upload-complete"] == "?0"
    assert local_service.http.get(url).status_code == 404
    rest = CONTENT[SENT:length]
    ended = add(local_service, url, rest, offset=SENT, complete="?1")
    check_media(local_service, ended, CONTENT[:SENT] + rest)


def test_a_chunked_creation_that_broke_off_is_not_the_end(local_service: Service) -> None:
    key = fresh()
    said = named(
        Upload_Complete="?1", Upload_Length=SENT, Transfer_Encoding="chunked", Idempotency_Key=key
    )
    with connect(local_service) as connection:
        connection.sendall(head(local_service, "POST", "/uploads", said) + chunk())
        time.sleep(0.2)

    again = iter([CONTENT[:SENT]])  # so that it is chunked as well
    answer = begin(local_service, again, complete="?1", Upload_Length=SENT, Idempotency_Key=key)

    check_problem(answer, 409, "mismatching-upload-offset")
    url = answer.headers["location"]
    check_at(local_service, url, SENT)
    ended = add(local_service, url, b"", offset=SENT, complete="?1")
    check_media(local_service, ended, CONTENT[:SENT])


def chunk(more: bytes = b"") -> bytes:
    """Return a chunk that is whole, and what follows it."""
    return f"{SENT:x}\r\n".encode() + CONTENT[:SENT] + b"\r\n" + more


def test_a_creation_that_broke_is_found_by_its_key(local_service: Service) -> None:
    said: Any = {"Upload_Length": len(CONTENT), "Idempotency_Key": fresh()}
    with send_some(
        local_service,
        "POST",
        "/uploads",
        SENT,
        length=len(CONTENT),
        Upload_Complete="?1",
        **said,
    ):
        time.sleep(0.2)
    answer = begin(local_service, CONTENT, complete="?1", **said)

    check_problem(answer, 409, "mismatching-upload-offset")
    url, offset = answer.headers["location"], int(answer.headers["upload-offset"])
    assert offset == SENT
    ended = add(local_service, url, CONTENT[offset:], offset=offset, complete="?1")
    check_media(local_service, ended, CONTENT)


def test_a_part_with_a_digest_that_broke_off_is_not_kept(local_service: Service) -> None:
    url = created(local_service, b"before")
    promised = "sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:"
    with add_some(local_service, url, offset=6, Content_Digest=promised):
        time.sleep(0.1)
    check_at(local_service, url, 6)


def test_a_newer_request_ends_one_that_stalls(service: Service) -> None:
    url = created(service)
    connection = add_some(service, url, complete="?1")
    time.sleep(0.3)
    asked = time.monotonic()

    check_at(service, url, SENT)

    assert time.monotonic() - asked < 1.5
    stopped = read_reply(connection, "PATCH")
    connection.close()
    assert stopped.status == 409
    assert stopped.headers["content-type"] == "application/problem+json"
    assert stopped.headers["upload-offset"] == str(SENT)
    ended = add(service, url, CONTENT[SENT:], offset=SENT, complete="?1")
    check_media(service, ended, CONTENT)


def test_giving_up_ends_a_request_that_stalls(local_service: Service) -> None:
    url = created(local_service)
    connection = add_some(local_service, url)
    time.sleep(0.2)
    said = named(Upload_Draft_Interop_Version=8)
    assert local_service.http.delete(url, headers=said).status_code == 204
    assert read_reply(connection, "PATCH").status in {404, 409}
    connection.close()
    assert look(local_service, url).status_code == 404


def test_of_several_at_once_one_is_taken(local_service: Service) -> None:
    url = created(local_service)

    def send(letter: bytes) -> int:
        with httpx.Client(timeout=60, trust_env=False) as http:
            said = named(Upload_Complete="?0", Upload_Offset=0, Content_Type=PARTIAL)
            return http.patch(url, content=letter * 1000, headers=said).status_code

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(send, (bytes([65 + n]) for n in range(6))))

    assert statuses == [204, 409, 409, 409, 409, 409]
    ended = add(local_service, url, b"", offset=1000, complete="?1")
    content = local_service.http.get(url).content
    check_media(local_service, ended, content[:1] * 1000)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/uploads", {"Upload_Complete": "?1", "Upload_Length": 7}, 400),
        ("/uploads", {"Upload_Complete": "?0", "Content_Encoding": "br"}, 415),
        ("/uploads", {"Upload_Complete": "?0", "Upload_Draft_Interop_Version": 5}, 400),
        ("/uploads/7", {"Upload_Complete": "?0", "Upload_Offset": 0}, 404),
    ],
)
def test_an_early_refusal_reaches_a_client_that_still_sends(
    local_service: Service, target: str, headers: dict[str, object], status: int
) -> None:
    method = "POST" if target == "/uploads" else "PATCH"
    said = {"Content_Type": PARTIAL, **headers}
    with send_some(
        local_service, method, target, len(CONTENT), length=4 * len(CONTENT), **said
    ) as connection:
        for _ in range(3):
            connection.sendall(CONTENT)
        reply = read_reply(connection, method)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits a second for a body, and takes no more bytes than those here."""
    settings = {
        "MEDIATHEQUE_WORKERS": "1",
        "MEDIATHEQUE_IDLE_TIMEOUT": "1",
        "MEDIATHEQUE_MAX_UPLOAD_SIZE": str(len(CONTENT)),
    }
    with running(tmp_path_factory.mktemp("resumption") / "data", settings) as started:
        yield started


def test_a_body_that_stalls_is_told_where_to_go_on(strict: Service) -> None:
    with send_some(
        strict, "POST", "/uploads", SENT, length=len(CONTENT), Upload_Complete="?1"
    ) as connection:
        reply = read_reply(connection, "POST")

    assert reply.status == 408
    assert reply.headers["content-type"] == "application/problem+json"
    assert b"Upload-Offset" in reply.body
    assert reply.headers["connection"] == "close"
    assert reply.headers["upload-offset"] == str(SENT)
    assert reply.headers["upload-complete"] == "?0"
    url = reply.headers["location"]
    ended = add(strict, url, CONTENT[SENT:], offset=SENT, complete="?1")
    check_media(strict, ended, CONTENT)


def test_of_a_checked_body_that_stalls_nothing_is_said_to_be_kept(strict: Service) -> None:
    headers = {"Upload-Complete": "?0", "Content-Digest": f"sha-256=:{'A' * 43}=:"}
    with send_some(strict, "POST", "/uploads", SENT, length=len(CONTENT), **headers) as connection:
        reply = read_reply(connection, "POST")

    assert (reply.status, reply.headers["upload-offset"]) == (408, "0")
    assert b"kept" not in reply.body


@pytest.mark.parametrize("complete", ["?1", "?0"])
def test_what_is_too_large_as_a_whole_is_refused(strict: Service, complete: str) -> None:
    answer = begin(strict, CONTENT + b"x", complete=complete)
    check_problem(answer, 413, says=str(len(CONTENT)))
    assert answer.headers["upload-limit"].startswith(f"max-size={len(CONTENT)}")


def test_what_grows_too_large_is_kept_as_far_as_it_may_grow(strict: Service) -> None:
    url = created(strict, CONTENT[:SENT])
    answer = add(strict, url, iter([CONTENT[SENT:], b"x"]), offset=SENT, complete="?1")
    check_problem(answer, 413, says=str(len(CONTENT)))
    assert answer.headers["upload-limit"].startswith(f"max-size={len(CONTENT)}")
    assert answer.headers["upload-offset"] == str(len(CONTENT))
    ended = add(strict, url, b"", offset=len(CONTENT), complete="?1")
    check_media(strict, ended, CONTENT)


def test_an_expired_upload_is_gone(strict: Service) -> None:
    url = created(strict, CONTENT)
    let_expire(strict, url)
    for version, status in ((8, 410), (6, 404)):
        assert look(strict, url, version=version).status_code == status
        answer = add(strict, url, b"x", offset=len(CONTENT), version=version)
        check_problem(answer, status, says="in time")
