"""Jobs as resources, and what the document of door 3 declares."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import Job, JobStatus, Signal
from mediatheque.doors.jobs.schemas import COLLECTION, parse_signal, resource
from mediatheque.doors.jsonapi.query import parse_query

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
JOB = Job(
    id=new_id(),
    job_class="transfer",
    queue="transfers",
    arguments={"a": [1]},
    priority=2,
    status=JobStatus.RUNNING,
    signal=Signal.PAUSE,
    progress=0.5,
    checkpoint={"part": 3},
    error=None,
    retry_count=1,
    crashes=1,
    unicity=None,
    epoch=4,
    queue_id=9,
    created_by="local",
    created_role="operator",
    scheduled_at=None,
    created_at=AT,
    started_at=AT,
    finished_at=None,
    updated_at=AT,
)
DOCUMENTED = [
    *("id", "job_class", "priority", "status", "progress", "retry_count", "error", "unicity"),
    *("scheduled_at", "created_at", "updated_at", "id__in", "job_class__in", "status__in"),
    *("priority__gte", "priority__lte", "retry_count__gte", "retry_count__lte"),
    *("scheduled_at__gte", "scheduled_at__lte", "created_at__gte", "created_at__lte"),
    *("updated_at__gte", "updated_at__lte"),
]
VALUES = {"priority": "1", "retry_count": "1", "progress": "0.5"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_filter_is_understood(name: str) -> None:
    field = name.partition("__")[0]
    value = "2026-01-31" if field.endswith("_at") else VALUES.get(field, "x")

    query = parse_query(f"filter[{name}]={value}".encode(), COLLECTION)

    assert [item.field for item in query.listing.filters] == [field]


def plain(job: Job, attributes: frozenset[str] | None = None) -> Any:
    return msgspec.to_builtins(resource(job, attributes))


def test_a_job_shows_what_is_documented_and_nothing_internal() -> None:
    assert plain(JOB) == {
        "type": "media:jobs",
        "id": str(JOB.id),
        "attributes": {
            "job_class": "transfer",
            "arguments": {"a": [1]},
            "priority": 2,
            "status": "running",
            "progress": 0.5,
            "retry_count": 1,
            "error": None,
            "unicity": None,
            "scheduled_at": None,
            "created_at": "2026-01-31T12:00:00Z",
            "updated_at": "2026-01-31T12:00:00Z",
            "started_at": "2026-01-31T12:00:00Z",
            "finished_at": None,
        },
    }


def test_a_null_attribute_that_is_asked_for_is_there() -> None:
    job = replace(JOB, error="no", unicity=None)

    assert plain(job, frozenset({"id", "error", "unicity"}))["attributes"] == {
        "error": "no",
        "unicity": None,
    }


@pytest.mark.parametrize("signal", Signal)
def test_a_body_names_a_signal(signal: Signal) -> None:
    assert parse_signal({"signal": str(signal)}) is signal


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, None),
        (["cancel"], None),
        ({}, "signal"),
        ({"signal": "stop"}, "signal"),
        ({"signal": 1}, "signal"),
        ({"signal": ["cancel"]}, "signal"),
        ({"signal": "cancel", "x" * 1000: 1}, "x" * 100),
    ],
)
def test_another_body_is_refused_naming_what_is_wrong(body: object, field: str | None) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_signal(body)

    assert refused.value.field == field
    assert len(refused.value.detail) < 200
