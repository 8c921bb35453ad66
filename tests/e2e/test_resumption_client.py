"""tus-js-client in the protocol of the IETF draft, against HTTP's own resumable uploads.

It gets a buffer: of a file's stream that goes in several requests tus-js-client 4.3 ends none
(https://github.com/tus/tus-js-client/issues/820).
"""

from pathlib import Path

import pytest

from tests.support.medias import fresh
from tests.support.service import Service
from tests.support.tus import run_client

CONTENT = bytes(range(256)) * 12_000
CHUNK = 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three chunks and a bit."""
    path = tmp_path / "holiday.bin"
    path.write_bytes(CONTENT)
    return path


def options(service: Service, name: str, **more: object) -> dict[str, object]:
    """Return what the client is told."""
    return {
        "endpoint": f"{service.url}/uploads/",
        "protocol": "ietf-draft-05",
        "metadata": {"filename": "holiday.bin", "resource": name},
        **more,
    }


@pytest.mark.parametrize("more", [{}, {"chunkSize": CHUNK}, {"uploadDataDuringCreation": True}])
def test_a_file_is_uploaded(service: Service, file: Path, more: dict[str, object]) -> None:
    name = fresh()
    done = run_client(
        "tus.mjs", file=str(file), input="buffer", options=options(service, name, **more)
    )
    assert done.error is None
    assert service.http.get(f"/medias/files/{name}").content == CONTENT
    assert service.http.get(done.url or "").content == CONTENT


def test_an_upload_that_was_stopped_goes_on(service: Service, file: Path, tmp_path: Path) -> None:
    name = fresh()
    task = {
        "file": str(file),
        "input": "buffer",
        "options": options(service, name, chunkSize=CHUNK),
        "storage": str(tmp_path / "urls.json"),
    }
    first = run_client("tus.mjs", stopAt=2 * CHUNK, **task)
    second = run_client("tus.mjs", resume=True, **task)

    assert (second.error, second.url) == (None, first.url)
    assert second.offsets[0] >= CHUNK
    assert service.http.get(f"/medias/files/{name}").content == CONTENT
