"""Door 3: looking into medias and making others of them."""

import time
from typing import Any

import pytest

from tests.support.films import make_recording
from tests.support.medias import JSON_API, check_problem, ended_job, fresh, upload
from tests.support.service import Service


def info(service: Service, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = service.http.get(f"/medias/info/{resource}").json()["data"]
    return found["attributes"]  # type: ignore[no-any-return]


def looked_into(service: Service, resource: str) -> dict[str, Any]:
    """Return the attributes of a media once something is known of it."""
    deadline = time.monotonic() + 30
    while not (found := info(service, resource))["meta"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_what_is_found_out_shows_at_both_doors(service: Service) -> None:
    resource = fresh(".webm")
    media = upload(service, resource, make_recording("vp8", 2.0), filename="film.webm")

    meta = looked_into(service, resource)["meta"]

    assert meta["kind"] == "video"
    assert meta["video"]["codec"] == "vp8"
    files = service.http.get("/api/file", params={"name": "film.webm", "pageSize": 1000}).json()
    (shown,) = [file for file in files["page"] if file["id"] == media["id"]]
    assert shown["meta"] == meta


def test_hls_is_made_on_request_and_lies_beside_its_original(service: Service) -> None:
    resource = fresh(".mp4")
    upload(service, resource, make_recording("h264", 2.0, audio=False))
    looked_into(service, resource)

    answer = service.http.post(f"/medias/process/{resource}", json={"steps": ["hls"]})

    assert answer.status_code == 202
    assert answer.headers["content-type"] == JSON_API
    job = answer.json()["data"]["id"]
    assert answer.json() == {"data": {"id": job, "type": "media:jobs"}}
    assert answer.headers["location"] == f"/jobs/{job}"
    assert ended_job(service, job)["status"] == "completed"
    master = service.http.get(f"/medias/files/{resource}/master.m3u8")
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert "index.m3u8" in master.text
    index = service.http.get(f"/medias/files/{resource}/index.m3u8")
    assert "seg.m4s" in index.text
    segment = service.http.get(f"/medias/files/{resource}/seg.m4s", headers={"Range": "bytes=0-99"})
    assert segment.status_code == 206
    assert segment.content[4:8] == b"ftyp"


def test_an_unknown_resource_is_404(service: Service) -> None:
    answer = service.http.post("/medias/process/nothing", json={"steps": ["hls"]})
    check_problem(answer, 404, pointer=None, says="There is no resource 'nothing'")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("[]", None),
        ("{}", "/steps"),
        ('{"steps": []}', "/steps"),
        ('{"steps": "hls"}', "/steps"),
        ('{"steps": ["dance"]}', "/steps"),
        ('{"steps": ["hls"], "more": 1}', "/more"),
        ("{", None),
    ],
)
def test_a_body_that_is_wrong_is_422(
    local_service: Service, body: str, pointer: str | None
) -> None:
    resource = fresh()
    upload(local_service, resource, make_recording("opus", 0.5))
    answer = local_service.http.post(f"/medias/process/{resource}", content=body)
    check_problem(answer, 422, pointer=pointer)


def test_what_cannot_be_processed_is_422(local_service: Service) -> None:
    resource = fresh()
    upload(local_service, resource, b"text")
    answer = local_service.http.post(f"/medias/process/{resource}", json={"steps": ["probe"]})
    check_problem(answer, 422, pointer="/resource", says="neither film, sound nor picture")
