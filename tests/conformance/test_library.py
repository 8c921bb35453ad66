"""``/library``: medias for people who look for them."""

import io
import time
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.event_stream import EventStream, event_stream
from tests.support.films import make_recording
from tests.support.medias import checksum, fresh, upload
from tests.support.service import Service


def find(service: Service, **parameters: Any) -> Any:
    """Return one page of the library."""
    answer = service.http.get("/library", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def show(service: Service, media_id: str) -> Any:
    """Return one media as the library shows it."""
    answer = service.http.get(f"/library/{media_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for_jobs(service: Service, media_id: str, count: int) -> list[Any]:
    """Return the jobs of a media once there are so many, and all have ended."""
    deadline = time.monotonic() + 30
    while True:
        found: list[Any] = service.http.get(f"/library/{media_id}/jobs").json()["items"]
        if len(found) == count and all(job["finished_at"] for job in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def check_refused(answer: httpx.Response, status: int, *, field: str | None, says: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert answer.json() == {"error": error} | ({"field": field} if field else {})
    assert says in error


def test_a_media_is_shown_with_all_that_a_list_needs(local_service: Service) -> None:
    resource = fresh(" ü.txt")
    media = upload(
        local_service, resource, b"some text", filename="Some text.txt", project_id="p", public="1"
    )
    attributes = media["attributes"]
    item = {
        "id": media["id"],
        "resource": resource,
        "key": "",
        "filename": "Some text.txt",
        "size": 9,
        "mime_type": attributes["mime_type"],
        "kind": "other",
        "tags": [],
        "public": True,
        "project_id": "p",
        "created_at": attributes["created_at"],
        "updated_at": attributes["updated_at"],
        "duration": None,
        "width": None,
        "height": None,
        "url": "/medias/files/" + resource.replace(" ", "%20").replace("ü", "%C3%BC"),
        "thumbnail": None,
        "sprite": None,
    }

    page = find(local_service, q=resource)

    assert page == {"items": [item], "next": None, "count": 1, "count_is_exact": True}
    assert show(local_service, media["id"]) == item | {
        "meta": {},
        **checksum(b"some text"),
        "created_by": "local",
        "derived": [],
        "of": None,
        "hls": None,
        "waveform": None,
        "playable": None,
    }
    assert local_service.http.get(item["url"]).content == b"some text"


def test_a_small_picture_is_its_own_thumbnail(local_service: Service) -> None:
    resource = fresh(".png")
    content = io.BytesIO()
    Image.new("RGB", (4, 3)).save(content, "PNG")
    media = upload(local_service, resource, content.getvalue(), filename="picture.png")

    shown = show(local_service, media["id"])

    assert (shown["kind"], shown["thumbnail"]) == ("image", f"/medias/files/{resource}")
    assert shown["playable"] is None


def test_a_film_has_what_was_made_of_it_and_the_jobs_that_did(service: Service) -> None:
    resource = fresh(".webm")
    media = upload(service, resource, make_recording("vp9", 2.0), filename="film.webm")
    wait_for_jobs(service, media["id"], 1)
    steps = ["remux", "thumbnail", "sprite", "waveform", "hls"]
    answer = service.http.post(f"/medias/process/{resource}", json={"steps": steps})
    jobs = wait_for_jobs(service, media["id"], 2)

    shown = show(service, media["id"])

    job = service.http.get(f"/jobs/{answer.json()['data']['id']}").json()["data"]
    assert jobs[0] == {
        "id": job["id"],
        "job_class": "processing",
        "status": "completed",
        "progress": 1.0,
        "created_at": job["attributes"]["created_at"],
        "finished_at": job["attributes"]["finished_at"],
        "error": None,
    }
    base = f"/medias/files/{resource}"
    assert shown["kind"] == "video"
    assert shown["duration"] == pytest.approx(2.0, abs=0.2)
    assert (shown["width"], shown["height"]) == (160, 120)
    assert shown["thumbnail"] == f"{base}/thumbnail.webp"
    assert shown["sprite"] == f"{base}/sprite.vtt"
    assert shown["playable"] == f"{base}/processed.webm"
    assert shown["waveform"] == f"{base}/waveform.json"
    made = {one["key"]: one for one in shown["derived"]}
    assert shown["hls"] == f"{base}/master.m3u8"
    assert {"processed.webm", "thumbnail.jpg", "sprite.webp"} < set(made)
    for key in ("thumbnail", "sprite", "playable", "waveform", "hls"):
        assert service.http.head(shown[key]).status_code == 200

    derived = show(service, made["processed.webm"]["id"])
    assert derived["of"] == {name: shown[name] for name in derived["of"]}
    assert derived["of"]["id"] == media["id"]
    assert derived["derived"] == []
    assert derived["playable"] == derived["url"] == f"{base}/processed.webm"
    assert service.http.get(f"/library/{derived['id']}/jobs").json() == {"items": jobs}
    assert {item["key"] for item in find(service, q=resource)["items"]} == {""}
    everything = find(service, q=resource, derived="true", sort="name", limit=200)
    assert [item["key"] for item in everything["items"]] == ["", *sorted(made)]


def test_pages_follow_each_other_and_only_the_first_is_counted(local_service: Service) -> None:
    project = fresh()
    sizes = [5, 3, 9, 1, 7]
    for size in sizes:
        upload(local_service, fresh(), b"x" * size, project_id=project)
    first = find(local_service, project_id=project, sort="-size", limit=2)
    second = find(local_service, project_id=project, sort="-size", limit=2, cursor=first["next"])
    third = find(local_service, project_id=project, sort="-size", limit=2, cursor=second["next"])

    assert [item["size"] for page in (first, second, third) for item in page["items"]] == [
        9,
        7,
        5,
        3,
        1,
    ]
    assert (first["count"], first["count_is_exact"]) == (5, True)
    assert (second["count"], second["count_is_exact"]) == (None, False)
    assert third["next"] is None


def test_a_cursor_belongs_to_its_filters_and_its_order(local_service: Service) -> None:
    project = fresh()
    for _ in range(2):
        upload(local_service, fresh(), b"x", project_id=project)
    mine = {"project_id": project, "limit": "1"}
    cursor = find(local_service, **mine)["next"]

    for other in ({"project_id": fresh()}, {"sort": "size"}, {"kind": "video"}, {"q": "x"}):
        answer = local_service.http.get("/library", params=mine | other | {"cursor": cursor})
        check_refused(answer, 400, field="cursor", says="not one of this search")
    assert len(find(local_service, **mine | {"limit": "9"}, cursor=cursor)["items"]) == 1


def test_filters_come_from_the_address(local_service: Service) -> None:
    word = fresh()
    film = upload(local_service, f"{word}.webm", make_recording("vp8", 1.0), filename="A b.webm")
    text = upload(local_service, f"{word}.txt", b"text", filename="C d.txt")
    tagged = local_service.http.post(f"/api/file/{text['id']}/tags", json=["sea", "sun"])
    assert tagged.status_code == 200

    def found(*parameters: tuple[str, str]) -> set[str]:
        answer = local_service.http.get("/library", params=[("q", word), *parameters])
        return {item["id"] for item in answer.json()["items"]}

    assert found() == {film["id"], text["id"]}
    assert found(("kind", "video")) == {film["id"]}
    assert found(("kind", "video"), ("kind", "other")) == {film["id"], text["id"]}
    assert found(("tag", "sea"), ("tag", "sun")) == {text["id"]}
    assert found(("tag", "sea"), ("tag", "moon")) == set()
    assert found(("max_size", "4")) == {text["id"]}
    assert found(("since", text["attributes"]["created_at"])) == {text["id"]}
    assert found(("until", film["attributes"]["created_at"])) == {film["id"]}


@pytest.mark.parametrize(
    ("path", "status", "field", "says"),
    [
        ("?sort=resource", 400, "sort", "-created_at"),
        ("?limit=201", 400, "limit", "from 1 to 200"),
        ("?kind=film", 400, "kind", "video, image, audio, other"),
        ("?page=2", 400, "page", "no parameter"),
        ("?q=a&q=b", 400, "q", "twice"),
        ("?since=now", 400, "since", "a time such as"),
        ("?q=%ff", 400, None, "UTF-8"),
        ("/none", 404, None, "no media 'none'"),
        ("/01a1ff9c-ad28-7155-9d1d-29e013a234d2", 404, None, "may have been deleted"),
        ("/none/jobs", 404, None, "no media 'none'"),
    ],
)
def test_what_means_nothing_is_refused(
    local_service: Service, path: str, status: int, field: str | None, says: str
) -> None:
    check_refused(local_service.http.get(f"/library{path}"), status, field=field, says=says)


def hear(stream: EventStream) -> float:
    """Wait for a change and return how long that took, in seconds."""
    began = time.monotonic()
    sent = stream.next()
    assert (sent.event, sent.data, sent.id) == ("changed", {}, None)
    return time.monotonic() - began


def test_changes_are_told_within_two_seconds(local_service: Service) -> None:
    with event_stream(local_service, path="/library/changes") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.next().comment is not None
        hear(stream)

        media = upload(local_service, fresh(), b"x")
        assert hear(stream) < 3
        local_service.http.delete(f"/api/file/{media['id']}")
        assert hear(stream) < 3
