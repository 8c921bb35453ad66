"""tus 1.0.0 at the limits of a service: sizes, deadlines, expiry, and pages of other origins."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.support.door_uploads import (
    BYTES,
    TUS,
    begin,
    check_added,
    check_bytes,
    check_error,
    check_offset,
    create,
    delete,
    let_expire,
    look,
    patch,
    path_of,
    post,
)
from tests.support.service import Service, running
from tests.support.wire import read_reply

PAGE = "https://app.example.org"
LIFETIME = 3600


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with small limits, and one page of another origin allowed."""
    settings = {
        "MEDIATHEQUE_UPLOAD_EXPIRY": str(LIFETIME),
        "MEDIATHEQUE_MAX_UPLOAD_SIZE": "1000",
        "MEDIATHEQUE_IDLE_TIMEOUT": "1",
        "MEDIATHEQUE_CORS_ORIGINS": PAGE,
        "MEDIATHEQUE_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("tus-limits") / "data", settings) as started:
        yield started


def test_the_greatest_size_is_told_and_kept(strict: Service) -> None:
    assert strict.http.options("/uploads").headers["tus-max-size"] == "1000"
    check_error(post(strict, Upload_Length=1001), 413, says="at most 1000")
    path = create(strict, 1000)
    check_added(patch(strict, path, b"x" * 1000), 1000)
    check_bytes(strict, path, b"x" * 1000)


def test_what_fits_is_kept_of_bytes_without_a_known_length(strict: Service) -> None:
    path = create(strict)
    answer = patch(strict, path, b"x" * 1500)
    check_error(answer, 413, says="1000 bytes")
    assert answer.headers["upload-offset"] == "1000"
    check_offset(look(strict, path), 1000)
    check_added(patch(strict, path, b"", 1000, Upload_Length=1000), 1000)
    check_bytes(strict, path, b"x" * 1000)


def test_parts_are_not_greater_together_than_one_may_be(strict: Service) -> None:
    parts = []
    for _ in range(2):
        parts.append(create(strict, 600, Upload_Concat="partial"))
        check_added(patch(strict, parts[-1], b"x" * 600), 600)
    answer = post(strict, Upload_Concat=f"final;{' '.join(parts)}")
    check_error(answer, 413, says="1200 bytes")
    check_bytes(strict, path_of(post(strict, Upload_Concat=f"final;{parts[0]}")), b"x" * 600)


def test_a_body_that_stalls_is_ended_and_its_bytes_are_kept(strict: Service) -> None:
    path = create(strict, 10)
    with begin(strict, path, b"abc", 10) as connection:
        asked = time.monotonic()
        reply = read_reply(connection, "PATCH")
    assert 0.8 < time.monotonic() - asked < 6
    assert (reply.status, reply.headers["tus-resumable"]) == (408, "1.0.0")
    assert reply.headers["connection"] == "close"
    assert reply.headers["upload-offset"] == "3"
    check_offset(look(strict, path), 3, length=10)
    check_added(patch(strict, path, b"defghij", 3), 10)
    check_bytes(strict, path, b"abcdefghij")


def test_a_slow_and_steady_body_is_taken(strict: Service) -> None:
    path = create(strict, 5)
    with begin(strict, path, b"", 5) as connection:
        for letter in b"abcde":
            time.sleep(0.35)
            connection.sendall(bytes([letter]))
        assert read_reply(connection, "PATCH").status == 204
    check_bytes(strict, path, b"abcde")


def test_an_upload_says_when_it_expires_and_lives_on_with_each_byte(strict: Service) -> None:
    def expiry(headers: object) -> datetime:
        return parsedate_to_datetime(str(headers))

    created = post(strict, Upload_Length=3)
    path = path_of(created)
    first = expiry(created.headers["upload-expires"])
    assert abs(first - datetime.now(UTC) - timedelta(seconds=LIFETIME)) < timedelta(seconds=5)
    time.sleep(1.1)
    later = expiry(patch(strict, path, b"a").headers["upload-expires"])
    assert later > first
    assert expiry(look(strict, path).headers["upload-expires"]) == later


def test_an_upload_that_expired_is_gone(strict: Service) -> None:
    path = create(strict, 3)
    check_added(patch(strict, path, b"a"), 1)
    let_expire(strict, path)
    found = look(strict, path)
    assert (found.status_code, found.headers["tus-resumable"]) == (410, "1.0.0")
    assert "upload-offset" not in found.headers
    check_error(patch(strict, path, b"b", 1), 410, says="Begin a new one")
    check_error(delete(strict, path), 410, says="Begin a new one")
    check_error(strict.http.get(path), 410, says="Begin a new one")


@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "DELETE", "GET"])
def test_a_page_that_is_allowed_may_use_every_method(strict: Service, method: str) -> None:
    wanted = ["tus-resumable", "upload-length", "upload-metadata", "x-http-method-override"]
    answer = strict.http.options(
        "/uploads/x",
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": ", ".join(wanted),
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert method in answer.headers["access-control-allow-methods"]
    assert set(wanted) <= set(answer.headers["access-control-allow-headers"].split(", "))


def test_a_page_that_is_allowed_reads_what_the_protocol_tells(strict: Service) -> None:
    created = post(strict, Upload_Length=3, Origin=PAGE)
    path = path_of(created)
    failed = patch(strict, path, b"abc", 1, Origin=PAGE)
    check_error(failed, 409, says="0 bytes")
    unknown = patch(strict, "/uploads/none", b"abc", Origin=PAGE)
    for answer in (created, failed, unknown, patch(strict, path, b"abc", Origin=PAGE)):
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = set(answer.headers["access-control-expose-headers"].lower().split(", "))
        assert {name for name in answer.headers if name.startswith(("tus-", "upload-"))} <= exposed
        assert {"location", "upload-offset", "upload-length", "upload-metadata"} <= exposed
        assert {"upload-expires", "upload-concat", "upload-defer-length"} <= exposed


def test_a_page_that_is_not_allowed_does_nothing(strict: Service) -> None:
    path = create(strict, 3)
    for headers in ({}, {"X-HTTP-Method-Override": "PATCH"}):
        answer = strict.http.request(
            "POST" if headers else "PATCH",
            path,
            content=b"abc",
            headers={
                **TUS,
                **BYTES,
                **headers,
                "Upload-Offset": "0",
                "Origin": "https://evil.example.net",
            },
        )
        check_error(answer, 403, says="MEDIATHEQUE_CORS_ORIGINS")
        assert "access-control-allow-origin" not in answer.headers
    check_offset(look(strict, path), 0, length=3)


@pytest.mark.parametrize("origin", [None, PAGE, "own", "https://evil.example.net"])
def test_what_is_no_preflight_asks_what_the_server_can(strict: Service, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": strict.url if origin == "own" else origin}
    answer = strict.http.options("/uploads", headers=headers)
    other_door = strict.http.options("/medias/files/x", headers=headers)
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    for one in (answer, other_door):
        assert one.headers["upload-limit"] == f"max-size=1000, max-age={LIFETIME}"
        allowed = one.headers.get("access-control-allow-origin")
        assert allowed == (PAGE if origin == PAGE else None)
        if allowed:
            exposed = one.headers["access-control-expose-headers"]
            assert {"Tus-Version", "Upload-Limit"} <= set(exposed.split(", "))
