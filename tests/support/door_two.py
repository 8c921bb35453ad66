"""Using door 2 as a client does."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.medias import fresh
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service

_PAUSE_SECONDS = 0.05


def fill(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder, which is made if need be, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def uploads(service: Service) -> Path:
    """Return the folder that a service's syncs read unless it is told otherwise."""
    return service.data_dir / "uploads"


def a_folder(service: Service, count: int = 3, size: int = 10) -> str:
    """Make a folder in the uploads, and return its name."""
    name = fresh()
    fill(uploads(service) / name, {f"{n:04}.txt": b"x" * size for n in range(count)})
    return name


def slow(service: Service, **more: Any) -> dict[str, Any]:
    """Return the parameters of a sync that takes long."""
    return {"source": a_folder(service, 20), "dest": fresh(), "wait": "5", **more}


@contextmanager
def nothing_left_running(service: Service) -> Iterator[None]:
    """Cancel the syncs that a block leaves behind."""
    yield
    for running in service.http.get("/runnings").json():
        service.http.get("/cancel", params={"id": running["id"]})
        wait_for_end(service, running["id"])


def parameters(store: SeaweedFS, source: str, bucket: str, **more: Any) -> dict[str, Any]:
    """Return the parameters of a sync of ``source`` into a bucket of an S3 store."""
    return {
        "source": source,
        "dest": bucket,
        "storage_url": store.endpoint,
        "access_key": store.access_key,
        "secret_key": store.secret_key,
        **more,
    }


def sync(service: Service, wanted: dict[str, Any], *, wait: int = 50) -> Any:
    """Start a sync and return it when it has ended, or as it stands after ``wait`` seconds."""
    answer = service.http.post("/sync", json=wanted, headers={"Prefer": f"wait={wait}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(service: Service, number: int) -> Any:
    """Return a sync."""
    answer = service.http.get("/get", params={"id": number})
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait(
    service: Service, number: int, condition: Callable[[Any], bool], *, seconds: float = 60
) -> Any:
    """Return a sync as soon as it is as wanted."""
    deadline = time.monotonic() + seconds
    while not condition(found := get(service, number)):
        assert time.monotonic() < deadline, found
        time.sleep(_PAUSE_SECONDS)
    return found


def wait_for_end(service: Service, number: int, *, seconds: float = 60) -> Any:
    """Return a sync when it has ended."""
    return wait(service, number, lambda found: found["status"] != "running", seconds=seconds)


def objects(store: SeaweedFS, bucket: str) -> dict[str, bytes]:
    """Return the content of every object in a bucket, asked for without the code under test."""
    client = store.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        found["Key"]: client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
        for page in pages
        for found in page.get("Contents", [])
    }
