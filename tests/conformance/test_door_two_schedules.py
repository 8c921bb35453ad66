"""Door 2, again and again: schedules are made, listed and removed."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.door_zero import check_error
from tests.support.service import Service

CANARY = "c4naryOfNobody"


def test_a_schedule_is_made_listed_and_removed(local_service: Service) -> None:
    http, bucket = local_service.http, f"m-{uuid.uuid4().hex}"
    said = {
        "cron": "17 3 * * *",
        "source": "./a/",
        "dest": bucket,
        "storage_url": "http://localhost:9000/",
        "access_key": CANARY,
        "secret_key": CANARY,
        "verify": 1,
        "wait": 2,
        "backup_prefix": "old",
    }

    answer = http.post("/sync/schedules", json=said)

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    made = answer.json()
    assert answer.headers["location"] == f"/sync/schedules/{made['id']}"
    assert made == {
        "id": made["id"],
        "cron": "17 3 * * *",
        "next_at": made["next_at"],
        "source": "a",
        "dest": bucket,
        "storage_url": "http://127.0.0.1:9000",
        "verify": True,
        "force": False,
        "wait": 2,
        "backup_prefix": "old",
        "created_at": made["created_at"],
    }
    next_at = datetime.fromisoformat(made["next_at"])
    assert (next_at.hour, next_at.minute, next_at.second) == (3, 17, 0)
    assert datetime.now(UTC) < next_at <= datetime.now(UTC) + timedelta(days=1)
    for address in ("/sync/schedules", "/sync/schedules/"):
        assert made in http.get(address).json()
        assert CANARY not in http.get(address).text
    other = http.post("/sync/schedules/", data={"cron": "@hourly", "dest": bucket})
    assert other.status_code == 201

    removed = http.delete(f"/sync/schedules/{made['id']}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert made not in http.get("/sync/schedules").json()
    assert other.json() in http.get("/sync/schedules").json()
    assert http.delete(f"/sync/schedules/{other.json()['id']}/").status_code == 204
    check_error(http.delete(f"/sync/schedules/{made['id']}"), 404, says="There is no")
    assert CANARY not in local_service.log.read_text()


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        (None, "cron is missing"),
        ("", "cron is missing"),
        (5, "cron must be a text"),
        ("never", "cron must have five fields"),
        ("* * * * * *", "cron must have five fields"),
        ("61 * * * *", "not a cron expression"),
        ("0 0 30 2 *", "not a cron expression"),
        ("@never", "not a cron expression"),
        ("* " * 5000, "cron must have five fields"),
    ],
)
def test_what_is_no_cron_expression_is_400(local_service: Service, cron: object, says: str) -> None:
    check_error(local_service.http.post("/sync/schedules", json={"cron": cron}), 400, says=says)


@pytest.mark.parametrize("name", ["dry_run", "watch"])
def test_a_schedule_neither_looks_only_nor_watches(local_service: Service, name: str) -> None:
    answer = local_service.http.post("/sync/schedules", json={"cron": "@daily", name: 1})
    check_error(answer, 400, says=f"There is no parameter {name!r}")


def test_a_schedule_for_a_store_that_is_not_allowed_is_403(local_service: Service) -> None:
    said = {"cron": "@daily", "storage_url": "https://s3.example.com"}
    answer = local_service.http.post("/sync/schedules", json=said)
    check_error(answer, 403, says="MEDIATHEQUE_SYNC_ENDPOINTS")


@pytest.mark.parametrize("number", ["0", "-1", "x", "7.0", str(2**63), "9" * 5000, "%00"])
def test_an_unknown_schedule_is_404(local_service: Service, number: str) -> None:
    answer = local_service.http.delete(f"/sync/schedules/{number}")
    check_error(answer, 404, says="There is no")
