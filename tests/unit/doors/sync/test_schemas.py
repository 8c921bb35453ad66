"""Syncs as door 2 shows them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.syncs import (
    Action,
    Operation,
    OperationState,
    Phase,
    Plan,
    Sync,
    SyncOptions,
    SyncSchedule,
    Tally,
)
from mediatheque.doors.sync.schemas import operation_resource, schedule_resource, sync_values

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
PLAN = Plan(
    upload=Tally(1, 10), copy=Tally(2, 20), update=Tally(3, 30), delete=Tally(4, 40), foreign=1
)
SYNC = Sync(
    id=new_id(),
    number=7,
    bucket_id=1,
    location="http://127.0.0.1:9000",
    bucket="mybucket",
    source="a/b",
    options=SyncOptions(wait=2.0, verify=True, backup_prefix="old"),
    phase=Phase.UPDATING,
    plan=PLAN,
    planned_at=AT,
    done=Tally(4, 60),
    failed=1,
    rounds=0,
    reason=None,
    job_status=JobStatus.RUNNING,
    error=None,
    created_at=AT,
    started_at=AT,
    finished_at=None,
)


def shown(**values: Any) -> Any:
    return msgspec.to_builtins(sync_values(replace(SYNC, **values)))


def test_a_sync_is_shown_as_a_whole() -> None:
    assert shown() == {
        "id": 7,
        "progress": "50%",
        "status": "running",
        "source": "a/b",
        "dest": "mybucket",
        "storage_url": "http://127.0.0.1:9000",
        "job": str(SYNC.id),
        "phase": "updating",
        "wait": 2,
        "dry_run": False,
        "verify": True,
        "force": False,
        "watch": False,
        "as_planned": None,
        "backup_prefix": "old",
        "plan": {
            "upload": {"files": 1, "bytes": 10},
            "copy": {"files": 2, "bytes": 20},
            "update": {"files": 3, "bytes": 30},
            "delete": {"files": 4, "bytes": 40},
            "skip": {"files": 0, "bytes": 0},
            "foreign": 1,
            "objects": 0,
            "ignored": 0,
            "empty": False,
        },
        "done": {"files": 4, "bytes": 60},
        "failed": 1,
        "rounds": 0,
        "error": None,
        "created_at": "2026-01-31T12:00:00Z",
        "started_at": "2026-01-31T12:00:00Z",
        "finished_at": None,
    }


@pytest.mark.parametrize(
    ("values", "progress"),
    [
        ({"plan": None, "done": Tally(), "failed": 0}, "0%"),
        ({"plan": Plan(), "done": Tally(), "failed": 0}, "0%"),
        ({"done": Tally(0), "failed": 0}, "0%"),
        ({"plan": Plan(upload=Tally(3)), "done": Tally(2), "failed": 0}, "66%"),
        ({"plan": Plan(upload=Tally(10_000)), "done": Tally(9_999), "failed": 0}, "99%"),
        ({"done": Tally(10), "failed": 0}, "99%"),
        ({"done": Tally(8), "failed": 2, "job_status": JobStatus.ERRORED}, "99%"),
        ({"done": Tally(5), "failed": 0, "job_status": JobStatus.CANCELLED}, "50%"),
        ({"plan": Plan(), "done": Tally(), "job_status": JobStatus.COMPLETED}, "100%"),
        ({"plan": Plan(), "done": Tally(), "phase": Phase.WATCHING}, "100%"),
        (
            {"done": Tally(5), "phase": Phase.WATCHING, "job_status": JobStatus.CANCELLED},
            "60%",
        ),
    ],
)
def test_progress_is_rounded_down_and_whole_only_at_the_end(
    values: dict[str, Any], progress: str
) -> None:
    assert shown(**values)["progress"] == progress


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"job_status": JobStatus.PENDING}, "running"),
        ({"job_status": JobStatus.PAUSED}, "running"),
        ({"job_status": JobStatus.COMPLETED}, "success"),
        ({"job_status": JobStatus.CANCELLED}, "cancelled"),
        (
            {
                "job_status": JobStatus.ERRORED,
                "reason": "s3 storage connection",
                "error": "The store does not answer.",
            },
            "error (s3 storage connection)",
        ),
        ({"job_status": JobStatus.ERRORED, "error": "It broke."}, "error (It broke.)"),
        ({"job_status": JobStatus.ERRORED}, "error (unknown)"),
    ],
)
def test_a_status_is_one_of_four(values: dict[str, Any], status: str) -> None:
    assert shown(**values)["status"] == status


def test_the_configured_store_has_no_address() -> None:
    assert shown(location="")["storage_url"] is None


def test_a_fraction_of_a_second_stays_one() -> None:
    assert shown(options=SyncOptions(wait=0.5))["wait"] == 0.5


def test_an_operation_is_shown_with_its_key_as_text() -> None:
    operation = Operation(
        action=Action.COPY,
        position=3,
        key="neu/ä".encode(),
        path=b"x",
        size=5,
        copy_from=b"old/\xff",
        state=OperationState.FAILED,
        error="It broke.",
    )
    assert msgspec.to_builtins(operation_resource(operation)) == {
        "action": "copy",
        "key": "neu/ä",
        "size": 5,
        "bytes": 0,
        "state": "failed",
        "error": "It broke.",
        "copy_from": "old/\\xff",
    }


def test_a_schedule_is_shown_as_a_whole() -> None:
    schedule = SyncSchedule(
        number=3,
        bucket_id=1,
        location="",
        bucket="mybucket",
        source="",
        options=SyncOptions(force=True, wait=1.5),
        cron="17 * * * *",
        next_at=AT,
        created_by="local",
        created_role="operator",
        created_at=AT,
    )
    assert msgspec.to_builtins(schedule_resource(schedule)) == {
        "id": 3,
        "cron": "17 * * * *",
        "next_at": "2026-01-31T12:00:00Z",
        "source": "",
        "dest": "mybucket",
        "storage_url": None,
        "verify": False,
        "force": True,
        "wait": 1.5,
        "backup_prefix": None,
        "created_at": "2026-01-31T12:00:00Z",
    }
