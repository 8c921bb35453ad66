"""Which segments of an intake are full, and which tails are merged when they have become many."""

import random

import pytest

from mediatheque.domain.intakes import Segment
from mediatheque.storage.segments import MOST_TAILS, count_full, first_to_merge

MIB = 1 << 20


def segments(*sizes: int) -> list[Segment]:
    return [Segment(f"staging/1/{number}", size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "full"),
    [
        ([], 0),
        ([1], 0),
        ([8 * MIB], 1),
        ([8 * MIB - 1], 0),
        ([8 * MIB, 8 * MIB, 1, 1], 2),
        ([8 * MIB] * 1000 + [10 * MIB], 1000),
        ([8 * MIB] * 1000 + [16 * MIB, 3], 1001),
    ],
)
def test_full_segments_are_counted(sizes: list[int], full: int) -> None:
    assert count_full(segments(*sizes)) == full


@pytest.mark.parametrize(
    ("sizes", "first"),
    [([1, 1], 0), ([2, 1, 1], 0), ([3, 1, 1], 1), ([100, 30, 8, 7], 4), ([1, 100], 0)],
)
def test_a_tail_is_merged_with_at_least_its_own_size(sizes: list[int], first: int) -> None:
    assert first_to_merge(segments(*sizes)) == first


@pytest.mark.parametrize(
    "chunks",
    [[700] * 5000, [1, 5000] * 2500, random.Random(1).choices(range(1, 9999), k=5000)],
    ids=["equal", "alternating", "random"],
)
def test_tails_stay_few_and_bytes_are_seldom_written_again(chunks: list[int]) -> None:
    sizes: list[int] = []
    again = 0
    for chunk in chunks:
        sizes.append(chunk)
        if len(sizes) > MOST_TAILS:
            first = first_to_merge(segments(*sizes))
            again += sum(sizes[first:])
            sizes[first:] = [sum(sizes[first:])]
        assert len(sizes) <= MOST_TAILS
    assert again < 8 * sum(chunks)
