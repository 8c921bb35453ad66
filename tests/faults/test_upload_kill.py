"""Everything is killed, stopped or taken away in the middle of resumable uploads: each goes on
from where it said it was, and becomes exactly the bytes that were sent.
"""

import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import httpx
import psutil
import pytest

from tests.faults.clients import content_of
from tests.faults.places import Place, opened
from tests.faults.remains import rows, wait_until
from tests.faults.uploaders import PartsUploader, Uploader
from tests.faults.victim import Victim
from tests.support.door_uploads import (
    BYTES,
    TUS,
    begin,
    check_added,
    check_bytes,
    check_error,
    check_offset,
    create,
    look,
    patch,
)
from tests.support.wire import read_reply

CONTENT = content_of("upload", 12_000_000)
HALF = 6_000_001
LEASE_SECONDS = 6
SOON_SECONDS = 1.0

AnyUploader = Uploader | PartsUploader


@pytest.fixture(scope="module", params=["local", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """One service on each kind of store for all of these tests: it must recover from each."""
    server = request.getfixturevalue("seaweedfs") if request.param == "s3" else None
    with opened("uploads", tmp_path_factory.mktemp("uploads"), server) as started:
        yield started


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
def test_a_stalled_request_yields_to_a_newer_one_within_a_second(
    place: Place, elsewhere: bool
) -> None:
    service = place.service
    path = create(service, len(CONTENT))
    stalled = begin(service, path, CONTENT[:HALF], len(CONTENT))
    wait_until(lambda: holder(service, path) is not None)
    process = web_process(service, stalled)
    with connected(service, lambda one: (one != process) is elsewhere) as http:
        wait_until(lambda: size(service, path) == HALF)

        asked = time.monotonic()
        answer = http.head(path, headers=TUS)

        assert time.monotonic() - asked < SOON_SECONDS
        check_offset(answer, HALF, length=len(CONTENT))
        with stalled:
            refused = read_reply(stalled, "PATCH")
        assert refused.status == 409, refused
        said = {**TUS, **BYTES, "Upload-Offset": str(HALF)}
        answer = http.patch(path, content=CONTENT[HALF:], headers=said)
    check_added(answer, len(CONTENT))
    check_bytes(service, path, CONTENT)


@pytest.mark.parametrize("leave", ["hang up", "reset"])
def test_what_arrived_before_a_client_was_gone_counts(place: Place, leave: str) -> None:
    service = place.service
    path = create(service, len(CONTENT))
    connection = begin(service, path, CONTENT[:HALF], len(CONTENT))
    if leave == "reset":
        wait_until(lambda: size(service, path) == HALF)  # else the kernel may discard some
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    if leave == "hang up":
        wait_until(lambda: size(service, path) == HALF)

    check_offset(look(service, path), HALF, length=len(CONTENT))
    check_added(patch(service, path, CONTENT[HALF:], HALF), len(CONTENT))
    check_bytes(service, path, CONTENT)


def test_a_web_process_that_stood_still_in_mid_patch_spoils_nothing(place: Place) -> None:
    service = place.service
    path = create(service, len(CONTENT))
    stopped = begin(service, path, CONTENT[:HALF], len(CONTENT))
    wait_until(lambda: holder(service, path) is not None and size(service, path) > 0)
    process, former = web_process(service, stopped), holder(service, path)
    process.suspend()
    try:
        with connected(service, lambda one: one != process) as http:
            offset = int(http.head(path, headers=TUS).headers["upload-offset"])
            asked = time.monotonic()
            if place.server is not None:
                end_holds(service)

            def again() -> Iterator[bytes]:
                yield CONTENT[offset:-1]
                wait_until(lambda: holder(service, path) != former)
                assert time.monotonic() - asked < LEASE_SECONDS + 2
                process.resume()
                stopped.sendall(CONTENT[HALF:])
                with stopped:
                    assert read_reply(stopped, "PATCH").status == 409
                yield CONTENT[-1:]

            said = {**TUS, **BYTES, "Upload-Offset": str(offset)}
            check_added(http.patch(path, content=again(), headers=said), len(CONTENT))
    finally:
        process.resume()
    check_bytes(service, path, CONTENT)


def test_an_upload_goes_on_when_the_database_is_back(place: Place) -> None:
    service = place.service
    path = create(service, len(CONTENT))
    caught = begin(service, path, CONTENT[:HALF], len(CONTENT))
    wait_until(lambda: size(service, path) > 0)
    answered = size(service, path)
    supervisor = service.processes()[0]
    supervisor.suspend()  # who would start the database again at once
    try:
        service.kill_database()
        caught.sendall(CONTENT[HALF:])
        with caught:
            refused = read_reply(caught, "PATCH")
        assert refused.status == 503, refused
        assert b"database" in refused.body
        assert look(service, path).status_code == 503
        check_error(patch(service, path, b"x", 0), 503, says="database")
    finally:
        supervisor.resume()

    def is_back() -> bool:
        answer = look(service, path)
        assert answer.status_code in {200, 503}
        return answer.status_code == 200

    wait_until(is_back)
    if place.server is not None:
        end_holds(service)
    offset = int(look(service, path).headers["upload-offset"])
    assert answered <= offset <= len(CONTENT)
    check_added(patch(service, path, CONTENT[offset:], offset), len(CONTENT))
    check_bytes(service, path, CONTENT)


def test_what_was_answered_survives_kills_at_random_moments(place: Place) -> None:
    """Kills while four clients upload, and one when the last bytes have just been sent."""
    service = place.service
    moments = random.Random(place.prefix)
    uploaders: list[AnyUploader] = [
        Uploader(service, content_of(1, 20_000_000)),
        Uploader(service, content_of(2, 6_000_000), most=1 << 20),
        Uploader(service, content_of(3, 1_000_001), most=100_000),
        PartsUploader(
            service, [content_of(4, 9_000_000), content_of(5, 300_000), content_of(6, 6_000_000)]
        ),
    ]
    everything = sum(len(one.content) for one in uploaders)

    for share in (0.4, 1):
        kill_while(service, uploaders, int(share * everything), moments.uniform(0, 0.1))
        service.start()
        end_holds(service)
    assert sum(one.cut_off for one in uploaders) > 0, "no kill came in the middle of anything"

    for one in uploaders:
        one.upload()
        assert one.done
        check_bytes(service, one.path, one.content)
    place.check_nothing_is_left()


def kill_while(service: Victim, uploaders: list[AnyUploader], size: int, pause: float) -> None:
    """Kill everything while all upload, ``pause`` seconds after they have sent ``size`` bytes."""
    with ThreadPoolExecutor(len(uploaders)) as threads:
        uploading = [threads.submit(one.upload) for one in uploaders]
        try:
            wait_until(
                lambda: (
                    sum(one.sent for one in uploaders) >= size
                    or all(one.done() for one in uploading)
                )
            )
            time.sleep(pause)
        finally:
            service.kill()
    for one in uploading:
        one.result()


def end_holds(service: Victim) -> None:
    """Let the holds of those that died end now; that they do by themselves is seen once."""
    rows(service, "UPDATE intakes SET held_until = now()")


def holder(service: Victim, path: str) -> UUID | None:
    """Return who adds to an upload, or None."""
    return _intake(service, path)[0]


def size(service: Victim, path: str) -> int:
    """Return how many bytes of an upload are acknowledged."""
    return _intake(service, path)[1]


def _intake(service: Victim, path: str) -> tuple[UUID | None, int]:
    upload_id = path.rpartition("/")[2]
    [row] = rows(service, f"SELECT holder, size FROM intakes WHERE id = '{upload_id}'")
    return row["holder"], row["size"]


def web_process(service: Victim, connection: socket.socket) -> psutil.Process:
    """Return the process that serves a connection."""
    ours = connection.getsockname()
    for process in service.web_processes():
        if any(one.raddr == ours for one in process.net_connections("tcp")):
            return process
    raise AssertionError("no process has accepted the connection yet")


@contextmanager
def connected(service: Victim, wanted: Callable[[psutil.Process], bool]) -> Iterator[httpx.Client]:
    """Connect to a web process of which ``wanted`` says yes; which one it is the kernel chooses."""
    for _ in range(100):
        transport = httpx.HTTPTransport(limits=httpx.Limits(max_connections=1))
        with httpx.Client(base_url=service.url, transport=transport, timeout=1) as http:
            try:
                with http.stream("GET", "/health") as answer:
                    stream = answer.extensions["network_stream"]
                    if not wanted(web_process(service, stream.get_extra_info("socket"))):
                        continue
                    answer.read()
            except httpx.TimeoutException:  # that one stands still
                continue
            http.timeout = 60
            yield http
            return
    raise AssertionError("the kernel never chose such a process")
