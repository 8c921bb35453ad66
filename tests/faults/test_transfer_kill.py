"""Everything is killed in the middle of a transfer: it goes on by itself, with what is missing."""

import os
import random
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.remains import (
    AT_ONCE,
    files_in,
    in_use,
    let_age,
    objects_in,
    run_janitor,
    wait_until,
)
from tests.faults.victim import Victim, running
from tests.support.door_zero import contents, folder, random_files, show, start, wait, wait_for_end
from tests.support.proxy import proxied
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import is_worker, s3_settings

PART = 8 << 20
LARGE = 96 << 20
PARTS = LARGE // PART


def settings(root: Path) -> dict[str, str]:
    return {"MEDIATHEQUE_SOURCE_ROOTS": str(root), "MEDIATHEQUE_JOB_LEASE": "2"}


def test_after_a_kill_only_the_parts_that_the_store_lacks_are_sent(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    prefix = "faults-transfer"
    store = seaweedfs.client()
    content = random.Random(1).randbytes(LARGE)
    source = folder(tmp_path, {"large.bin": content})

    def uploads() -> list[tuple[str, str]]:
        found = store.list_multipart_uploads(Bucket=seaweedfs.bucket, Prefix=prefix)
        return [(one["Key"], one["UploadId"]) for one in found.get("Uploads", [])]

    with proxied(seaweedfs.endpoint) as proxy:
        variables = {**s3_settings(seaweedfs, prefix), **settings(tmp_path)}
        variables["MEDIATHEQUE_S3_ENDPOINT"] = proxy.endpoint
        with running(tmp_path / "data", variables) as service:
            transfer = start(service, source, bandwidth=24_000_000)
            wait(service, transfer["id"], lambda found: found["bytes"]["complete"] > LARGE // 2)
            service.kill()
            [(key, upload_id)] = uploads()
            listed = store.list_parts(Bucket=seaweedfs.bucket, Key=key, UploadId=upload_id)
            kept = len(listed["Parts"])
            assert PARTS // 2 < kept < PARTS
            proxy.requests.clear()

            service.start()
            service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})
            ended = wait_for_end(service, transfer["id"])

            assert ended["status"] == "complete"
            assert proxy.count("^PUT .*partNumber=") == PARTS - kept
            assert contents(service, transfer["id"], source) == {"large.bin": content}
            assert uploads() == []
            assert len(objects_in(seaweedfs, prefix)) == 1
            let_age(service)
            assert run_janitor(service, **AT_ONCE) == (0, 0, 0)


@pytest.mark.parametrize("victim", ["everything", "the worker"])
def test_a_transfer_survives_kills_at_random_moments(tmp_path: Path, victim: str) -> None:
    moments = random.Random(victim)
    files = random_files(150, 20_000) | {"large.bin": os.urandom(15_000_000)}
    source = folder(tmp_path, files)
    with running(tmp_path / "data", settings(tmp_path)) as service:
        transfer = start(service, source, bandwidth=1_500_000)
        for _ in range(2):
            before = show(service, transfer["id"], limit=0)["files"]["complete"]
            wait(
                service,
                transfer["id"],
                lambda found, least=before: found["files"]["complete"] > least,  # type: ignore[misc]
            )
            time.sleep(moments.uniform(0, 0.5))
            if victim == "everything":
                service.kill()
                service.start()
            else:
                worker_of(service).kill()
        service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})

        ended = wait_for_end(service, transfer["id"])

        assert ended["status"] == "complete"
        assert ended["files"]["complete"] == len(files)
        assert ended["bytes"] == {"total": 18_000_000, "complete": 18_000_000}
        assert contents(service, transfer["id"], source) == files
        listed = service.http.get("/medias", params={"count": "true"}).json()
        assert listed["meta"]["count"] == len(files)
        let_age(service)
        run_janitor(service, **AT_ONCE)
        assert files_in(service.data_dir / "objects") == in_use(service)


def test_stopping_the_service_hands_a_transfer_back_and_the_next_one_takes_it(
    tmp_path: Path,
) -> None:
    files = random_files(20, 200_000)
    source = folder(tmp_path, files)
    with running(tmp_path / "data", settings(tmp_path)) as service:
        transfer = start(service, source, bandwidth=200_000)
        wait(service, transfer["id"], lambda found: found["files"]["complete"] > 2)
        assert service.stop() == 0

        service.start()
        kept = show(service, transfer["id"], limit=0)
        assert 2 < kept["files"]["complete"] < 20
        service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})
        assert wait_for_end(service, transfer["id"])["status"] == "complete"
        assert contents(service, transfer["id"], source) == files


def worker_of(service: Victim) -> psutil.Process:
    """Return the process that runs the jobs, once there is one."""
    wait_until(lambda: any(map(is_worker, service.processes())))
    return next(filter(is_worker, service.processes()))
