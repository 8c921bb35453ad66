"""Door 1, playback: what has arrived so far, and the files that a recording became."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import BytesParser

import httpx
import pytest

from tests.support.door_one import (
    WEBM,
    add,
    check_added,
    check_error,
    complete,
    create,
    record,
    show,
    wait_for_end,
)
from tests.support.films import chunks, make_recording
from tests.support.medias import headers_of
from tests.support.service import Service

CHUNKS = [WEBM + bytes(range(256)) * 4, b"b" * 5_000, b"c" * 70_000, b"d"]
CONTENT = b"".join(CHUNKS)
SIZE = len(CONTENT)
GIF = b"GIF89a" + b"\0" * 20


@pytest.fixture(scope="module", params=["local", "s3"])
def live(request: pytest.FixtureRequest) -> tuple[Service, str]:
    """A recording of ``CONTENT`` that goes on, for all tests that only read it."""
    service: Service = request.getfixturevalue(f"{request.param}_service")
    return service, record(service, *CHUNKS)


@dataclass(frozen=True)
class Finished:
    """A recording that was processed, and the bytes that it was made of."""

    service: Service
    video_id: str
    sent: bytes

    def get(self, name: str = "", **headers: str) -> httpx.Response:
        return get(self.service, f"/video/{self.video_id}/{name}", **headers)


@pytest.fixture(scope="module", params=["local", "s3"])
def finished(request: pytest.FixtureRequest) -> Finished:
    """A film on each kind of store, for all tests that only read it."""
    service: Service = request.getfixturevalue(f"{request.param}_service")
    film = make_recording("vp8", 1.0)
    video_id = record(service, *chunks(film, 4))
    complete(service, video_id)
    assert wait_for_end(service, video_id) == {"status": "complete"}
    return Finished(service, video_id, film)


def get(service: Service, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.http.request(method, path, headers={"Accept-Encoding": "identity", **named})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["live", "original", "processed.webm", "a%20b", "é"])
def test_what_has_arrived_is_there_under_any_name(
    live: tuple[Service, str], name: str, method: str
) -> None:
    service, video_id = live

    answer = get(service, f"/video/{video_id}/{name}", method)

    assert answer.status_code == 200
    headers = headers_of(answer)
    assert re.fullmatch(rf'"[0-9a-f]{{32}}-{SIZE}"', headers.pop("etag"))
    assert re.fullmatch(
        r'inline; filename="(recording-\d{8}T\d{6}Z\.webm)"; filename\*=UTF-8\'\'\1',
        headers.pop("content-disposition"),
    )
    assert headers == {
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "content-length": str(SIZE),
        "content-type": "video/webm",
        "x-content-type-options": "nosniff",
    }
    assert answer.content == (CONTENT if method == "GET" else b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1100", 1000, 1100),
        (f"bytes={len(CHUNKS[0]) - 1}-{len(CHUNKS[0])}", len(CHUNKS[0]) - 1, len(CHUNKS[0])),
        ("bytes=10-70000", 10, 70_000),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        (f"bytes=-{10 * SIZE}", 0, SIZE - 1),
        (f"bytes={SIZE - 1}-{10**12}", SIZE - 1, SIZE - 1),
    ],
)
@pytest.mark.parametrize("name", ["", "x"])
def test_a_part_of_what_has_arrived(
    live: tuple[Service, str], name: str, asked: str, first: int, last: int
) -> None:
    service, video_id = live
    answer = get(service, f"/video/{video_id}/{name}", Range=asked)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.content == CONTENT[first : last + 1]


def test_several_parts_of_what_has_arrived(live: tuple[Service, str]) -> None:
    service, video_id = live
    answer = get(service, f"/video/{video_id}/x", Range="bytes=0-3,1000-9000,-1")
    assert answer.status_code == 206
    head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    parts = list(BytesParser().parsebytes(head + answer.content).walk())[1:]
    assert [part["content-range"] for part in parts] == [
        f"bytes 0-3/{SIZE}",
        f"bytes 1000-9000/{SIZE}",
        f"bytes {SIZE - 1}-{SIZE - 1}/{SIZE}",
    ]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0"])
def test_a_part_that_has_not_arrived_is_416(live: tuple[Service, str], asked: str) -> None:
    service, video_id = live
    answer = get(service, f"/video/{video_id}/x", Range=asked)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


def test_conditions_hold_until_more_arrives(service: Service) -> None:
    video_id = record(service, b"first")
    path = f"/video/{video_id}/live"
    first = get(service, path).headers["etag"]
    part = "bytes=0-1"

    assert get(service, path, If_None_Match=first).status_code == 304
    assert get(service, path, If_Match=first).content == b"first"
    assert get(service, path, If_Range=first, Range=part).content == b"fi"
    check_added(add(service, video_id, b"second"))

    second = get(service, path, If_None_Match=first)
    assert (second.status_code, second.content) == (200, b"firstsecond")
    assert second.headers["etag"] != first
    assert get(service, path, If_Match=first).status_code == 412
    assert get(service, path, If_Range=first, Range=part).content == b"firstsecond"


def test_nothing_is_played_before_anything_arrived(local_service: Service) -> None:
    video_id = create(local_service)
    for headers in ({}, {"Range": "bytes=0-"}):
        answer = get(local_service, f"/video/{video_id}/live", **headers)
        check_error(answer, 404, says="Nothing of this video has arrived yet")
    answer = get(local_service, f"/video/{video_id}/", Accept="video/*")
    check_error(answer, 404, says="Nothing of this video has arrived yet")
    assert get(local_service, f"/video/{video_id}/").json() == {"completed_videos": []}


@pytest.mark.parametrize(
    ("content", "content_type", "extension"),
    [
        (b"\0\0\0\x14ftypiso5\0\0\0\0iso5", "video/mp4", "mp4"),
        (b"OggS" + b"\0" * 30, "audio/ogg", "ogg"),
        (b"<html><script>alert(1)</script>", "text/html", "html"),
        (b"\x00\x01\x02", "application/octet-stream", "bin"),
    ],
)
def test_the_type_is_told_by_the_first_bytes(
    local_service: Service, content: bytes, content_type: str, extension: str
) -> None:
    video_id = create(local_service)
    check_added(add(local_service, video_id, content[:1], Content_Type="video/webm"))
    check_added(add(local_service, video_id, content[1:], Content_Type="video/webm"))
    answer = get(local_service, f"/video/{video_id}/film.webm")
    assert answer.headers["content-type"] == content_type
    disposition = answer.headers["content-disposition"]
    assert disposition.endswith(f"Z.{extension}")
    # What a browser could run is neither shown in our origin nor anything but a document.
    safe = content_type.startswith(("video/", "audio/"))
    assert disposition.startswith("inline" if safe else "attachment")
    assert ("content-security-policy" in answer.headers) is not safe


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "application/json, video/*;q=0.9"},
        {"Accept": "text/html,application/xhtml+xml,image/avif,*/*;q=0.8"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_the_list_is_what_most_clients_get(
    live: tuple[Service, str], slash: str, method: str, headers: dict[str, str]
) -> None:
    service, video_id = live
    answer = get(service, f"/video/{video_id}{slash}", method, **headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept, Range"
    assert answer.content == (b'{"completed_videos":[]}' if method == "GET" else b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "video/*"},
        {"Accept": "audio/webm"},
        {"Accept": "video/webm,video/ogg,video/*;q=0.9,audio/*;q=0.6,*/*;q=0.5"},
        {"Accept": "*/*", "Range": "bytes=0-"},
        {"Accept": "application/json", "Range": "bytes=0-"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_who_wants_a_video_gets_the_bytes(
    live: tuple[Service, str], slash: str, method: str, headers: dict[str, str]
) -> None:
    service, video_id = live
    answer = get(service, f"/video/{video_id}{slash}", method, **headers)
    assert answer.status_code == (206 if "Range" in headers and method == "GET" else 200)
    assert answer.headers["content-type"] == "video/webm"
    assert answer.headers["vary"] == "Accept, Range"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.content == (CONTENT if method == "GET" else b"")


def test_a_finished_recording_lists_and_plays_what_was_made_of_it(finished: Finished) -> None:
    assert finished.get().json() == {"completed_videos": ["processed.webm"]}

    played = [finished.get("processed.webm"), finished.get(Accept="video/*")]
    played.append(finished.get(Range="bytes=0-"))

    made = finished.service.http.get(f"/medias/files/{finished.video_id}/processed.webm")
    for answer in played:
        assert answer.content == made.content
        assert answer.headers["content-type"] == "video/webm"
        assert answer.headers["etag"] == made.headers["etag"]
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["last-modified"] == made.headers["last-modified"]
    part = finished.get("processed.webm", Range="bytes=10-19", If_Range=made.headers["etag"])
    assert (part.status_code, part.content) == (206, made.content[10:20])
    assert finished.get("processed.webm", If_None_Match=made.headers["etag"]).status_code == 304


def test_every_file_of_a_finished_recording_has_its_name(finished: Finished) -> None:
    found = show(finished.service, finished.video_id)
    media = found["media"]
    assert {file["key"] for file in found["files"]} >= {"", "processed.webm", "thumbnail.jpg"}
    for file in found["files"]:
        assert file["url"].startswith(f"{finished.service.url}/medias/files/{finished.video_id}")
        answer = finished.get(file["key"] or "original")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == file["mime_type"]
        assert len(answer.content) == file["size"]
        assert answer.content == finished.service.http.get(file["url"]).content
    listed = finished.service.http.get(f"/medias/info/{finished.video_id}").json()["data"]
    assert listed["id"] == media
    for name in ("original", listed["attributes"]["filename"]):
        assert finished.get(name).content == finished.sent


def test_a_recording_can_be_played_while_it_is_processed(service: Service) -> None:
    film = make_recording("vp8", 1.0)
    video_id = record(service, film)
    complete(service, video_id)
    ended = False
    while not ended:
        ended = show(service, video_id)["status"] == "complete"
        answer = get(service, f"/video/{video_id}/original", Range="bytes=100-")
        assert (answer.status_code, answer.content) == (206, film[100:])
        assert answer.headers["content-range"] == f"bytes 100-{len(film) - 1}/{len(film)}"
        answer = get(service, f"/video/{video_id}/processed.webm")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "video/webm"


@pytest.mark.parametrize("name", ["other.webm", "live", "%00", "x" * 300, "Original", "é"])
def test_a_finished_recording_has_no_other_names(finished: Finished, name: str) -> None:
    check_error(finished.get(name), 404, says="no file of this name")


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_failed_recording_gives_back_what_was_received(service: Service, slash: str) -> None:
    sent = b"no film " * 1000
    video_id = record(service, sent[:100], sent[100:])
    complete(service, video_id)
    assert wait_for_end(service, video_id)["status"] == "failed"

    assert get(service, f"/video/{video_id}{slash}").json() == {"completed_videos": []}
    assert get(service, f"/video/{video_id}/original{slash}").content == sent
    assert get(service, f"/video/{video_id}{slash}", Accept="video/*").content == sent
    check_error(get(service, f"/video/{video_id}/other"), 404, says="no file of this name")


def test_a_recording_whose_files_were_deleted_is_not_there_any_more(
    local_service: Service,
) -> None:
    video_id = record(local_service, b"no film")
    complete(local_service, video_id)
    wait_for_end(local_service, video_id)
    media = show(local_service, video_id)["media"]
    assert local_service.http.delete(f"/api/file/{media}").status_code == 200

    asked: list[Callable[[], httpx.Response]] = [
        lambda: get(local_service, f"/check_status/{video_id}"),
        lambda: get(local_service, f"/video/{video_id}/"),
        lambda: get(local_service, f"/recordings/{video_id}"),
    ]
    for ask in asked:
        assert ask().status_code == 404
