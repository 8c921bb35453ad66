"""tus 1.0.0, the core: discovery, versions, where an upload is, and adding bytes to it."""

import json
import os
import re
from typing import Any

import httpx
import pytest

from tests.support.door_uploads import (
    BYTES,
    EXPIRES,
    TUS,
    check_added,
    check_bytes,
    check_error,
    check_offset,
    create,
    delete,
    look,
    metadata,
    patch,
    post,
    uploaded,
)
from tests.support.medias import fresh
from tests.support.service import Service
from tests.support.wire import exchange, named

UNKNOWN = "/uploads/01a1fefe-2897-7f9c-8cef-21dcef958181"
OTHERS = ("x-request-id", "server", "date")
"""Headers of every answer that say nothing about uploads."""


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer but for those that every one has."""
    return {name: text for name, text in answer.headers.items() if name not in OTHERS}


@pytest.mark.parametrize("path", ["/uploads", "/uploads/", UNKNOWN])
@pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.1"}])
def test_a_client_learns_what_the_server_can(
    service: Service, path: str, version: dict[str, str]
) -> None:
    answer = service.http.options(path, headers=version)
    assert (answer.status_code, answer.content) == (204, b"")
    told = {name: text for name, text in answer.headers.items() if name.startswith("tus-")}
    assert told == {
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,creation-with-upload,creation-defer-length,checksum,"
        "expiration,termination,concatenation",
        "tus-checksum-algorithm": "sha1,sha256,md5,crc32",
        "tus-max-size": str(1 << 40),
    }


@pytest.mark.parametrize("version", ["0.2.2", "1.0", "1.0.1", "2.0.0", "", "1.0.0, 1.0.0"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "DELETE"])
def test_other_versions_are_refused_and_nothing_is_done(
    local_service: Service, method: str, version: str
) -> None:
    path = create(local_service, 3)
    resource = fresh()
    answer = local_service.http.request(
        method,
        "/uploads" if method == "POST" else path,
        content=b"abc" if method == "PATCH" else b"",
        headers={
            **BYTES,
            "Tus-Resumable": version,
            "Upload-Offset": "0",
            "Upload-Length": "0",
            "Upload-Metadata": metadata(resource=resource),
        },
    )
    assert answer.status_code == 412
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-resumable"] == "1.0.0"
    check_offset(look(local_service, path), 0, length=3)
    assert local_service.http.get(f"/medias/info/{resource}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_that_speaks_no_protocol_is_refused(local_service: Service, method: str) -> None:
    path = "/uploads" if method == "POST" else create(local_service, 3)
    headers = {**BYTES, "Upload-Offset": "0", "Upload-Length": "3"}
    answer = local_service.http.request(method, path, content=b"abc", headers=headers)
    check_error(answer, 412, says="Tus-Resumable: 1.0.0")
    assert answer.headers["tus-version"] == "1.0.0"


def test_an_upload_from_its_creation_to_its_end(service: Service) -> None:
    said = metadata(filename="films.txt") + ",is_confidential"
    created = post(service, Upload_Length=10, Upload_Metadata=said)
    assert (created.status_code, created.content) == (201, b"")
    assert re.fullmatch(
        rf"{re.escape(service.url)}/uploads/[0-9a-f-]{{36}}", created.headers["location"]
    )
    expires = created.headers["upload-expires"]
    assert re.fullmatch(EXPIRES, expires)
    path = created.headers["location"].removeprefix(service.url)
    assert headers_of(created) == {
        "tus-resumable": "1.0.0",
        "location": service.url + path,
        "upload-offset": "0",
        "upload-expires": expires,
        "content-type": "text/plain; charset=utf-8",
        "content-length": "0",
    }

    added = patch(service, path, b"0123456")
    assert (added.status_code, added.content) == (204, b"")
    assert headers_of(added) == {
        "tus-resumable": "1.0.0",
        "upload-offset": "7",
        "upload-expires": added.headers["upload-expires"],
    }
    assert re.fullmatch(EXPIRES, added.headers["upload-expires"])

    found = look(service, path)
    assert (found.status_code, found.content) == (200, b"")
    assert headers_of(found) == {
        "tus-resumable": "1.0.0",
        "upload-offset": "7",
        "upload-length": "10",
        "upload-metadata": said,
        "upload-expires": added.headers["upload-expires"],
        "cache-control": "no-store",
        "content-type": "text/plain; charset=utf-8",
        "content-length": "0",
    }

    ended = patch(service, path, b"789", 7)
    assert (ended.status_code, headers_of(ended)) == (
        204,
        {"tus-resumable": "1.0.0", "upload-offset": "10"},
    )
    finished = headers_of(look(service, path))
    assert finished["upload-offset"] == finished["upload-length"] == "10"
    assert finished["cache-control"] == "no-store"
    assert "upload-expires" not in finished
    check_bytes(service, path, b"0123456789")


def test_bytes_come_in_as_many_requests_as_it_takes(service: Service) -> None:
    content = os.urandom(300_000)
    path = create(service, len(content))
    for start in range(0, len(content), 70_000):
        piece = content[start : start + 70_000]
        check_added(patch(service, path, piece, start), start + len(piece))
    check_bytes(service, path, content)


@pytest.mark.parametrize("offset", [0, 2, 4, 5, 6, 2**63 - 1])
def test_bytes_for_another_offset_change_nothing(local_service: Service, offset: int) -> None:
    path = create(local_service, 5)
    check_added(patch(local_service, path, b"abc"), 3)
    answer = patch(local_service, path, b"de", offset)
    check_error(answer, 409, says="3 bytes")
    assert answer.headers["upload-offset"] == "3"
    assert re.fullmatch(EXPIRES, answer.headers["upload-expires"])
    check_added(patch(local_service, path, b"de", 3), 5)
    check_bytes(local_service, path, b"abcde")


@pytest.mark.parametrize(
    "offset", ["-1", "-0", "+0", "9223372036854775808", "1" * 40, "x", "0x0", "0.0", "", "٣", " "]
)
def test_an_offset_that_is_none_is_refused(local_service: Service, offset: str) -> None:
    path = create(local_service, 5)
    headers = {**TUS, **BYTES, "Upload-Offset": offset.encode().decode("latin-1")}
    reply = exchange(local_service, "PATCH", path, headers, b"abc")
    assert (reply.status, reply.headers["tus-resumable"]) == (400, "1.0.0")
    assert json.loads(reply.body)["error"].startswith("Upload-Offset must be a whole number")
    check_offset(look(local_service, path), 0, length=5)


@pytest.mark.parametrize(
    ("doubled", "status"),
    [("Upload-Offset: 0", 400), (f"Content-Type: {BYTES['Content-Type']}", 415)],
)
def test_headers_that_come_twice_are_refused(
    local_service: Service, doubled: str, status: int
) -> None:
    path = create(local_service, 3)
    name, _, text = doubled.partition(": ")
    headers = {**TUS, **BYTES, "Upload-Offset": "0", name: f"{text}\r\n{doubled}"}
    reply = exchange(local_service, "PATCH", path, headers, b"abc")
    assert (reply.status, reply.headers["tus-resumable"]) == (status, "1.0.0")
    check_offset(look(local_service, path), 0, length=3)


def test_an_offset_must_be_told(local_service: Service) -> None:
    path = create(local_service, 5)
    check_error(patch(local_service, path, b"abc", None), 400, says="Upload-Offset is missing")


@pytest.mark.parametrize(
    "content_type",
    ["Application/Offset+Octet-Stream", "application/offset+octet-stream; charset=utf-8"],
)
def test_the_content_type_of_bytes_may_be_written_otherwise(
    local_service: Service, content_type: str
) -> None:
    path = create(local_service, 3)
    check_added(patch(local_service, path, b"abc", Content_Type=content_type), 3)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/octet-stream", "application/offset+octet-stream-2", "video/webm"],
)
def test_another_content_type_is_refused(local_service: Service, content_type: str | None) -> None:
    path = create(local_service, 3)
    headers = {**TUS, "Upload-Offset": "0", "Content-Length": "3"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    reply = exchange(local_service, "PATCH", path, headers, b"abc")
    assert reply.status == 415
    assert "application/offset+octet-stream" in json.loads(reply.body)["error"]
    check_offset(look(local_service, path), 0, length=3)


def test_bytes_beyond_the_length_are_refused_and_those_before_it_kept(service: Service) -> None:
    path = create(service, 5)
    check_added(patch(service, path, b"ab"), 2)
    answer = patch(service, path, b"cdefgh", 2)
    check_error(answer, 413, says="5 bytes")
    assert answer.headers["upload-offset"] == "5"
    assert answer.headers["connection"] == "close"
    check_bytes(service, path, b"abcde")


def test_no_bytes_change_nothing(local_service: Service) -> None:
    path = create(local_service, 3)
    check_added(patch(local_service, path, b""), 0)
    check_added(patch(local_service, path, b"abc"), 3)
    check_added(patch(local_service, path, b"", 3), 3)
    check_error(patch(local_service, path, b"", 2), 409, says="complete")


def test_a_request_that_declares_no_body_has_none(local_service: Service) -> None:
    path = uploaded(local_service, b"abc")
    reply = exchange(local_service, "PATCH", path, {**TUS, **BYTES, "Upload-Offset": "3"})
    assert (reply.status, reply.headers["upload-offset"]) == (204, "3")


def test_a_finished_upload_takes_no_more(local_service: Service) -> None:
    path = uploaded(local_service, b"abc")
    check_error(patch(local_service, path, b"d", 3), 409, says="complete")
    check_bytes(local_service, path, b"abc")


@pytest.mark.parametrize(
    "path", [UNKNOWN, "/uploads/none", "/uploads/%00", "/uploads/" + "x" * 300]
)
def test_an_upload_that_does_not_exist_is_not_found(local_service: Service, path: str) -> None:
    check_error(patch(local_service, path, b"abc"), 404, says="no such upload")
    check_error(delete(local_service, path), 404, says="no such upload")
    check_error(local_service.http.get(path), 404, says="no such upload")
    found = look(local_service, path)
    assert (found.status_code, found.content) == (404, b"")
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["tus-resumable"] == "1.0.0"
    assert "upload-offset" not in found.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/uploads/a/b", 404),
        ("GET", "/uploads", 405),
        ("PUT", UNKNOWN, 405),
        ("POST", UNKNOWN, 405),
    ],
)
def test_what_there_is_not_is_answered_in_tus_as_well(
    local_service: Service, method: str, path: str, status: int
) -> None:
    check_error(local_service.http.request(method, path, headers=TUS), status, says="address")


def test_neighbours_do_not_speak_tus(local_service: Service) -> None:
    for path in ("/uploadsx", "/medias", "/"):
        assert "tus-resumable" not in local_service.http.get(path, headers=TUS).headers


def test_a_trailing_slash_is_no_other_address(local_service: Service) -> None:
    headers = {**TUS, "Upload-Length": "3"}
    created = local_service.http.post("/uploads/", headers=headers)
    path = created.headers["location"].removeprefix(local_service.url) + "/"
    check_offset(look(local_service, path), 0, length=3)
    check_added(patch(local_service, path, b"abc"), 3)
    check_bytes(local_service, path, b"abc")
    assert delete(local_service, path).status_code == 204


def override(
    service: Service, path: str, method: str, content: bytes = b"", **headers: Any
) -> httpx.Response:
    """Send a POST that stands for another method."""
    said = {**TUS, **BYTES, "X-HTTP-Method-Override": method, **named(**headers)}
    return service.http.post(path, content=content, headers=said)


def test_a_post_can_stand_for_other_methods(local_service: Service) -> None:
    path = create(local_service, 5)
    check_added(override(local_service, path, "PATCH", b"abc", Upload_Offset=0), 3)
    found = override(local_service, path, "head")
    check_offset(found, 3, length=5)
    assert found.headers["content-length"] == "0"
    missing = override(local_service, UNKNOWN, "HEAD")
    assert (missing.status_code, missing.content) == (404, b"")
    check_added(override(local_service, path, "PATCH", b"de", Upload_Offset=3), 5)
    check_bytes(local_service, path, b"abcde")
    assert override(local_service, path, "DELETE").status_code == 204
    assert look(local_service, path).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "GET", "OPTIONS", "x", ""])
def test_a_post_stands_for_nothing_else(local_service: Service, method: str) -> None:
    path = create(local_service, 3)
    check_error(override(local_service, path, method), 405, says="method")


def test_only_a_post_can_stand_for_another_method(local_service: Service) -> None:
    path = uploaded(local_service, b"abc")
    headers = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert local_service.http.get(path, headers=headers).content == b"abc"
    check_offset(look(local_service, path), 3, length=3)


def test_no_other_address_knows_such_posts(local_service: Service) -> None:
    answer = local_service.http.post("/jobs/none", headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 405


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_pages_of_other_origins_cannot_hide_what_they_do(
    local_service: Service, method: str
) -> None:
    path = create(local_service, 3)
    answer = override(
        local_service, path, method, b"abc", Upload_Offset=0, Origin="https://evil.example.net"
    )
    check_error(answer, 403, says="MEDIATHEQUE_CORS_ORIGINS")
    check_offset(look(local_service, path), 0, length=3)
