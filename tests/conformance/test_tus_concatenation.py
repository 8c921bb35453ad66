"""tus 1.0.0, concatenation and termination: uploads made of others, and uploads given up."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.door_uploads import (
    check_added,
    check_bytes,
    check_error,
    check_offset,
    create,
    delete,
    look,
    media_of,
    metadata,
    partial,
    patch,
    path_of,
    post,
    uploaded,
)
from tests.support.medias import fresh
from tests.support.service import Service

UNKNOWN = "/uploads/01a1fefe-2897-7f9c-8cef-21dcef958181"


def join(service: Service, *addresses: str, content: bytes = b"", **headers: Any) -> httpx.Response:
    """Ask for one upload that consists of others."""
    return post(service, content, Upload_Concat=f"final;{' '.join(addresses)}", **headers)


def test_partial_uploads_become_one(service: Service) -> None:
    contents = [os.urandom(70_000), b"x", os.urandom(40_000)]
    parts = [create(service, len(each), Upload_Concat="partial") for each in contents]
    for part in parts:
        found = look(service, part)
        check_offset(found, 0, length=int(found.headers["upload-length"]))
        assert found.headers["upload-concat"] == "partial"

    with ThreadPoolExecutor(3) as threads:
        for answer in threads.map(patch, [service] * 3, parts, contents):
            assert answer.status_code == 204
            assert answer.headers["upload-expires"]

    said = metadata(filename="whole.bin")
    addresses = [service.url + parts[0], parts[1], f"https://media.example.org/a{parts[2]}/"]
    created = join(service, *addresses, Upload_Metadata=said)
    whole = path_of(created)
    size = sum(map(len, contents))
    assert created.headers["upload-offset"] == str(size)
    assert "upload-expires" not in created.headers
    found = look(service, whole)
    check_offset(found, size, length=size)
    assert found.headers["upload-concat"] == f"final;{' '.join(addresses)}"
    assert found.headers["upload-metadata"] == said
    check_bytes(service, whole, b"".join(contents))
    # A long list of addresses is more than many clients take in a header, and belongs to HEAD.
    assert "upload-concat" not in service.http.get(whole).headers
    assert media_of(service, whole)["filename"] == "whole.bin"
    assert [look(service, part).status_code for part in parts] == [404] * 3


def test_the_order_is_that_of_the_addresses(local_service: Service) -> None:
    first, second = partial(local_service, b"hello"), partial(local_service, b" world")
    whole = path_of(join(local_service, second, f"https://media.example.org/a{first}/"))
    check_bytes(local_service, whole, b" worldhello")


def test_a_partial_upload_is_no_media(local_service: Service) -> None:
    said = metadata(resource=fresh())
    part = create(local_service, 3, Upload_Concat="partial", Upload_Metadata=said)
    check_added(patch(local_service, part, b"abc"), 3)
    found = look(local_service, part)
    check_offset(found, 3, length=3)
    assert found.headers["upload-metadata"] == said
    assert found.headers["upload-expires"]
    check_error(local_service.http.get(part), 404, says="not become a media")
    check_error(patch(local_service, part, b"d", 3), 409, says="complete")
    whole = path_of(join(local_service, part))
    assert "upload-metadata" not in look(local_service, whole).headers
    assert media_of(local_service, whole)["resource"] == whole.rpartition("/")[2]


def test_parts_may_be_empty_and_tell_their_length_later(service: Service) -> None:
    empty = create(service, 0, Upload_Concat="partial")
    later = create(service, Upload_Concat="partial")
    check_added(patch(service, later, b"abc"), 3)
    check_error(join(service, empty, later), 400, says="not finished")
    check_added(patch(service, later, b"d", 3, Upload_Length=4), 4)
    check_bytes(service, path_of(join(service, empty, later)), b"abcd")


def test_a_part_may_bring_its_bytes_at_once(local_service: Service) -> None:
    part = path_of(post(local_service, b"abc", Upload_Length=3, Upload_Concat="partial"))
    check_bytes(local_service, path_of(join(local_service, part)), b"abc")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "parts",
        "Partial",
        "final",
        "final;",
        "final:/uploads/x",
        "final;/medias/x",
        "final;http://[",
        "final;x",
        "final;/uploads/none",
        f"final;{UNKNOWN}",
        "partial, partial",
        "final;/uploads/none,/uploads/none",
    ],
)
def test_what_names_no_partial_uploads_is_refused(local_service: Service, said: str) -> None:
    answer = post(local_service, Upload_Concat=said, Upload_Length=3 if said == "" else None)
    assert "location" not in answer.headers
    check_error(answer, 400, says="partial upload" if UNKNOWN in said else "Upload-Concat")


@pytest.mark.parametrize("said", ["{0},{1}", "{0};{1}", ";{1}", "{0}?a,{1}", "{1}#a", "{0}:{1}"])
@pytest.mark.parametrize("host", ["", "http://127.0.0.1:5000"])
def test_parts_are_separated_by_spaces_lest_one_is_lost(
    local_service: Service, said: str, host: str
) -> None:
    parts = [host + partial(local_service, content) for content in (b"abc", b"def")]
    answer = post(local_service, Upload_Concat=f"final;{said.format(*parts)}")
    check_error(answer, 400, says="spaces")


def test_only_finished_partial_uploads_of_no_other_can_be_joined(local_service: Service) -> None:
    part, used = partial(local_service, b"abc"), partial(local_service, b"def")
    path_of(join(local_service, used))
    unfinished = create(local_service, 3, Upload_Concat="partial")
    check_added(patch(local_service, unfinished, b"ab"), 2)
    given_up = partial(local_service, b"ghi")
    assert delete(local_service, given_up).status_code == 204
    whole = uploaded(local_service, b"abc")
    for others, says in [
        ((part, part), "once"),
        ((part, unfinished), "it has 2 of 3 bytes"),
        ((part, used), "no partial upload"),
        ((part, given_up), "no partial upload"),
        ((part, whole), "no partial upload"),
        ((part, UNKNOWN), "no partial upload"),
        ((part,) * 1001, "at most 1000"),
    ]:
        answer = join(local_service, *others)
        check_error(answer, 400, says=says)
        assert "location" not in answer.headers
    check_added(patch(local_service, unfinished, b"c", 2), 3)
    check_bytes(local_service, path_of(join(local_service, part, unfinished)), b"abcabc")


def test_an_upload_of_others_takes_no_bytes_itself(service: Service) -> None:
    part = partial(service, b"abc")
    check_error(join(service, part, content=b"abc"), 403, says="no bytes itself")
    check_error(join(service, part, Upload_Length=3), 400, says="Upload-Length")
    check_error(join(service, part, Upload_Defer_Length=1), 400, says="Upload-Length")
    whole = path_of(join(service, part))
    for offset in (0, 3):
        check_error(patch(service, whole, b"d", offset), 403, says="no bytes itself")
    check_bytes(service, whole, b"abc")


def test_joining_twice_with_one_key_is_one_upload(local_service: Service) -> None:
    part, key = partial(local_service, b"abc"), fresh()
    whole = path_of(join(local_service, part, Idempotency_Key=key))
    assert path_of(join(local_service, part, Idempotency_Key=key)) == whole
    other = partial(local_service, b"abc")
    check_error(join(local_service, other, Idempotency_Key=key), 409, says="Idempotency-Key")
    check_bytes(local_service, path_of(join(local_service, other)), b"abc")


def test_an_address_that_is_taken_leaves_the_parts_as_they_are(local_service: Service) -> None:
    said = metadata(resource=fresh())
    uploaded(local_service, b"abc", Upload_Metadata=said)
    part = partial(local_service, b"xyz")
    check_error(join(local_service, part, Upload_Metadata=said), 409, says="already exists")
    check_bytes(local_service, path_of(join(local_service, part)), b"xyz")


def test_an_upload_that_is_given_up_is_gone(service: Service) -> None:
    for path in (create(service, 3), partial(service, b"abc")):
        answer = delete(service, path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert look(service, path).status_code == 404
        check_error(patch(service, path, b"abc"), 404, says="no such upload")
        check_error(service.http.get(path), 404, says="no such upload")
        check_error(delete(service, path), 404, says="no such upload")


def test_a_finished_upload_that_is_given_up_leaves_its_media(service: Service) -> None:
    resource = fresh()
    path = uploaded(service, b"abc", Upload_Metadata=metadata(resource=resource))
    assert delete(service, path).status_code == 204
    assert look(service, path).status_code == 404
    assert service.http.get(f"/medias/files/{resource}").content == b"abc"
