"""Everything is killed, stopped or taken away while recordings are made: nothing of them is lost,
and nothing doubled.
"""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.faults.clients import content_of
from tests.faults.places import Place, opened
from tests.faults.recorders import (
    OffsetRecorder,
    OpenChunk,
    PlainRecorder,
    Recorder,
    count_frames,
    film_chunks,
    film_in_three,
)
from tests.faults.remains import rows, wait_until
from tests.faults.victim import Victim
from tests.support.door_one import (
    add,
    check_added,
    check_error,
    complete,
    position,
    record,
    wait_for_end,
)
from tests.support.films import FPS

FRAMES = 2 * FPS
HALF = 9_000_000  # of a huge chunk; more than an S3 store gets at once


@pytest.fixture(scope="module", params=["local", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """One service on each kind of store for all of these tests: it must recover from each."""
    server = request.getfixturevalue("seaweedfs") if request.param == "s3" else None
    with opened("recordings", tmp_path_factory.mktemp("recordings"), server) as started:
        yield started


def test_a_web_process_that_stood_still_in_mid_chunk_spoils_nothing(place: Place) -> None:
    service = place.service
    first, huge, last = film_in_three(1)
    video_id = record(service, first)
    before = place.objects()
    wait_until(lambda: len(service.web_processes()) == 2)
    stopped = OpenChunk(service, video_id, huge, number=1)
    stopped.send(HALF)
    wait_until(lambda: holder(service) is not None and has_arrived(place, before, len(first)))
    process, former = stopped.web_process(), holder(service)
    process.suspend()
    # Its hold would end by itself, in a few seconds.
    rows(service, "UPDATE intakes SET held_until = now()")

    def again() -> Iterator[bytes]:
        yield huge[:HALF]
        wait_until(lambda: holder(service) != former)
        process.resume()
        stopped.send()
        refused = stopped.reply()
        assert (refused.status, refused.headers["chunk-index"]) == (409, "1"), refused
        yield huge[HALF:]

    try:
        with another_process(service) as http:
            answer = http.post(
                f"/add_data/{video_id}/", content=again(), headers={"Chunk-Index": "1"}
            )
            check_added(answer, chunks=2, size=len(first + huge))
    finally:
        process.resume()
    check_added(add(service, video_id, last, Chunk_Index=2))
    complete(service, video_id)
    check_film(service, video_id, first + huge + last)


def test_a_chunk_that_the_database_could_not_take_can_be_sent_again_by_its_number(
    place: Place,
) -> None:
    service = place.service
    first, huge, last = film_in_three(2)
    video_id = record(service, first)
    caught = OpenChunk(service, video_id, huge, number=1)
    caught.send(HALF)
    wait_until(lambda: holder(service) is not None)
    supervisor = service.processes()[0]
    supervisor.suspend()  # who would start the database again at once
    try:
        service.kill_database()
        caught.send()
        refused = caught.reply()
        assert refused.status == 503
        assert b"database" in refused.body
        check_error(add(service, video_id, huge, Chunk_Index=1), 503, says="database")
        check_error(service.http.post(f"/complete_job/{video_id}/"), 503, says="database")
        check_error(service.http.get(f"/check_status/{video_id}/"), 503, says="database")
    finally:
        supervisor.resume()

    def taken() -> bool:
        answer = add(service, video_id, huge, Chunk_Index=1)
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200

    wait_until(taken)
    check_added(add(service, video_id, last), chunks=3, size=len(first + huge + last))
    complete(service, video_id)
    check_film(service, video_id, first + huge + last)


def test_what_was_acknowledged_survives_kills_at_random_moments(place: Place) -> None:
    """Three kills while three clients record, and one while their recordings are processed."""
    service = place.service
    moments = random.Random(2026)
    films = [Recorder(service, film_chunks(3)), OffsetRecorder(service, film_chunks(4))]
    plain = PlainRecorder(service, [content_of(size, 10 + 37 * size) for size in range(80)])
    recorders = [*films, plain]

    def some_chunks_more() -> None:
        before = [len(one.acknowledged) for one in films]
        wait_until(
            lambda: all(
                one.done or len(one.acknowledged) >= count + 5
                for one, count in zip(films, before, strict=True)
            )
        )

    def half_of_the_huge_one() -> None:
        wait_until(films[0].halfway.is_set)

    for moment in (some_chunks_more, half_of_the_huge_one, some_chunks_more):
        kill_while(service, recorders, moment, moments.uniform(0, 0.2))
        service.start()
        for one in recorders:
            one.check_kept(service.http.get(f"/check_status/{one.video_id}/"))
    assert sum(one.cut_off for one in recorders) > 0, "no kill came in the middle of anything"

    for one in recorders:
        one.record()
        assert one.done
        complete(service, one.video_id)
    time.sleep(moments.uniform(0, 1))
    service.kill()
    service.start()

    for film in films:
        check_film(service, film.video_id, b"".join(film.chunks))
    ended = wait_for_end(service, plain.video_id)
    assert ended["status"] == "failed"
    assert "kept as it is" in ended["error"]
    plain.check_original(original(service, plain.video_id))
    place.check_nothing_is_left()


def kill_while(
    service: Victim, recorders: list[Recorder], moment: Callable[[], None], pause: float
) -> None:
    """Kill everything while all clients record, ``pause`` seconds after some moment."""
    with ThreadPoolExecutor(len(recorders)) as threads:
        recording = [threads.submit(one.record) for one in recorders]
        try:
            moment()
            time.sleep(pause)
        finally:
            service.kill()
    for one in recording:
        one.result()


def holder(service: Victim) -> object:
    """Return who adds to the only recording that is being made, or None."""
    return rows(service, "SELECT holder FROM intakes")[0]["holder"]


def has_arrived(place: Place, before: set[str], acknowledged: int) -> bool:
    """Tell whether the store has bytes of one recording that nobody has acknowledged yet."""
    if place.server is not None:
        return place.objects() > before
    (staged,) = (key for key in place.objects() if key.startswith("staging/"))
    return (place.service.data_dir / "objects" / staged).stat().st_size > acknowledged


@contextmanager
def another_process(service: Victim) -> Iterator[httpx.Client]:
    """Connect to a web process that is not stopped; the kernel may choose one that is."""
    while True:
        with httpx.Client(base_url=service.url, timeout=0.5, trust_env=False) as http:
            try:
                http.get("/health")
            except httpx.TimeoutException:
                continue
            http.timeout = 60
            yield http
            return


def original(service: Victim, video_id: str) -> bytes:
    """Return what a recording's original has become."""
    return service.http.get(f"/medias/files/{video_id}").raise_for_status().content


def check_film(service: Victim, video_id: str, content: bytes) -> None:
    """Check that a recording comes to an end, whole, and that it can be played."""
    assert wait_for_end(service, video_id) == {"status": "complete"}
    assert original(service, video_id) == content
    answer = service.http.get(f"/video/{video_id}/processed.mp4").raise_for_status()
    assert count_frames(answer.content) == FRAMES
    found = service.http.get(f"/check_status/{video_id}/")
    assert position(found)[1] == len(content)
