"""Door 2: what is refused, to whom, and that nothing is started, said or logged by it."""

from collections.abc import Iterator

import pytest

from tests.support.door_two import a_folder, nothing_left_running, slow, sync
from tests.support.door_zero import check_error
from tests.support.medias import fresh
from tests.support.service import Service
from tests.support.wire import exchange

CANARY = "c4naryOfNobody"


@pytest.fixture(autouse=True)
def ended(local_service: Service) -> Iterator[None]:
    """Leave no sync behind."""
    with nothing_left_running(local_service):
        yield


WRONG = [
    ({"dst": "x"}, "There is no parameter 'dst'"),
    ({"source": "../x"}, "'..' in it"),
    ({"source": "a/../../x"}, "'..' in it"),
    ({"source": "/etc"}, "is absolute"),
    ({"source": "a\0b"}, "source has characters"),
    ({"dest": "No_Bucket"}, "dest must be a bucket's name"),
    ({"dest": "../../x"}, "dest must be a bucket's name"),
    ({"dest": "192.168.0.1"}, "dest must be a bucket's name"),
    ({"dest": "x" * 64}, "dest must be a bucket's name"),
    ({"wait": "61"}, "wait must be"),
    ({"wait": "-1"}, "wait must be"),
    ({"wait": "nan"}, "wait must be"),
    ({"wait": "inf"}, "wait must be"),
    ({"wait": "x"}, "wait must be"),
    ({"dry_run": "yes"}, "dry_run must be"),
    ({"watch": "1", "dry_run": "1"}, "watch and dry_run"),
    ({"backup_prefix": "a/../b"}, "backup_prefix must be"),
    ({"backup_prefix": "/"}, "backup_prefix must be"),
    ({"region": "a b"}, "region must be"),
    ({"storage_url": "ftp://127.0.0.1"}, "storage_url must be"),
    ({"storage_url": f"http://a:{CANARY}@127.0.0.1"}, "storage_url must be"),
    ({"access_key": CANARY}, "secret_key is missing"),
    ({"secret_key": CANARY}, "access_key is missing"),
    ({"access_key": CANARY, "secret_key": CANARY}, "need a storage_url"),
    (
        {"access_key": CANARY, "secret_key": f"{CANARY} x", "storage_url": "http://127.0.0.1:1"},
        "secret_key must be",
    ),
    ({"access_key": CANARY, "secret_key": CANARY, "x": "1"}, "One of the parameters is not known"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG)
def test_what_is_wrong_is_400_naming_it_and_starts_nothing(
    local_service: Service, wrong: dict[str, str], says: str
) -> None:
    http = local_service.http
    for answer in (
        http.get("/sync", params=wrong),
        http.post("/sync", data=wrong),
        http.post("/sync", json=wrong),
    ):
        check_error(answer, 400, says=says)
        assert CANARY not in answer.text
    assert http.get("/runnings").json() == []
    assert CANARY not in local_service.log.read_text()


@pytest.mark.parametrize(
    ("content_type", "body", "says"),
    [
        ("application/json", b"{", "not valid JSON"),
        ("application/json", b"[]", "must be a JSON object"),
        ("application/json", b'{"dest": 7}', "dest must be a text"),
        ("application/json", b'{"verify": []}', "verify must be"),
        ("application/json", b'{"wait": true}', "wait must be"),
        ("application/json", b'{"wait": 1e400}', "not valid JSON"),
        ("application/json", b'{"source": "\\udc80"}', "not valid JSON"),
        ("application/json", b"[" * 100_000, "nested too deeply"),
        ("text/plain", b"dest=x", "must be a form or a JSON object"),
        ("application/x-www-form-urlencoded", b"dest=%ff", "not percent-encoded UTF-8"),
        ("application/x-www-form-urlencoded", b"dest=a&dest=b", "dest is given twice"),
        ("multipart/form-data; boundary=b", b"--b", "multipart body cannot be read"),
    ],
)
def test_a_body_that_cannot_be_understood_is_400(
    local_service: Service, content_type: str, body: bytes, says: str
) -> None:
    headers = {"Content-Type": content_type}
    check_error(local_service.http.post("/sync", content=body, headers=headers), 400, says=says)


@pytest.mark.parametrize("path", ["/sync?dest=a&dest=b", "/get?id=1&id=1", "/cancel?id=1&id=2"])
def test_a_parameter_that_comes_twice_is_400(local_service: Service, path: str) -> None:
    check_error(local_service.http.get(path), 400, says="is given twice")


def test_a_store_that_is_not_allowed_is_403_naming_the_setting(local_service: Service) -> None:
    for address in ("https://s3.example.com", "http://192.0.2.1:9000", "http://127.0.0.1.nip.io"):
        answer = local_service.http.get("/sync", params={"storage_url": address})
        check_error(answer, 403, says="MEDIATHEQUE_SYNC_ENDPOINTS")


@pytest.mark.parametrize("path", ["/sync", "/cancel"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.net"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Site": "none"},
        {"Purpose": "prefetch"},
    ],
)
def test_links_images_and_guesses_of_browsers_start_and_cancel_nothing(
    local_service: Service, path: str, headers: dict[str, str]
) -> None:
    running = sync(local_service, slow(local_service), wait=0)
    query = {"/sync": {"dest": fresh()}, "/cancel": {"id": running["id"]}}[path]
    for address in (path, f"{path}/"):
        answer = local_service.http.get(address, params=query, headers=headers)
        check_error(answer, 403, says="")
    assert [each["id"] for each in local_service.http.get("/runnings").json()] == [running["id"]]
    shown = local_service.http.get("/get", params={"id": running["id"]}, headers=headers)
    assert shown.status_code == 200, "asking changes nothing"


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_addresses_that_people_type_work(local_service: Service, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Accept": "text/html,*/*"}
    query = {"source": a_folder(local_service), "dest": fresh(), "dry_run": "1"}
    answer = local_service.http.get("/sync", params=query, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")


@pytest.mark.parametrize("path", ["/sync?dest=headless", "/cancel?id=1"])
def test_asking_for_the_head_alone_does_nothing(local_service: Service, path: str) -> None:
    assert exchange(local_service, "HEAD", path).status == 405
    assert local_service.http.get("/runnings").json() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(local_service: Service, method: str) -> None:
    for path in ("/sync", "/cancel", "/get", "/runnings"):
        check_error(local_service.http.request(method, path), 405, says="method")


def test_a_query_is_never_logged(local_service: Service) -> None:
    name = fresh()
    local_service.http.get("/sync", params={"secret_key": CANARY}, headers={"X-Request-Id": name})
    log = local_service.log.read_text()
    assert name in log
    assert CANARY not in log
