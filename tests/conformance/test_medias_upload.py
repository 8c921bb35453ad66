"""Door 3, uploads: ``POST /medias/files/{resource}[/{key}]``."""

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations

import httpx
import pytest

from tests.support.forms import BOUNDARY, FORM, file_field, form, part, text_field
from tests.support.medias import JSON_API, check_problem, checksum, fresh, problem, upload
from tests.support.objects import eventually, stored_objects
from tests.support.service import Service
from tests.support.wire import connect, exchange, head

CONTENT = b"\x00\x01 some bytes \r\n--not-a-boundary\r\n" * 50
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def post(service: Service, path: str, body: bytes, content_type: str = FORM) -> httpx.Response:
    return service.http.post(path, content=body, headers={"Content-Type": content_type})


def test_an_upload_answers_with_the_record_of_what_is_stored(service: Service) -> None:
    resource = fresh(".mov")
    answer = service.http.post(
        f"/medias/files/{resource}", files={"media": ("holiday é.mov", CONTENT, "video/quicktime")}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON_API
    assert answer.headers["x-request-id"]
    data = answer.json()["data"]
    assert UUID7.fullmatch(data["id"])
    created = data["attributes"]["created_at"]
    assert created.endswith("Z")
    age = datetime.now(datetime.fromisoformat(created).tzinfo) - datetime.fromisoformat(created)
    assert abs(age) < timedelta(minutes=1)
    assert answer.json() == {
        "data": {
            "type": "media:medias",
            "id": data["id"],
            "attributes": {
                "resource": resource,
                "key": "",
                "filename": "holiday é.mov",
                "size": len(CONTENT),
                "mime_type": "application/octet-stream",
                "created_by": "local",
                "created_role": "operator",
                "public": False,
                "created_at": created,
                "updated_at": created,
                "project_id": None,
                "checksum": checksum(CONTENT),
                "tags": [],
                "meta": {},
            },
        }
    }
    assert service.http.get(f"/medias/info/{resource}").json() == answer.json()
    assert service.http.get(f"/medias/files/{resource}").content == CONTENT


@pytest.mark.parametrize("field", ["media", "file"])
@pytest.mark.parametrize("prefix", ["", "/api/v1/media"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_both_field_names_prefixes_and_a_trailing_slash_are_taken(
    local_service: Service, field: str, prefix: str, slash: str
) -> None:
    resource = fresh()
    path = f"{prefix}/medias/files/{resource}{slash}"
    answer = local_service.http.post(path, files={field: ("a.bin", CONTENT)})
    assert answer.status_code == 200
    assert local_service.http.get(f"/medias/files/{resource}").content == CONTENT


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_fields_may_stand_in_any_order(local_service: Service, order: tuple[int, ...]) -> None:
    resource = fresh()
    parts = [
        file_field(CONTENT),
        text_field("project_id", "p-7"),
        text_field("key", "thumbnail.jpg"),
        text_field("public", "true"),
    ]
    body = form(*(parts[number] for number in order))
    answer = post(local_service, f"/medias/files/{resource}", body)
    assert answer.status_code == 200
    found = answer.json()["data"]["attributes"]
    assert (found["resource"], found["key"]) == (resource, "thumbnail.jpg")
    assert (found["project_id"], found["public"]) == ("p-7", True)
    stored = local_service.http.get(f"/medias/files/{resource}/thumbnail.jpg")
    assert stored.content == CONTENT


@pytest.mark.parametrize(
    ("text", "public"), [("true", True), ("1", True), ("0", False), ("", False)]
)
def test_public_is_a_boolean(local_service: Service, text: str, public: bool) -> None:
    assert upload(local_service, fresh(), b"x", public=text)["attributes"]["public"] is public


def test_an_empty_project_is_none(local_service: Service) -> None:
    assert upload(local_service, fresh(), b"x", project_id="")["attributes"]["project_id"] is None


@pytest.mark.parametrize("where", ["path", "query", "field", "path and field", "all"])
def test_the_key_may_come_in_the_path_the_query_or_a_field(
    local_service: Service, where: str
) -> None:
    resource = fresh()
    in_path = "/240p_0002.ts" if "path" in where or where == "all" else ""
    in_query = "?key=240p_0002.ts" if where in {"query", "all"} else ""
    fields = [text_field("key", "240p_0002.ts")] if "field" in where or where == "all" else []
    body = form(*fields, file_field(CONTENT))
    answer = post(local_service, f"/medias/files/{resource}{in_path}{in_query}", body)
    assert answer.status_code == 200
    assert answer.json()["data"]["attributes"]["key"] == "240p_0002.ts"
    for address in (f"{resource}/240p_0002.ts", f"{resource}?key=240p_0002.ts"):
        assert local_service.http.get(f"/medias/info/{address}").json() == answer.json()
        assert local_service.http.get(f"/medias/files/{address}").content == CONTENT
    assert local_service.http.get(f"/medias/files/{resource}").status_code == 404


@pytest.mark.parametrize(
    ("path_key", "query", "field"), [("/a", "?key=b", ""), ("/a", "", "b"), ("", "?key=a", "b")]
)
def test_two_different_keys_are_refused_and_nothing_is_kept(
    service: Service, path_key: str, query: str, field: str
) -> None:
    resource = fresh()
    before = stored_objects(service)
    fields = [text_field("key", field)] if field else []
    path = f"/medias/files/{resource}{path_key}{query}"
    answer = post(service, path, form(file_field(CONTENT), *fields))
    check_problem(answer, 422, pointer="/key", says="Two different keys")
    assert stored_objects(service) == before
    assert service.http.get("/medias", params={"filter[resource]": resource}).json()["data"] == []


@pytest.mark.parametrize("key", ["", "thumbnail.jpg"])
def test_a_retry_with_the_same_bytes_gets_the_same_record(service: Service, key: str) -> None:
    resource = fresh()
    first = upload(service, resource, CONTENT, filename="first.bin", key=key, project_id="p")
    before = stored_objects(service)
    again = upload(service, resource, CONTENT, filename="again.bin", key=key)
    assert again == first
    assert stored_objects(service) == before


@pytest.mark.parametrize("key", ["", "thumbnail.jpg"])
@pytest.mark.parametrize("other", [CONTENT[:-1] + b"?", CONTENT + b"?", b""])
def test_other_bytes_for_a_taken_address_are_refused(
    service: Service, key: str, other: bytes
) -> None:
    resource = fresh()
    first = upload(service, resource, CONTENT, key=key)
    before = stored_objects(service)
    path = f"/medias/files/{resource}/{key}".rstrip("/")
    answer = service.http.post(path, files={"media": other})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == JSON_API
    assert answer.json() == problem(422, f"Resource {resource} with key {key} already exists")
    assert service.http.get(path).content == CONTENT
    assert service.http.get(path.replace("files", "info")).json()["data"] == first
    assert stored_objects(service) == before


def test_of_uploads_racing_for_one_address_one_wins_and_the_others_leave_nothing(
    service: Service,
) -> None:
    resource = fresh()
    before = stored_objects(service)
    answers: dict[bytes, httpx.Response] = {}

    def send(content: bytes) -> None:
        answers[content] = httpx.post(
            f"{service.url}/medias/files/{resource}",
            files={"media": content},
            timeout=60,
            trust_env=False,
        )

    senders = [threading.Thread(target=send, args=(bytes([n]) * 100_000,)) for n in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(answer.status_code for answer in answers.values()) == [200] + [422] * 7
    won = next(content for content, answer in answers.items() if answer.status_code == 200)
    assert service.http.get(f"/medias/files/{resource}").content == won
    assert len(stored_objects(service)) == len(before) + 1


BAD_FORMS: dict[str, tuple[bytes, str | None, str]] = {
    "no file": (form(text_field("key", "a")), "/media", "no file field named 'media'"),
    "no parts": (form(), "/media", "no file field named 'media'"),
    "two files": (form(file_field(b"a"), file_field(b"b")), "/media", "second file"),
    "one in each field": (
        form(file_field(b"a"), file_field(b"b", name="file")),
        "/file",
        "second file, after 'media'",
    ),
    "a file elsewhere": (form(file_field(b"a", name="upload")), "/upload", "'file' or 'media'"),
    "10,000 fields": (
        form(file_field(b"a"), *(text_field(f"f{n}", "") for n in range(10_000))),
        None,
        "more than 32 parts",
    ),
    "an unknown field": (form(file_field(b"a"), text_field("colour", "red")), "/colour", "colour"),
    "a field twice": (
        form(text_field("key", "a"), file_field(b"a"), text_field("key", "a")),
        "/key",
        "comes twice",
    ),
    "no boolean": (form(file_field(b"a"), text_field("public", "maybe")), "/public", "maybe"),
    "a bad key": (form(file_field(b"a"), text_field("key", "a/b")), "/key", "'/'"),
    "NUL in the key": (form(file_field(b"a"), text_field("key", "\0")), "/key", "key"),
    "NUL in the project": (
        form(file_field(b"a"), text_field("project_id", "\0")),
        "/project_id",
        "control",
    ),
    "a long project": (
        form(file_field(b"a"), text_field("project_id", "p" * 256)),
        "/project_id",
        "255",
    ),
    "no UTF-8": (form(file_field(b"a"), part('name="key"', b"\xff")), "/key", "UTF-8"),
    "another boundary": (
        form(file_field(b"a")).replace(BOUNDARY.encode(), b"other"),
        None,
        "multipart",
    ),
    "cut in the file": (file_field(CONTENT)[:-20], None, "multipart"),
    "cut at the end": (form(file_field(CONTENT))[:-6], None, "multipart"),
    "empty": (b"", None, "multipart"),
}


@pytest.mark.parametrize("case", BAD_FORMS)
def test_a_bad_form_is_refused_naming_the_field_and_nothing_is_kept(
    service: Service, case: str
) -> None:
    body, pointer, says = BAD_FORMS[case]
    resource = fresh()
    before = stored_objects(service)
    check_problem(post(service, f"/medias/files/{resource}", body), 422, pointer=pointer, says=says)
    assert service.http.get("/medias", params={"filter[resource]": resource}).json()["data"] == []
    assert stored_objects(service) == before


@pytest.mark.parametrize(
    "content_type",
    ["", "video/mp4", "application/json", "multipart/mixed; boundary=x", "multipart/form-data"],
)
def test_what_is_no_form_is_refused(local_service: Service, content_type: str) -> None:
    answer = post(local_service, f"/medias/files/{fresh()}", form(file_field(b"a")), content_type)
    check_problem(answer, 422, pointer="/Content-Type", says="multipart")


@pytest.mark.parametrize("length", ["Content-Length", "chunked"])
def test_a_client_that_goes_away_leaves_nothing_behind(service: Service, length: str) -> None:
    resource = fresh()
    before = stored_objects(service)
    body = form(file_field(b"x" * 20_000_000))
    framing = (
        {"Content-Length": str(len(body))}
        if length == "Content-Length"
        else {"Transfer-Encoding": "chunked"}
    )
    begin = b"" if length == "Content-Length" else f"{len(body):x}\r\n".encode()
    with connect(service) as connection:
        path = f"/medias/files/{resource}"
        connection.sendall(head(service, "POST", path, {"Content-Type": FORM, **framing}))
        connection.sendall(begin + body[:18_000_000])
        assert eventually(lambda: stored_objects(service) != before)
    assert eventually(lambda: stored_objects(service) == before)
    assert service.http.get(f"/medias/info/{resource}").status_code == 404
    assert upload(service, resource, CONTENT)["attributes"]["size"] == len(CONTENT)


def test_a_body_that_is_cut_gets_an_answer_if_anyone_listens(local_service: Service) -> None:
    body = form(file_field(CONTENT))
    reply = exchange(
        local_service,
        "POST",
        f"/medias/files/{fresh()}",
        {"Content-Type": FORM, "Transfer-Encoding": "chunked"},
        f"{len(body) - 30:x}\r\n".encode() + body[:-30] + b"\r\n0\r\n\r\n",
    )
    assert reply.status == 422
    assert reply.headers["content-type"] == JSON_API


def test_a_body_of_unknown_length_is_taken_whole(service: Service) -> None:
    content = bytes(range(256)) * 80_000
    body = form(file_field(content), text_field("project_id", "p"))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 1_000_001):
            yield body[start : start + 1_000_001]

    resource = fresh()
    answer = service.http.post(
        f"/medias/files/{resource}", content=pieces(), headers={"Content-Type": FORM}
    )
    assert answer.json()["data"]["attributes"]["checksum"] == checksum(content)
    assert service.http.get(f"/medias/files/{resource}").content == content


def test_an_empty_file_is_a_file(service: Service) -> None:
    resource = fresh()
    found = upload(service, resource, b"")
    assert (found["attributes"]["size"], found["attributes"]["checksum"]) == (0, checksum(b""))
    answer = service.http.get(f"/medias/files/{resource}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("content", "filename", "mime_type"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 20, "a.txt", "image/png"),
        (b"<script>alert(1)</script>", "a.png", "text/html"),
        (b"#EXTM3U\n", "master.m3u8", "application/vnd.apple.mpegurl"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ", "a.mov", "video/quicktime"),
    ],
)
def test_the_type_is_what_the_bytes_are_not_what_the_client_says(
    local_service: Service, content: bytes, filename: str, mime_type: str
) -> None:
    answer = local_service.http.post(
        f"/medias/files/{fresh()}", files={"media": (filename, content, "text/html")}
    )
    assert answer.json()["data"]["attributes"]["mime_type"] == mime_type
