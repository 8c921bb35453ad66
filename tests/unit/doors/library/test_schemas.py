"""What the library can be asked."""

from datetime import UTC, datetime

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.library import LibraryFilter, LibraryKind, LibrarySort
from mediatheque.doors.library.schemas import parse_library_query


def test_without_parameters_the_newest_are_asked_for() -> None:
    query = parse_library_query([])

    assert query.filter == LibraryFilter()
    assert (query.sort, query.limit, query.after) == (LibrarySort.NEWEST, 60, None)


def test_every_parameter_is_taken() -> None:
    query = parse_library_query(
        [
            ("q", "  two  words two "),
            ("tag", "b"),
            ("tag", "a"),
            ("tag", "b"),
            ("kind", "video"),
            ("kind", "audio"),
            ("since", "2026-01-31T12:00:00+01:00"),
            ("until", "2026-02-01"),
            ("min_size", "0"),
            ("max_size", "9223372036854775807"),
            ("project_id", "p 1"),
            ("derived", "true"),
            ("sort", "-size"),
            ("limit", "200"),
        ]
    )

    assert query.filter == LibraryFilter(
        words=("two", "words"),
        tags=("a", "b"),
        kinds=frozenset({LibraryKind.VIDEO, LibraryKind.AUDIO}),
        since=datetime(2026, 1, 31, 11, tzinfo=UTC),
        until=datetime(2026, 2, 1, tzinfo=UTC),
        min_size=0,
        max_size=2**63 - 1,
        project_id="p 1",
        derived=True,
    )
    assert (query.sort, query.limit) == (LibrarySort.LARGEST, 200)


def test_an_empty_parameter_is_as_good_as_none() -> None:
    names = ["q", "tag", "kind", "since", "min_size", "project_id", "derived", "sort", "limit"]

    assert parse_library_query([(name, "") for name in names]) == parse_library_query([])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q", "nul\0"),
        ("q", "a b c d e f g h i j k"),
        ("tag", "\udcff"),
        ("kind", "film"),
        ("since", "yesterday"),
        ("until", "2026-13-01"),
        ("min_size", "-1"),
        ("max_size", "9223372036854775808"),
        ("derived", "yes"),
        ("sort", "resource"),
        ("limit", "0"),
        ("limit", "201"),
        ("cursor", "nonsense"),
        ("page", "1"),
    ],
)
def test_what_means_nothing_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_library_query([(name, text)])

    assert caught.value.field == name


def test_only_tags_and_kinds_can_be_repeated() -> None:
    with pytest.raises(InvalidError, match="sort is given twice") as caught:
        parse_library_query([("sort", "name"), ("sort", "name")])

    assert caught.value.field == "sort"


def test_so_many_tags_no_media_has() -> None:
    with pytest.raises(InvalidError):
        parse_library_query([("tag", str(number)) for number in range(101)])
