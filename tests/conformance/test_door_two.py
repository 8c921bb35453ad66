"""Door 2: start a sync, ask how it stands, cancel it; what it says and what it refuses."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import httpx
import pytest

from tests.support.door_two import (
    a_folder,
    fill,
    get,
    nothing_left_running,
    objects,
    parameters,
    slow,
    sync,
    uploads,
    wait,
    wait_for_end,
)
from tests.support.door_zero import check_error
from tests.support.medias import fresh
from tests.support.proxy import Fault, Harm, run_proxy
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, free_port
from tests.support.wire import connect, head

CANARY = "c4naryOfNobody"
NOTHING = {"files": 0, "bytes": 0}


@pytest.fixture(autouse=True)
def ended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no sync behind."""
    services = sorted({"local_service", "s3_service"} & set(request.fixturenames))
    with ExitStack() as stack:
        for name in services:
            stack.enter_context(nothing_left_running(request.getfixturevalue(name)))
        yield


def test_a_sync_is_one_object_from_its_start_to_its_end(service: Service) -> None:
    source, bucket = a_folder(service), fresh()

    answer = service.http.get("/sync", params={"source": f"./{source}/", "dest": bucket})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert "preference-applied" not in answer.headers
    started = answer.json()
    assert isinstance(started["id"], int)
    assert started == {
        "id": started["id"],
        "progress": "0%",
        "status": "running",
        "source": source,
        "dest": bucket,
        "storage_url": None,
        "job": str(uuid.UUID(started["job"])),
        "phase": "planning",
        "wait": 0,
        "dry_run": False,
        "verify": False,
        "force": False,
        "watch": False,
        "as_planned": None,
        "backup_prefix": None,
        "plan": None,
        "done": NOTHING,
        "failed": 0,
        "rounds": 0,
        "error": None,
        "created_at": started["created_at"],
        "started_at": None,
        "finished_at": None,
    }
    found = wait_for_end(service, started["id"])
    assert found["created_at"] < found["started_at"] < found["finished_at"]
    assert found == {
        **started,
        "progress": "100%",
        "status": "success",
        "phase": "deleting",
        "plan": {
            "upload": {"files": 3, "bytes": 30},
            "copy": NOTHING,
            "update": NOTHING,
            "delete": NOTHING,
            "skip": NOTHING,
            "foreign": 0,
            "objects": 0,
            "ignored": 0,
            "empty": False,
        },
        "done": {"files": 3, "bytes": 30},
        "started_at": found["started_at"],
        "finished_at": found["finished_at"],
    }
    number = {"id": started["id"]}
    for address, body in ((f"/get?id={started['id']}", None), ("/get/", number)):
        assert service.http.post(address, json=body).json() == found
    assert service.http.post("/get", data=number).json() == found
    job = service.http.get(f"/jobs/{started['job']}").json()["data"]["attributes"]
    assert (job["job_class"], job["status"], job["progress"]) == ("sync", "completed", 1.0)
    assert job["arguments"] == {
        "source": source,
        "dest": bucket,
        "storage_url": None,
        "dry_run": False,
    }


def test_all_of_the_uploads_go_to_mybucket_unless_told_otherwise(local_service: Service) -> None:
    a_folder(local_service)
    for address in ("/sync?dry_run=1", "/sync?dry_run=1&source=&dest=&storage_url="):
        found = local_service.http.get(address).json()
        assert (found["source"], found["dest"], found["storage_url"]) == ("", "mybucket", None)
        assert found["plan"]["upload"]["files"] >= 3


def test_the_same_can_be_said_in_a_query_a_form_and_json(local_service: Service) -> None:
    http, source = local_service.http, a_folder(local_service, 1)
    flags = {"dry_run": "1", "verify": "true", "force": "0", "wait": "0.5", "backup_prefix": "/o/"}
    said = {"source": source, "dest": fresh(), **flags}
    typed = {**said, "dry_run": True, "verify": 1, "force": False, "wait": 0.5}
    for answer in (
        http.get("/sync", params=said),
        http.get("/sync/", params=said),
        http.post("/sync", params=said),
        http.post("/sync/", data=said),
        http.post("/sync", files={name: (None, value) for name, value in said.items()}),
        http.post("/sync", json=said),
        http.post("/sync", json=typed),
        http.post("/sync", content=json.dumps(typed).encode()),
    ):
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["status"] == "success", found
        assert (found["source"], found["dest"]) == (source, said["dest"])
        assert (found["dry_run"], found["verify"], found["force"]) == (True, True, False)
        assert (found["wait"], found["backup_prefix"]) == (0.5, "o")


async def test_how_far_a_large_file_is_can_be_seen(
    local_service: Service, seaweedfs: SeaweedFS
) -> None:
    source, size = fresh(), 20 << 20
    fill(uploads(local_service) / source, {"film.mp4": bytes(size), "note.txt": b"x"})
    wanted = parameters(seaweedfs, source, fresh())

    def under_way() -> Any:
        listed = {"id": number, "under_way": "1"}
        return local_service.http.get("/sync/operations", params=listed).json()["operations"]

    async with run_proxy(seaweedfs.endpoint) as proxy:
        proxy.faults.append(Fault(r"^PUT .*partNumber=2", Harm.HOLD))
        wanted["storage_url"] = proxy.endpoint
        number = (await asyncio.to_thread(sync, local_service, wanted, wait=0))["id"]
        async with asyncio.timeout(50):
            while not (found := await asyncio.to_thread(under_way)):
                await asyncio.sleep(0.05)
        proxy.released.set()
        done = await asyncio.to_thread(wait_for_end, local_service, number)

    [film] = found
    assert (film["key"], film["state"], film["size"]) == ("film.mp4", "pending", size)
    assert 0 < film["bytes"] < size
    assert done["status"] == "success"
    assert under_way() == []
    shown = local_service.http.get("/sync/operations", params={"id": number}).json()["operations"]
    assert [(one["key"], one["bytes"]) for one in shown] == [("film.mp4", size), ("note.txt", 1)]


def test_a_sync_can_be_held_to_the_plan_of_a_dry_run(local_service: Service) -> None:
    http, source = local_service.http, a_folder(local_service, 2)
    said = {"source": source, "dest": fresh()}
    done = {"Prefer": "wait=50"}
    assert http.post("/sync", data=said, headers=done).json()["status"] == "success"
    (uploads(local_service) / source / "new").write_bytes(b"new")
    seen = http.post("/sync", data=said | {"dry_run": "1"}).json()
    next((uploads(local_service) / source).glob("[!n]*")).unlink()

    held = said | {"as_planned": str(seen["id"])}
    found = http.post("/sync", data=held, headers=done).json()
    assert (found["status"], found["as_planned"]) == ("error (not as planned)", seen["id"])
    http.post("/sync", data=said | {"dry_run": "1"})
    answer = http.post("/sync", data=held)
    assert answer.status_code == 409
    assert "out of date" in answer.json()["error"]
    for wrong in ("7a", "0"):
        answer = http.post("/sync", data=said | {"as_planned": wrong})
        assert answer.status_code == 400
        assert "as_planned must be" in answer.json()["error"]


def test_a_wait_that_is_preferred_ends_with_the_sync_or_with_the_time(
    local_service: Service,
) -> None:
    quick = {"source": a_folder(local_service), "dest": fresh()}
    answer = local_service.http.get("/sync", params=quick, headers={"Prefer": "wait=50"})
    assert answer.headers["preference-applied"] == "wait=50"
    assert (answer.json()["status"], answer.json()["progress"]) == ("success", "100%")

    began = time.monotonic()
    answer = local_service.http.get(
        "/sync", params=slow(local_service), headers={"Prefer": "respond-async, wait=1"}
    )
    assert 1 <= time.monotonic() - began < 4
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.json()["status"] == "running"


def test_a_client_that_goes_away_is_not_waited_for(local_service: Service) -> None:
    name = fresh()
    wanted = slow(local_service)
    target = f"/sync?source={wanted['source']}&dest={wanted['dest']}&wait=5"
    with connect(local_service) as connection:
        headers = {"Prefer": "wait=200", "X-Request-Id": name}
        connection.sendall(head(local_service, "GET", target, headers))
        deadline = time.monotonic() + 20
        while not local_service.http.get("/runnings").json():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    while name not in local_service.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(local_service.http.get("/runnings").json()) == 1


def test_runnings_are_those_that_run(local_service: Service) -> None:
    assert local_service.http.get("/runnings").json() == []
    first = sync(local_service, slow(local_service), wait=0)
    second = sync(local_service, slow(local_service), wait=0)
    for method, address in product(("GET", "POST"), ("/runnings", "/runnings/")):
        answer = local_service.http.request(method, address)
        assert answer.status_code == 200
        assert [each["id"] for each in answer.json()] == [first["id"], second["id"]]
    assert answer.json()[0].keys() == first.keys()
    local_service.http.get("/cancel", params={"id": first["id"]})
    assert [each["id"] for each in local_service.http.get("/runnings").json()] == [second["id"]]


def test_progress_grows_with_the_operations(local_service: Service) -> None:
    wanted = {"source": a_folder(local_service, 4), "dest": fresh(), "wait": "0.3"}
    started = sync(local_service, wanted, wait=0)
    seen = ["0%"]

    def look(found: Any) -> bool:
        if found["progress"] != seen[-1]:
            seen.append(found["progress"])
        return bool(found["status"] != "running")

    wait(local_service, started["id"], look)
    assert seen[0] == "0%"
    assert seen[-1] == "100%"
    assert {"25%", "50%", "75%"} & set(seen)
    assert [int(each[:-1]) for each in seen] == sorted(int(each[:-1]) for each in seen)


@pytest.mark.parametrize("path", ["/get", "/cancel", "/sync/operations"])
@pytest.mark.parametrize(
    "query",
    ["", "?id=", "?id=x", "?id=7.0", "?id=%207", "?id=+7", "?id=%2B7", "?id=%D9%A7", "?id=1_0"],
)
def test_an_id_that_is_no_number_is_400(local_service: Service, path: str, query: str) -> None:
    check_error(local_service.http.get(path + query), 400, says="id")


@pytest.mark.parametrize("path", ["/get", "/cancel", "/sync/operations"])
@pytest.mark.parametrize(
    "number", ["0", "-1", "999999999", str(2**63 - 1), str(2**63), "9" * 40, "9" * 5000]
)
def test_an_unknown_id_is_404(local_service: Service, path: str, number: str) -> None:
    answer = local_service.http.get(path, params={"id": number})
    check_error(answer, 404, says=f"There is no sync {number[:40]}.")


@pytest.mark.parametrize("how", ["get", "query", "form", "json", "text", "slash"])
def test_a_sync_is_cancelled_before_its_next_operation(local_service: Service, how: str) -> None:
    http = local_service.http
    number = sync(local_service, slow(local_service), wait=0)["id"]
    wait(local_service, number, lambda found: found["done"]["files"] > 0)
    asks: dict[str, Callable[[], httpx.Response]] = {
        "get": lambda: http.get("/cancel", params={"id": number}),
        "query": lambda: http.post("/cancel", params={"id": number}),
        "form": lambda: http.post("/cancel", data={"id": number}),
        "json": lambda: http.post("/cancel", json={"id": number}),
        "text": lambda: http.post("/cancel", json={"id": str(number)}),
        "slash": lambda: http.post("/cancel/", params={"id": number}),
    }
    ask = asks[how]

    answer = ask()

    assert answer.status_code == 200
    cancelled = answer.json()
    assert (cancelled["status"], cancelled["error"]) == ("cancelled", None)
    assert 0 < cancelled["done"]["files"] < 5
    assert cancelled["progress"] == f"{cancelled['done']['files'] * 5}%"
    assert ask().json() == cancelled, "cancelling it again changes nothing"
    assert get(local_service, number) == cancelled


def test_cancelling_what_succeeded_changes_nothing(local_service: Service) -> None:
    done = sync(local_service, {"source": a_folder(local_service), "dest": fresh()})
    answer = local_service.http.get("/cancel", params={"id": done["id"]})
    assert (answer.status_code, answer.json()) == (200, done)


def test_a_bucket_has_one_sync_at_a_time_beside_dry_runs(local_service: Service) -> None:
    wanted = slow(local_service)
    running = sync(local_service, wanted, wait=0)
    for answer in (
        local_service.http.get("/sync", params=wanted),
        local_service.http.post("/sync", json={"dest": wanted["dest"]}),
    ):
        check_error(answer, 409, says=f"being synchronised already (id {running['id']})")
    assert len(local_service.http.get("/runnings").json()) == 1
    planned = sync(local_service, {**wanted, "dry_run": 1})
    assert planned["status"] == "success"
    local_service.http.get("/cancel", params={"id": running["id"]})
    assert sync(local_service, {**wanted, "wait": 0})["status"] == "success"


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(service: Service) -> None:
    source, bucket = a_folder(service, 2), fresh()
    answer = service.http.get("/sync", params={"source": source, "dest": bucket, "dry_run": "true"})

    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers
    planned = answer.json()
    assert planned.keys() - get(service, planned["id"]).keys() == {"operations", "next"}
    assert (planned["status"], planned["dry_run"], planned["next"]) == ("success", True, None)
    assert planned["plan"]["upload"] == {"files": 2, "bytes": 20}
    assert planned["done"] == NOTHING
    assert planned["operations"] == [
        {
            "action": "upload",
            "key": f"{n:04}.txt",
            "size": 10,
            "bytes": 0,
            "state": "pending",
            "error": None,
            "copy_from": None,
        }
        for n in range(2)
    ]
    again = service.http.get("/sync", params={"source": source, "dest": bucket, "dry_run": "1"})
    assert again.json()["operations"] == planned["operations"]
    assert not (service.data_dir / "objects" / "buckets" / bucket).exists()


def test_operations_come_in_pages_that_lead_to_each_other(local_service: Service) -> None:
    wanted = {"source": a_folder(local_service, 1002, size=1), "dest": fresh(), "dry_run": 1}
    planned = sync(local_service, wanted)
    assert len(planned["operations"]) == 1000
    second = local_service.http.get(planned["next"]).json()
    assert second.keys() == {"operations", "next"}
    keys = [each["key"] for each in [*planned["operations"], *second["operations"]]]
    assert keys == [f"{n:04}.txt" for n in range(1002)]
    assert second["next"] is None

    number = planned["id"]
    few = local_service.http.get(
        f"/sync/operations?id={number}&action=upload&state=pending&limit=501"
    ).json()
    assert len(few["operations"]) == 501
    assert few["next"].startswith(f"{local_service.url}/sync/operations?")
    rest = local_service.http.get(few["next"]).json()
    assert ([each["key"] for each in rest["operations"]], rest["next"]) == (keys[501:], None)
    for query in ("action=delete", "state=done", "state=failed"):
        page = local_service.http.get(f"/sync/operations?id={number}&{query}").json()
        assert page == {"operations": [], "next": None}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("action=remove", "action is one of upload, copy, update, delete"),
        ("state=over", "state is one of pending, done, failed, skipped"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be"),
        ("after=x", "after must be"),
        ("page=1", "There is no parameter 'page'"),
    ],
)
def test_a_page_of_operations_that_cannot_be_is_400(
    local_service: Service, query: str, says: str
) -> None:
    check_error(local_service.http.get(f"/sync/operations?id=1&{query}"), 400, says=says)


def test_a_store_with_keys_of_its_own_is_written_to(
    local_service: Service, seaweedfs: SeaweedFS
) -> None:
    source, bucket = a_folder(local_service), fresh()
    address = seaweedfs.endpoint.replace("127.0.0.1", "LOCALHOST") + "/"
    wanted = {**parameters(seaweedfs, source, bucket), "storage_url": address}

    answer = local_service.http.post("/sync", data=wanted, headers={"Prefer": "wait=50"})

    assert (answer.json()["status"], answer.json()["storage_url"]) == (
        "success",
        seaweedfs.endpoint,
    )
    assert objects(seaweedfs, bucket) == {f"{n:04}.txt": b"x" * 10 for n in range(3)}
    listed = local_service.http.get("/sync/history").json()
    assert answer.json()["id"] in [one["id"] for one in listed["syncs"]]
    shown = answer.text + local_service.http.get(f"/jobs/{answer.json()['job']}").text
    shown += json.dumps(listed)
    assert seaweedfs.secret_key not in shown
    assert seaweedfs.access_key not in shown


def test_a_store_that_does_not_answer_or_refuses_the_keys_is_an_error(
    local_service: Service, seaweedfs: SeaweedFS
) -> None:
    source = a_folder(local_service)
    dead = {
        **parameters(seaweedfs, source, fresh()),
        "storage_url": f"http://127.0.0.1:{free_port()}",
    }
    wrong = {**parameters(seaweedfs, source, fresh()), "secret_key": CANARY}
    for wanted in (dead, wrong):
        found = sync(local_service, wanted)
        assert found["status"] == "error (s3 storage connection)"
        assert found["progress"] == "0%"
        assert len(found["error"]) > 20
        assert CANARY not in json.dumps(found)


def test_a_missing_or_empty_source_takes_the_bucket_with_it(service: Service) -> None:
    source, bucket = a_folder(service), fresh()
    assert sync(service, {"source": source, "dest": bucket})["status"] == "success"
    for name in ("0000.txt", "0001.txt", "0002.txt"):
        (uploads(service) / source / name).unlink()

    gone = sync(service, {"source": source, "dest": bucket})

    assert (gone["status"], gone["plan"]["empty"]) == ("success", True)
    assert gone["done"] == {"files": 3, "bytes": 0}
    again = sync(service, {"source": "never-was", "dest": bucket})
    assert (again["status"], again["plan"]["objects"]) == ("success", 0)
