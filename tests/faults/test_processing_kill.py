"""Workers, and the processes that look into medias for them, are killed, stopped and continued:
every recording still comes to its end, once.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.places import SETTINGS, Place, opened
from tests.faults.recorders import count_frames
from tests.faults.remains import is_waiting, locked, rows, wait_until
from tests.faults.test_sync_kill import another_worker
from tests.faults.test_transfer_kill import worker_of
from tests.faults.victim import Victim
from tests.support.door_one import complete, record, show, wait_for_end
from tests.support.films import FPS, make_recording

SECONDS = 10  # looking into it takes long enough to be caught at it
FILM = make_recording("h264", SECONDS)
FRAMES = SECONDS * FPS
FILES = {
    "",
    "processed.mp4",
    "sprite.vtt",
    "sprite.webp",
    "thumbnail.jpg",
    "thumbnail.webp",
    "waveform.json",
}
TRIES = 5
# A lease that no worker loses because the machine is busy: each recording is to be claimed twice.
ONE = SETTINGS | {"MEDIATHEQUE_WORKERS": "1", "MEDIATHEQUE_JOB_LEASE": "4"}
CATCH_SECONDS = 10


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service on a folder for all of these tests: it must recover from each."""
    with opened("processing", tmp_path_factory.mktemp("processing"), None, ONE) as started:
        yield started


@pytest.fixture(params=["local", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A service on each kind of store."""
    if request.param == "local":
        yield request.getfixturevalue("local")
        return
    server = request.getfixturevalue("seaweedfs")
    with opened("processing", tmp_path_factory.mktemp("processing-s3"), server, ONE) as started:
        yield started


def test_a_killed_workers_recordings_are_taken_over_whatever_had_been_done_for_them(
    place: Place,
) -> None:
    service = place.service
    with contextlib.ExitStack() as locks:

        def lock(statement: str) -> None:
            locks.enter_context(locked(service, statement))

        # It is being looked into. Before any lock: one that was not caught must come to its end.
        looked_into, stopped = processing(service)
        # Everything is made and stored, and about to be written into the catalog.
        made, child = processing(service)
        lock(f"SELECT FROM medias WHERE resource = '{made}' FOR UPDATE")
        child.resume()
        wait_until(lambda: is_waiting(service, "SELECT medias.id"))
        # Everything is made, and about to be stored.
        making, child = processing(service)
        lock("LOCK TABLE uploads IN EXCLUSIVE MODE")
        child.resume()
        wait_until(lambda: is_waiting(service, "INSERT INTO uploads"))
        # Its bytes are one object, and about to be written into the catalog.
        lock("LOCK TABLE medias IN SHARE MODE")
        joined = recorded(service)
        wait_until(lambda: is_waiting(service, "INSERT INTO medias"))

        worker = worker_of(service)
        killed = [worker, *worker.children(recursive=True)]
        assert stopped in killed
        for process in killed:
            process.kill()
        psutil.wait_procs(killed, timeout=10)
    for video_id in (made, making, looked_into, joined):
        check_complete(service, video_id)
        assert claims(service, video_id) == 2
    place.check_nothing_is_left()


def test_a_killed_child_is_no_fault_of_its_film_which_is_tried_again(local: Place) -> None:
    service = local.service
    video_id, child = processing(service)
    worker = worker_of(service)

    child.kill()

    check_complete(service, video_id)
    assert original(service, video_id) == FILM
    assert claims(service, video_id) == 2
    assert worker_of(service) == worker


def test_a_killed_fork_server_is_started_again_and_the_recording_tried_again(local: Place) -> None:
    service = local.service
    video_id, child = processing(service)
    worker, server = worker_of(service), child.parent()
    assert server is not None

    server.kill()

    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
    check_complete(service, video_id)
    assert claims(service, video_id) == 2
    assert worker_of(service) == worker
    assert server not in fork_servers(worker)


def test_a_stopped_worker_hands_its_recording_back_and_leaves_no_process(local: Place) -> None:
    service = local.service
    video_id, _ = processing(service)
    worker = worker_of(service)
    everything = [worker, *worker.children(recursive=True)]
    assert len(everything) == 3

    worker.terminate()

    _, left = psutil.wait_procs(everything, timeout=10)
    assert left == []
    check_complete(service, video_id)
    assert claims(service, video_id) == 2


def test_a_worker_that_stood_still_takes_nothing_from_its_successor(local: Place) -> None:
    service = local.service
    video_id, child = processing(service)
    worker = worker_of(service)
    worker.suspend()
    try:
        with another_worker(service):
            # The other one has made everything, and is about to read it.
            with locked(service, "LOCK TABLE uploads IN EXCLUSIVE MODE"):
                wait_until(lambda: is_waiting(service, "INSERT INTO uploads"))
                worker.resume()
                psutil.wait_procs([child], timeout=10)
                assert not child.is_running()
                time.sleep(0.3)  # what the first one does then takes a moment
            check_complete(service, video_id)
            assert claims(service, video_id) == 2
    finally:
        worker.resume()
    local.check_nothing_is_left()


def recorded(service: Victim) -> str:
    """Record and complete a film; return its id."""
    video_id = record(service, FILM[:1001], FILM[1001:])
    complete(service, video_id)
    return video_id


def processing(service: Victim) -> tuple[str, psutil.Process]:
    """Record a film; return its id, and the process that looks into it, which is stopped."""
    worker = worker_of(service)
    for _ in range(TRIES):
        video_id = recorded(service)
        child = caught(worker)
        if child is not None:
            return video_id, child
    raise AssertionError("nothing was looked into")


def caught(worker: psutil.Process) -> psutil.Process | None:
    """Stop the next process that looks into a media for a worker; None when that was quicker."""
    deadline = time.monotonic() + CATCH_SECONDS
    while time.monotonic() < deadline:
        for server in fork_servers(worker):
            for child in server.children():
                with contextlib.suppress(psutil.NoSuchProcess, OSError):  # it is over already
                    if child.status() != psutil.STATUS_STOPPED and is_locked_up(child):
                        child.suspend()
                        if is_stopped(child):
                            return child
        time.sleep(0.002)  # a busy loop would slow down what it waits for
    return None


def is_stopped(child: psutil.Process) -> bool:
    """Wait until a process that was told to stop has; False when it was ending already."""
    while (status := child.status()) != psutil.STATUS_STOPPED:
        if status == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.001)
    return True


def is_locked_up(child: psutil.Process) -> bool:
    """Tell whether a child has come so far that it ends with its parent, and is at work."""
    return "\nSeccomp:\t2\n" in Path(f"/proc/{child.pid}/status").read_text()


def fork_servers(worker: psutil.Process) -> list[psutil.Process]:
    """Return the process that forks others for a worker, if there is one."""
    return list(filter(is_fork_server, worker.children()))


def is_fork_server(process: psutil.Process) -> bool:
    try:
        return "mediatheque.processing.forkserver" in process.cmdline()
    except psutil.NoSuchProcess:  # also one that ended and that nobody has waited for yet
        return False


def claims(service: Victim, video_id: str) -> int:
    """Return how often a worker has begun with the job of a recording."""
    query = "SELECT epoch FROM jobs JOIN recordings ON jobs.id = job_id WHERE recordings.id = "
    return int(rows(service, f"{query} '{video_id}'")[0]["epoch"])


def original(service: Victim, video_id: str) -> bytes:
    """Return what a recording's original has become."""
    return service.http.get(f"/medias/files/{video_id}").raise_for_status().content


def check_complete(service: Victim, video_id: str) -> None:
    """Check that a recording has come to its end: all files once, and they can be played."""
    assert wait_for_end(service, video_id) == {"status": "complete"}
    files = [file["key"] for file in show(service, video_id)["files"]]
    assert sorted(files) == sorted(FILES)
    assert original(service, video_id) == FILM
    answer = service.http.get(f"/video/{video_id}/processed.mp4").raise_for_status()
    assert count_frames(answer.content) == FRAMES
