"""Door 4: what a signed URL allows, for how long, and from which pages."""

import base64
import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from tests.support.files import NOT_FOUND, announce, check_error, confirm, get, listed, put, send
from tests.support.forms import FORM, file_field, form
from tests.support.medias import check_problem, fresh, problem
from tests.support.objects import eventually, stored_objects
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, running, s3_settings
from tests.support.wire import connect, head, read_reply

PAGE = "https://app.example.org"
OTHER_PAGE = "https://evil.example.net"
URL_SECONDS = 2
UPLOAD_SECONDS = 4
SHORT_LIVED = {
    "MEDIATHEQUE_UPLOAD_URL_EXPIRY": str(URL_SECONDS),
    "MEDIATHEQUE_DOWNLOAD_URL_EXPIRY": str(URL_SECONDS),
    "MEDIATHEQUE_UPLOAD_EXPIRY": str(UPLOAD_SECONDS),
    "MEDIATHEQUE_JANITOR_SCHEDULE": "* * * * * *",
    "MEDIATHEQUE_MAX_UPLOAD_SIZE": "1000",
    "MEDIATHEQUE_IDLE_TIMEOUT": "1",
    "MEDIATHEQUE_CORS_ORIGINS": PAGE,
    "MEDIATHEQUE_WORKERS": "1",
}


@pytest.fixture(scope="module", params=["local", "s3"])
def strict(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with short deadlines, a small limit and one page of another origin allowed."""
    settings = dict(SHORT_LIVED)
    if request.param == "s3":
        seaweedfs: SeaweedFS = request.getfixturevalue("seaweedfs")
        settings |= s3_settings(seaweedfs, "strict")
    with running(tmp_path_factory.mktemp(f"strict-{request.param}") / "data", settings) as started:
        yield started


def changed(url: str, **parameters: str) -> str:
    """Return ``url`` with other values for some of its parameters."""
    address = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert parameters.keys() <= query.keys()
    return urlunsplit(address._replace(query=urlencode({**query, **parameters})))


def flipped(signature: str) -> str:
    raw = bytearray(base64.urlsafe_b64decode(signature + "="))
    raw[0] ^= 1
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]


def test_a_signed_url_says_until_when_it_holds(local_service: Service) -> None:
    _, url = announce(local_service, "a", 3)
    assert 3500 < int(parameter(url, "expires")) - time.time() <= 3600


def test_a_tampered_url_allows_nothing(local_service: Service) -> None:
    file_id, url = announce(local_service, fresh(), 3)
    other_id, other_url = announce(local_service, fresh(), 3)
    later = str(int(parameter(url, "expires")) + 1)
    tampered = [
        changed(url, expires=later),
        changed(url, expires="9" * 11),
        changed(url, expires="9" * 40),
        changed(url, expires="-1"),
        changed(url, expires="x"),
        changed(url, expires="１"),
        changed(url, signature=flipped(parameter(url, "signature"))),
        changed(url, signature=parameter(other_url, "signature")),
        changed(url, signature="x"),
        changed(url, signature="é"),
        url.partition("?")[0],
        url.partition("&")[0],
        url.replace(file_id, other_id),
    ]
    for bad in tampered:
        assert bad != url
        check_error(put(bad, b"abc"), 403, says="URL", success=True)
    assert confirm(local_service, file_id).status_code == 400
    assert put(url, b"abc").status_code == 200


def test_an_s3_store_refuses_a_tampered_url(s3_service: Service) -> None:
    file_id, url = announce(s3_service, fresh(), 3)
    other_id, _ = announce(s3_service, fresh(), 3)
    for bad in (
        changed(url, **{"X-Amz-Expires": "7200"}),
        changed(url, **{"X-Amz-Signature": "0" * 64}),
        url.replace(file_id, other_id),
    ):
        assert put(bad, b"abc").status_code == 403
    assert get(url).status_code == 403
    assert confirm(s3_service, file_id).status_code == 400


def test_a_url_allows_one_method(local_service: Service) -> None:
    name = fresh()
    file_id, upload_url = announce(local_service, name, 3)
    check_error(get(upload_url), 403, says="signature", success=True)
    put(upload_url, b"abc")
    confirm(local_service, file_id)
    check_error(get(upload_url), 403, says="signature", success=True)
    download_url = listed(local_service, name=name)["page"][0]["url"]
    assert get(download_url).content == b"abc"
    check_error(put(download_url, b"xyz"), 403, says="signature", success=True)
    assert get(download_url).content == b"abc"


def test_a_download_url_allows_head_and_ranges(service: Service) -> None:
    name = fresh()
    send(service, name, b"abcdef")
    url = listed(service, name=name)["page"][0]["url"]
    part = httpx.get(url, headers={"Range": "bytes=1-2"}, trust_env=False)
    assert (part.status_code, part.content) == (206, b"bc")
    if service.settings.get("MEDIATHEQUE_S3_ENDPOINT") is None:
        whole = httpx.head(url, trust_env=False)
        assert (whole.status_code, whole.headers["content-length"]) == (200, "6")


def test_a_download_url_gives_the_name_and_the_type(service: Service) -> None:
    name = fresh() + " é🎬.png"
    send(service, name, b"\x89PNG\r\n\x1a\n")
    answer = get(listed(service, name=name)["page"][0]["url"])
    assert answer.headers["content-type"] == "image/png"
    quoted = name.replace(" ", "%20").replace("é", "%C3%A9").replace("🎬", "%F0%9F%8E%AC")
    plain = name.replace("é", "_").replace("🎬", "_")
    assert answer.headers["content-disposition"] == (
        f"inline; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
    )


def test_what_could_run_in_a_browser_is_downloaded_instead(service: Service) -> None:
    name = fresh(".html")
    send(service, name, b"<html><script>alert(1)</script>")
    answer = get(listed(service, name=name)["page"][0]["url"])
    assert answer.headers["content-disposition"].startswith("attachment; ")


def test_signed_urls_expire(strict: Service) -> None:
    name = fresh()
    send(strict, name, b"abc")
    file_id, upload_url = announce(strict, fresh(), 3)
    download_url = listed(strict, name=name)["page"][0]["url"]
    assert get(download_url).content == b"abc"
    time.sleep(URL_SECONDS + 1.5)
    late = [put(upload_url, b"abc"), get(download_url)]
    assert [answer.status_code for answer in late] == [403, 403]
    if strict.settings.get("MEDIATHEQUE_S3_ENDPOINT") is None:
        for answer in late:
            check_error(answer, 403, says="expired", success=True)
    assert get(listed(strict, name=name)["page"][0]["url"]).content == b"abc"
    assert confirm(strict, file_id).status_code != 200


@pytest.mark.parametrize("bytes_arrived", [True, False])
def test_an_upload_nobody_confirms_expires_with_its_bytes(
    strict: Service, bytes_arrived: bool
) -> None:
    kept = send(strict, fresh(), b"kept")
    file_id, url = announce(strict, fresh(), 3)
    if bytes_arrived:
        put(url, b"abc")
        assert any(file_id in key for key in stored_objects(strict))
    time.sleep(UPLOAD_SECONDS + 0.5)
    answer = confirm(strict, file_id)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert eventually(lambda: not any(file_id in key for key in stored_objects(strict)))
    assert confirm(strict, kept).json() == {"success": True}


def test_more_bytes_than_the_limit_are_refused(strict: Service) -> None:
    before = stored_objects(strict)
    answer = strict.http.post("/api/file/upload", json={"name": "a", "size": 1001})
    check_error(answer, 400, says="at most 1000 bytes", success=False)
    resource = fresh()
    body = form(file_field(b"x" * 1001))
    for content in (body, iter([body])):
        refused = strict.http.post(
            f"/medias/files/{resource}", content=content, headers={"Content-Type": FORM}
        )
        check_problem(refused, 413, pointer=None, says="bytes")
    assert strict.http.get(f"/medias/info/{resource}").status_code == 404
    assert eventually(lambda: stored_objects(strict) <= before)


def test_a_client_that_falls_silent_is_told_so_and_leaves_nothing(strict: Service) -> None:
    before = stored_objects(strict)
    resource = fresh()
    body = form(file_field(b"x" * 500))
    framing = {"Content-Type": FORM, "Content-Length": str(len(body))}
    with connect(strict) as connection:
        connection.sendall(head(strict, "POST", f"/medias/files/{resource}", framing) + body[:300])
        reply = read_reply(connection, "POST")
    assert reply.status == 408
    assert json.loads(reply.body) == problem(
        408, "Nothing arrived for 1 seconds, after 300 bytes of the body. Try again."
    )
    assert strict.http.get(f"/medias/info/{resource}").status_code == 404
    assert stored_objects(strict) <= before


def preflight(url: str, origin: str, method: str = "PUT") -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    return httpx.options(url, headers=headers, trust_env=False)


def cross_origin(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control")
    }


def test_an_allowed_page_may_do_everything(strict: Service) -> None:
    _, url = announce(strict, fresh(), 3)
    for address in (url, f"{strict.url}/api/file/upload", f"{strict.url}/medias/files/x"):
        answer = preflight(address, PAGE)
        assert answer.status_code in {200, 204}
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "PUT" in answer.headers["access-control-allow-methods"]
        assert "content-type" in answer.headers["access-control-allow-headers"].lower()
    body = {"name": fresh(), "size": 3}
    posted = strict.http.post("/api/file/upload", json=body, headers={"Origin": PAGE})
    sent = put(url, b"abc", {"Origin": PAGE, "Content-Type": "image/png"})
    for answer in (posted, sent):
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE


def test_a_page_that_is_not_allowed_is_told_nothing_and_changes_nothing(strict: Service) -> None:
    name = fresh()
    body = {"name": name, "size": 3}
    answer = preflight(f"{strict.url}/api/file/upload", OTHER_PAGE)
    assert "access-control-allow-origin" not in answer.headers
    posted = strict.http.post("/api/file/upload", json=body, headers={"Origin": OTHER_PAGE})
    check_error(posted, 403, says="MEDIATHEQUE_CORS_ORIGINS", success=False)
    assert "access-control-allow-origin" not in posted.headers


def test_no_page_of_another_origin_is_allowed_by_default(local_service: Service) -> None:
    _, url = announce(local_service, fresh(), 3)
    for address in (url, f"{local_service.url}/api/file/upload"):
        assert cross_origin(preflight(address, PAGE)) == {}
    read = local_service.http.get("/api/file", headers={"Origin": PAGE})
    assert (read.status_code, cross_origin(read)) == (200, {})
    check_error(put(url, b"abc", {"Origin": PAGE}), 403, says="Pages of", success=True)
