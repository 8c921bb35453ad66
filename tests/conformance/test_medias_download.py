"""Door 3, downloads: ranges and conditions of RFC 9110 through the real server, both stores."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import pytest

from tests.support.medias import fresh, headers_of, upload
from tests.support.service import Service

SIZE = 300_000
CONTENT = random.Random(3).randbytes(SIZE)
PNG = b"\x89PNG\r\n\x1a\n" + CONTENT
BIN_DISPOSITION = "attachment; filename=\"clip.bin\"; filename*=UTF-8''clip.bin"


@dataclass(frozen=True)
class Stored:
    """A media to be downloaded."""

    service: Service
    path: str
    etag: str
    modified: datetime

    def get(self, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Accept-Encoding"] = "identity"
        return self.service.http.request(method, self.path, headers=named)

    def date(self, seconds: int = 0) -> str:
        return format_datetime(self.modified + timedelta(seconds=seconds), usegmt=True)


@pytest.fixture(scope="module", params=["local", "s3"])
def stored(request: pytest.FixtureRequest) -> Stored:
    """One media of ``CONTENT`` on each kind of store, for all tests that only read it."""
    service: Service = request.getfixturevalue(f"{request.param}_service")
    resource = fresh(".bin")
    created = upload(service, resource, CONTENT, filename="clip.bin")["attributes"]["created_at"]
    path = f"/medias/files/{resource}"
    etag = service.http.head(path).headers["etag"]
    modified = datetime.fromisoformat(created).astimezone(UTC).replace(microsecond=0)
    return Stored(service, path, etag, modified)


def validators(stored: Stored) -> dict[str, str]:
    return {
        "etag": stored.etag,
        "last-modified": stored.date(),
        "cache-control": "private, no-cache",
    }


def offered(stored: Stored) -> dict[str, str]:
    return {
        **validators(stored),
        "accept-ranges": "bytes",
        "content-disposition": BIN_DISPOSITION,
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_whole_comes_with_all_its_headers(stored: Stored, method: str) -> None:
    answer = stored.get(method)
    assert answer.status_code == 200
    assert headers_of(answer) == {
        **offered(stored),
        "content-type": "application/octet-stream",
        "content-length": str(SIZE),
    }
    assert answer.content == (CONTENT if method == "GET" else b"")


def test_the_etag_is_strong_and_of_this_media_alone(stored: Stored) -> None:
    assert stored.etag.startswith('"')
    assert stored.get().headers["etag"] == stored.etag
    other = fresh()
    upload(stored.service, other, CONTENT)
    assert stored.service.http.head(f"/medias/files/{other}").headers["etag"] != stored.etag


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=0-{10**30}", 0, SIZE - 1),
        (f"bytes={SIZE - 10}-{SIZE + 10}", SIZE - 10, SIZE - 1),
        ("Bytes=7-8", 7, 8),
        ("bytes= 7-8 ,", 7, 8),
        (f"bytes=5-6,{SIZE}-", 5, 6),
        ("bytes=0-0,1-1", 0, 1),
        ("bytes=10-20,15-30", 10, 30),
    ],
)
def test_one_range_is_a_part(stored: Stored, asked: str, first: int, last: int) -> None:
    answer = stored.get(Range=asked)
    assert answer.status_code == 206
    assert answer.content == CONTENT[first : last + 1]
    assert headers_of(answer) == {
        **offered(stored),
        "content-type": "application/octet-stream",
        "content-length": str(last + 1 - first),
        "content-range": f"bytes {first}-{last}/{SIZE}",
    }


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=1-2-3",
        "bytes=--5",
        "bytes=0x1-0x2",
        "bytes=1-2,x",
        "items=0-1",
        "bytes 0-1",
        "bytes=" + ",".join(f"{n * 10}-{n * 10}" for n in range(17)),
        f"bytes=0-{SIZE - 2},1-{SIZE - 1}",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_that_makes_no_sense_is_ignored(stored: Stored, asked: str) -> None:
    answer = stored.get(Range=asked)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={10**20}-,{SIZE}-"])
def test_a_range_beyond_the_end_cannot_be_satisfied(stored: Stored, asked: str) -> None:
    answer = stored.get(Range=asked)
    assert answer.status_code == 416
    assert answer.content == b""
    assert headers_of(answer) == {
        "content-range": f"bytes */{SIZE}",
        "accept-ranges": "bytes",
        "content-length": "0",
    }


@pytest.mark.parametrize(
    ("asked", "spans"),
    [
        ("bytes=0-1,10-11", [(0, 1), (10, 11)]),
        ("bytes=100-199, -5, 0-0", [(0, 0), (100, 199), (SIZE - 5, SIZE - 1)]),
        (f"bytes=0-0,{SIZE - 1}-,{SIZE}-", [(0, 0), (SIZE - 1, SIZE - 1)]),
        ("bytes=0-99999,200000-", [(0, 99_999), (200_000, SIZE - 1)]),
    ],
)
def test_several_ranges_come_as_multipart_byteranges(
    stored: Stored, asked: str, spans: list[tuple[int, int]]
) -> None:
    answer = stored.get(Range=asked)
    assert answer.status_code == 206
    found = headers_of(answer)
    content_type = found.pop("content-type")
    assert found == {**offered(stored), "content-length": str(len(answer.content))}
    assert content_type.startswith("multipart/byteranges; boundary=")

    text = f"Content-Type: {content_type}\r\n\r\n".encode() + answer.content
    assert [(part["content-type"], part["content-range"]) for part in _parts(text)] == [
        ("application/octet-stream", f"bytes {first}-{last}/{SIZE}") for first, last in spans
    ]
    boundary = content_type.partition("boundary=")[2].encode()
    bodies = [piece.partition(b"\r\n\r\n")[2] for piece in answer.content.split(b"--" + boundary)]
    assert bodies[1:-1] == [CONTENT[first : last + 1] + b"\r\n" for first, last in spans]
    assert answer.content.endswith(b"\r\n--" + boundary + b"--\r\n")


def _parts(text: bytes) -> list[Message]:
    parsed = BytesParser().parsebytes(text)
    assert parsed.is_multipart()
    return [part for part in parsed.walk() if not part.is_multipart()]


def test_head_knows_no_ranges(stored: Stored) -> None:
    answer = stored.get("HEAD", Range="bytes=0-0")
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))
    assert stored.get("HEAD", Range=f"bytes={SIZE}-").status_code == 200


# In the values "E" stands for the current entity tag, "now", "past" and "future" for dates.
CONDITIONS: list[tuple[dict[str, str], int]] = [
    ({"If-None-Match": "E"}, 304),
    ({"If-None-Match": "W/E"}, 304),
    ({"If-None-Match": '"x", W/"y",E'}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"x"'}, 200),
    ({"If-None-Match": "unquoted"}, 200),
    ({"If-Modified-Since": "now"}, 304),
    ({"If-Modified-Since": "future"}, 304),
    ({"If-Modified-Since": "past"}, 200),
    ({"If-Modified-Since": "yesterday"}, 200),
    ({"If-None-Match": '"x"', "If-Modified-Since": "now"}, 200),
    ({"If-None-Match": "E", "If-Modified-Since": "past"}, 304),
    ({"If-Match": "E"}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": '"x",E'}, 200),
    ({"If-Match": '"x"'}, 412),
    ({"If-Match": "W/E"}, 412),
    ({"If-Unmodified-Since": "now"}, 200),
    ({"If-Unmodified-Since": "past"}, 412),
    ({"If-Unmodified-Since": "yesterday"}, 200),
    ({"If-Match": "E", "If-Unmodified-Since": "past"}, 200),
    ({"If-Match": '"x"', "If-None-Match": "E"}, 412),
]


def filled_in(headers: dict[str, str], stored: Stored) -> dict[str, str]:
    dates = {"now": stored.date(), "past": stored.date(-10), "future": stored.date(10)}
    return {
        name: dates.get(value) or value.replace("E", stored.etag) for name, value in headers.items()
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("headers", "status"), CONDITIONS)
def test_conditions_decide(
    stored: Stored, method: str, headers: dict[str, str], status: int
) -> None:
    answer = stored.get(method, **filled_in(headers, stored))
    assert answer.status_code == status
    found = headers_of(answer)
    if status == 200:
        assert answer.content == (CONTENT if method == "GET" else b"")
    elif status == 304:
        assert found == validators(stored)
        assert answer.content == b""
    else:
        assert found == {"content-length": "0"}
        assert answer.content == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Range": "E"}, 206),
        ({"If-Range": "now"}, 206),
        ({"If-Range": "W/E"}, 200),
        ({"If-Range": '"x"'}, 200),
        ({"If-Range": "past"}, 200),
        ({"If-Range": "future"}, 200),
        ({"If-Range": "nonsense"}, 200),
        ({"If-None-Match": "E"}, 304),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": "E"}, 206),
    ],
)
def test_conditions_decide_before_ranges(
    stored: Stored, headers: dict[str, str], status: int
) -> None:
    answer = stored.get(Range="bytes=1-2", **filled_in(headers, stored))
    assert answer.status_code == status
    bodies = {206: CONTENT[1:3], 200: CONTENT, 304: b"", 412: b""}
    assert answer.content == bodies[status]


def test_an_unsatisfiable_range_counts_only_if_the_media_is_the_one_meant(stored: Stored) -> None:
    assert stored.get(Range=f"bytes={SIZE}-", If_Range=stored.etag).status_code == 416
    assert stored.get(Range=f"bytes={SIZE}-", If_Range='"x"').status_code == 200


def test_a_date_is_the_time_of_creation(stored: Stored) -> None:
    assert parsedate_to_datetime(stored.get("HEAD").headers["last-modified"]) == stored.modified


@pytest.mark.parametrize("prefix", ["", "/api/v1/media"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_address_gives_the_same_answer(stored: Stored, prefix: str, slash: str) -> None:
    answer = stored.service.http.get(prefix + stored.path + slash)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert headers_of(answer) == headers_of(stored.get())


@pytest.mark.parametrize(
    ("content", "filename", "content_type", "inline"),
    [
        (PNG, "a.png", "image/png", True),
        (b"\xff\xd8\xff\xe0" + CONTENT, "a.jpg", "image/jpeg", True),
        (b"#EXTM3U\n", "master.m3u8", "application/vnd.apple.mpegurl", True),
        (b"WEBVTT\n\n", "a.vtt", "text/vtt", True),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ", "a.mov", "video/quicktime", True),
        (b"<html><script>alert(1)</script>", "a.html", "text/html", False),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "image/svg+xml", False),
        (b"%PDF-1.7\n", "a.pdf", "application/pdf", False),
    ],
)
def test_only_what_can_run_no_script_is_shown_in_the_browser(
    service: Service, content: bytes, filename: str, content_type: str, inline: bool
) -> None:
    resource = fresh()
    upload(service, resource, content, filename=filename)
    answer = service.http.get(f"/medias/files/{resource}")
    assert answer.content == content
    assert answer.headers["content-type"] == content_type
    kind = "inline" if inline else "attachment"
    disposition = f"{kind}; filename=\"{filename}\"; filename*=UTF-8''{filename}"
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    csp = None if inline else "sandbox; default-src 'none'"
    assert answer.headers.get("content-security-policy") == csp


def test_an_empty_media_has_no_ranges(service: Service) -> None:
    resource = fresh()
    upload(service, resource, b"")
    path = f"/medias/files/{resource}"
    assert service.http.get(path, headers={"Range": "bytes=0-"}).status_code == 416
    assert service.http.get(path, headers={"Range": "bytes=-5"}).status_code == 200


def test_players_find_the_siblings_of_a_playlist(service: Service) -> None:
    resource = fresh()
    upload(service, resource, b"#EXTM3U\n240p_0002.ts\n", key="master.m3u8")
    upload(service, resource, CONTENT, key="240p_0002.ts")
    playlist = service.http.get(f"/medias/files/{resource}/master.m3u8")
    sibling = playlist.url.join(playlist.text.splitlines()[1])
    assert service.http.get(sibling).content == CONTENT
