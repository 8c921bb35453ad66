"""Range headers and what they select."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.doors.http.ranges import MAX_RANGES, ByteRange, select_ranges

WHOLE = None
NOTHING: list[tuple[int, int]] = []


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, WHOLE),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=10-19", [(10, 20)]),
        ("BYTES=10-19", [(10, 20)]),
        ("bytes=90-1000", [(90, 100)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=0-", [(0, 100)]),
        ("bytes=-1", [(99, 100)]),
        ("bytes=-100", [(0, 100)]),
        ("bytes=-101", [(0, 100)]),
        ("bytes=007-009", [(7, 10)]),
        (f"bytes=1-{'9' * 32}", [(1, 100)]),
        ("bytes=100-", NOTHING),
        ("bytes=100-200,300-", NOTHING),
        ("bytes=-0", NOTHING),
        (f"bytes={'9' * 32}-", NOTHING),
        ("bytes=0-0,50-59", [(0, 1), (50, 60)]),
        ("bytes= 0-0 , 50-59 ,", [(0, 1), (50, 60)]),
        ("bytes=50-59,0-0", [(0, 1), (50, 60)]),
        ("bytes=0-9,10-19", [(0, 20)]),
        ("bytes=0-9,11-19", [(0, 10), (11, 20)]),
        ("bytes=0-20,10-29", [(0, 30)]),
        ("bytes=0-20,5-9", [(0, 21)]),
        ("bytes=0-9,200-,-10", [(0, 10), (90, 100)]),
        ("bytes=0-0,-0", [(0, 1)]),
        ("bytes=0-,0-", WHOLE),
        ("bytes=0-99,-1", WHOLE),
        ("bytes=5-4", WHOLE),
        ("bytes=0-0,5-4", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=,", WHOLE),
        ("bytes", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-9,x", WHOLE),
        ("bytes=1", WHOLE),
        ("bytes=--1", WHOLE),
        ("bytes=0 - 9", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=١-٢", WHOLE),
        ("bytes =0-9", WHOLE),
        ("items=0-9", WHOLE),
        ("0-9", WHOLE),
        ("", WHOLE),
        (f"bytes={'9' * 5000}-", WHOLE),
    ],
)
def test_a_range_header_selects(field: str | None, expected: list[tuple[int, int]] | None) -> None:
    selected = select_ranges(field, 100)
    assert (None if selected is None else [(r.start, r.end) for r in selected]) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [("bytes=0-", ()), ("bytes=0-0", ()), ("bytes=-0", ()), ("bytes=-5", WHOLE)],
)
def test_nothing_can_be_selected_from_an_empty_representation(
    field: str, expected: tuple[ByteRange, ...] | None
) -> None:
    assert select_ranges(field, 0) == expected


def test_more_ranges_than_the_limit_get_the_whole() -> None:
    specs = [f"{n * 10}-{n * 10}" for n in range(MAX_RANGES + 1)]
    assert len(select_ranges(f"bytes={','.join(specs[:-1])}", 1000) or ()) == MAX_RANGES
    assert select_ranges(f"bytes={','.join(specs)}", 1000) is None


def test_content_range_names_the_last_byte_inclusively() -> None:
    assert ByteRange(0, 500).content_range(1234) == "bytes 0-499/1234"


def wanted_bytes(specs: list[tuple[int | None, int | None]], size: int) -> set[int]:
    """The positions that a list of (first, last) asks for, by the words of the standard."""
    wanted: set[int] = set()
    for first, last in specs:
        if first is None:
            assert last is not None
            wanted |= set(range(size)[-last:] if last else ())
        else:
            wanted |= set(range(first, size if last is None else min(last + 1, size)))
    return wanted


positions = st.integers(0, 60)
valid_specs = st.one_of(
    st.tuples(positions, positions).map(lambda pair: (min(pair), max(pair))),
    st.tuples(positions, st.none()),
    st.tuples(st.none(), positions),
)


@given(st.lists(valid_specs, min_size=1, max_size=MAX_RANGES), st.integers(1, 50))
def test_selected_ranges_hold_exactly_the_wanted_bytes_once_and_in_order(
    specs: list[tuple[int | None, int | None]], size: int
) -> None:
    listed = ",".join(
        f"{'' if first is None else first}-{'' if last is None else last}" for first, last in specs
    )
    selected = select_ranges(f"bytes={listed}", size)
    wanted = wanted_bytes(specs, size)
    if selected is None:
        asked = sum(len(wanted_bytes([spec], size)) for spec in specs)
        assert asked > size
        return
    got = [position for part in selected for position in range(part.start, part.end)]
    assert got == sorted(wanted)
    assert all(a.end < b.start for a, b in itertools.pairwise(selected))


@given(st.text(alphabet="bytes=-,0123456789 \t", max_size=40), st.integers(0, 100))
def test_no_header_selects_bytes_that_do_not_exist(field: str, size: int) -> None:
    for part in select_ranges(field, size) or ():
        assert 0 <= part.start < part.end <= size
