"""Door 3, jobs: ``GET /jobs`` with filters, order and pages."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mediatheque.domain.jobs import LISTED_FIELDS
from tests.support.job_rows import ATTRIBUTES, ROWS, enqueue
from tests.support.listing import Parameters, Record, ids, text, value
from tests.support.medias import JSON_API, check_problem, fresh
from tests.support.service import Service

Classes = tuple[str, str]
RANGES = ["priority", "progress", "retry_count", "scheduled_at", "created_at", "updated_at"]


def ask(service: Service, classes: Classes, parameters: Parameters) -> httpx.Response:
    """Ask for jobs of two classes, with these parameters."""
    # Several lists of one field are one list, which would let everything pass.
    scoped = any(name.startswith("filter[job_class") for name, _ in parameters)
    scope = [] if scoped else [("filter[job_class][]", name) for name in classes]
    return service.http.get("/jobs", params=[*scope, *parameters])


def listed(service: Service, classes: Classes, *parameters: tuple[str, str]) -> list[Record]:
    """Return the jobs of two classes that pass."""
    answer = ask(service, classes, list(parameters))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON_API
    data: list[Record] = answer.json()["data"]
    return data


def values(records: list[Record], field: str) -> list[Any]:
    """Return the values of a field that are not null, each once."""
    return list(dict.fromkeys(v for r in records if (v := value(r, field)) is not None))


def test_a_page_is_a_json_api_document(local_service: Service) -> None:
    job = enqueue(
        local_service, "conform", arguments={"a": [1, None]}, priority=3, unicity=fresh(), delay=60
    )
    answer = local_service.http.get("/jobs", params={"filter[id]": str(job.id), "count": "true"})
    link = f"{local_service.url}/jobs?filter%5Bid%5D={job.id}&count=true&page%5Bnumber%5D=1"
    assert job.scheduled_at is not None
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON_API
    assert answer.json() == {
        "data": [
            {
                "type": "media:jobs",
                "id": str(job.id),
                "attributes": {
                    "job_class": "conform",
                    "arguments": {"a": [1, None]},
                    "priority": 3,
                    "status": "pending",
                    "progress": 0.0,
                    "retry_count": 0,
                    "error": None,
                    "unicity": job.unicity,
                    "scheduled_at": job.scheduled_at.isoformat().replace("+00:00", "Z"),
                    "created_at": job.created_at.isoformat().replace("+00:00", "Z"),
                    "updated_at": job.updated_at.isoformat().replace("+00:00", "Z"),
                    "started_at": None,
                    "finished_at": None,
                },
            }
        ],
        "meta": {"count": 1, "more": False},
        "links": {"first": link, "prev": None, "next": None, "last": link},
    }


@pytest.mark.parametrize("prefix", ["", "/api/v1/media"])
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("*/*", JSON_API), (JSON_API, JSON_API), ("application/json", "application/json")],
)
def test_it_is_served_under_both_prefixes_in_the_type_that_the_client_takes(
    local_service: Service,
    job_classes: Classes,
    prefix: str,
    accept: str,
    media_type: str,
) -> None:
    parameters = {"filter[job_class]": job_classes[0], "page[size]": "1"}
    answer = local_service.http.get(f"{prefix}/jobs", params=parameters, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.json()["data"][0]["attributes"].keys() == ATTRIBUTES
    assert urlsplit(answer.json()["links"]["next"]).path == f"{prefix}/jobs"


@pytest.mark.parametrize("field", LISTED_FIELDS)
@pytest.mark.parametrize("form", ["filter[{}]", "filter[{}][]", "filter[{}__in]"])
def test_every_field_can_be_filtered_by_one_value(
    local_service: Service, job_classes: Classes, field: str, form: str
) -> None:
    everything = listed(local_service, job_classes)
    assert len(everything) == len(ROWS)
    for wanted in values(everything, field):
        found = listed(local_service, job_classes, (form.format(field), text(wanted)))
        assert found == [r for r in everything if value(r, field) == wanted]


@pytest.mark.parametrize("field", LISTED_FIELDS)
@pytest.mark.parametrize("form", ["filter[{}][]", "filter[{}__in][]", "filter[{}__in]"])
def test_every_field_can_be_filtered_by_several_values(
    local_service: Service, job_classes: Classes, field: str, form: str
) -> None:
    everything = listed(local_service, job_classes)
    wanted = values(everything, field)[:2]
    name = form.format(field)
    parameters = (
        [(name, text(one)) for one in wanted]
        if form.endswith("[]")
        else [(name, ",".join(map(text, wanted)))]
    )
    found = listed(local_service, job_classes, *parameters)
    assert found == [r for r in everything if value(r, field) in wanted]
    assert len(found) >= len(wanted)


@pytest.mark.parametrize("field", RANGES)
def test_numbers_and_times_can_be_bounded(
    local_service: Service, job_classes: Classes, field: str
) -> None:
    everything = [r for r in listed(local_service, job_classes) if value(r, field) is not None]
    for bound in values(everything, field):
        low = listed(local_service, job_classes, (f"filter[{field}__lte]", text(bound)))
        high = listed(local_service, job_classes, (f"filter[{field}__gte]", text(bound)))
        assert low == [r for r in everything if value(r, field) <= bound]
        assert high == [r for r in everything if value(r, field) >= bound]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("filter[status]", "foo"),
        ("filter[status]", ""),
        ("filter[id]", "5"),
        ("filter[id__in]", "5,x"),
        ("filter[job_class]", "' OR '1'='1"),
        ("filter[unicity]", "100_"),
        ("filter[error]", "%"),
        ("filter[priority]", "99999999999"),
        ("filter[priority][]", "-99999999999"),
        ("filter[retry_count__gte]", "9223372036854775807"),
        ("filter[progress]", "0.1234"),
        ("filter[progress__gte]", "1e30"),
    ],
)
def test_a_value_that_nothing_has_matches_nothing(
    local_service: Service, job_classes: Classes, name: str, given: str
) -> None:
    assert listed(local_service, job_classes, (name, given)) == []


def test_filters_are_combined_by_and(local_service: Service, job_classes: Classes) -> None:
    found = listed(
        local_service, job_classes, ("filter[status]", "errored"), ("filter[retry_count__gte]", "2")
    )
    assert [r["attributes"]["error"] for r in found] == ["The store does not answer."]


BAD_PARAMETERS = [
    ("filter[nope]", "1", "/filter/nope"),
    ("filter[arguments]", "1", "/filter/arguments"),
    ("filter[started_at]", "2026-01-01", "/filter/started_at"),
    ("filter[queue]", "x", "/filter/queue"),
    ("filter[epoch]", "1", "/filter/epoch"),
    ("filter[status__gte]", "a", "/filter/status__gte"),
    ("filter[id__lte]", "a", "/filter/id__lte"),
    ("filter[error__gte]", "a", "/filter/error__gte"),
    ("filter[priority__gt]", "1", "/filter/priority__gt"),
    ("filter[priority]", "high", "/filter/priority"),
    ("filter[priority]", "1.5", "/filter/priority"),
    ("filter[retry_count__lte]", "", "/filter/retry_count__lte"),
    ("filter[progress]", "nan", "/filter/progress"),
    ("filter[progress__gte]", "half", "/filter/progress__gte"),
    ("filter[created_at__gte]", "yesterday", "/filter/created_at__gte"),
    ("filter[error]", "a\0b", "/filter/error"),
    ("sort", "arguments", "/sort"),
    ("sort", "started_at", "/sort"),
    ("sort", "-nope", "/sort"),
    ("page[size]", "0", "/page/size"),
    ("page[size]", "1001", "/page/size"),
    ("page[number]", "0", "/page/number"),
    ("page[after]", "nonsense", "/page/after"),
    ("count", "maybe", "/count"),
    ("fields[media:jobs]", "epoch", "/fields/media:jobs"),
    ("fields[media:medias]", "size", "/fields/media:medias"),
    ("included[]", "x", "/included"),
    ("nope", "1", "/nope"),
]


@pytest.mark.parametrize(("name", "given", "pointer"), BAD_PARAMETERS)
def test_what_is_not_declared_or_makes_no_sense_is_refused_naming_the_parameter(
    local_service: Service, name: str, given: str, pointer: str
) -> None:
    for path in ("/jobs", "/api/v1/media/jobs"):
        check_problem(local_service.http.get(path, params={name: given}), 422, pointer=pointer)


def in_order(field: str) -> Callable[[Record], tuple[Any, ...]]:
    """Return what sorts jobs by a field and by id; null comes after every value."""

    def key(record: Record) -> tuple[Any, ...]:
        found = value(record, field)
        return (True, record["id"]) if found is None else (False, found, record["id"])

    return key


@pytest.mark.parametrize(("descending", "size"), [(False, "1"), (True, "4")])
@pytest.mark.parametrize("field", LISTED_FIELDS)
def test_every_order_is_the_same_by_number_and_by_cursor_also_through_nulls(
    local_service: Service, job_classes: Classes, field: str, descending: bool, size: str
) -> None:
    everything = listed(local_service, job_classes)
    order = ("sort", f"-{field}" if descending else field)

    if field not in {"error", "unicity"}:  # the database has an order of texts of its own
        expected = sorted(everything, key=in_order(field), reverse=descending)
        assert ids(listed(local_service, job_classes, order)) == ids(expected)
    whole = listed(local_service, job_classes, order)
    for start in ([("page[number]", "1")], [("page[after]", "")]):
        answer = ask(local_service, job_classes, [order, ("page[size]", size), *start])
        found = answer.json()["data"]
        while answer.json()["links"]["next"]:
            answer = local_service.http.get(answer.json()["links"]["next"])
            found += answer.json()["data"]
        assert found == whole


def test_a_count_is_exact(local_service: Service, job_classes: Classes) -> None:
    asked = [("count", "true"), ("page[size]", "4"), ("page[number]", "2")]
    document = ask(local_service, job_classes, asked).json()
    links = document["links"]
    numbers = {name: dict(parse_qsl(urlsplit(links[name]).query))["page[number]"] for name in links}
    assert document["meta"] == {"count": len(ROWS), "more": True}
    assert numbers == {"first": "1", "prev": "1", "next": "3", "last": "3"}


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ([("fields[media:jobs]", "status,progress")], {"status", "progress"}),
        (
            [("fields[media:jobs][]", "error"), ("fields[media:jobs][]", "unicity")],
            {"error", "unicity"},
        ),
        ([("fields[media:jobs]", "")], set()),
    ],
)
def test_only_the_attributes_asked_for_are_given(
    local_service: Service,
    job_classes: Classes,
    parameters: Parameters,
    names: set[str],
) -> None:
    for record in listed(local_service, job_classes):
        chosen = {name: record["attributes"][name] for name in names}
        shown = local_service.http.get(f"/jobs/{record['id']}", params=[*parameters])
        assert shown.json() == {"data": {**record, "attributes": chosen}}
    assert [r["attributes"].keys() for r in listed(local_service, job_classes, *parameters)] == [
        names
    ] * len(ROWS)
