"""HTTP's own resumable uploads, at the upload URLs of doors 3 and 4."""

import re
from typing import Any

import pytest

from tests.support.files import announce, confirm, get, listed
from tests.support.medias import checksum, fresh, upload
from tests.support.resumption import (
    VERSIONS,
    add,
    begin,
    check_at,
    check_media,
    check_problem,
    created,
)
from tests.support.service import Service
from tests.support.wire import named

CONTENT = b"\xff\xd8\xff\xe0 some picture" * 500
HALF = len(CONTENT) // 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("prefix", ["", "/api/v1/media"])
@pytest.mark.parametrize(("key", "query"), [("", ""), ("/small.jpg", ""), ("", "?key=small.jpg")])
def test_a_media_gets_its_address(
    local_service: Service, version: int, prefix: str, key: str, query: str
) -> None:
    name = fresh(".jpg")
    path = f"{prefix}/medias/files/{name}{key}{query}"

    answer = begin(local_service, CONTENT, complete="?1", version=version, path=path)

    found = check_media(local_service, answer, CONTENT)
    assert found["resource"] == found["filename"] == name
    assert found["key"] == ("small.jpg" if key or query else "")
    assert found["checksum"] == checksum(CONTENT) | {"blake3": None}
    assert found["mime_type"] == "image/jpeg"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_media_may_come_in_parts(service: Service, version: int) -> None:
    name = fresh(".jpg")
    url = created(
        service,
        CONTENT[:HALF],
        version=version,
        path=f"/medias/files/{name}",
        Content_Disposition='inline; filename="holiday.jpg"',
        Content_Type="image/jpeg",
    )
    assert url.startswith(f"{service.url}/uploads/")
    assert service.http.get(f"/medias/info/{name}").status_code == 404

    ended = add(service, url, CONTENT[HALF:], offset=HALF, complete="?1", version=version)

    found = check_media(service, ended, CONTENT)
    assert (found["resource"], found["filename"]) == (name, "holiday.jpg")


def test_an_address_that_is_taken_is_refused_before_the_bytes(local_service: Service) -> None:
    name = fresh()
    upload(local_service, name, b"first")
    answer = begin(local_service, CONTENT, complete="?1", path=f"/medias/files/{name}")
    check_problem(answer, 409, says=name)
    assert "location" not in answer.headers
    assert local_service.http.get(f"/medias/files/{name}").content == b"first"


def test_a_form_that_was_upgraded_is_a_form(local_service: Service) -> None:
    for version in (8, 6, 5, None):
        name = fresh()
        answer = local_service.http.post(
            f"/medias/files/{name}",
            files={"media": ("a.bin", CONTENT)},
            headers=named(Upload_Complete="?1", Upload_Draft_Interop_Version=version),
        )
        assert answer.status_code == 200
        assert local_service.http.get(f"/medias/files/{name}").content == CONTENT


def test_a_bad_address_is_refused_as_ever(local_service: Service) -> None:
    answer = begin(local_service, b"x", path="/medias/files/a%2Fb")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/vnd.api+json"


@pytest.mark.parametrize("path", ["/medias/files/x", "/medias/files/x/y", "/api/file/x/content"])
@pytest.mark.parametrize(("version", "key"), [(8, "max-age"), (6, "expires")])
def test_the_doors_tell_that_uploads_can_be_resumed(
    local_service: Service, path: str, version: int, key: str
) -> None:
    said = named(Upload_Draft_Interop_Version=version)
    answer = local_service.http.options(path, headers=said)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["accept-patch"] == "application/partial-upload"
    assert re.fullmatch(rf"max-size=[0-9]+, {key}=86400", answer.headers["upload-limit"])
    methods = set(answer.headers["allow"].split(", "))
    assert methods == {"GET", "HEAD", "OPTIONS", "PUT" if "content" in path else "POST"}


def put(service: Service, url: str, body: bytes, **headers: Any) -> Any:
    """Send bytes to a signed URL."""
    return service.http.put(url, content=body, headers=named(**headers))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_may_come_in_parts(local_service: Service, version: int) -> None:
    name = fresh(".jpg")
    file_id, signed = announce(local_service, name, len(CONTENT), ["a"])
    said = {"Upload_Draft_Interop_Version": version}
    first = put(local_service, signed, CONTENT[:HALF], Upload_Complete="?0", **said)
    assert first.status_code == 201
    url = first.headers["location"]
    check_at(local_service, url, HALF)
    assert confirm(local_service, file_id).status_code == 400

    last = add(local_service, url, CONTENT[HALF:], offset=HALF, complete="?1", version=version)

    assert (last.status_code, last.content) == (200, b"")
    assert last.headers["upload-complete"] == "?1"
    assert last.headers["content-type"].startswith("text/plain")
    assert confirm(local_service, file_id).json() == {"success": True}
    file = listed(local_service, name=name)["page"][0]
    assert (file["id"], file["size"], file["tags"]) == (file_id, len(CONTENT), ["a"])
    assert get(file["url"]).content == CONTENT


@pytest.mark.parametrize("version", [8, 6, 5, None])
def test_an_upgraded_put_is_a_put(local_service: Service, version: int | None) -> None:
    file_id, signed = announce(local_service, fresh(), len(CONTENT))
    answer = put(
        local_service,
        signed,
        CONTENT,
        Upload_Complete="?1",
        Upload_Draft_Interop_Version=version,
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert confirm(local_service, file_id).json() == {"success": True}


def test_a_file_has_the_length_that_was_announced(local_service: Service) -> None:
    _, signed = announce(local_service, fresh(), len(CONTENT))
    answer = put(local_service, signed, b"", Upload_Complete="?0", Upload_Length=HALF)
    check_problem(answer, 400, says=str(len(CONTENT)))

    url = put(local_service, signed, CONTENT[:HALF], Upload_Complete="?0").headers["location"]
    early = add(local_service, url, CONTENT[HALF:-1], offset=HALF, complete="?1")
    check_problem(early, 400, "inconsistent-upload-length")
    check_at(local_service, url, HALF)


def test_a_part_needs_the_signature(local_service: Service) -> None:
    _, signed = announce(local_service, fresh(), len(CONTENT))
    unsigned = signed.partition("?")[0]
    answer = put(local_service, unsigned, CONTENT[:HALF], Upload_Complete="?0")
    assert answer.status_code == 403
    assert "location" not in answer.headers
