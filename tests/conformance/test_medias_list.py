"""Door 3, lists: ``GET /medias`` with filters and order."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.support.listing import FILENAMES, ask, ids, listed, text, value
from tests.support.medias import ATTRIBUTES, check_problem, fresh, upload
from tests.support.service import Service


def test_a_page_is_a_json_api_document(local_service: Service, project: str) -> None:
    answer = ask(local_service, project, [("page[size]", "1")])
    document = answer.json()
    record = document["data"][0]
    assert answer.headers["x-request-id"]
    assert document.keys() == {"data", "meta", "links"}
    assert document["meta"] == {}
    assert record.keys() == {"type", "id", "attributes"}
    assert record["type"] == "media:medias"
    assert record["attributes"].keys() == ATTRIBUTES
    info = local_service.http.get(f"/medias/info/{record['attributes']['resource']}")
    assert info.json() == {"data": record}


def test_a_null_attribute_is_there(local_service: Service) -> None:
    created = upload(local_service, fresh(), b"x")
    answer = local_service.http.get("/medias", params={"filter[id]": created["id"]})
    assert answer.json()["data"] == [created]
    assert created["attributes"]["project_id"] is None


FIELDS = [
    "id",
    "resource",
    "key",
    "filename",
    "size",
    "mime_type",
    "created_by",
    "created_role",
    "public",
    "created_at",
    "updated_at",
    "project_id",
]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "form",
    ["filter[{}]", "filter[{}][]", "filter[{}][0]", "filter[{}__in]", "filter[{}__in][]"],
)
def test_every_field_can_be_filtered_by_one_value(
    local_service: Service, project: str, field: str, form: str
) -> None:
    everything = listed(local_service, project)
    for wanted in {value(record, field) for record in everything}:
        if form != "filter[{}]" or field != "project_id":
            found = listed(local_service, project, (form.format(field), text(wanted)))
        else:
            found = everything
        assert found == [r for r in everything if value(r, field) == wanted]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("form", ["filter[{}][]", "filter[{}__in][]", "filter[{}__in]"])
def test_every_field_can_be_filtered_by_several_values(
    local_service: Service, project: str, field: str, form: str
) -> None:
    everything = listed(local_service, project)
    wanted = list(dict.fromkeys(value(record, field) for record in everything))[:2]
    name = form.format(field)
    parameters = (
        [(name, text(one)) for one in wanted]
        if form.endswith("[]")
        else [(name, ",".join(map(text, wanted)))]
    )
    found = listed(local_service, project, *parameters)
    assert found == [r for r in everything if value(r, field) in wanted]
    assert len(found) >= len(wanted)


@pytest.mark.parametrize("field", ["size", "created_at", "updated_at"])
def test_numbers_and_times_can_be_bounded(local_service: Service, project: str, field: str) -> None:
    everything = listed(local_service, project)
    for bound in {value(record, field) for record in everything}:
        low = listed(local_service, project, (f"filter[{field}__lte]", text(bound)))
        high = listed(local_service, project, (f"filter[{field}__gte]", text(bound)))
        both = listed(
            local_service,
            project,
            (f"filter[{field}__gte]", text(bound)),
            (f"filter[{field}__lte]", text(bound)),
        )
        assert low == [r for r in everything if value(r, field) <= bound]
        assert high == [r for r in everything if value(r, field) >= bound]
        assert both == [r for r in everything if value(r, field) == bound]


def test_times_may_be_written_with_any_offset(local_service: Service, project: str) -> None:
    first = listed(local_service, project)[0]
    moment = datetime.fromisoformat(first["attributes"]["created_at"])
    elsewhere = (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"
    bare = moment.replace(tzinfo=None).isoformat()
    assert listed(local_service, project, ("filter[created_at]", elsewhere)) == [first]
    assert listed(local_service, project, ("filter[created_at]", bare)) == [first]


def test_filters_are_combined_by_and(local_service: Service, project: str) -> None:
    found = listed(local_service, project, ("filter[size]", "5"), ("filter[filename]", "a.bin"))
    assert [r["attributes"]["filename"] for r in found] == ["a.bin"]
    assert listed(local_service, project, ("filter[size]", "5"), ("filter[key]", "nope")) == []


def test_an_empty_value_means_the_empty_string(local_service: Service, project: str) -> None:
    originals = listed(local_service, project, ("filter[key]", ""))
    assert len(originals) == len(FILENAMES) + 2
    assert {r["attributes"]["key"] for r in originals} == {""}


@pytest.mark.parametrize(
    "hostile",
    ["%", "_", "a_b.bi_", "a%", "\\", "'", "' OR '1'='1", "a.bin' --", '"', ");", "$1", ":x", "*"],
)
def test_metacharacters_of_sql_and_like_are_plain_characters(
    local_service: Service, project: str, hostile: str
) -> None:
    for name in ("filter[filename]", "filter[filename][]", "filter[resource__in]", "filter[id]"):
        assert listed(local_service, project, (name, hostile)) == []
    assert len(listed(local_service, project)) == len(FILENAMES) + 3


@pytest.mark.parametrize("filename", [name for name, _ in FILENAMES])
def test_names_of_any_kind_are_found_as_they_are(
    local_service: Service, project: str, filename: str
) -> None:
    found = listed(local_service, project, ("filter[filename]", filename), ("filter[key]", ""))
    assert {r["attributes"]["filename"] for r in found} == {filename}


def test_an_id_that_cannot_exist_is_not_found(local_service: Service, project: str) -> None:
    known = listed(local_service, project)[0]
    assert listed(local_service, project, ("filter[id]", "7")) == []
    assert listed(local_service, project, ("filter[id__in]", f"x,{known['id']},")) == [known]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_field_can_be_sorted_by_with_ties_broken_by_id(
    local_service: Service, project: str, field: str, sign: str
) -> None:
    everything = listed(local_service, project)
    by_id = sorted(everything, key=lambda r: str(r["id"]), reverse=sign == "-")
    found = listed(local_service, project, ("sort", sign + field))
    assert sorted(ids(found)) == sorted(ids(by_id))
    if field in {"resource", "filename", "key", "mime_type"}:
        # The database has an order of texts of its own: equal ones are together, ties by id.
        groups = [(value(a, field), value(b, field), a["id"], b["id"]) for a, b in pairwise(found)]
        assert all((a_id < b_id) == (sign == "") for a, b, a_id, b_id in groups if a == b)
        assert sum(a != b for a, b, _, _ in groups) == len({value(r, field) for r in found}) - 1
    else:
        assert found == sorted(by_id, key=lambda r: value(r, field), reverse=sign == "-")


def test_the_opposite_order_is_the_opposite(local_service: Service, project: str) -> None:
    for up, down in (("filename,id", "-filename,-id"), ("filename", "-filename")):
        ascending = listed(local_service, project, ("sort", up))
        descending = listed(local_service, project, ("sort", down))
        assert ids(ascending) == ids(descending)[::-1]


def test_the_direction_of_ties_can_be_chosen(local_service: Service, project: str) -> None:
    found = listed(local_service, project, ("sort", "-size,id"))
    assert found == sorted(found, key=lambda r: (-r["attributes"]["size"], r["id"]))


def test_several_fields_sort_one_after_the_other(local_service: Service, project: str) -> None:
    found = listed(local_service, project, ("sort", "-size,created_at"))
    keys = [(-r["attributes"]["size"], r["attributes"]["created_at"]) for r in found]
    assert keys == sorted(keys)
    assert len({size for size, _ in keys}) < len(keys)


def test_the_order_is_by_id_unless_asked_otherwise(local_service: Service, project: str) -> None:
    found = ids(listed(local_service, project))
    assert found == sorted(found)
    assert found == ids(listed(local_service, project, ("sort", "")))


BAD_PARAMETERS: list[tuple[str, str, str]] = [
    *(
        ("page[size]", text, "/page/size")
        for text in ("0", "-1", "abc", "1001", "", "1.5", "+1", "1e3", "１", "9" * 50, "0x10")
    ),
    *(("page[number]", text, "/page/number") for text in ("0", "-1", "abc", "", "9" * 50)),
    ("page[after]", "nonsense", "/page/after"),
    ("page[after]", "bm9uc2Vuc2U", "/page/after"),
    ("page[offset]", "0", "/page/offset"),
    ("page", "1", "/page"),
    ("sort", "nope", "/sort"),
    ("sort", "id,,size", "/sort"),
    ("sort", "--id", "/sort"),
    ("sort", "checksum", "/sort"),
    ("sort", "id;DROP TABLE medias", "/sort"),
    ("count", "maybe", "/count"),
    ("count", "", "/count"),
    ("filter[nope]", "1", "/filter/nope"),
    ("filter[tags]", "t", "/filter/tags"),
    ("filter[nope][]", "1", "/filter/nope"),
    ("filter[nope__in]", "1", "/filter/nope__in"),
    ("filter[size__like]", "1", "/filter/size__like"),
    ("filter[filename__gte]", "a", "/filter/filename__gte"),
    ("filter[]", "a", "/filter"),
    ("filter", "a", "/filter"),
    ("filter[size]", "abc", "/filter/size"),
    ("filter[size]", "", "/filter/size"),
    ("filter[size]", "1.0", "/filter/size"),
    ("filter[size]", "9" * 30, "/filter/size"),
    ("filter[size__gte]", "1 OR 1=1", "/filter/size__gte"),
    ("filter[size][]", "x", "/filter/size"),
    ("filter[size__in]", "1,x", "/filter/size__in"),
    ("filter[public]", "maybe", "/filter/public"),
    ("filter[created_at]", "yesterday", "/filter/created_at"),
    ("filter[updated_at__lte]", "2026-13-01", "/filter/updated_at__lte"),
    ("filter[filename]", "a\0b", "/filter/filename"),
    ("filter[resource][]", "\0", "/filter/resource"),
    ("filter[key__in]", "a,\0", "/filter/key__in"),
    ("fields[media:medias]", "nope", "/fields/media:medias"),
    ("fields[media:medias][]", "nope", "/fields/media:medias"),
    ("fields[media:jobs]", "id", "/fields/media:jobs"),
    ("fields", "id", "/fields"),
    ("include", "jobs", "/include"),
    ("nope", "1", "/nope"),
    ("", "1", ""),
]


@pytest.mark.parametrize(("name", "given", "pointer"), BAD_PARAMETERS)
def test_what_does_not_exist_or_makes_no_sense_is_refused_naming_the_parameter(
    local_service: Service, name: str, given: str, pointer: str
) -> None:
    answer = local_service.http.get("/medias", params={name: given})
    check_problem(answer, 422, pointer=pointer or "/")


def test_a_bad_page_size_is_told_in_a_whole_sentence(local_service: Service) -> None:
    answer = local_service.http.get("/medias?page[size]=1001")
    assert answer.json()["errors"][0] == {
        "status": "422",
        "title": answer.json()["errors"][0]["title"],
        "detail": "page[size] must be a whole number from 1 to 1000, not '1001'.",
        "source": {"pointer": "/page/size"},
    }


@pytest.mark.parametrize(
    "name", ["page[size]", "page[number]", "sort", "count", "filter[size]", "filter[size__gte]"]
)
def test_a_parameter_given_twice_is_refused(local_service: Service, name: str) -> None:
    answer = local_service.http.get("/medias", params=[(name, "1"), (name, "2")])
    pointer = "/" + name.replace("[", "/").replace("]", "")
    check_problem(answer, 422, pointer=pointer, says="twice")


@pytest.mark.parametrize("query", ["filter[filename]=%ff", "filter[filename]=%c3%28"])
def test_a_query_that_is_not_utf8_is_refused(local_service: Service, query: str) -> None:
    check_problem(local_service.http.get(f"/medias?{query}"), 422, pointer=None, says="UTF-8")


def test_ten_thousand_parameters_are_refused(local_service: Service) -> None:
    query = "&".join(["filter[size][]=1"] * 2000)
    check_problem(local_service.http.get(f"/medias?{query}"), 422, pointer=None, says="parameters")
