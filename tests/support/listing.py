"""A project full of medias, and questions about it, for tests of lists."""

from typing import Any

import httpx
import pytest

from tests.support.medias import JSON_API, fresh, upload
from tests.support.service import Service

Parameters = list[tuple[str, str]]
Record = dict[str, Any]

# Names that mean something to SQL or to LIKE, and sizes of which some are equal.
FILENAMES = [
    ("a.bin", 5),
    ("A.bin", 5),
    ("100%.bin", 7),
    ("a_b.bin", 3),
    ("axb.bin", 3),
    ("it's; DROP TABLE medias --.bin", 1),
    (";:$1.bin", 5),
    ("ünï 🎬.bin", 9),
]


@pytest.fixture(scope="session")
def project(local_service: Service) -> str:
    """A project of its own with some medias in it: originals and one thing derived."""
    name = fresh()
    for filename, size in FILENAMES:
        upload(
            local_service,
            fresh(),
            filename.encode().ljust(size)[:size],
            filename=filename,
            project_id=name,
            public="true" if size == 5 else "false",
        )
    resource = fresh()
    upload(local_service, resource, b"x" * 20, filename="a.bin", project_id=name)
    upload(local_service, resource, b"#EXTM3U\n", filename="a.m3u8", key="a.m3u8", project_id=name)
    # Tags change a media, so that its times differ.
    changed = upload(local_service, fresh(), b"x" * 30, filename="z.bin", project_id=name)
    local_service.http.post(f"/api/file/{changed['id']}/tags", json=["t"])
    return name


def ask(service: Service, project: str, parameters: Parameters) -> httpx.Response:
    """Ask for the medias of one project, with these parameters."""
    return service.http.get("/medias", params=[("filter[project_id]", project), *parameters])


def listed(service: Service, project: str, *parameters: tuple[str, str]) -> list[Record]:
    """Return the medias of one project that pass."""
    answer = ask(service, project, list(parameters))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON_API
    data: list[Record] = answer.json()["data"]
    return data


def value(record: Record, field: str) -> Any:
    """Return an attribute of a media, or its id."""
    return record["id"] if field == "id" else record["attributes"][field]


def text(found: object) -> str:
    """Write a value as a query string does."""
    return str(found).lower() if isinstance(found, bool) else str(found)


def ids(records: list[Record]) -> list[str]:
    """Return the ids of medias, in order."""
    return [record["id"] for record in records]
