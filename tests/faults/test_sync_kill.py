"""Everything is killed in the middle of a sync: it goes on by itself, and repeats nothing."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.faults.test_worker import worker_of
from tests.faults.victim import running
from tests.support.door_two import fill, get, objects, parameters, sync, wait, wait_for_end
from tests.support.door_zero import random_files
from tests.support.forking import fork_command
from tests.support.proxy import proxied
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, environment, free_port

PART = 8 << 20
LARGE_PARTS = 20


def settings(uploads: Path) -> dict[str, str]:
    return {
        "MEDIATHEQUE_UPLOADS_ROOT": str(uploads),
        "MEDIATHEQUE_JOB_LEASE": "2",
        "MEDIATHEQUE_WORKERS": "1",
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for syncs that are not killed."""
    folder = tmp_path_factory.mktemp("syncs")
    with running(folder / "data", settings(folder / "uploads")) as started:
        yield started


def uploads(service: Service) -> Path:
    return service.data_dir.parent / "uploads"


@contextmanager
def another_worker(service: Service) -> Iterator[None]:
    """Run one more job worker, which ends with the block."""
    variables = environment(service.data_dir, service.settings)
    with service.log.open("ab") as log:
        worker = fork_command(
            "worker", variables=variables, stdout=log.fileno(), stderr=log.fileno()
        )
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def test_after_a_kill_only_operations_that_are_not_over_are_done(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    files = random_files(200, 5_000)
    fill(tmp_path / "uploads", files)
    with (
        proxied(seaweedfs.endpoint) as proxy,
        running(tmp_path / "data", settings(tmp_path / "uploads")) as service,
    ):
        wanted = parameters(seaweedfs, "", "killed-once", wait=0.01, storage_url=proxy.endpoint)
        number = sync(service, wanted, wait=0)["id"]
        before = wait(service, number, lambda found: found["done"]["files"] > 60)
        service.kill()
        assert before["done"]["files"] < len(files)
        proxy.requests.clear()

        service.start()
        ended = wait_for_end(service, number)

        assert (ended["status"], ended["progress"]) == ("success", "100%")
        assert ended["done"]["files"] == len(files)
        # Those that were over, but not yet written down, are done once more.
        written_late = 100
        missing = len(files) - before["done"]["files"]
        assert proxy.count("^PUT /killed-once/") <= missing + written_late
        assert proxy.count("^PUT /killed-once/") < len(files)
        assert objects(seaweedfs, "killed-once") == files


def test_after_a_kill_a_large_file_goes_on_from_the_parts_that_the_store_has(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    content = os.urandom(LARGE_PARTS * PART)
    fill(tmp_path / "uploads", {"large.bin": content})
    store = seaweedfs.client()
    with (
        proxied(seaweedfs.endpoint) as proxy,
        running(tmp_path / "data", settings(tmp_path / "uploads")) as service,
    ):
        wanted = parameters(seaweedfs, "", "killed-large", storage_url=proxy.endpoint)
        number = sync(service, wanted, wait=0)["id"]
        deadline = time.monotonic() + 60
        while proxy.count("^PUT .*partNumber=") < 5:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        service.kill()
        time.sleep(2)  # for parts that were on their way to arrive, or never to
        [upload] = store.list_multipart_uploads(Bucket="killed-large")["Uploads"]
        kept = store.list_parts(
            Bucket="killed-large", Key=upload["Key"], UploadId=upload["UploadId"]
        )["Parts"]
        assert 0 < len(kept) < LARGE_PARTS, "it was killed in the middle"
        proxy.requests.clear()

        service.start()
        assert wait_for_end(service, number)["status"] == "success"
        assert proxy.count("^PUT .*partNumber=") == LARGE_PARTS - len(kept)
        assert objects(seaweedfs, "killed-large") == {"large.bin": content}


@pytest.mark.parametrize("local", [True, False], ids=["local", "s3"])
def test_a_sync_survives_kills_at_random_moments(
    tmp_path: Path, seaweedfs: SeaweedFS, *, local: bool
) -> None:
    moments = random.Random(f"{local}")
    files = random_files(60, 2_000)
    root = fill(tmp_path / "uploads", files)
    bucket = "killed-often"
    wanted = {"dest": bucket} if local else parameters(seaweedfs, "", bucket)
    wanted |= {"backup_prefix": "kept", "wait": 0.02}
    with running(tmp_path / "data", settings(tmp_path / "uploads")) as service:
        assert sync(service, wanted | {"wait": 0})["status"] == "success"
        names = sorted(files)
        after = dict(files)
        for name in names[:20]:
            after[name] = b"changed " + name.encode()
            (root / name).write_bytes(after[name])
        for name in names[20:40]:
            (root / name).unlink()
            del after[name]
        after |= {f"new/{number}": f"{number}".encode() for number in range(20)}
        fill(root, {name: after[name] for name in after if name.startswith("new/")})
        number = sync(service, wanted, wait=0)["id"]
        for _ in range(2):
            time.sleep(moments.uniform(0.1, 0.8))
            service.kill()
            service.start()
        ended = wait_for_end(service, number)
        assert ended["status"] == "success", ended
        kept = {f"kept/{name}": files[name] for name in names[:40]}
        if local:
            place = service.data_dir / "objects" / "buckets" / bucket
            found = {
                path.relative_to(place).as_posix(): path.read_bytes()
                for path in place.rglob("*")
                if path.is_file()
            }
        else:
            found = objects(seaweedfs, bucket)
        assert found == after | kept
        again = sync(service, wanted)
        assert again["plan"]["skip"]["files"] == len(after)
        assert again["done"]["files"] == 0


def test_a_worker_that_was_stopped_does_no_harm_when_it_goes_on(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    files = random_files(60, 2_000)
    root = fill(tmp_path / "uploads", files)
    wanted = parameters(seaweedfs, "", "stopped")
    with running(tmp_path / "data", settings(root)) as service:
        assert sync(service, wanted)["status"] == "success"
        for name in sorted(files)[:40]:
            (root / name).unlink()
        zombie = worker_of(service)
        number = sync(service, wanted | {"wait": 0.05}, wait=0)["id"]
        wait(service, number, lambda found: found["done"]["files"] > 5)
        zombie.send_signal(signal.SIGSTOP)
        with another_worker(service):
            assert wait_for_end(service, number)["status"] == "success"
            assert get(service, number)["done"]["files"] == 40
            assert len(objects(seaweedfs, "stopped")) == 20
            fill(root, files)
            assert sync(service, wanted)["status"] == "success"
            zombie.send_signal(signal.SIGCONT)
            time.sleep(1)
            assert objects(seaweedfs, "stopped") == files
            assert sync(service, wanted)["plan"]["skip"]["files"] == len(files)


def test_a_dead_store_ends_the_sync(service: Service, seaweedfs: SeaweedFS) -> None:
    fill(uploads(service), {"dead-store/a": b"a"})
    nowhere = f"http://127.0.0.1:{free_port()}"
    wanted = parameters(seaweedfs, "dead-store", "dead-store", storage_url=nowhere)
    ended = sync(service, wanted, wait=20)
    assert ended["status"] == "error (s3 storage connection)"
    assert nowhere.removeprefix("http://") in ended["error"]
    assert service.http.get("/runnings").json() == []
    # The bucket is free again.
    wanted = parameters(seaweedfs, "dead-store", "dead-store")
    assert sync(service, wanted)["status"] == "success"


def test_cancelling_lets_the_operation_under_way_finish_and_begins_no_other(
    service: Service, seaweedfs: SeaweedFS
) -> None:
    files = {f"{number:02}": os.urandom(1000) for number in range(40)}
    fill(uploads(service) / "cancelled", files)
    wanted = parameters(seaweedfs, "cancelled", "cancelled", wait=1)
    number = sync(service, wanted, wait=0)["id"]
    wait(service, number, lambda found: found["done"]["files"] >= 1)
    answer = service.http.get("/cancel", params={"id": number})
    assert answer.json()["status"] == "cancelled"
    stored = objects(seaweedfs, "cancelled")
    time.sleep(1.5)
    assert objects(seaweedfs, "cancelled") == stored
    assert stored.items() <= files.items()
    assert 1 <= len(stored) <= 4
    ended = get(service, number)
    assert ended["status"] == "cancelled"
    assert ended["done"]["files"] == len(stored)
    assert service.http.get("/cancel", params={"id": number}).json() == ended


def test_a_large_file_under_way_is_finished_before_a_cancel(
    service: Service, seaweedfs: SeaweedFS
) -> None:
    content = os.urandom(10 * PART)
    fill(uploads(service) / "cancel-large", {"a-large.bin": content})
    with proxied(seaweedfs.endpoint) as proxy:
        wanted = parameters(seaweedfs, "cancel-large", "cancel-large", storage_url=proxy.endpoint)
        number = sync(service, wanted, wait=0)["id"]
        deadline = time.monotonic() + 60
        while proxy.count("^PUT .*partNumber=") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        service.http.get("/cancel", params={"id": number})
        assert wait_for_end(service, number)["status"] == "cancelled"
        assert objects(seaweedfs, "cancel-large") == {"a-large.bin": content}


def test_nothing_is_deleted_when_the_uploads_root_is_gone(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    files = random_files(5, 100)
    root = fill(tmp_path / "uploads", {f"photos/{name}": files[name] for name in files})
    with running(tmp_path / "data", settings(root)) as service:
        wanted = parameters(seaweedfs, "photos", "unmounted")
        assert sync(service, wanted)["status"] == "success"
        root.rename(tmp_path / "elsewhere")
        ended = sync(service, wanted)
        assert ended["status"].startswith("error (")
        assert objects(seaweedfs, "unmounted") == files
        root.mkdir()  # now the source is missing below a root that is there
        assert sync(service, wanted)["status"] == "success"
        with pytest.raises(ClientError, match="404"):
            seaweedfs.client().head_bucket(Bucket="unmounted")
