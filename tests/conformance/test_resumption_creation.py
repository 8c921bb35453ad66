"""HTTP's own resumable uploads: creating them, and uploading all at once."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.medias import checksum, fresh
from tests.support.resumption import (
    VERSIONS,
    add,
    begin,
    check_at,
    check_media,
    check_problem,
    created,
    look,
)
from tests.support.service import Service
from tests.support.wire import exchange, named

CONTENT = b"\x00\x01 some bytes" * 700
LIFETIME = {8: "max-age", 6: "expires"}


def check_limit(text: str, version: int = 8) -> None:
    """Check that an unfinished upload tells its greatest length, and that it stays for a day."""
    found = re.fullmatch(rf"max-size=([0-9]+), {LIFETIME[version]}=([0-9]+)", text)
    assert found is not None, text
    assert int(found[1]) > 1 << 30
    assert 86_000 < int(found[2]) <= 86_400


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", ["/uploads", "/uploads/"])
def test_an_empty_request_creates_an_upload(
    local_service: Service, version: int, path: str
) -> None:
    answer = begin(local_service, path=path, version=version, Upload_Length=len(CONTENT))

    assert (answer.status_code, answer.content) == (201, b"")
    assert re.fullmatch(rf"{local_service.url}/uploads/[0-9a-f-]{{36}}", answer.headers["location"])
    assert answer.headers["upload-draft-interop-version"] == str(version)
    assert answer.headers["upload-offset"] == "0"
    assert answer.headers["upload-complete"] == "?0"
    check_limit(answer.headers["upload-limit"], version)


@pytest.mark.parametrize("version", VERSIONS)
def test_all_bytes_in_one_request_are_a_media(service: Service, version: int) -> None:
    answer = begin(
        service,
        CONTENT,
        complete="?1",
        version=version,
        Upload_Length=len(CONTENT),
        Content_Type="image/jpeg",
        Content_Disposition="inline; filename=\"a.bin\"; filename*=UTF-8''holiday%20%C3%A9.bin",
    )

    found = check_media(service, answer, CONTENT)
    assert answer.headers["location"].startswith(f"{service.url}/uploads/")
    assert answer.headers["upload-draft-interop-version"] == str(version)
    assert answer.headers["upload-limit"].startswith("max-size=")
    assert found["resource"] == answer.json()["data"]["id"]
    assert found["filename"] == "holiday é.bin"
    assert found["mime_type"] == "application/octet-stream"
    assert found["checksum"]["crc64nvme"] == checksum(CONTENT)["crc64nvme"]
    assert (found["public"], found["project_id"], found["tags"]) == (False, None, [])
    assert service.http.get(answer.headers["location"]).content == CONTENT


@pytest.mark.parametrize("version", VERSIONS)
def test_a_first_part_is_acknowledged(service: Service, version: int) -> None:
    answer = begin(service, CONTENT, version=version, Upload_Length=2 * len(CONTENT))

    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["upload-offset"] == str(len(CONTENT))
    assert answer.headers["upload-complete"] == "?0"
    check_limit(answer.headers["upload-limit"], version)
    check_at(service, answer.headers["location"], len(CONTENT))


@pytest.mark.parametrize("headers", [{}, {"Upload_Length": 0}])
def test_an_upload_may_be_empty(local_service: Service, headers: dict[str, Any]) -> None:
    check_media(local_service, begin(local_service, complete="?1", **headers), b"")


def test_a_request_without_any_body_may_be_all_of_it(local_service: Service) -> None:
    reply = exchange(local_service, "POST", "/uploads/", named(Upload_Complete="?1"))
    assert reply.status == 200
    assert reply.headers["upload-complete"] == "?1"
    assert reply.headers["upload-offset"] == "0"


@pytest.mark.parametrize("length", [None, len(CONTENT)])
@pytest.mark.parametrize("complete", ["?1", "?0"])
def test_the_body_may_come_without_a_length(
    local_service: Service, length: int | None, complete: str
) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[:100]
        yield CONTENT[100:]

    answer = begin(local_service, pieces(), complete=complete, Upload_Length=length)

    if complete == "?1":
        check_media(local_service, answer, CONTENT)
    else:
        check_at(local_service, answer.headers["location"], len(CONTENT))


def test_an_upload_that_has_its_length_waits_until_it_is_ended(local_service: Service) -> None:
    url = created(local_service, CONTENT, Upload_Length=len(CONTENT))
    check_at(local_service, url, len(CONTENT))
    assert local_service.http.get(url).status_code == 404

    ended = add(local_service, url, b"", offset=len(CONTENT), complete="?1")

    check_media(local_service, ended, CONTENT)


def test_without_a_version_the_newest_is_spoken(local_service: Service) -> None:
    answer = begin(local_service, CONTENT, version=None)

    assert answer.headers["upload-draft-interop-version"] == "8"
    check_limit(answer.headers["upload-limit"])
    url = answer.headers["location"]
    ended = add(local_service, url, b"!", offset=len(CONTENT), complete="?1", version=None)
    check_media(local_service, ended, CONTENT + b"!")


@pytest.mark.parametrize("version", [0, 3, 5, 7, 9, -8, "8.0", "eight", "?1"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "DELETE"])
def test_other_versions_are_refused(
    local_service: Service, version: int | str, method: str
) -> None:
    url = "/uploads" if method == "POST" else created(local_service)
    said = named(Upload_Complete="?1", Upload_Offset=0, Upload_Draft_Interop_Version=version)
    answer = local_service.http.request(method, url, headers=said)
    if method == "HEAD":
        assert answer.status_code == 400
    else:
        check_problem(answer, 400, says="8 and 6")


@pytest.mark.parametrize("text", ["", "1", "true", "?2", "?1, ?1", "?", '"?1"', "?1 ?1"])
def test_completeness_must_be_a_boolean(local_service: Service, text: str) -> None:
    check_problem(begin(local_service, CONTENT, complete=text), 400, says="Upload-Complete")


@pytest.mark.parametrize("text", ["?1;a", "?1; a=1;b=?0", '?1;a="x, y"'])
def test_parameters_of_completeness_mean_nothing(local_service: Service, text: str) -> None:
    check_media(local_service, begin(local_service, CONTENT, complete=text), CONTENT)


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "1000000000000000", "?1", "1, 1", '"1"'])
def test_a_length_that_is_no_integer_is_none(local_service: Service, text: str) -> None:
    answer = begin(local_service, CONTENT, Upload_Length=text)
    assert answer.status_code == 201
    assert "upload-length" not in look(local_service, answer.headers["location"]).headers


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("length", [0, len(CONTENT) - 1, len(CONTENT) + 1])
def test_two_lengths_of_one_request_must_be_the_same(
    local_service: Service, version: int, length: int
) -> None:
    answer = begin(local_service, CONTENT, complete="?1", version=version, Upload_Length=length)
    body = check_problem(answer, 400, "inconsistent-upload-length", says=str(length))
    assert body["title"] == "Inconsistent Upload Length Values"
    assert "location" not in answer.headers


def test_a_part_must_not_be_longer_than_the_whole(local_service: Service) -> None:
    answer = begin(local_service, CONTENT, Upload_Length=100)
    check_problem(answer, 400, "inconsistent-upload-length", says="100")
    assert answer.headers["upload-offset"] == "100"
    check_at(local_service, answer.headers["location"], 100)


@pytest.mark.parametrize("length", [10**14, 999_999_999_999_999])
def test_what_is_too_large_is_refused_with_the_limit(local_service: Service, length: int) -> None:
    answer = begin(local_service, Upload_Length=length)
    check_problem(answer, 413, says=str(length))
    assert re.fullmatch(r"max-size=[0-9]+", answer.headers["upload-limit"])
    assert "location" not in answer.headers


def test_coded_bytes_are_refused(local_service: Service) -> None:
    check_problem(begin(local_service, CONTENT, Content_Encoding="gzip"), 415, says="Encoding")
    assert begin(local_service, CONTENT, Content_Encoding="identity").status_code == 201


@pytest.mark.parametrize("name", ["a%00b", "%0A", "x" * 300])
def test_a_name_that_cannot_be_one_is_refused(local_service: Service, name: str) -> None:
    given = f"inline; filename*=UTF-8''{name}"
    check_problem(begin(local_service, CONTENT, Content_Disposition=given), 400)


def test_what_tus_says_of_a_media_may_be_said_here(local_service: Service) -> None:
    name = fresh()
    said = {"filename": "é.bin", "resource": name, "key": "small", "public": "true", "note": "new"}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in said.items()}
    metadata = ",".join(f"{key} {text}" for key, text in encoded.items())
    answer = begin(local_service, CONTENT, complete="?1", Upload_Metadata=metadata)

    found = check_media(local_service, answer, CONTENT)
    assert (found["resource"], found["key"]) == (name, "small")
    assert (found["filename"], found["public"]) == ("é.bin", True)
    assert found["meta"]["upload"] == {"note": "new"}
    check_problem(begin(local_service, Upload_Metadata="a b c"), 400, says="Upload-Metadata")


def test_the_same_key_is_the_same_upload(local_service: Service) -> None:
    key = fresh()
    first = created(local_service, Upload_Length=len(CONTENT), Idempotency_Key=key)
    assert created(local_service, Upload_Length=len(CONTENT), Idempotency_Key=key) == first
    assert created(local_service, Upload_Length=len(CONTENT), Idempotency_Key=fresh()) != first
    check_problem(begin(local_service, Upload_Length=7, Idempotency_Key=key), 409, says="Key")


def test_what_ended_is_told_again_for_the_same_key(local_service: Service) -> None:
    content = CONTENT * 500
    said: Any = {"complete": "?1", "Idempotency_Key": fresh()}
    first = begin(local_service, content, **said)
    second = begin(local_service, content, **said)
    check_media(local_service, second, content)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]


def test_a_repeated_creation_tells_where_to_go_on(local_service: Service) -> None:
    said: Any = {"Upload_Length": len(CONTENT), "Idempotency_Key": fresh()}
    url = created(local_service, CONTENT[:1000], **said)

    answer = begin(local_service, CONTENT[:1000], **said)

    body = check_problem(answer, 409, "mismatching-upload-offset")
    assert (body["expected-offset"], body["provided-offset"]) == (1000, 0)
    assert answer.headers["location"] == url
    assert answer.headers["upload-offset"] == "1000"


@pytest.mark.parametrize("path", ["/uploads", "/uploads/"])
@pytest.mark.parametrize(("version", "key"), [(None, "max-age"), (8, "max-age"), (6, "expires")])
def test_options_tell_what_can_be_done(
    local_service: Service, path: str, version: int | None, key: str
) -> None:
    said = named(Upload_Draft_Interop_Version=version)
    answer = local_service.http.options(path, headers=said)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["accept-patch"] == "application/partial-upload"
    assert re.fullmatch(rf"max-size=[0-9]+, {key}=86400", answer.headers["upload-limit"])
