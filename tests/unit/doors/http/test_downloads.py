"""Serving one representation: statuses, headers, bytes, and what happens when things break."""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from litestar import Litestar, route
from litestar.testing import AsyncTestClient

from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.doors.http.downloads import (
    Download,
    Representation,
    content_disposition,
    is_safe_inline,
    serve,
)
from tests.support.asgi import PATHSEND, Exchange, http_scope

CONTENT = bytes(range(256)) * 4
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


class Reader:
    """Reads ``CONTENT`` in small pieces, and remembers what it was asked and whether it ended."""

    def __init__(self, content: bytes = CONTENT, *, fail_at: int | None = None) -> None:
        self.content = content
        self.fail_at = fail_at
        self.asked: list[tuple[int, int]] = []
        self.closed = 0

    async def __call__(self, start: int, end: int) -> AsyncIterator[bytes]:
        self.asked.append((start, end))
        try:
            for position in range(start, min(end, len(self.content)), 100):
                if self.fail_at is not None and position >= self.fail_at:
                    raise NotFoundError("the object vanished")
                await asyncio.sleep(0)
                yield self.content[position : min(position + 100, end)]
        finally:
            self.closed += 1


def representation(reader: Reader | None = None, **changes: Any) -> Representation:
    original = Representation(
        size=len(CONTENT),
        content_type="video/mp4",
        etag='"v1"',
        last_modified=datetime(2015, 10, 21, 7, 28, 0, 5, tzinfo=UTC),
        filename="clip.mp4",
        inline=True,
        path=None,
        read=reader or Reader(),
    )
    return replace(original, **changes)


async def get(
    subject: Representation, method: str = "GET", *, extensions: Any = None, **headers: str
) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    scope = http_scope(method, headers=named, extensions=extensions or {})
    exchange = Exchange()
    await serve(scope, exchange.receive, exchange.send, subject)
    assert exchange.finished
    return exchange


async def test_the_whole_is_sent_with_all_its_headers() -> None:
    answer = await get(representation())
    assert answer.status == 200
    assert answer.answer_body == CONTENT
    assert answer.headers == {
        "etag": '"v1"',
        "last-modified": DATE,
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
        "content-disposition": "inline; filename=\"clip.mp4\"; filename*=UTF-8''clip.mp4",
        "x-content-type-options": "nosniff",
        "content-type": "video/mp4",
        "content-length": "1024",
    }


async def test_head_sends_the_headers_of_get_and_reads_nothing() -> None:
    reader = Reader()
    head = await get(representation(reader), "HEAD")
    assert head.headers == (await get(representation())).headers
    assert head.answer_body == b""
    assert reader.asked == []


async def test_head_has_no_ranges() -> None:
    head = await get(representation(), "HEAD", range="bytes=0-9")
    assert (head.status, head.headers["content-length"]) == (200, "1024")


@pytest.mark.parametrize(
    ("field", "content_range", "start", "end"),
    [
        ("bytes=0-0", "bytes 0-0/1024", 0, 1),
        ("bytes=100-299", "bytes 100-299/1024", 100, 300),
        ("bytes=1000-5000", "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=-24", "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=0-", "bytes 0-1023/1024", 0, 1024),
        ("bytes=0-99,100-199", "bytes 0-199/1024", 0, 200),
    ],
)
async def test_one_range_is_sent_by_itself(
    field: str, content_range: str, start: int, end: int
) -> None:
    reader = Reader()
    answer = await get(representation(reader), range=field)
    assert answer.status == 206
    assert answer.answer_body == CONTENT[start:end]
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["etag"] == '"v1"'
    assert reader.asked == [(start, end)]


async def test_several_ranges_are_sent_as_multipart() -> None:
    answer = await get(representation(), range="bytes=-10,0-9,500-749")
    assert answer.status == 206
    body = answer.answer_body
    assert answer.headers["content-length"] == str(len(body))
    assert "content-range" not in answer.headers
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    parts = [
        (part["Content-Range"], part.get_content_type(), part.get_payload(decode=True))
        for part in message.iter_parts()
    ]
    assert parts == [
        ("bytes 0-9/1024", "video/mp4", CONTENT[:10]),
        ("bytes 500-749/1024", "video/mp4", CONTENT[500:750]),
        ("bytes 1014-1023/1024", "video/mp4", CONTENT[-10:]),
    ]


@pytest.mark.parametrize(
    "field", ["bytes=9-0", "bytes=x", "lines=0-9", "bytes=0-,0-", "bytes=" + "0-0," * 17]
)
async def test_a_range_header_that_does_not_count_gets_the_whole(field: str) -> None:
    answer = await get(representation(), range=field)
    assert (answer.status, answer.answer_body) == (200, CONTENT)


@pytest.mark.parametrize("field", ["bytes=1024-", "bytes=-0", "bytes=2000-3000"])
async def test_a_range_beyond_the_end_cannot_be_satisfied(field: str) -> None:
    answer = await get(representation(), range=field)
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */1024"
    assert answer.headers["content-length"] == "0"
    assert answer.answer_body == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"v1"'}, 304),
        ({"if_none_match": 'W/"v1"'}, 304),
        ({"if_modified_since": DATE}, 304),
        ({"if_none_match": '"v0"', "if_modified_since": DATE}, 200),
        ({"if_match": '"v1"'}, 200),
        ({"if_match": '"v0"'}, 412),
        ({"if_unmodified_since": "Wed, 21 Oct 2015 07:27:00 GMT"}, 412),
        ({"if_none_match": '"v1"', "range": "bytes=0-9"}, 304),
        ({"if_none_match": '"v1"', "range": "bytes=5000-"}, 304),
        ({"if_match": '"v0"', "range": "bytes=0-9"}, 412),
        ({"if_range": '"v1"', "range": "bytes=0-9"}, 206),
        ({"if_range": DATE, "range": "bytes=0-9"}, 206),
        ({"if_range": '"v0"', "range": "bytes=0-9"}, 200),
        ({"if_range": 'W/"v1"', "range": "bytes=0-9"}, 200),
        ({"if_range": '"v0"', "range": "bytes=5000-"}, 200),
    ],
)
async def test_conditions_decide_before_ranges(headers: dict[str, str], status: int) -> None:
    answer = await get(representation(), **headers)
    assert answer.status == status
    body = {200: CONTENT, 206: CONTENT[:10]}.get(status, b"")
    assert answer.answer_body == body
    head = await get(representation(), "HEAD", **headers)
    assert head.status == (200 if status == 206 else status)


async def test_bytes_without_a_date_are_judged_by_their_tag_alone() -> None:
    future = "Fri, 31 Dec 2100 23:59:59 GMT"
    undated = representation(last_modified=None)
    for headers in ({}, {"if_modified_since": future}, {"if_range": future, "range": "bytes=0-9"}):
        answer = await get(undated, **headers)
        assert answer.status == 200
        assert "last-modified" not in answer.headers
    assert (await get(undated, if_none_match=undated.etag)).status == 304


async def test_not_modified_repeats_the_validators() -> None:
    answer = await get(representation(), if_none_match="*")
    assert answer.headers == {
        "etag": '"v1"',
        "last-modified": DATE,
        "cache-control": "private, no-cache",
    }


@pytest.mark.parametrize(
    ("field", "status"), [(None, 200), ("bytes=-5", 200), ("bytes=0-", 416), ("bytes=-0", 416)]
)
async def test_an_empty_representation(field: str | None, status: int) -> None:
    headers = {} if field is None else {"range": field}
    answer = await get(representation(Reader(b""), size=0), **headers)
    assert (answer.status, answer.headers["content-length"]) == (status, "0")


@pytest.mark.parametrize(
    ("content_type", "safe"),
    [
        ("image/png", True),
        ("image/jpeg", True),
        ("IMAGE/HEIC", True),
        ("video/mp4", True),
        ("video/mp4; codecs=avc1", True),
        ("video/x-matroska", True),
        ("audio/mpeg", True),
        ("text/plain; charset=utf-8", True),
        ("text/vtt", True),
        ("application/vnd.apple.mpegurl", True),
        ("text/html", False),
        ("text/html; x=text/plain", False),
        ("text/plain, text/html", False),
        ("image/svg+xml", False),
        ("video/anything+xml", False),
        ("application/xhtml+xml", False),
        ("text/xml", False),
        ("application/pdf", False),
        ("text/javascript", False),
        ("application/octet-stream", False),
        ("text/plain\r\nX: y", False),
        ("text/plain\n", False),
        ("text", False),
        ("", False),
    ],
)
async def test_only_types_that_can_run_no_script_are_shown_inline(
    content_type: str, *, safe: bool
) -> None:
    assert is_safe_inline(content_type) is safe
    headers = (await get(representation(content_type=content_type))).headers
    assert headers["content-disposition"].startswith("inline;" if safe else "attachment;")
    sandboxed = headers.get("content-security-policy") == "sandbox; default-src 'none'"
    assert sandboxed is not safe


async def test_a_malformed_type_is_not_sent() -> None:
    answer = await get(representation(content_type="video/mp4\r\nSet-Cookie: a=b"))
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_safe_type_is_an_attachment_when_display_was_not_asked_for() -> None:
    headers = (await get(representation(inline=False))).headers
    assert headers["content-disposition"].startswith("attachment;")
    assert "content-security-policy" not in headers


@pytest.mark.parametrize(
    ("filename", "fallback", "decoded"),
    [
        ("clip.mp4", "clip.mp4", "clip.mp4"),
        ("two words;x=y.mp4", "two words;x=y.mp4", "two words;x=y.mp4"),
        ('a"b.mp4', "a_b.mp4", 'a"b.mp4'),
        ("50%41.mp4", "50_41.mp4", "50%41.mp4"),
        ("ünï 日本 🎬.mp4", "_n_ __ _.mp4", "ünï 日本 🎬.mp4"),
        ("a\r\nSet-Cookie: x=y", "a__Set-Cookie: x=y", "a__Set-Cookie: x=y"),
        ("a\x00\x7f\x85b", "a___b", "a___b"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ("C:\\x.mp4", "C:_x.mp4", "C:_x.mp4"),
        ("evil\u202e4pm.exe", "evil_4pm.exe", "evil_4pm.exe"),
        ("\ud800.mp4", "_.mp4", "_.mp4"),
        ("", "download", "download"),
        (" .. ", "download", "download"),
    ],
)
def test_file_names_are_offered_safely(filename: str, fallback: str, decoded: str) -> None:
    header = content_disposition(filename, inline=False)
    match = re.fullmatch(
        r"""attachment; filename="([ -~]*)"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)""", header
    )
    assert match is not None
    assert match[1] == fallback
    assert unquote(match[2]) == decoded


@pytest.mark.parametrize("character", ["a", "é", "🎬"])
def test_long_names_are_cut_between_characters_and_keep_their_suffix(character: str) -> None:
    header = content_disposition(character * 10_000 + ".mp4", inline=True)
    name = unquote(header.partition("UTF-8''")[2], errors="strict")
    assert re.fullmatch(f"{character}+\\.mp4", name)
    assert 250 < len(name.encode()) <= 255


def test_a_representation_needs_a_strong_entity_tag() -> None:
    for bad in ("v1", 'W/"v1"', ""):
        with pytest.raises(ValueError, match="strong entity tag"):
            representation(etag=bad)


async def test_a_whole_local_file_is_left_to_the_server(tmp_path: Path) -> None:
    path = tmp_path / "original"
    path.write_bytes(CONTENT)
    reader = Reader()
    answer = await get(representation(reader, path=path), extensions=PATHSEND)
    assert answer.sent[1:] == [{"type": "http.response.pathsend", "path": str(path)}]
    assert answer.headers["content-length"] == "1024"
    assert reader.asked == []


@pytest.mark.parametrize(
    ("method", "extensions", "headers", "status"),
    [
        ("GET", {}, {}, 200),
        ("GET", PATHSEND, {"range": "bytes=0-9"}, 206),
        ("GET", PATHSEND, {"range": "bytes=0-1,5-6"}, 206),
        ("GET", PATHSEND, {"if_none_match": '"v1"'}, 304),
        ("HEAD", PATHSEND, {}, 200),
    ],
)
async def test_everything_else_of_a_local_file_is_not(
    tmp_path: Path, method: str, extensions: Any, headers: dict[str, str], status: int
) -> None:
    path = tmp_path / "original"
    path.write_bytes(CONTENT)
    subject = representation(path=path)
    answer = await get(subject, method, extensions=extensions, **headers)
    assert answer.status == status
    assert {message["type"] for message in answer.sent[1:]} == {"http.response.body"}


async def failing(subject: Representation, **headers: str) -> tuple[Exchange, Exception]:
    """Ask for a representation that cannot be sent; return what was sent, and the error."""
    exchange = Exchange()
    scope = http_scope(headers=headers, extensions=PATHSEND)
    with pytest.raises((NotFoundError, UnavailableError)) as caught:
        await serve(scope, exchange.receive, exchange.send, subject)
    return exchange, caught.value


async def test_a_missing_local_file_is_an_error_before_the_response(tmp_path: Path) -> None:
    exchange, error = await failing(representation(path=tmp_path / "gone"))
    assert isinstance(error, NotFoundError)
    assert str(tmp_path) not in error.detail
    assert exchange.sent == []


async def test_a_local_file_of_another_size_is_an_error_before_the_response(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    path.write_bytes(CONTENT[:-1])
    exchange, error = await failing(representation(path=path))
    assert isinstance(error, UnavailableError)
    assert exchange.sent == []


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=0-1,5-6"])
async def test_an_object_that_is_gone_is_an_error_before_the_response(field: str) -> None:
    reader = Reader(fail_at=0)
    exchange, error = await failing(representation(reader), Range=field)
    assert isinstance(error, NotFoundError)
    assert exchange.sent == []
    assert reader.closed == 1


@pytest.mark.parametrize(
    ("reader", "error_type"),
    [
        (Reader(fail_at=300), NotFoundError),
        (Reader(CONTENT[:-1]), UnavailableError),
        (Reader(CONTENT[:300]), UnavailableError),
    ],
)
async def test_a_body_that_breaks_off_never_looks_complete(
    reader: Reader, error_type: type[Exception]
) -> None:
    exchange, error = await failing(representation(reader))
    assert isinstance(error, error_type)
    assert exchange.status == 200
    assert 0 < len(exchange.answer_body) < len(CONTENT)
    assert not exchange.finished
    assert reader.closed == 1


async def test_a_reader_that_gives_too_much_never_overruns_the_announced_length() -> None:
    async def generous(start: int, end: int) -> AsyncIterator[bytes]:
        yield CONTENT[start : start + 100]
        yield CONTENT[start + 100 :]

    exchange, _ = await failing(representation(size=150, read=generous))
    assert len(exchange.answer_body) <= 150
    assert not exchange.finished


async def test_a_leaving_client_closes_a_reader_that_is_waiting() -> None:
    closed = asyncio.Event()

    async def stuck(start: int, end: int) -> AsyncIterator[bytes]:
        try:
            yield CONTENT[:10]
            await asyncio.Event().wait()
        finally:
            closed.set()

    exchange = Exchange()
    subject = representation(None, read=stuck)
    serving = asyncio.create_task(serve(http_scope(), exchange.receive, exchange.send, subject))
    while not exchange.answer_body:
        await asyncio.sleep(0)
    exchange.gone.set()
    await asyncio.wait_for(serving, 1)
    assert closed.is_set()
    assert not exchange.finished


async def test_a_leaving_client_stops_a_reader_and_a_server_that_never_wait() -> None:
    given = 0

    async def tireless(start: int, end: int) -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(start, end):
            given += 1
            yield b"x"

    exchange = Exchange()

    async def send(message: dict[str, Any]) -> None:
        exchange.gone.set()

    subject = representation(None, read=tireless)
    await asyncio.wait_for(serve(http_scope(), exchange.receive, send, subject), 1)
    assert given < 10


async def test_a_cancelled_download_closes_its_reader() -> None:
    reader = Reader()
    exchange = Exchange()
    subject = representation(reader)
    serving = asyncio.create_task(serve(http_scope(), exchange.receive, exchange.send, subject))
    while not exchange.answer_body:
        await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert reader.closed == 1
    assert not exchange.finished


async def test_litestar_routes_return_downloads() -> None:
    @route("/clip", http_method=["GET", "HEAD"], response_headers={"X-Door": "3"})
    async def clip() -> Download:
        return Download(
            representation(), cache_control="public, max-age=60", headers={"X-More": "1"}
        )

    async with AsyncTestClient(Litestar([clip], openapi_config=None)) as client:
        whole = await client.get("/clip")
        assert (whole.status_code, whole.content) == (200, CONTENT)
        assert whole.headers["content-type"] == "video/mp4"
        assert whole.headers["cache-control"] == "public, max-age=60"
        assert (whole.headers["x-door"], whole.headers["x-more"]) == ("3", "1")
        some = await client.get("/clip", headers={"Range": "bytes=1-2"})
        assert (some.status_code, some.content) == (206, CONTENT[1:3])
        head = await client.head("/clip")
        assert (head.status_code, head.headers["content-length"]) == (200, "1024")
        assert (await client.get("/clip", headers={"If-Match": '"x"'})).status_code == 412
