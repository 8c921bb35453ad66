"""HTTP's own resumable uploads: adding to them, asking where they are, giving them up."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.medias import fresh, upload
from tests.support.resumption import (
    PARTIAL,
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
from tests.support.wire import named

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2
UNKNOWN = ["01a1fc87-9655-79af-939f-09e2b6784b59", "7", "nothing", "%00", "%C3%A9", "x" * 2000]


def in_pieces(content: bytes) -> Iterator[bytes]:
    """Send without telling how much it is."""
    yield content[:10]
    yield content[10:]


@pytest.mark.parametrize(("version", "added"), [(8, 204), (6, 201)])
@pytest.mark.parametrize("length", [None, len(CONTENT)])
def test_parts_become_a_media(
    service: Service, version: int, added: int, length: int | None
) -> None:
    url = created(service, CONTENT[:100], version=version, Upload_Length=length)

    second = add(service, url, CONTENT[100:HALF], offset=100, version=version)
    assert (second.status_code, second.content) == (added, b"")
    assert second.headers["upload-complete"] == "?0"
    assert second.headers["upload-offset"] == str(HALF)
    assert second.headers["upload-draft-interop-version"] == str(version)

    last = add(service, url, CONTENT[HALF:], offset=HALF, complete="?1", version=version)
    check_media(service, last, CONTENT)
    assert service.http.get(url).content == CONTENT


@pytest.mark.parametrize("version", VERSIONS)
def test_where_an_upload_is(local_service: Service, version: int) -> None:
    url = created(local_service, CONTENT[:100])

    before = look(local_service, url, version=version)

    assert (before.status_code, before.content) == (204, b"")
    assert before.headers["upload-offset"] == "100"
    assert before.headers["upload-complete"] == "?0"
    assert before.headers["upload-limit"].startswith("max-size=")
    assert before.headers["cache-control"] == "no-store"
    assert before.headers["upload-draft-interop-version"] == str(version)
    assert "upload-length" not in before.headers
    assert "content-location" not in before.headers

    ended = add(local_service, url, CONTENT[100:], offset=100, complete="?1", version=version)
    after = look(local_service, url, version=version)

    assert after.status_code == 204
    assert after.headers["upload-offset"] == after.headers["upload-length"] == str(len(CONTENT))
    assert after.headers["upload-complete"] == "?1"
    assert after.headers["content-location"] == ended.headers["content-location"]


def test_the_length_may_be_told_at_any_time(local_service: Service) -> None:
    url = created(local_service, CONTENT[:100])
    add(local_service, url, CONTENT[100:200], offset=100, Upload_Length=len(CONTENT))
    assert look(local_service, url).headers["upload-length"] == str(len(CONTENT))


def test_the_end_may_come_without_a_length(local_service: Service) -> None:
    url = created(local_service, CONTENT[:100])
    ended = add(local_service, url, in_pieces(CONTENT[100:]), offset=100, complete="?1")
    check_media(local_service, ended, CONTENT)


def test_the_old_version_takes_what_does_not_say_whether_it_is_the_end(
    local_service: Service,
) -> None:
    url = created(local_service)
    answer = add(local_service, url, CONTENT, offset=0, complete=None, version=6)
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?0")
    check_problem(add(local_service, url, b"x", offset=len(CONTENT), complete=None), 400)
    check_at(local_service, url, len(CONTENT))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("offset", [0, 99, 101, 10**14])
@pytest.mark.parametrize("complete", ["?0", "?1"])
def test_another_offset_is_refused(
    local_service: Service, version: int, offset: int, complete: str
) -> None:
    url = created(local_service, CONTENT[:100])
    answer = add(local_service, url, b"x", offset=offset, complete=complete, version=version)
    body = check_problem(answer, 409, "mismatching-upload-offset", says="100")
    assert body == {
        "type": "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
        "title": "Mismatching Upload Offset",
        "status": 409,
        "detail": body["detail"],
        "expected-offset": 100,
        "provided-offset": offset,
    }
    assert answer.headers["upload-offset"] == "100"
    assert answer.headers["upload-draft-interop-version"] == str(version)
    check_at(local_service, url, 100)


@pytest.mark.parametrize("offset", [None, "", "-1", "x", "1.0", "?1", "1, 1", "1" * 16])
def test_an_offset_must_be_an_integer(local_service: Service, offset: str | None) -> None:
    url = created(local_service, b"x")
    check_problem(add(local_service, url, b"y", offset=offset), 400, says="Upload-Offset")
    check_at(local_service, url, 1)


@pytest.mark.parametrize("given", ["", "text/plain", "application/offset+octet-stream", "x"])
def test_what_is_added_has_one_type(local_service: Service, given: str) -> None:
    url = created(local_service)
    answer = add(local_service, url, b"y", offset=0, content_type=given)
    check_problem(answer, 415, says=PARTIAL)
    assert answer.headers["accept-patch"] == PARTIAL
    assert (
        add(local_service, url, b"y", offset=0, content_type=f"{PARTIAL.upper()}; a=b").status_code
        == 204
    )


@pytest.mark.parametrize(
    ("version", "body", "kind"),
    [
        (8, b"x", "inconsistent-upload-length"),
        (8, b"", "completed-upload"),
        (6, b"x", "completed-upload"),
        (6, b"", "completed-upload"),
    ],
)
def test_a_complete_upload_takes_no_more(
    local_service: Service, version: int, body: bytes, kind: str
) -> None:
    url = begin(local_service, CONTENT, complete="?1").headers["location"]
    answer = add(local_service, url, body, offset=len(CONTENT), complete="?1", version=version)
    check_problem(answer, 400, kind, says="complete")
    assert answer.headers["upload-offset"] == str(len(CONTENT))
    assert "upload-complete" not in answer.headers
    check_at(local_service, url, len(CONTENT), complete=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (100, {"Upload_Length": 99}),
        (100, {"Upload_Length": len(CONTENT) + 1}),
        (100, {"complete": "?1"}),
        (HALF, {"complete": "?1", "Upload_Length": len(CONTENT) + 1}),
        (len(CONTENT), {"complete": "?1"}),
    ],
)
def test_lengths_must_agree(
    local_service: Service, version: int, sent: int, said: dict[str, Any]
) -> None:
    url = created(local_service, CONTENT[:HALF], Upload_Length=len(CONTENT))
    answer = add(local_service, url, CONTENT[:sent], offset=HALF, version=version, **said)
    check_problem(answer, 400, "inconsistent-upload-length")
    assert answer.headers["upload-complete"] == "?0"
    check_at(local_service, url, HALF)
    ended = add(local_service, url, CONTENT[HALF:], offset=HALF, complete="?1")
    check_media(local_service, ended, CONTENT)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("complete", ["?0", "?1"])
def test_bytes_beyond_the_length_are_refused_and_those_before_kept(
    local_service: Service, version: int, complete: str
) -> None:
    url = created(local_service, CONTENT[:HALF], Upload_Length=len(CONTENT))
    answer = add(
        local_service,
        url,
        in_pieces(CONTENT[HALF:] + b"beyond"),
        offset=HALF,
        complete=complete,
        version=version,
    )
    check_problem(answer, 400, "inconsistent-upload-length", says=str(len(CONTENT)))
    assert answer.headers["upload-offset"] == str(len(CONTENT))
    assert answer.headers["upload-complete"] == "?0"
    check_at(local_service, url, len(CONTENT))  # and no media
    ended = add(local_service, url, b"", offset=len(CONTENT), complete="?1")
    check_media(local_service, ended, CONTENT)


def test_an_end_that_comes_too_early_is_refused_and_kept(local_service: Service) -> None:
    url = created(local_service, Upload_Length=len(CONTENT))
    answer = add(local_service, url, in_pieces(CONTENT[:HALF]), offset=0, complete="?1")
    check_problem(answer, 400, "inconsistent-upload-length", says=str(HALF))
    check_at(local_service, url, HALF)
    ended = add(local_service, url, CONTENT[HALF:], offset=HALF, complete="?1")
    check_media(local_service, ended, CONTENT)


def test_what_grows_too_large_is_refused_with_the_limit(local_service: Service) -> None:
    url = created(local_service)
    answer = add(local_service, url, b"x", offset=0, Upload_Length=10**14)
    check_problem(answer, 413)
    assert answer.headers["upload-limit"].startswith("max-size=")
    check_at(local_service, url, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upload_can_be_given_up(service: Service, version: int) -> None:
    url = created(service, CONTENT)
    said = named(Upload_Draft_Interop_Version=version)

    given_up = service.http.delete(url, headers=said)

    assert (given_up.status_code, given_up.content) == (204, b"")
    assert given_up.headers["upload-draft-interop-version"] == str(version)
    assert look(service, url).status_code == 404
    check_problem(add(service, url, b"x", offset=len(CONTENT)), 404)
    check_problem(service.http.delete(url, headers=said), 404)


def test_giving_up_a_finished_upload_leaves_the_media(local_service: Service) -> None:
    answer = begin(local_service, CONTENT, complete="?1")
    url = answer.headers["location"]
    said = named(Upload_Draft_Interop_Version=8)
    assert local_service.http.delete(url, headers=said).status_code == 204
    assert look(local_service, url).status_code == 404
    check_media(local_service, answer, CONTENT)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("HEAD", "Upload_Offset"),
        ("HEAD", "Upload_Complete"),
        ("HEAD", "Upload_Length"),
        ("DELETE", "Upload_Offset"),
        ("DELETE", "Upload_Complete"),
    ],
)
def test_the_old_version_refuses_headers_that_do_not_belong(
    local_service: Service, method: str, name: str
) -> None:
    url = created(local_service)
    for version, status in ((6, 400), (8, 204)):
        said = named(Upload_Draft_Interop_Version=version) | named(**{name: "1"})
        assert local_service.http.request(method, url, headers=said).status_code == status


@pytest.mark.parametrize("upload_id", UNKNOWN)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_unknown_upload_is_not_found(
    local_service: Service, upload_id: str, version: int
) -> None:
    url = f"/uploads/{upload_id}"
    check_problem(add(local_service, url, b"x", offset=0, version=version), 404)
    assert look(local_service, url, version=version).status_code == 404
    said = named(Upload_Draft_Interop_Version=version)
    check_problem(local_service.http.delete(url, headers=said), 404)


def test_an_upload_of_tus_goes_on_in_this_protocol(local_service: Service) -> None:
    begun = local_service.http.post(
        "/uploads/", headers=named(Tus_Resumable="1.0.0", Upload_Length=len(CONTENT))
    )
    url = begun.headers["location"]
    assert add(local_service, url, CONTENT[:HALF], offset=0).status_code == 204
    ended = add(local_service, url, CONTENT[HALF:], offset=HALF, complete="?1")
    check_media(local_service, ended, CONTENT)


def test_an_address_that_was_taken_meanwhile_is_told(local_service: Service) -> None:
    name = fresh()
    url = created(local_service, CONTENT[:HALF], path=f"/medias/files/{name}")
    other = upload(local_service, name, b"other bytes")

    answer = add(local_service, url, CONTENT[HALF:], offset=HALF, complete="?1")

    check_problem(answer, 409, says=name)
    assert answer.headers["upload-complete"] == "?1"
    assert local_service.http.get(f"/medias/files/{name}").content == b"other bytes"
    for body, complete in ((b"", "?0"), (b"", "?1"), (iter([b""]), "?1")):
        again = add(local_service, url, body, offset=len(CONTENT), complete=complete)
        check_problem(again, 409, says=name)
        assert again.headers["upload-complete"] == "?1"

    assert local_service.http.delete(f"/api/file/{other['id']}").status_code == 200

    reopened = add(local_service, url, b"", offset=len(CONTENT))
    check_problem(reopened, 400, "completed-upload", says="takes no more")
    assert "upload-complete" not in reopened.headers
    assert local_service.http.get(f"/medias/files/{name}").content == CONTENT
    check_at(local_service, url, len(CONTENT), complete=True)
