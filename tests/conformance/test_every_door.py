"""What holds at every address: request ids, hosts, origins, and what operators ask."""

import json
import re

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mediatheque.processing.sandbox import available
from tests.support import door_one
from tests.support.door_uploads import BYTES, TUS, create
from tests.support.files import announce
from tests.support.medias import check_problem, fresh, upload
from tests.support.service import Service, running
from tests.support.wire import exchange

ADDRESSES = [
    ("GET", "/medias?page[size]=1", 200),
    ("GET", "/medias/info/none", 404),
    ("GET", "/medias?page[size]=0", 422),
    ("GET", "/jobs?page[size]=1", 200),
    ("GET", "/jobs/none", 404),
    ("DELETE", "/jobs/none", 204),
    ("POST", "/jobs/signal", 422),
    ("GET", "/events?job=none", 404),
    ("GET", "/api/file", 200),
    ("DELETE", "/api/file/none", 404),
    ("POST", "/api/file/upload", 400),
    ("PUT", "/api/file/01a1fc87-9655-79af-939f-09e2b6784b59/content", 403),
    ("POST", "/transfer_media", 400),
    ("POST", "/transfer_media_segment", 400),
    ("GET", "/status/none", 404),
    ("GET", "/status", 400),
    ("GET", "/transfers", 200),
    ("POST", "/transfers/none/cancel", 404),
    ("PATCH", "/transfers/none", 400),
    ("GET", "/sync?dest=No", 400),
    ("POST", "/sync?dest=No", 400),
    ("GET", "/runnings", 200),
    ("GET", "/get?id=0", 404),
    ("GET", "/cancel", 400),
    ("GET", "/sync/history?limit=1", 200),
    ("GET", "/sync/history?after=x", 400),
    ("GET", "/sync/operations", 400),
    ("GET", "/sync/schedules", 200),
    ("POST", "/sync/schedules", 400),
    ("DELETE", "/sync/schedules/0", 404),
    ("POST", "/create", 200),
    ("POST", "/add_data/none", 404),
    ("POST", "/complete_job/none", 404),
    ("GET", "/check_status/none", 404),
    ("GET", "/video/none", 404),
    ("GET", "/video/none/original", 404),
    ("GET", "/recordings", 200),
    ("GET", "/recordings/none", 404),
    ("OPTIONS", "/uploads", 204),
    ("POST", "/uploads", 412),
    ("PATCH", "/uploads/none", 412),
    ("HEAD", "/uploads/none", 404),
    ("GET", "/uploads/none", 404),
    ("DELETE", "/uploads/none", 404),
    ("GET", "/library?limit=1", 200),
    ("GET", "/library?limit=0", 400),
    ("GET", "/library/none", 404),
    ("GET", "/library/none/jobs", 404),
    ("GET", "/system/stored", 200),
    ("GET", "/system/throughput", 200),
    ("GET", "/system/folders", 400),
    ("GET", "/health", 200),
    ("GET", "/ready", 200),
    ("GET", "/metrics", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/docs/assets/swagger-ui.css", 200),
    ("GET", "/nothing", 404),
    ("PATCH", "/health", 405),
]
ORIGIN_GUARD_METHODS = [
    ("POST", "/medias/files/x"),
    ("DELETE", "/jobs/x"),
    ("POST", "/jobs/x/signal"),
    ("POST", "/jobs/signal"),
    ("POST", "/api/file/upload"),
    ("POST", "/api/file/confirmUpload"),
    ("DELETE", "/api/file/x"),
    ("POST", "/api/file/x/tags"),
    ("DELETE", "/api/file/x/tags"),
    ("PUT", "/api/file/x/content"),
    ("POST", "/transfer_media"),
    ("POST", "/transfer_media_segment"),
    ("POST", "/transfers"),
    ("POST", "/transfers/x/cancel"),
    ("PATCH", "/transfers/x"),
    ("POST", "/sync"),
    ("POST", "/cancel?id=0"),
    ("POST", "/sync/schedules"),
    ("DELETE", "/sync/schedules/0"),
    ("POST", "/create/"),
    ("POST", "/add_data/x/"),
    ("POST", "/complete_job/x/"),
    ("POST", "/uploads"),
    ("PATCH", "/uploads/x"),
    ("DELETE", "/uploads/x"),
    ("GET", "/sync"),
    ("GET", "/cancel?id=0"),
]


@pytest.mark.parametrize(("method", "path", "status"), ADDRESSES)
def test_every_answer_has_a_request_id(
    local_service: Service, method: str, path: str, status: int
) -> None:
    first = local_service.http.request(method, path)
    second = local_service.http.request(method, path, headers={"X-Request-Id": "mine-1.a_B"})
    strange = local_service.http.request(method, path, headers={"X-Request-Id": "a b<c>"})
    for answer in (first, second, strange):
        assert answer.status_code == status
        assert "Traceback" not in answer.text
        assert str(local_service.data_dir) not in answer.text
    assert re.fullmatch(r"[0-9a-f]{32}", first.headers["x-request-id"])
    assert second.headers["x-request-id"] == "mine-1.a_B"
    assert re.fullmatch(r"[0-9a-f]{32}", strange.headers["x-request-id"])


@pytest.mark.parametrize("door", ["medias", "files", "recordings", "tus", "json"])
def test_coded_bytes_are_taken_nowhere(local_service: Service, door: str) -> None:
    """They would be kept as they come, and served as if they were what they stand for."""
    name = fresh()
    target, body, headers = coded(local_service, door, name)
    method = {"files": "PUT", "tus": "PATCH"}.get(door, "POST")

    answer = local_service.http.request(
        method, target, content=body, headers={**headers, "Content-Encoding": "gzip"}
    )

    assert answer.status_code == 415, answer.text
    assert "Send them without Content-Encoding." in answer.text
    assert local_service.http.get(f"/medias/info/{name}").status_code == 404
    plain = {**headers, "Content-Encoding": "Identity"}
    again = local_service.http.request(method, target, content=body, headers=plain)
    assert again.status_code in {200, 204}, again.text


def coded(service: Service, door: str, name: str) -> tuple[str, bytes, dict[str, str]]:
    """Return an address of a door that takes bytes, some for it, and their headers."""
    if door == "medias":
        form = f'--x\r\nContent-Disposition: form-data; name="media"; filename="{name}"\r\n\r\nab'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return f"/medias/files/{name}", f"{form}\r\n--x--\r\n".encode(), kind
    if door == "files":
        return announce(service, name, 2)[1], b"ab", {}
    if door == "recordings":
        return f"/add_data/{door_one.create(service)}/", b"ab", {}
    if door == "tus":
        return create(service, 2), b"ab", {**TUS, **BYTES, "Upload-Offset": "0"}
    return "/api/file/upload", json.dumps({"name": name, "size": 2}).encode(), {}


def test_a_content_coding_of_nothing_is_no_fault(local_service: Service) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert local_service.http.post("/create/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/file",
        "/medias",
        "/jobs",
        "/transfers",
        "/runnings",
        "/sync/schedules",
        "/recordings",
        "/library",
        "/system",
        "/system/stored",
        "/health",
        "/ready",
        "/openapi.json",
    ],
)
def test_a_trailing_slash_is_no_other_address(local_service: Service, path: str) -> None:
    plain, slashed = local_service.http.get(path), local_service.http.get(path + "/")
    assert (plain.status_code, slashed.status_code) == (200, 200)
    assert plain.headers["content-type"] == slashed.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/file/upload/", 400),
        ("/api/file/confirmUpload/", 400),
        ("/api/file/x/tags/", 400),
        ("/medias/files/x/", 422),
        ("/jobs/x/signal/", 422),
        ("/jobs/signal/", 422),
        ("/medias/files/x/y/", 422),
        ("/api/v1/media/medias/files/x/", 422),
        ("/create/", 200),
        ("/add_data/x/", 404),
        ("/complete_job/x/", 404),
        ("/uploads/", 412),
    ],
)
def test_a_post_is_never_redirected(local_service: Service, path: str, status: int) -> None:
    for address in (path, path.rstrip("/")):
        assert local_service.http.post(address).status_code == status


@pytest.mark.parametrize(("method", "path"), ORIGIN_GUARD_METHODS)
def test_pages_of_other_origins_change_nothing(
    local_service: Service, method: str, path: str
) -> None:
    for origin in (
        "https://evil.example.net",
        "http://localhost",
        "http://127.0.0.1:1",
        "null",
        "http://[",
        "http://127.0.0.1.evil.example.net",
    ):
        answer = local_service.http.request(method, path, headers={"Origin": origin})
        assert answer.status_code == 403, origin
        if path.startswith(("/medias", "/jobs")):
            check_problem(answer, 403, pointer=None, says="MEDIATHEQUE_CORS_ORIGINS")
        else:
            assert "MEDIATHEQUE_CORS_ORIGINS" in answer.json()["error"]


def test_pages_of_the_service_itself_may_change_things(local_service: Service) -> None:
    body = {"name": fresh(), "size": 1}
    for address in (local_service.url, local_service.url.replace("127.0.0.1", "localhost")):
        answer = httpx.post(
            f"{address}/api/file/upload", json=body, headers={"Origin": address}, trust_env=False
        )
        assert answer.status_code == 200
        assert answer.json()["uploadUrl"].startswith(address + "/")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_pages_of_other_origins_may_ask_but_not_read(local_service: Service, method: str) -> None:
    resource = fresh()
    upload(local_service, resource, b"abc")
    answer = local_service.http.request(
        method, f"/medias/files/{resource}", headers={"Origin": "https://evil.example.net"}
    )
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.net",
        "evil.example.net:5000",
        "127.0.0.1.evil.example.net",
        "192.168.1.5",
        "127.0.0.1@evil.example.net",
        "",
        "[",
        "a b",
    ],
)
@pytest.mark.parametrize("path", ["/medias", "/api/file", "/ready", "/openapi.json", "/docs"])
def test_a_host_that_is_not_ours_is_refused(local_service: Service, path: str, host: str) -> None:
    reply = exchange(local_service, "GET", path, {"Host": host})
    assert reply.status in {400, 403}
    if reply.status == 403:
        assert b"MEDIATHEQUE_PUBLIC_URL" in reply.body
        json.loads(reply.body)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:99"])
def test_every_loopback_name_is_ours(local_service: Service, host: str) -> None:
    assert exchange(local_service, "GET", "/health", {"Host": host}).status == 200


def test_a_public_address_is_ours_and_is_what_links_lead_to(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = {
        "MEDIATHEQUE_PUBLIC_URL": "https://media.example.org/",
        "MEDIATHEQUE_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("public") / "data", settings) as service:
        named = {"Host": "media.example.org"}
        links = json.loads(exchange(service, "GET", "/medias", named).body)["links"]
        assert links["first"] == "https://media.example.org/medias?page%5Bnumber%5D=1"
        _, url = announce(service, "a", 1)
        assert url.startswith("https://media.example.org/api/file/")
        assert exchange(service, "GET", "/medias", {"Host": "other.example.org"}).status == 403


def test_health_is_an_empty_200(local_service: Service) -> None:
    answer = local_service.http.get("/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


def test_ready_names_every_part(service: Service) -> None:
    answer = service.http.get("/ready")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    free = body["free_bytes"]
    assert body == {
        "status": "ready",
        "checks": {"database": "ok", "jobs": "ok", "store": "ok", "disk": "ok"},
        "warnings": body["warnings"],
        "free_bytes": free,
    }
    weakness = available().warning
    assert [said.partition(": ")[2] for said in body["warnings"]] == [weakness] * bool(weakness)
    local = service.settings.get("MEDIATHEQUE_STORAGE_URL") is None
    assert (free > 1_000_000) if local else (free is None)


def test_metrics_count_requests_and_bytes(local_service: Service) -> None:
    def received() -> float:
        text = local_service.http.get("/metrics").text
        found = re.search(r"^mediatheque_\w*received_bytes\w* (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = received()
    upload(local_service, fresh(), b"x" * 12_345)
    answer = local_service.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert received() - before == 12_345
    assert re.search(r"^# TYPE mediatheque_\w+ histogram$", answer.text, re.MULTILINE)


def test_the_description_is_valid_openapi_and_names_every_address(local_service: Service) -> None:
    description = local_service.http.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(description).validate()
    paths = description["paths"]
    for path, methods in {
        "/medias": {"get"},
        "/medias/info/{name}": {"get"},
        "/medias/info/{name}/{key}": {"get"},
        "/medias/files/{name}": {"get", "head", "post"},
        "/medias/files/{name}/{key}": {"get", "head", "post"},
        "/api/v1/media/medias": {"get"},
        "/jobs": {"get"},
        "/jobs/{job_id}": {"get", "delete"},
        "/jobs/{job_id}/signal": {"post"},
        "/jobs/signal": {"post"},
        "/api/v1/media/jobs": {"get"},
        "/events": {"get"},
        "/api/file": {"get"},
        "/api/file/upload": {"post"},
        "/api/file/confirmUpload": {"post"},
        "/api/file/{file_id}": {"delete"},
        "/api/file/{file_id}/tags": {"post", "delete"},
        "/transfer_media": {"post"},
        "/transfer_media_segment": {"post"},
        "/status": {"get"},
        "/status/{cursor}": {"get"},
        "/transfers": {"get", "post"},
        "/transfers/{transfer_id}": {"get", "patch"},
        "/transfers/{transfer_id}/retry": {"post"},
        "/sync": {"get", "post"},
        "/runnings": {"get"},
        "/get": {"get"},
        "/cancel": {"get", "post"},
        "/sync/history": {"get"},
        "/sync/operations": {"get"},
        "/sync/schedules": {"get", "post"},
        "/sync/schedules/{number}": {"delete"},
        "/create": {"post"},
        "/add_data/{video_id}": {"post"},
        "/complete_job/{video_id}": {"post"},
        "/check_status/{video_id}": {"get"},
        "/video/{video_id}": {"get", "head"},
        "/video/{video_id}/{name}": {"get", "head"},
        "/recordings": {"get"},
        "/recordings/{video_id}": {"get"},
        "/health": {"get"},
        "/ready": {"get"},
        "/metrics": {"get"},
    }.items():
        assert methods <= paths[path].keys(), path
    parameters = {p["name"] for p in paths["/medias"]["get"]["parameters"]}
    assert {"page[size]", "page[after]", "sort", "count", "filter[size__gte]"} <= parameters
    parameters = {p["name"] for p in paths["/jobs/signal"]["post"]["parameters"]}
    assert {"filter[status]", "filter[status__in]", "filter[priority__lte]"} <= parameters
    parameters = {p["name"] for p in paths["/sync"]["get"]["parameters"]}
    assert {"source", "dest", "storage_url", "access_key", "secret_key", "wait"} <= parameters
    chunk = paths["/add_data/{video_id}"]["post"]
    headers = {p["name"] for p in chunk["parameters"] if p["in"] == "header"}
    assert headers == {"Chunk-Index", "Upload-Offset", "Content-Digest"}
    assert chunk["requestBody"]["content"].keys() == {"*/*"}
    events = paths["/events"]["get"]
    assert {p["name"] for p in events["parameters"]} == {"job", "after", "Last-Event-ID"}
    assert events["responses"]["200"]["content"].keys() == {"text/event-stream"}


def test_the_pages_of_the_description_need_no_other_host(local_service: Service) -> None:
    page = local_service.http.get("/docs").text
    assert "swagger" in page.lower()
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+", page)
    assets = set(re.findall(r'(?:src|href)="(/[^"]+)"', page))
    assert len(assets) >= 3
    for asset in assets:
        answer = local_service.http.get(asset)
        assert answer.status_code == 200
        assert len(answer.content) > 1000
        expected = "text/css" if asset.endswith("css") else "text/javascript"
        assert answer.headers["content-type"].partition(";")[0] == expected


@pytest.mark.parametrize("name", ["nope.js", "a%00b", "x" * 10_000, "swagger-ui.css/x", "..", ""])
def test_an_asset_that_is_not_there_is_404(local_service: Service, name: str) -> None:
    reply = exchange(local_service, "GET", f"/docs/assets/{name}")
    assert reply.status == 404
    assert json.loads(reply.body) == {"error": "There is nothing at this address."}
