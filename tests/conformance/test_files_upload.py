"""Door 4, uploads: announce, PUT to the signed URL, confirm; on both kinds of store."""

import base64
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.files import NOT_FOUND, announce, check_error, confirm, get, listed, put, send
from tests.support.medias import fresh
from tests.support.objects import eventually, stored_objects
from tests.support.service import Service
from tests.support.wire import exchange

CONTENT = b"\xff\xd8\xff\xe0 some picture" * 500
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def names(service: Service, part: str) -> list[str]:
    return [file["name"] for file in listed(service, name=part)["page"]]


def test_an_announcement_answers_with_an_id_and_a_signed_url_alone(service: Service) -> None:
    answer = service.http.post("/api/file/upload", json={"name": fresh(".jpg"), "size": 3})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    ticket = answer.json()
    assert ticket.keys() == {"id", "uploadUrl"}
    assert UUID7.fullmatch(ticket["id"])
    store = service.settings.get("MEDIATHEQUE_S3_ENDPOINT", service.url)
    assert ticket["uploadUrl"].startswith(store + "/")
    assert ticket["id"] in urlsplit(ticket["uploadUrl"]).path


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_goes_in_and_comes_back(service: Service, slash: str) -> None:
    name = fresh(".jpg")
    announced = service.http.post(
        f"/api/file/upload{slash}",
        json={"name": name, "size": len(CONTENT), "tags": ["b", "a", "b"]},
    ).json()
    assert put(announced["uploadUrl"], CONTENT).status_code == 200
    assert names(service, name) == []
    confirmed = service.http.post(
        f"/api/file/confirmUpload{slash}", json={"id": announced["id"], "success": True}
    )
    assert (confirmed.status_code, confirmed.json()) == (200, {"success": True})
    assert confirmed.headers["content-type"] == "application/json"
    page = listed(service, name=name)
    file = page["page"][0]
    assert page == {
        "page": [
            {
                "id": announced["id"],
                "name": name,
                "size": len(CONTENT),
                "tags": ["b", "a"],
                "url": file["url"],
                "uploaded": file["uploaded"],
                "meta": file["meta"],
            }
        ],
        "total": 1,
    }
    assert file["uploaded"].endswith("Z")
    assert get(file["url"]).content == CONTENT


BAD_ANNOUNCEMENTS: dict[str, tuple[Any, str]] = {
    "no name": ({"size": 1}, "name"),
    "null name": ({"name": None, "size": 1}, "name"),
    "empty name": ({"name": "", "size": 1}, "name"),
    "blank name": ({"name": " \t", "size": 1}, "name"),
    "number as name": ({"name": 7, "size": 1}, "name"),
    "folder": ({"name": "a/b", "size": 1}, "name"),
    "dots": ({"name": "..", "size": 1}, "name"),
    "NUL": ({"name": "a\0b", "size": 1}, "name"),
    "line": ({"name": "a\nb", "size": 1}, "name"),
    "10 kB": ({"name": "a" * 10_240, "size": 1}, "name"),
    "256": ({"name": "a" * 256, "size": 1}, "255"),
    "no size": ({"name": "a"}, "size"),
    "null size": ({"name": "a", "size": None}, "size"),
    "negative size": ({"name": "a", "size": -1}, "size"),
    "fraction": ({"name": "a", "size": 1.5}, "size"),
    "text": ({"name": "a", "size": "1"}, "size"),
    "boolean": ({"name": "a", "size": True}, "size"),
    "huge": ({"name": "a", "size": 2**40 + 1}, "size"),
    "gigantic": ({"name": "a", "size": 10**30}, "size"),
    "tags text": ({"name": "a", "size": 1, "tags": "x"}, "tags"),
    "tags number": ({"name": "a", "size": 1, "tags": [1]}, "tags"),
    "tags empty": ({"name": "a", "size": 1, "tags": [""]}, "tag"),
    "tags comma": ({"name": "a", "size": 1, "tags": ["a,b"]}, "tag"),
    "tags NUL": ({"name": "a", "size": 1, "tags": ["\0"]}, "tag"),
    "tags long": ({"name": "a", "size": 1, "tags": ["t" * 101]}, "tag"),
    "tags many": ({"name": "a", "size": 1, "tags": [str(n) for n in range(101)]}, "tags"),
    "a list": ([], "object"),
    "a text": ("name", "object"),
    "null": (None, "object"),
}


@pytest.mark.parametrize("case", BAD_ANNOUNCEMENTS)
def test_a_bad_announcement_is_refused_naming_the_field(local_service: Service, case: str) -> None:
    body, says = BAD_ANNOUNCEMENTS[case]
    answer = local_service.http.post("/api/file/upload", content=json.dumps(body))
    check_error(answer, 400, says=says, success=False)


BAD_JSON = [
    b"",
    b"{",
    b"{}}",
    b"\xff\xfe",
    b'{"name": "a", "size": NaN}',
    b"name=a&size=1",
    b'{"name": "\\ud800", "size": 1}',
]


@pytest.mark.parametrize("path", ["/api/file/upload", "/api/file/confirmUpload"])
@pytest.mark.parametrize("body", BAD_JSON)
def test_malformed_json_is_refused(local_service: Service, path: str, body: bytes) -> None:
    answer = local_service.http.post(path, content=body)
    check_error(answer, 400, says="JSON", success=path.endswith("confirmUpload"))


@pytest.mark.parametrize("unit", [b"[", b'{"a":'])
@pytest.mark.parametrize("path", ["/api/file/upload", "/api/file/confirmUpload"])
def test_nested_arrays_of_any_size_are_refused(
    local_service: Service, path: str, unit: bytes
) -> None:
    success = path.endswith("confirmUpload")
    for size, status, says in ((900_000, 400, "nested"), (10 << 20, 413, "bytes")):
        answer = local_service.http.post(path, content=(unit * size)[:size])
        check_error(answer, status, says=says, success=success)
        assert answer.headers.get("connection") == ("close" if status == 413 else None)
    assert local_service.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "id"),
        ({"success": True}, "id"),
        ({"id": 7, "success": True}, "id"),
        ({"id": "", "success": True}, "id"),
        ({"id": "x"}, "success"),
        ({"id": "x", "success": "true"}, "success"),
        ({"id": "x", "success": None}, "success"),
        ([], "object"),
    ],
)
def test_a_bad_confirmation_is_refused_naming_the_field(
    local_service: Service, body: Any, says: str
) -> None:
    answer = local_service.http.post("/api/file/confirmUpload", json=body)
    check_error(answer, 400, says=says, success=True)


@pytest.mark.parametrize("success", [True, False])
@pytest.mark.parametrize(
    "file_id", ["nope", "0", "' OR 1=1", "\0", "01a1fc87-9655-79af-939f-09e2b6784b59"]
)
def test_an_unknown_upload_cannot_be_confirmed(
    local_service: Service, file_id: str, success: bool
) -> None:
    answer = confirm(local_service, file_id, success=success)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "image/jpeg"},
        {"Content-Type": ""},
        {"Content-Type": "text/html; charset=utf-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
    ],
)
def test_bytes_may_be_put_with_any_content_type(service: Service, headers: dict[str, str]) -> None:
    name = fresh(".jpg")
    file_id, url = announce(service, name, len(CONTENT))
    assert put(url, CONTENT, headers).status_code == 200
    assert confirm(service, file_id).json() == {"success": True}
    file = listed(service, name=name)["page"][0]
    answer = get(file["url"])
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "image/jpeg"


def test_the_answer_to_a_put_is_empty(local_service: Service) -> None:
    _, url = announce(local_service, "a", 3)
    answer = put(url, b"abc")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize("size", [0, 1, 20_000_000])
def test_files_of_any_size_go_in(service: Service, size: int) -> None:
    name = fresh()
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    send(service, name, content)
    file = listed(service, name=name)["page"][0]
    assert file["size"] == size
    assert get(file["url"]).content == content


@pytest.mark.parametrize("arrived", [CONTENT[:-1], CONTENT + b"x", b""])
def test_a_file_of_another_size_than_declared_is_refused_and_can_be_sent_again(
    service: Service, arrived: bytes
) -> None:
    name = fresh(".jpg")
    file_id, url = announce(service, name, len(CONTENT))
    early = put(url, arrived)
    if service.settings.get("MEDIATHEQUE_S3_ENDPOINT") is None:
        check_error(early, 400, says=f"{len(CONTENT)} bytes", success=True)
    answer = confirm(service, file_id)
    check_error(answer, 400, says="", success=True)
    assert names(service, name) == []
    assert put(url, CONTENT).status_code == 200
    assert confirm(service, file_id).json() == {"success": True}
    assert get(listed(service, name=name)["page"][0]["url"]).content == CONTENT


def test_the_wrong_size_is_told_with_both_numbers(s3_service: Service) -> None:
    file_id, url = announce(s3_service, fresh(), 10)
    put(url, b"x" * 7)
    check_error(confirm(s3_service, file_id), 400, says="10 bytes, but 7 arrived", success=True)


@pytest.mark.parametrize("arrived", [CONTENT[:-1], CONTENT + b"x"])
def test_bytes_of_unknown_length_are_counted(local_service: Service, arrived: bytes) -> None:
    before = stored_objects(local_service)
    _, url = announce(local_service, fresh(), len(CONTENT))
    address = urlsplit(url)
    reply = exchange(
        local_service,
        "PUT",
        f"{address.path}?{address.query}",
        {"Transfer-Encoding": "chunked"},
        f"{len(arrived):x}\r\n".encode() + arrived + b"\r\n0\r\n\r\n",
    )
    assert reply.status == 400
    assert json.loads(reply.body)["success"] is False
    assert stored_objects(local_service) == before


def test_nothing_is_confirmed_before_bytes_arrived(service: Service) -> None:
    name = fresh()
    file_id, url = announce(service, name, 3)
    check_error(confirm(service, file_id), 400, says="No bytes have arrived", success=True)
    assert put(url, b"abc").status_code == 200
    assert confirm(service, file_id).json() == {"success": True}
    assert names(service, name) == [name]


def test_bytes_may_be_sent_again_before_they_are_confirmed(service: Service) -> None:
    name = fresh()
    file_id, url = announce(service, name, 3)
    for content in (b"abc", b"xyz"):
        assert put(url, content).status_code == 200
    assert confirm(service, file_id).status_code == 200
    assert get(listed(service, name=name)["page"][0]["url"]).content == b"xyz"
    assert len([key for key in stored_objects(service) if file_id in key]) == 1


def test_confirming_again_changes_nothing(service: Service) -> None:
    name = fresh()
    file_id = send(service, name, CONTENT)
    before = listed(service, name=name)["page"][0]["uploaded"]
    for _ in range(3):
        assert confirm(service, file_id).json() == {"success": True}
    assert listed(service, name=name)["page"][0]["uploaded"] == before


def test_confirmations_at_once_make_one_file(service: Service) -> None:
    name = fresh()
    file_id, url = announce(service, name, len(CONTENT))
    put(url, CONTENT)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: confirm(service, file_id), range(8)))
    assert [answer.json() for answer in answers] == [{"success": True}] * 8
    assert listed(service, name=name)["total"] == 1
    assert get(listed(service, name=name)["page"][0]["url"]).content == CONTENT


def test_of_a_confirmation_and_a_surrender_at_once_one_holds(service: Service) -> None:
    for _ in range(5):
        name = fresh()
        file_id, url = announce(service, name, 3)
        put(url, b"abc")
        with ThreadPoolExecutor(2) as pool:
            kept = pool.submit(confirm, service, file_id)
            given_up = pool.submit(confirm, service, file_id, success=False)
        outcome = (kept.result().status_code, given_up.result().status_code)
        assert outcome in {(200, 409), (404, 200)}
        assert names(service, name) == ([name] if outcome == (200, 409) else [])
        assert any(file_id in key for key in stored_objects(service)) == (outcome == (200, 409))


@pytest.mark.parametrize("bytes_arrived", [True, False])
def test_an_upload_given_up_is_forgotten_with_its_bytes(
    service: Service, bytes_arrived: bool
) -> None:
    before = stored_objects(service)
    file_id, url = announce(service, fresh(), 3)
    if bytes_arrived:
        put(url, b"abc")
    answer = confirm(service, file_id, success=False, error="the network broke")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert stored_objects(service) == before
    again = confirm(service, file_id, success=False)
    assert (again.status_code, again.json()) == (404, NOT_FOUND)
    assert confirm(service, file_id).status_code == 404


def test_a_confirmed_file_cannot_be_given_up(service: Service) -> None:
    name = fresh()
    file_id = send(service, name, CONTENT)
    answer = confirm(service, file_id, success=False, error="the answer got lost")
    check_error(answer, 409, says="confirmed before", success=True)
    assert get(listed(service, name=name)["page"][0]["url"]).content == CONTENT


def test_the_old_upload_url_changes_nothing_after_the_confirmation(service: Service) -> None:
    name = fresh()
    file_id, url = announce(service, name, 3)
    put(url, b"abc")
    confirm(service, file_id)
    late = put(url, b"xyz")
    if service.settings.get("MEDIATHEQUE_S3_ENDPOINT") is None:
        check_error(late, 409, says="can no longer be changed", success=True)
    file = listed(service, name=name)["page"][0]
    assert get(file["url"]).content == b"abc"
    assert confirm(service, file_id).json() == {"success": True}
    assert get(listed(service, name=name)["page"][0]["url"]).content == b"abc"
    assert service.http.get(f"/medias/files/{file_id}").content == b"abc"


def test_sixty_uploads_at_once_all_arrive(service: Service) -> None:
    prefix = fresh()
    contents = {f"{prefix}-{number}": bytes([number]) * 50_000 for number in range(60)}
    with ThreadPoolExecutor(60) as pool:
        ids = list(pool.map(lambda item: _send_alone(service.url, *item), contents.items()))
    assert len(set(ids)) == 60
    found = listed(service, name=prefix, pageSize=100)
    assert found["total"] == 60
    assert {
        file["name"]: service.http.get(file["url"]).content for file in found["page"]
    } == contents


def _send_alone(address: str, name: str, content: bytes) -> str:
    """Upload over a connection of its own, as each request of a browser may."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        ticket = client.post("/api/file/upload", json={"name": name, "size": len(content)}).json()
        assert client.put(ticket["uploadUrl"], content=content).status_code == 200
        answer = client.post("/api/file/confirmUpload", json={"id": ticket["id"], "success": True})
        assert answer.json() == {"success": True}
        return str(ticket["id"])


def test_a_client_gone_while_it_puts_leaves_nothing(local_service: Service) -> None:
    before = stored_objects(local_service)
    _, url = announce(local_service, fresh(), 10_000_000)

    def half() -> Any:
        yield b"x" * 5_000_000
        assert eventually(lambda: stored_objects(local_service) != before)
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        httpx.put(url, content=half(), headers={"Content-Length": "10000000"}, trust_env=False)
    assert eventually(lambda: stored_objects(local_service) == before)


@pytest.mark.parametrize("name", ["Content-Digest", "Repr-Digest"])
def test_bytes_that_are_not_the_promised_ones_are_refused(
    local_service: Service, name: str
) -> None:
    file_id, url = announce(local_service, fresh(".jpg"), len(CONTENT))
    for sent, status in ((b"other" + CONTENT[5:], 400), (CONTENT, 200)):
        digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
        answer = put(url, sent, {name: f"sha-256=:{digest}:"})
        assert answer.status_code == status, answer.text
        confirmed = confirm(local_service, file_id)
        assert (confirmed.status_code == 200) == (status == 200)
    assert put(url, CONTENT, {name: "sha-256=x"}).status_code == 400
