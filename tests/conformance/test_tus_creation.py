"""tus 1.0.0: creating uploads, with a length or without, with bytes or without, once or twice."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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
    look,
    media_of,
    metadata,
    patch,
    path_of,
    post,
    uploaded,
)
from tests.support.medias import fresh
from tests.support.service import Service
from tests.support.wire import exchange

LENGTHS = ["-1", "+1", "9223372036854775808", "1" * 30, "x", "1.5", "", "3, 3"]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_none_is_refused(local_service: Service, length: str) -> None:
    check_error(post(local_service, Upload_Length=length), 400, says="Upload-Length")
    path = create(local_service)
    answer = patch(local_service, path, b"abc", Upload_Length=length)
    check_error(answer, 400, says="Upload-Length")
    check_offset(look(local_service, path), 0)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "Upload-Length is missing"),
        ({"Upload_Defer_Length": "0"}, "can only be 1"),
        ({"Upload_Defer_Length": "true"}, "can only be 1"),
        ({"Upload_Defer_Length": "1", "Upload_Length": "3"}, "puts it off"),
        ({"Upload_Length": "3", "Idempotency_Key": "k" * 256}, "Idempotency-Key"),
        ({"Upload_Length": "3", "Idempotency_Key": ""}, "Idempotency-Key"),
        ({"Upload_Length": "3", "Idempotency_Key": "sch\xf6n"}, "Idempotency-Key"),
    ],
)
def test_a_creation_that_says_too_little_or_too_much_is_refused(
    local_service: Service, headers: dict[str, str], says: str
) -> None:
    encoded = {name: text.encode("latin-1").decode("latin-1") for name, text in headers.items()}
    reply = exchange(
        local_service,
        "POST",
        "/uploads",
        {**TUS, **{name.replace("_", "-"): text for name, text in encoded.items()}},
    )
    assert (reply.status, reply.headers["tus-resumable"]) == (400, "1.0.0")
    assert says.encode() in reply.body
    assert "location" not in reply.headers


@pytest.mark.parametrize("length", [(1 << 40) + 1, 2**63 - 1])
def test_more_than_the_server_takes_is_refused_at_once(local_service: Service, length: int) -> None:
    answer = post(local_service, Upload_Length=length)
    check_error(answer, 413, says=str(1 << 40))
    assert "location" not in answer.headers
    path = create(local_service)
    check_error(patch(local_service, path, b"a", Upload_Length=length), 413, says=str(1 << 40))
    create(local_service, 1 << 40)


def test_an_upload_without_bytes_is_complete_at_once(service: Service) -> None:
    created = post(service, Upload_Length=0, Upload_Metadata=metadata(filename="empty.txt"))
    path = path_of(created)
    assert created.headers["upload-offset"] == "0"
    assert "upload-expires" not in created.headers
    check_offset(look(service, path), 0, length=0)
    check_bytes(service, path, b"")
    assert media_of(service, path)["size"] == 0
    check_added(patch(service, path, b""), 0)
    check_error(patch(service, path, b"a"), 409, says="complete")


def test_an_upload_can_bring_its_bytes_at_once(service: Service) -> None:
    created = post(service, b"abcde", Upload_Length=5)
    assert (created.content, created.headers["content-length"]) == (b"", "0")
    assert created.headers["upload-offset"] == "5"
    assert "upload-expires" not in created.headers
    check_bytes(service, path_of(created), b"abcde")


@pytest.mark.parametrize(
    "headers", [{"Upload_Length": 5}, {"Upload_Defer_Length": 1}], ids=["length", "deferred"]
)
def test_an_upload_can_bring_its_first_bytes(
    local_service: Service, headers: dict[str, int]
) -> None:
    created = post(local_service, b"abc", **headers)
    assert created.headers["upload-offset"] == "3"
    assert re.fullmatch(EXPIRES, created.headers["upload-expires"])
    path = path_of(created)
    check_offset(look(local_service, path), 3, length=headers.get("Upload_Length"))
    check_added(patch(local_service, path, b"de", 3, Upload_Length=5), 5)
    check_bytes(local_service, path, b"abcde")


def test_a_creation_whose_bytes_are_of_another_type_creates_nothing(
    local_service: Service,
) -> None:
    answer = post(local_service, b"abc", Upload_Length=3, Content_Type="video/webm")
    check_error(answer, 415, says="application/offset+octet-stream")
    assert "location" not in answer.headers


def test_a_creation_without_bytes_may_have_any_type(local_service: Service) -> None:
    path = create(local_service, 3, Content_Type="application/x-www-form-urlencoded")
    check_offset(look(local_service, path), 0, length=3)


@pytest.mark.parametrize("length", [0, 2])
def test_a_creation_with_more_bytes_than_its_length_creates_nothing(
    local_service: Service, length: int
) -> None:
    answer = post(local_service, b"abc", Upload_Length=length)
    check_error(answer, 413, says="Nothing was created")
    assert answer.headers["connection"] == "close"


def test_a_creation_that_goes_on_beyond_its_length_tells_where_the_upload_is(
    local_service: Service,
) -> None:
    chunked = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Length": "2"}
    answer = local_service.http.post("/uploads", content=iter([b"ab", b"c"]), headers=chunked)
    check_error(answer, 413, says="2 bytes")
    path = answer.headers["location"].removeprefix(local_service.url)
    check_bytes(local_service, path, b"ab")


def test_a_creation_of_nothing_takes_nothing(local_service: Service) -> None:
    chunked = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Length": "0"}
    answer = local_service.http.post("/uploads", content=iter([b"abc"]), headers=chunked)
    check_error(answer, 413, says="0 bytes")


def test_a_length_that_is_told_later(service: Service) -> None:
    path = create(service)
    check_offset(look(service, path), 0)
    check_added(patch(service, path, b"abc"), 3)
    check_offset(look(service, path), 3)
    check_added(patch(service, path, b"de", 3, Upload_Length=7), 5)
    check_offset(look(service, path), 5, length=7)
    check_added(patch(service, path, b"fg", 5), 7)
    check_bytes(service, path, b"abcdefg")


def test_a_length_that_is_told_when_all_bytes_are_there(local_service: Service) -> None:
    path = create(local_service)
    check_added(patch(local_service, path, b"abc"), 3)
    check_added(patch(local_service, path, b"", 3, Upload_Length=3), 3)
    check_bytes(local_service, path, b"abc")


def test_a_length_never_changes(local_service: Service) -> None:
    path = create(local_service, 5)
    for length in (4, 6):
        answer = patch(local_service, path, b"abc", Upload_Length=length)
        check_error(answer, 400, says="5 bytes")
    check_added(patch(local_service, path, b"abc", Upload_Length=5), 3)
    check_offset(look(local_service, path), 3, length=5)


def test_a_length_is_not_less_than_what_has_arrived(local_service: Service) -> None:
    path = create(local_service)
    check_added(patch(local_service, path, b"abc"), 3)
    check_error(patch(local_service, path, b"", 3, Upload_Length=2), 400, says="3 bytes")
    check_offset(look(local_service, path), 3)


def test_the_same_creation_twice_is_one_upload(service: Service) -> None:
    headers: dict[str, Any] = {
        "Upload_Length": 5,
        "Upload_Metadata": metadata(filename="a"),
        "Idempotency_Key": fresh(),
    }
    path = path_of(post(service, **headers))
    check_added(patch(service, path, b"abc"), 3)
    again = post(service, **headers)
    assert (path_of(again), again.headers["upload-offset"]) == (path, "3")
    check_added(patch(service, path, b"de", 3), 5)
    ended = post(service, **headers)
    assert (path_of(ended), ended.headers["upload-offset"]) == (path, "5")


def test_the_same_creation_with_bytes_twice_is_one_upload(local_service: Service) -> None:
    headers: dict[str, Any] = {"Upload_Length": 3, "Idempotency_Key": f"{fresh()} a b"}
    path = path_of(post(local_service, b"abc", **headers))
    again = post(local_service, b"abc", **headers)
    assert (path_of(again), again.headers["upload-offset"]) == (path, "3")
    check_bytes(local_service, path, b"abc")


def test_a_client_that_repeats_a_creation_is_heard_to_the_end(local_service: Service) -> None:
    body = os.urandom(6 << 20)
    said = {**TUS, **BYTES, "Upload-Length": str(len(body)), "Idempotency-Key": fresh()}
    replies = [exchange(local_service, "POST", "/uploads", said, body) for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 201]
    assert len({reply.headers["location"] for reply in replies}) == 1


def test_one_key_is_not_for_two_creations(local_service: Service) -> None:
    key = fresh()
    create(local_service, 5, Idempotency_Key=key)
    for length, concat in [(6, None), (5, "partial")]:
        answer = post(
            local_service, Idempotency_Key=key, Upload_Length=length, Upload_Concat=concat
        )
        check_error(answer, 409, says="Idempotency-Key")


def test_the_same_creation_many_times_at_once_is_one_upload(local_service: Service) -> None:
    headers: dict[str, Any] = {"Upload_Length": 5, "Idempotency_Key": fresh()}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(local_service, **headers), range(8)))
    assert len({path_of(answer) for answer in answers}) == 1


def test_metadata_describes_the_media(service: Service) -> None:
    resource, tags = fresh(".txt"), "a, b"
    said = metadata(
        filename="Überblick.txt",
        filetype="video/webm",
        resource=resource,
        key="copy.txt",
        project_id="films",
        public="true",
        tags=tags,
        camera="left",
        empty="",
    )
    path = uploaded(service, b"plain text", Upload_Metadata=said)
    assert look(service, path).headers["upload-metadata"] == said
    media = media_of(service, path)
    expected = {
        "resource": resource,
        "key": "copy.txt",
        "filename": "Überblick.txt",
        "size": 10,
        "mime_type": "text/plain",
        "project_id": "films",
        "public": True,
    }
    assert {name: media[name] for name in expected} == expected
    assert sorted(media["tags"]) == ["a", "b"]
    assert media["meta"]["upload"] == {"filetype": "video/webm", "camera": "left", "empty": ""}


def test_an_upload_without_metadata_is_a_media_of_its_own_name(local_service: Service) -> None:
    path = uploaded(local_service, b"abc", Upload_Metadata=None)
    assert "upload-metadata" not in look(local_service, path).headers
    media = media_of(local_service, path)
    assert (media["resource"], media["key"]) == (path.rpartition("/")[2], "")
    assert (media["public"], media["project_id"], media["tags"]) == (False, None, [])


def test_a_name_can_be_told_as_name_too(local_service: Service) -> None:
    path = uploaded(local_service, b"abc", Upload_Metadata=metadata(name="film.txt", filename=""))
    assert media_of(local_service, path)["filename"] == "film.txt"


@pytest.mark.parametrize(
    "said",
    [
        "filename not-base64!",
        "filename YQ=",
        "filename YQ==,filename Yg==",
        ",",
        "a YQ==,",
        "sch\xf6n YQ==",
        "filename /w==",
        metadata(filename="a/b"),
        metadata(filename=".."),
        metadata(filename="a\nb"),
        metadata(filename="x" * 256),
        metadata(camera="a\0b"),
        metadata(key="without its resource"),
        metadata(resource="a", key="b/c"),
        metadata(public="perhaps"),
        metadata(tags="x" * 5000),
        metadata(camera="x" * 100_000),
    ],
    ids=range(17),
)
def test_metadata_that_cannot_be_taken_creates_nothing(local_service: Service, said: str) -> None:
    headers = {**TUS, "Upload-Length": "3", "Upload-Metadata": said}
    reply = exchange(local_service, "POST", "/uploads", headers)
    assert (reply.status, reply.headers["tus-resumable"]) == (400, "1.0.0")
    assert len(reply.body) < 400
    assert "location" not in reply.headers


def test_metadata_may_come_in_several_lines(local_service: Service) -> None:
    headers = {
        **TUS,
        "Upload-Length": "0",
        "Upload-Metadata": f"{metadata(filename='a.txt')}\r\nUpload-Metadata: {metadata(b='c')}",
    }
    reply = exchange(local_service, "POST", "/uploads", headers)
    assert reply.status == 201
    path = reply.headers["location"].removeprefix(local_service.url)
    assert media_of(local_service, path)["filename"] == "a.txt"
    assert media_of(local_service, path)["meta"]["upload"] == {"b": "c"}


def test_an_address_that_is_taken_is_refused_before_the_bytes_come(local_service: Service) -> None:
    resource = fresh()
    uploaded(local_service, b"abc", Upload_Metadata=metadata(resource=resource))
    answer = post(local_service, Upload_Length=3, Upload_Metadata=metadata(resource=resource))
    check_error(answer, 409, says="already exists")


def test_an_address_that_is_taken_meanwhile_leaves_the_upload_as_it_is(service: Service) -> None:
    said = metadata(resource=fresh())
    first = create(service, 3, Upload_Metadata=said)
    second = create(service, 3, Upload_Metadata=said)
    check_added(patch(service, first, b"abc"), 3)
    check_error(patch(service, second, b"xyz"), 409, says="is taken by another media")
    check_error(service.http.get(second), 404, says="not become a media")
    taken = media_of(service, first)
    assert service.http.delete(f"/api/file/{first.rpartition('/')[2]}").status_code == 200
    check_offset(look(service, second), 3, length=3)
    check_bytes(service, second, b"xyz")
    assert media_of(service, second)["resource"] == taken["resource"]


def test_the_same_bytes_for_an_address_that_is_taken_meanwhile_are_that_media(
    service: Service,
) -> None:
    said = metadata(resource=fresh())
    first = create(service, 3, Upload_Metadata=said)
    second = create(service, 3, Upload_Metadata=said)
    check_added(patch(service, first, b"abc"), 3)
    check_added(patch(service, second, b"abc"), 3)
    check_offset(look(service, second), 3, length=3)
    check_bytes(service, second, b"abc")
    etags = {service.http.get(path).headers["etag"] for path in (first, second)}
    assert len(etags) == 1
