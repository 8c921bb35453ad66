"""Door 3, lists: pages by number and by cursor, counts, links, chosen fields."""

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.support.listing import FILENAMES, Parameters, Record, ask, ids, listed
from tests.support.medias import check_problem, fresh, upload
from tests.support.service import Service


@pytest.mark.parametrize("count", ["true", "1", "TRUE"])
def test_a_count_is_exact_and_tells_whether_there_is_more(
    local_service: Service, project: str, count: str
) -> None:
    total = len(FILENAMES) + 3
    asked = [("count", count), ("page[size]", "5")]
    assert ask(local_service, project, asked).json()["meta"] == {"count": total, "more": True}
    last = ask(local_service, project, [*asked, ("page[number]", "3")]).json()
    assert last["meta"] == {"count": total, "more": False}
    assert len(last["data"]) == total - 10
    some = ask(local_service, project, [("count", count), ("filter[size]", "5")]).json()
    assert some["meta"] == {"count": 3, "more": False}


@pytest.mark.parametrize("count", ["false", "0"])
def test_no_count_unless_it_is_asked_for(local_service: Service, project: str, count: str) -> None:
    assert ask(local_service, project, [("count", count)]).json()["meta"] == {}


@pytest.mark.parametrize("prefix", ["", "/api/v1/media"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_links_are_absolute_and_keep_what_was_asked(
    local_service: Service, project: str, prefix: str, slash: str
) -> None:
    asked = {"filter[project_id]": project, "sort": "-size", "page[size]": "5", "count": "true"}
    answer = local_service.http.get(
        f"{prefix}/medias{slash}", params={**asked, "page[number]": "2"}
    )
    links = answer.json()["links"]
    assert links.keys() == {"first", "prev", "next", "last"}
    for name, number in {"first": "1", "prev": "1", "next": "3", "last": "3"}.items():
        address = urlsplit(links[name])
        assert f"{address.scheme}://{address.netloc}" == local_service.url
        assert address.path == f"{prefix}/medias"
        assert dict(parse_qsl(address.query)) == {**asked, "page[number]": number}


def test_links_that_lead_nowhere_are_null(local_service: Service, project: str) -> None:
    everything = ask(local_service, project, [("count", "true")]).json()["links"]
    assert (everything["prev"], everything["next"]) == (None, None)
    assert everything["first"] == everything["last"]
    uncounted = ask(local_service, project, []).json()["links"]
    assert uncounted["last"] is None


def test_a_page_beyond_the_end_is_empty(local_service: Service, project: str) -> None:
    answer = ask(local_service, project, [("page[number]", "1000"), ("page[size]", "1000")])
    assert answer.status_code == 200
    assert answer.json()["data"] == []
    assert answer.json()["links"]["next"] is None


def walk(service: Service, answer: httpx.Response) -> list[Record]:
    """Follow ``links.next`` to the end; pages but the last are full."""
    size = len(answer.json()["data"])
    records: list[Record] = answer.json()["data"]
    while answer.json()["links"]["next"]:
        answer = service.http.get(answer.json()["links"]["next"])
        assert answer.status_code == 200
        assert 1 <= len(answer.json()["data"]) <= size
        records = records + answer.json()["data"]
        assert (answer.json()["links"]["next"] is None) or len(answer.json()["data"]) == size
    return records


@pytest.mark.parametrize("size", ["1", "3", "11", "1000"])
@pytest.mark.parametrize(
    "order",
    ["", "-id", "size", "-size", "filename", "-created_at,filename", "public,-size,id", "key,-id"],
)
def test_walking_by_cursor_meets_the_same_medias_as_by_number(
    local_service: Service, project: str, order: str, size: str
) -> None:
    asked = [("sort", order), ("page[size]", size)]
    everything = listed(local_service, project, ("sort", order))
    assert walk(local_service, ask(local_service, project, asked)) == everything
    by_cursor = ask(local_service, project, [*asked, ("page[after]", "")])
    assert walk(local_service, by_cursor) == everything
    links = by_cursor.json()["links"]
    assert (links["prev"], links["last"]) == (None, None)


def test_a_walk_by_cursor_is_not_disturbed_by_what_is_added(local_service: Service) -> None:
    project = fresh()
    for _ in range(4):
        upload(local_service, fresh(), b"x", project_id=project)
    asked = [("sort", "-id"), ("page[size]", "2"), ("page[after]", "")]
    first = ask(local_service, project, asked).json()
    upload(local_service, fresh(), b"x", project_id=project)
    second = local_service.http.get(first["links"]["next"]).json()
    assert len({*ids(first["data"]), *ids(second["data"])}) == 4


def test_a_cursor_belongs_to_its_order(local_service: Service, project: str) -> None:
    asked = [("page[size]", "2"), ("page[after]", "")]
    link = ask(local_service, project, [*asked, ("sort", "size")]).json()["links"]["next"]
    cursor = dict(parse_qsl(urlsplit(link).query))["page[after]"]
    for order in ("-size", "id", "filename"):
        answer = ask(local_service, project, [("sort", order), ("page[after]", cursor)])
        check_problem(answer, 422, pointer="/page/after", says="cursor")


def test_a_cursor_does_not_go_with_a_number(local_service: Service, project: str) -> None:
    both = ask(local_service, project, [("page[after]", ""), ("page[number]", "1")])
    check_problem(both, 422, pointer="/page/after", says="either")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([("fields[media:medias]", "size,resource")], {"size", "resource"}),
        ([("fields[media:medias][]", "size"), ("fields[media:medias][]", "key")], {"size", "key"}),
        ([("fields[media:medias]", "id")], set()),
        ([("fields[media:medias]", "")], set()),
        ([("fields[media:medias]", "checksum,tags,meta")], {"checksum", "tags", "meta"}),
    ],
)
def test_only_the_attributes_asked_for_are_given(
    local_service: Service, project: str, parameters: Parameters, expected: set[str]
) -> None:
    everything = listed(local_service, project)
    found = listed(local_service, project, *parameters)
    assert found == [
        {
            "type": "media:medias",
            "id": record["id"],
            "attributes": {name: record["attributes"][name] for name in expected},
        }
        for record in everything
    ]
