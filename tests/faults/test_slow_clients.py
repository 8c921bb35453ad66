"""Many clients on slow connections, in front of a store that takes parts of some size."""

import time
from pathlib import Path

from tests.faults.clients import RawUpload, content_of, upload
from tests.faults.victim import running
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import s3_settings

CLIENTS = 16
"""Each needs memory for a part of 8 MiB: more than all web processes together have."""

CONTENT = content_of("slow", 9_000_000)
SOON_SECONDS = 15


def test_slow_clients_keep_nobody_waiting(tmp_path: Path, seaweedfs: SeaweedFS) -> None:
    settings = s3_settings(seaweedfs, "faults-slow") | {"MEDIATHEQUE_WORKERS": "1"}
    with running(tmp_path / "data", settings) as service:
        slow = [RawUpload(service, f"slow-{number}", CONTENT) for number in range(CLIENTS)]
        for one in slow:
            one.send(1_000_000)
        started = time.monotonic()

        assert upload(service.http, "fast", CONTENT).status_code == 200

        assert time.monotonic() - started < SOON_SECONDS
        assert service.http.get("/medias/files/fast").content == CONTENT
        for one in slow:
            one.send()
        for number, one in enumerate(slow):
            assert one.status() == 200
            one.leave()
            assert service.http.get(f"/medias/files/slow-{number}").content == CONTENT
