"""Door 3: names of every kind, exactly as they are written in a request."""

import json
from urllib.parse import quote

import pytest

from tests.support.forms import FORM, file_field, form, part
from tests.support.medias import JSON_API, check_problem, fresh, problem, upload
from tests.support.objects import stored_objects
from tests.support.service import Service
from tests.support.wire import Reply, exchange

GOOD_NAMES = [
    "🎬🎬.mov",
    "שלום עולם.mov",
    "\u202egnp.exe",
    "日本語.mov",
    "a b+c&d=e?f#g;h.mov",
    "100%.mov",
    "%2e%2e",
    "..mov",
    "...",
    "-rf",
    "~",
    "'; DROP TABLE medias; --",
    "<script>alert(1)</script>".replace("/", ""),
    "back\\slash",
    "é" * 255,
    "CON",
]
# What is wrong, as it stands in the path, and the field that is named.
BAD_NAMES = {
    "parent": ("%2e%2e", "resource"),
    "parent, plain": ("..", None),
    "dot": ("%2e", "resource"),
    "NUL": ("a%00b", "resource"),
    "line": ("a%0d%0ab", "resource"),
    "delete": ("%7f", "resource"),
    "blank": ("%20", "resource"),
    "10 kB": ("a" * 10_240, "resource"),
    "256 characters": ("a" * 256, "resource"),
}


def problem_of(reply: Reply) -> dict[str, object]:
    """Check that an answer is one error in the door's shape and return it."""
    assert reply.headers["content-type"] == JSON_API
    assert reply.headers["x-request-id"]
    assert "Traceback" not in reply.body.decode()
    error: dict[str, object] = json.loads(reply.body)["errors"][0]
    assert error["status"] == str(reply.status)
    return error


@pytest.mark.parametrize("name", GOOD_NAMES)
@pytest.mark.parametrize("as_key", [False, True])
def test_a_name_of_any_script_is_kept_as_it_is(service: Service, name: str, as_key: bool) -> None:
    resource, key = (fresh(), name) if as_key else (name, fresh())
    path = f"/{quote(resource, safe='')}/{quote(key, safe='')}"
    body = form(file_field(b"abc"))
    sent = exchange(service, "POST", f"/medias/files{path}", {"Content-Type": FORM}, body)
    assert sent.status == 200
    attributes = json.loads(sent.body)["data"]["attributes"]
    assert (attributes["resource"], attributes["key"]) == (resource, key)
    assert exchange(service, "GET", f"/medias/files{path}").body == b"abc"
    assert json.loads(exchange(service, "GET", f"/medias/info{path}").body) == json.loads(sent.body)
    found = service.http.get("/medias", params={"filter[resource]": resource, "filter[key]": key})
    assert [record["attributes"] for record in found.json()["data"]] == [attributes]


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_name_that_cannot_be_one_is_refused(service: Service, case: str) -> None:
    name, field = BAD_NAMES[case]
    before = stored_objects(service)
    body = form(file_field(b"abc"))
    for method, kind in (("POST", "files"), ("GET", "files"), ("GET", "info")):
        headers = {"Content-Type": FORM} if method == "POST" else {}
        sent = body if method == "POST" else b""
        reply = exchange(service, method, f"/medias/{kind}/{name}", headers, sent)
        if field is None:
            assert reply.status in {404, 405, 422}
            problem_of(reply)
            continue
        assert reply.status == 422
        assert problem_of(reply).get("source") == {"pointer": f"/{field}"}
        derived = exchange(service, method, f"/medias/{kind}/{fresh()}/{name}", headers, sent)
        assert derived.status == 422
        assert problem_of(derived).get("source") == {"pointer": "/key"}
    assert stored_objects(service) == before


@pytest.mark.parametrize("name", ["a%2Fb", "a%2fb", "..%2f..", "%2f", "a%2f", "..%2f..%2fetc%2fx"])
def test_a_name_with_a_slash_is_refused_however_it_is_written(service: Service, name: str) -> None:
    before = stored_objects(service)
    body = form(file_field(b"abc"))
    for path in (f"/medias/files/{name}", f"/medias/files/{fresh()}/{name}"):
        sent = exchange(service, "POST", path, {"Content-Type": FORM}, body)
        got = exchange(service, "GET", path)
        for reply in (sent, got):
            assert reply.status in {404, 422}
            problem_of(reply)
    for method in ("POST", "GET"):
        reply = exchange(service, method, "/medias/files/a%2fb", {"Content-Type": FORM}, body)
        assert reply.status == 422
        assert problem_of(reply)["detail"] == "A resource or key must not contain '/'."
    assert stored_objects(service) == before


@pytest.mark.parametrize("key", ["a/b", "..", ".", "a\0b", "a\nb", "k" * 256, " "])
@pytest.mark.parametrize("kind", ["info", "files"])
def test_a_key_in_the_query_is_held_to_the_same(
    local_service: Service, kind: str, key: str
) -> None:
    answer = local_service.http.get(f"/medias/{kind}/{fresh()}", params={"key": key})
    check_problem(answer, 422, pointer="/key")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("🎬.mov", "🎬.mov"),
        ("C:\\folder\\x.mov", "x.mov"),
        ("../../etc/passwd", "passwd"),
        ("שלום.mov", "שלום.mov"),
        ("é" * 255, "é" * 255),
    ],
)
def test_a_filename_is_kept_without_its_folders(service: Service, sent: str, kept: str) -> None:
    resource = fresh()
    body = form(part(f'name="media"; filename="{sent}"', b"abc"))
    answer = service.http.post(
        f"/medias/files/{resource}", content=body, headers={"Content-Type": FORM}
    )
    assert answer.json()["data"]["attributes"]["filename"] == kept
    assert service.http.get(f"/medias/files/{resource}").content == b"abc"


@pytest.mark.parametrize("disposition", ['name="media"', 'name="media"; filename=""'])
def test_a_file_without_a_name_is_called_like_its_resource(
    local_service: Service, disposition: str
) -> None:
    resource = fresh(".mov")
    answer = local_service.http.post(
        f"/medias/files/{resource}",
        content=form(part(disposition, b"abc")),
        headers={"Content-Type": FORM},
    )
    assert answer.json()["data"]["attributes"]["filename"] == resource


@pytest.mark.parametrize("filename", ["..", ".", "a\x01b", "a\x7fb", "n" * 256, "n" * 3000])
def test_a_filename_that_cannot_be_one_is_refused_and_nothing_is_kept(
    service: Service, filename: str
) -> None:
    resource = fresh()
    before = stored_objects(service)
    answer = service.http.post(
        f"/medias/files/{resource}",
        content=form(part(f'name="media"; filename="{filename}"', b"abc")),
        headers={"Content-Type": FORM},
    )
    check_problem(answer, 422, pointer="/filename", says="filename")
    assert stored_objects(service) == before


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("🎬.png", "inline; filename=\"_.png\"; filename*=UTF-8''%F0%9F%8E%AC.png"),
        ("a%22b.png", "inline; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png"),
        ("a;b c.png", "inline; filename=\"a;b c.png\"; filename*=UTF-8''a%3Bb%20c.png"),
        ("a\u202egnp.png", "inline; filename=\"a_gnp.png\"; filename*=UTF-8''a_gnp.png"),
        ("é.png", "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png"),
    ],
)
def test_a_filename_is_offered_in_a_form_that_every_client_reads(
    service: Service, filename: str, disposition: str
) -> None:
    resource = fresh()
    body = form(part(f'name="media"; filename="{filename}"', b"\x89PNG\r\n\x1a\n"))
    service.http.post(f"/medias/files/{resource}", content=body, headers={"Content-Type": FORM})
    answer = service.http.get(f"/medias/files/{resource}")
    assert answer.headers["content-disposition"] == disposition


@pytest.mark.parametrize("size", [0, 10_240])
def test_no_path_leads_out_of_the_store(local_service: Service, size: int) -> None:
    secret = local_service.data_dir / "secret"
    assert secret.exists()
    for up in ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//"):
        for door in ("/medias/files/", "/api/file/", "/docs/assets/"):
            target = door + up * 8 + "x" * size + str(secret).lstrip("/")
            reply = exchange(local_service, "GET", target)
            assert reply.status in {400, 404, 405, 422}
            assert secret.read_bytes() not in reply.body
            assert b"Traceback" not in reply.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/medias/files/a/b/c", 404),
        ("GET", "/medias/files", 404),
        ("GET", "/medias/nope/x", 404),
        ("GET", "/api/v1/media/nope", 404),
        ("PUT", "/medias/files/x", 405),
        ("DELETE", "/medias/files/x", 405),
        ("POST", "/medias", 405),
        ("PATCH", "/medias/info/x", 405),
    ],
)
def test_what_the_door_does_not_know_gets_an_error_of_its_shape(
    local_service: Service, method: str, path: str, status: int
) -> None:
    answer = local_service.http.request(method, path)
    sentences = {
        404: "There is nothing at this address.",
        405: "This address does not answer to this method.",
    }
    assert answer.status_code == status
    assert answer.headers["content-type"] == JSON_API
    assert answer.json() == problem(status, sentences[status])
    assert ("allow" in answer.headers) == (status == 405)


def test_an_address_is_found_in_the_case_in_which_it_was_given(local_service: Service) -> None:
    resource = "A" + fresh()
    upload(local_service, resource, b"x")
    assert local_service.http.get(f"/medias/info/{resource.lower()}").status_code == 404
