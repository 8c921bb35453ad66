"""Door 1: where recordings stand, how they end, and the list of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.door_one import (
    COMPLETED,
    add,
    check_added,
    check_error,
    complete,
    create,
    position,
    record,
    show,
    status,
    wait_for_end,
)
from tests.support.films import chunks, make_recording
from tests.support.medias import ended_job
from tests.support.service import Service, running

PAGE = "https://app.example.org"
OTHER_PAGE = "https://evil.example.net"


@pytest.mark.parametrize("slash", ["/", ""])
def test_completing_is_answered_at_once_and_again(service: Service, slash: str) -> None:
    video_id = record(service, make_recording("vp8", 1.0))
    for _ in range(3):
        answer = service.http.post(f"/complete_job/{video_id}{slash}", content=b"{}")
        assert (answer.status_code, answer.json()) == (200, COMPLETED)
        assert answer.headers["content-type"] == "application/json"
        assert status(service, video_id)["status"] in {"processing", "complete"}
    assert wait_for_end(service, video_id) == {"status": "complete"}
    complete(service, video_id)
    assert status(service, video_id) == {"status": "complete"}
    jobs = service.http.get("/jobs", params={"filter[unicity]": f"recording:{video_id}"})
    assert len(jobs.json()["data"]) == 1


def test_a_recording_without_bytes_cannot_be_completed(service: Service) -> None:
    video_id = create(service)
    check_added(add(service, video_id, b""))
    for _ in range(2):
        check_error(service.http.post(f"/complete_job/{video_id}/"), 409, says="no bytes")
    assert status(service, video_id) == {"status": "recording"}
    check_added(add(service, video_id, b"late"), size=4)
    complete(service, video_id)


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_lost_chunk_shows_as_a_warning(local_service: Service, slash: str) -> None:
    sent = chunks(make_recording("vp8", 2.0), 9)
    video_id = record(local_service, *sent[:4], *sent[5:])
    complete(local_service, video_id)

    found = wait_for_end(local_service, video_id)

    assert found == {"status": "complete", "warning": found["warning"]}
    assert found["warning"].endswith(".")
    answer = local_service.http.get(f"/check_status/{video_id}{slash}")
    assert answer.json() == found
    assert position(answer) == (8, sum(map(len, sent)) - len(sent[4]))
    assert show(local_service, video_id)["warning"] == found["warning"]


def test_what_is_no_film_fails_with_a_reason(local_service: Service) -> None:
    video_id = record(local_service, b"no film")
    complete(local_service, video_id)

    found = wait_for_end(local_service, video_id)

    assert found == {"status": "failed", "error": found["error"]}
    assert found["error"].endswith(".")
    assert "no film" not in found["error"]
    shown = show(local_service, video_id)
    assert (shown["error"], shown["warning"]) == (found["error"], None)
    check_error(add(local_service, video_id, b"more"), 409, says="takes no more chunks")
    complete(local_service, video_id)


def test_everything_is_known_of_a_recording(local_service: Service) -> None:
    began = datetime.now(UTC)
    film = make_recording("vp8", 1.0)
    video_id = record(local_service, film[:1000])

    before = show(local_service, video_id)

    created = before["created_at"]
    assert began <= datetime.fromisoformat(created) <= datetime.now(UTC)
    assert before == {
        "id": video_id,
        "status": "recording",
        "size": 1000,
        "chunks": 1,
        "warning": None,
        "error": None,
        "job": None,
        "resource": video_id,
        "created_at": created,
        "updated_at": before["updated_at"],
        "finished_at": None,
        "media": None,
        "files": [],
    }
    check_added(add(local_service, video_id, film[1000:]))
    complete(local_service, video_id)
    wait_for_end(local_service, video_id)
    after = show(local_service, video_id)
    assert after == before | {
        "status": "complete",
        "size": len(film),
        "chunks": 2,
        "job": after["job"],
        "media": after["media"],
        "files": after["files"],
        "updated_at": after["updated_at"],
        "finished_at": after["finished_at"],
    }
    assert created < after["finished_at"]
    original = after["files"][0]
    assert original == {
        "key": "",
        "url": f"{local_service.url}/medias/files/{video_id}",
        "mime_type": "video/webm",
        "size": len(film),
    }
    job = ended_job(local_service, after["job"])
    assert (job["job_class"], job["status"]) == ("recording", "completed")
    assert job["arguments"] == {"recording": video_id}


@pytest.mark.parametrize("slash", ["/", ""])
def test_recordings_are_listed_newest_first_page_by_page(
    local_service: Service, slash: str
) -> None:
    made = [record(local_service, b"x" * n) for n in range(1, 8)]
    found: list[Any] = []
    address: str | None = f"/recordings{slash}?limit=3"
    while address and len(found) < len(made):
        page = local_service.http.get(address).json()
        assert page.keys() == {"recordings", "next"}
        assert len(page["recordings"]) == 3
        found += page["recordings"]
        address = page["next"]
        assert address is not None
        assert address.startswith(f"{local_service.url}/recordings?")

    assert [one["id"] for one in found[:7]] == made[::-1]
    shown = show(local_service, made[-1])
    assert found[0] == {name: shown[name] for name in shown if name not in {"media", "files"}}


def test_the_last_page_of_recordings_has_no_next(local_service: Service) -> None:
    made = record(local_service, b"x")
    found: list[Any] = []
    address: str | None = "/recordings?limit=1000"
    while address is not None:
        page = local_service.http.get(address).json()
        found += page["recordings"]
        address = page["next"]
    assert found[0]["id"] == made
    rest = local_service.http.get("/recordings", params={"after": found[-1]["id"]})
    assert rest.json() == {"recordings": [], "next": None}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=a", "limit"),
        ("limit=", "limit"),
        ("after=nothing", "after"),
        ("after=", "after"),
        ("after=01a1fc87-9655-79af-939f-09e2b6784b59", "after"),
        ("after=%00", "NUL"),
        ("after=%ff", "UTF-8"),
        ("page=1", "'page'"),
    ],
)
def test_a_wrong_parameter_is_400(local_service: Service, query: str, says: str) -> None:
    check_error(local_service.http.get(f"/recordings?{query}"), 400, says=says)


@pytest.fixture(scope="module")
def open_to_a_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that lets pages of one other origin in, and takes bodies of 1000 bytes."""
    settings = {
        "MEDIATHEQUE_CORS_ORIGINS": PAGE,
        "MEDIATHEQUE_MAX_UPLOAD_SIZE": "1000",
        "MEDIATHEQUE_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("page") / "data", settings) as started:
        yield started


def preflight(service: Service, path: str, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "chunk-index,content-digest,upload-offset",
    }
    return service.http.options(path, headers=headers)


@pytest.mark.parametrize("slash", ["/", ""])
def test_an_allowed_page_may_record(open_to_a_page: Service, slash: str) -> None:
    service = open_to_a_page
    video_id = create(service)
    for path in ("/create", f"/add_data/{video_id}", f"/complete_job/{video_id}"):
        allowed = preflight(service, path + slash, PAGE)
        assert allowed.status_code in {200, 204}
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "POST" in allowed.headers["access-control-allow-methods"]
        headers = allowed.headers["access-control-allow-headers"].lower()
        assert all(n in headers for n in ("chunk-index", "upload-offset", "content-digest"))

    sent = service.http.post(
        f"/add_data/{video_id}{slash}",
        content=b"chunk",
        headers={"Origin": PAGE, "Chunk-Index": "0"},
    )
    check_added(sent, chunks=1, size=5)
    refused = service.http.post(
        f"/add_data/{video_id}{slash}",
        content=b"chunk",
        headers={"Origin": PAGE, "Chunk-Index": "7"},
    )
    assert refused.status_code == 409
    for answer in (sent, refused, service.http.post("/create/", headers={"Origin": PAGE})):
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert {"chunk-index", "upload-offset"} <= {name.strip() for name in exposed.split(",")}


def test_other_pages_may_not_record(open_to_a_page: Service) -> None:
    video_id = create(open_to_a_page)
    for path in ("/create/", f"/add_data/{video_id}/", f"/complete_job/{video_id}"):
        asked = preflight(open_to_a_page, path, OTHER_PAGE)
        assert "access-control-allow-origin" not in asked.headers
        answer = open_to_a_page.http.post(path, content=b"x", headers={"Origin": OTHER_PAGE})
        check_error(answer, 403, says="MEDIATHEQUE_CORS_ORIGINS")
        assert "access-control-allow-origin" not in answer.headers
    assert position(open_to_a_page.http.get(f"/check_status/{video_id}")) == (0, 0)


@pytest.mark.parametrize("announced", [True, False])
def test_a_chunk_beyond_the_limit_is_413(open_to_a_page: Service, announced: bool) -> None:
    video_id = record(open_to_a_page, b"before")
    content = b"x" * 1001 if announced else iter([b"x" * 1001])
    answer = open_to_a_page.http.post(f"/add_data/{video_id}/", content=content)
    check_error(answer, 413, says="1000")
    assert position(open_to_a_page.http.get(f"/check_status/{video_id}")) == (1, 6)


def test_a_recording_beyond_the_limit_is_413(open_to_a_page: Service) -> None:
    video_id = record(open_to_a_page, b"x" * 600)
    answer = open_to_a_page.http.post(f"/add_data/{video_id}/", content=b"x" * 401)
    check_error(answer, 413, says="A recording has at most 1000 bytes")
    assert position(open_to_a_page.http.get(f"/check_status/{video_id}")) == (1, 600)


def test_a_recording_is_listed_by_the_other_doors(local_service: Service) -> None:
    video_id = record(local_service, make_recording("vp8", 1.0))
    complete(local_service, video_id)
    wait_for_end(local_service, video_id)
    found = local_service.http.get("/medias", params={"filter[resource]": video_id}).json()["data"]
    keys = {media["attributes"]["key"] for media in found}
    assert keys == {file["key"] for file in show(local_service, video_id)["files"]}
    original = next(media for media in found if media["attributes"]["key"] == "")
    name = original["attributes"]["filename"]
    files = local_service.http.get("/api/file", params={"name": name, "pageSize": 1000}).json()
    assert original["id"] in {file["id"] for file in files["page"]}
