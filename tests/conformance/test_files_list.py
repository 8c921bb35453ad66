"""Door 4: the list of files, their tags, their end."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.support.files import NOT_FOUND, check_error, get, listed, send
from tests.support.medias import fresh, upload
from tests.support.objects import stored_objects
from tests.support.service import Service

File = dict[str, Any]
UNKNOWN_IDS = ["nope", "7", "01a1fc87-9655-79af-939f-09e2b6784b59", "..%00", "%27%20OR%201=1"]


@pytest.fixture(scope="module")
def prefix(local_service: Service) -> str:
    """What begins the names of twelve files of sizes 0 to 5, tagged by what divides them."""
    name = fresh()
    for number in range(12):
        tags = [f"{name}-all", *(f"{name}-by{d}" for d in (2, 3) if number % d == 0)]
        send(local_service, f"{name}-{number:02}", b"x" * (number % 6), tags)
    return name


def names(page: Any) -> list[str]:
    return [file["name"] for file in page["page"]]


def change_tags(
    service: Service, file_id: str, tags: object, *, method: str = "POST", slash: str = ""
) -> httpx.Response:
    return service.http.request(method, f"/api/file/{file_id}/tags{slash}", json=tags)


def tags_of(service: Service, name: str) -> list[str]:
    tags: list[str] = listed(service, name=name)["page"][0]["tags"]
    return tags


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_page_has_ten_files_newest_first_and_the_total(
    local_service: Service, prefix: str, slash: str
) -> None:
    answer = local_service.http.get(f"/api/file{slash}", params={"name": prefix})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    page = answer.json()
    assert page.keys() == {"page", "total"}
    assert page["total"] == 12
    assert names(page) == [f"{prefix}-{number:02}" for number in range(11, 1, -1)]
    for file in page["page"]:
        assert file.keys() == {"id", "name", "size", "tags", "url", "uploaded", "meta"}
        assert isinstance(file["size"], int)
        assert isinstance(file["tags"], list)
        assert file["meta"] == {}
        assert datetime.fromisoformat(file["uploaded"]).utcoffset() is not None
        assert get(file["url"]).content == b"x" * file["size"]


def test_pages_count_from_zero_and_together_are_the_whole(
    local_service: Service, prefix: str
) -> None:
    pages = [listed(local_service, name=prefix, page=n, pageSize=5) for n in range(4)]
    assert [len(page["page"]) for page in pages] == [5, 5, 2, 0]
    assert {page["total"] for page in pages} == {12}
    together = [file["id"] for page in pages for file in page["page"]]
    everything = listed(local_service, name=prefix, pageSize=1000)["page"]
    assert together == [file["id"] for file in everything]


@pytest.mark.parametrize(
    ("sort", "key", "descending"),
    [
        ("name,asc", lambda file: file["name"], False),
        ("name,desc", lambda file: file["name"], True),
        ("size,asc", lambda file: file["size"], False),
        ("size,desc", lambda file: file["size"], True),
        ("uploaded,asc", lambda file: file["uploaded"], False),
        ("uploaded,desc", lambda file: file["uploaded"], True),
        ("name", lambda file: file["name"], False),
    ],
)
def test_files_are_sorted_as_asked(
    local_service: Service, prefix: str, sort: str, key: Callable[[File], Any], descending: bool
) -> None:
    found = listed(local_service, name=prefix, pageSize=100, sort=sort)["page"]
    assert len(found) == 12
    assert [key(file) for file in found] == sorted(map(key, found), reverse=descending)
    pages = [
        listed(local_service, name=prefix, pageSize=5, page=n, sort=sort)["page"] for n in range(3)
    ]
    assert [f["id"] for page in pages for f in page] == [f["id"] for f in found]


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        *(("page", text) for text in ("-1", "abc", "", "1.5", "9" * 30)),
        *(("pageSize", text) for text in ("0", "-1", "abc", "", "1001", "9" * 30)),
        *(("sort", text) for text in ("", "nope", "name,up", "id,asc", "name,asc,size", "-name")),
        ("name", "\0"),
        ("tags", "a,\0"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    local_service: Service, parameter: str, text: str
) -> None:
    answer = local_service.http.get("/api/file", params={parameter: text})
    check_error(answer, 400, says="parameter" if "\0" in text else parameter, success=False)


def test_a_query_that_is_not_utf8_is_refused(local_service: Service) -> None:
    answer = local_service.http.get("/api/file?name=%ff")
    check_error(answer, 400, says="UTF-8", success=False)


@pytest.fixture(scope="module")
def odd_names(local_service: Service) -> str:
    """What begins the names of files whose names mean something to LIKE or to SQL."""
    name = fresh()
    for odd in ("100%", "1000", "a_b", "aXb", "it's", "back\\slash", "ÜMLAUT 🎬", "שלום"):
        send(local_service, f"{name} {odd}", b"x")
    return name


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("100%", ["100%"]),
        ("%", ["100%"]),
        ("_", ["a_b"]),
        ("a_b", ["a_b"]),
        ("A_B", ["a_b"]),
        ("axB", ["aXb"]),
        ("\\", ["back\\slash"]),
        ("'", ["it's"]),
        ("ümlaut", ["ÜMLAUT 🎬"]),
        ("🎬", ["ÜMLAUT 🎬"]),
        ("שלום", ["שלום"]),
        ("' OR 1=1 --", []),
        (" 100", ["100%", "1000"]),
    ],
)
def test_a_name_is_looked_for_as_a_part_in_any_case_with_every_character_itself(
    local_service: Service, odd_names: str, part: str, found: list[str]
) -> None:
    everything = listed(local_service, name=odd_names, pageSize=100)
    assert everything["total"] == 8
    all_found = listed(local_service, name=part, pageSize=1000)["page"]
    ours = {file["name"] for file in all_found if file["name"].startswith(odd_names)}
    assert ours == {f"{odd_names} {name}" for name in found}


def test_a_part_may_stand_anywhere_in_the_name(local_service: Service, prefix: str) -> None:
    for part in (prefix[5:], prefix[:20].upper(), f"{prefix[-3:]}-07"):
        page = listed(local_service, name=part, pageSize=100)
        assert f"{prefix}-07" in names(page)
        assert page["total"] == len(page["page"])


@pytest.mark.parametrize(
    ("tags", "numbers"),
    [
        (["all"], range(12)),
        (["by2"], range(0, 12, 2)),
        (["by3"], range(0, 12, 3)),
        (["by2", "by3"], range(0, 12, 6)),
        (["by3", "all", "by2", "by2"], range(0, 12, 6)),
        (["BY2"], []),
        (["by"], []),
        (["by2", "nope"], []),
    ],
)
def test_a_file_must_have_all_of_the_tags(
    local_service: Service, prefix: str, tags: list[str], numbers: range
) -> None:
    asked = ",".join(f"{prefix}-{tag}" for tag in tags)
    page = listed(local_service, tags=asked, pageSize=100, sort="name,asc")
    assert names(page) == [f"{prefix}-{number:02}" for number in numbers]
    assert page["total"] == len(numbers)
    both = listed(local_service, tags=asked, name=f"{prefix}-0", pageSize=100)
    assert both["total"] == len([number for number in numbers if number < 10])


def test_medias_are_files_and_files_are_medias(service: Service) -> None:
    name = fresh(".bin")
    media = upload(service, fresh(), b"abc", filename=name)
    upload(service, media["attributes"]["resource"], b"x", filename=name, key="derived.jpg")
    page = listed(service, name=name)
    assert page["total"] == 1
    file = page["page"][0]
    assert (file["id"], file["size"], file["tags"]) == (media["id"], 3, [])
    assert get(file["url"]).content == b"abc"

    file_id = send(service, fresh(".png"), b"\x89PNG\r\n\x1a\n", ["t"])
    answer = service.http.get("/medias", params={"filter[id]": file_id})
    attributes = answer.json()["data"][0]["attributes"]
    assert (attributes["resource"], attributes["key"]) == (file_id, "")
    assert (attributes["mime_type"], attributes["tags"]) == ("image/png", ["t"])
    assert service.http.get(f"/medias/files/{file_id}").content == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_is_deleted_with_its_bytes_and_what_was_derived_from_it(
    service: Service, slash: str
) -> None:
    before = stored_objects(service)
    name = fresh(".bin")
    media = upload(service, fresh(), b"abc", filename=name)
    resource = media["attributes"]["resource"]
    upload(service, resource, b"#EXTM3U\n", key="master.m3u8")
    url = listed(service, name=name)["page"][0]["url"]
    assert get(url).status_code == 200
    answer = service.http.delete(f"/api/file/{media['id']}{slash}")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert stored_objects(service) == before
    assert listed(service, name=name) == {"page": [], "total": 0}
    assert get(url).status_code == 404
    for path in (resource, f"{resource}/master.m3u8"):
        assert service.http.get(f"/medias/info/{path}").status_code == 404
    again = service.http.delete(f"/api/file/{media['id']}")
    assert (again.status_code, again.json()) == (404, NOT_FOUND)
    assert upload(service, resource, b"other bytes")["id"] != media["id"]


def test_what_was_derived_is_no_file(local_service: Service) -> None:
    resource = fresh()
    upload(local_service, resource, b"abc")
    derived = upload(local_service, resource, b"x", key="poster.jpg")
    answer = local_service.http.delete(f"/api/file/{derived['id']}")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert change_tags(local_service, derived["id"], ["t"]).json() == NOT_FOUND
    assert local_service.http.get(f"/medias/files/{resource}/poster.jpg").content == b"x"


@pytest.mark.parametrize("file_id", UNKNOWN_IDS)
def test_unknown_files_are_404(local_service: Service, file_id: str) -> None:
    deleted = local_service.http.delete(f"/api/file/{file_id}")
    added = local_service.http.post(f"/api/file/{file_id}/tags", json=["t"])
    removed = local_service.http.request("DELETE", f"/api/file/{file_id}/tags", json=["t"])
    for answer in (deleted, added, removed):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_tags_are_added_as_to_a_set(local_service: Service, slash: str) -> None:
    name = fresh()
    file_id = send(local_service, name, b"x", ["b"])
    for added, together in (
        (["a"], ["b", "a"]),
        (["a", "b", "c", "c"], ["b", "a", "c"]),
        ([], ["b", "a", "c"]),
        (["日本 🎬"], ["b", "a", "c", "日本 🎬"]),
    ):
        answer = change_tags(local_service, file_id, added, slash=slash)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert tags_of(local_service, name) == together
    assert listed(local_service, name=name, tags="日本 🎬")["total"] == 1


@pytest.mark.parametrize("slash", ["", "/"])
def test_tags_are_removed_all_or_none(local_service: Service, slash: str) -> None:
    name = fresh()
    file_id = send(local_service, name, b"x", ["a", "b", "c"])
    for refused in (["a", "nope"], ["nope"], ["A"], [""]):
        answer = change_tags(local_service, file_id, refused, method="DELETE", slash=slash)
        assert answer.status_code == 400
        assert answer.json() == {"success": False, "error": "tag not found on file"}
        assert tags_of(local_service, name) == ["a", "b", "c"]
    for removed, left in ((["a", "c", "a"], ["b"]), ([], ["b"]), (["b"], [])):
        answer = change_tags(local_service, file_id, removed, method="DELETE", slash=slash)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert tags_of(local_service, name) == left


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("body", ['{"tags": []}', '"a"', "[1]", "[null]", "null", "{", "", "7"])
def test_what_is_no_list_of_tags_is_refused(local_service: Service, method: str, body: str) -> None:
    name = fresh()
    file_id = send(local_service, name, b"x", ["a"])
    answer = local_service.http.request(method, f"/api/file/{file_id}/tags", content=body)
    check_error(answer, 400, says="", success=True)
    assert tags_of(local_service, name) == ["a"]


@pytest.mark.parametrize("bad", ["", " ", "a,b", "a\nb", "\0", "t" * 101])
def test_a_tag_that_cannot_be_one_is_not_added(local_service: Service, bad: str) -> None:
    name = fresh()
    file_id = send(local_service, name, b"x", ["a"])
    check_error(change_tags(local_service, file_id, ["b", bad]), 400, says="tag", success=True)
    assert tags_of(local_service, name) == ["a"]


def test_a_file_has_at_most_a_hundred_tags(local_service: Service) -> None:
    name = fresh()
    file_id = send(local_service, name, b"x", [str(n) for n in range(99)])
    answer = change_tags(local_service, file_id, ["98", "99", "100"])
    check_error(answer, 400, says="100", success=True)
    assert change_tags(local_service, file_id, ["98", "99"]).status_code == 200
    assert len(tags_of(local_service, name)) == 100


def test_the_body_of_tags_may_be_sent_with_any_content_type(local_service: Service) -> None:
    file_id = send(local_service, fresh(), b"x")
    for content_type in ("application/json", "text/plain", ""):
        answer = local_service.http.post(
            f"/api/file/{file_id}/tags",
            content=json.dumps(["t"]),
            headers={"Content-Type": content_type},
        )
        assert answer.json() == {"success": True}
