"""HTTP's own resumable uploads: digests of one request, and of the whole (RFC 9530)."""

import base64
import hashlib
import zlib
from typing import Any

import pytest

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

CONTENT = b"some bytes \x00" * 900
HALF = len(CONTENT) // 2
NAMES = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
MALFORMED = [
    "",
    "sha-256",
    "sha-256=abc",
    "sha-256=:*:",
    "sha-256=:YWJj:",
    f"sha-256=:{'A' * 43}=:,",
    f"adler=:{base64.b64encode(zlib.adler32(CONTENT).to_bytes(4, 'big')).decode()}:",
]


def digest(content: bytes, *names: str) -> str:
    """Return a header that promises digests of some bytes."""
    found = {
        name: base64.b64encode(hashlib.new(NAMES[name], content).digest()).decode()
        for name in names or ["sha-256"]
    }
    return ", ".join(f"{name}=:{text}:" for name, text in found.items())


@pytest.mark.parametrize("names", [[name] for name in NAMES] + [list(NAMES)])
@pytest.mark.parametrize("header", ["Content_Digest", "Repr_Digest"])
def test_the_right_digest_is_taken(local_service: Service, header: str, names: list[str]) -> None:
    promised: Any = {header: digest(CONTENT, *names)}
    check_media(local_service, begin(local_service, CONTENT, complete="?1", **promised), CONTENT)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("names", [["sha-256"], ["sha-512"], ["md5", "sha"]])
def test_of_a_damaged_part_nothing_is_kept(
    service: Service, version: int, names: list[str]
) -> None:
    url = created(service, CONTENT[:HALF], Upload_Length=len(CONTENT))
    promised: Any = {"Content_Digest": digest(CONTENT[HALF:], *names), "version": version}
    damaged = CONTENT[HALF:-1] + b"?"

    answer = add(service, url, damaged, offset=HALF, complete="?1", **promised)

    body = check_problem(answer, 400, "digest-mismatched-values", says="damaged")
    assert body["title"] == "Mismatched Digest Values"
    assert answer.headers["upload-offset"] == str(HALF)
    assert answer.headers["upload-complete"] == "?0"
    check_at(service, url, HALF)
    ended = add(service, url, CONTENT[HALF:], offset=HALF, complete="?1", **promised)
    check_media(service, ended, CONTENT)


def test_a_first_part_may_be_damaged(local_service: Service) -> None:
    answer = begin(local_service, CONTENT[:-1], Content_Digest=digest(CONTENT))
    check_problem(answer, 400, "digest-mismatched-values")
    check_at(local_service, answer.headers["location"], 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_of_a_damaged_whole_nothing_is_left(service: Service, version: int) -> None:
    promised: Any = {"Repr_Digest": digest(CONTENT, "sha-512", "md5"), "version": version}
    url = created(service, CONTENT[:HALF], **promised)

    answer = add(service, url, CONTENT[HALF:-1] + b"?", offset=HALF, complete="?1", version=version)

    check_problem(answer, 400, "digest-mismatched-values", says="whole")
    assert answer.headers["upload-complete"] == "?1"
    assert look(service, url).status_code == 404
    assert service.http.get(url).status_code == 404


def test_of_a_damaged_upload_in_one_request_nothing_is_left(local_service: Service) -> None:
    answer = begin(local_service, CONTENT[:-1], complete="?1", Repr_Digest=digest(CONTENT))
    check_problem(answer, 400, "digest-mismatched-values", says="whole")
    assert answer.headers["upload-complete"] == "?1"
    assert "location" not in answer.headers


def test_the_whole_of_many_parts_is_checked(service: Service) -> None:
    url = created(service, Repr_Digest=digest(CONTENT, *NAMES))
    for start in range(0, len(CONTENT), HALF):
        answer = add(service, url, CONTENT[start : start + HALF], offset=start)
        assert answer.status_code == 204
    ended = add(service, url, b"", offset=len(CONTENT), complete="?1")
    check_media(service, ended, CONTENT)


def test_only_a_creation_promises_the_whole(local_service: Service) -> None:
    url = created(local_service, CONTENT[:HALF])
    said: Any = {"complete": "?1", "Repr_Digest": digest(b"something else")}
    check_media(
        local_service, add(local_service, url, CONTENT[HALF:], offset=HALF, **said), CONTENT
    )


@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("header", ["Content_Digest", "Repr_Digest"])
def test_what_cannot_be_checked_is_not_taken(
    local_service: Service, header: str, text: str
) -> None:
    name = header.replace("_", "-")
    promised: Any = {header: text}
    answer = begin(local_service, CONTENT, **promised)
    check_problem(answer, 400, says=name)
    assert "location" not in answer.headers


@pytest.mark.parametrize("text", MALFORMED)
def test_a_part_that_cannot_be_checked_is_not_taken(local_service: Service, text: str) -> None:
    url = created(local_service)
    answer = add(local_service, url, CONTENT, offset=0, Content_Digest=text)
    check_problem(answer, 400, says="Content-Digest")
    check_at(local_service, url, 0)


def test_an_unknown_algorithm_beside_a_known_one_means_nothing(local_service: Service) -> None:
    promised = f"unixsum=:YWJj:, {digest(CONTENT)}"
    answer = begin(local_service, CONTENT, complete="?1", Content_Digest=promised)
    check_media(local_service, answer, CONTENT)
