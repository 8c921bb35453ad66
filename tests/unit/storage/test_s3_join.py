"""Of which parts an S3 store puts an object together: S3 takes no small ones but the last."""

import asyncio
import functools
import itertools
import random

import pytest

from mediatheque.domain.intakes import Segment
from mediatheque.storage.s3_join import (
    SMALLEST_PART,
    Range,
    is_copied,
    plan_parts,
    some_at_once,
)

MIB = 1 << 20
LARGEST_PART = 5 << 30
MOST_SENT = 2 * SMALLEST_PART
# Around every size at which something else is to be done.
SIZES = [1, 2, 4 * MIB, SMALLEST_PART - 1, SMALLEST_PART, SMALLEST_PART + 1]
SIZES += [2 * SMALLEST_PART - 2, 2 * SMALLEST_PART - 1, 2 * SMALLEST_PART, LARGEST_PART]


def segments_of(sizes: tuple[int, ...]) -> list[Segment]:
    return [Segment(f"s{number}", size) for number, size in enumerate(sizes)]


def check(sizes: tuple[int, ...]) -> None:
    """Check that the parts are all bytes in order, and are parts that S3 takes."""
    segments = segments_of(sizes)
    parts = plan_parts(segments)
    place = {segment.object_key: 0 for segment in segments}
    for one in itertools.chain.from_iterable(parts):
        assert one.start == place[one.object_key] < one.end
        place[one.object_key] = one.end
    keys = [one.object_key for one in itertools.chain.from_iterable(parts)]
    assert keys == sorted(keys, key=lambda key: int(key[1:]))
    assert list(place.values()) == list(sizes)
    assert len(parts) <= len(segments)
    for part in parts:
        assert sum(one.size for one in part) <= (LARGEST_PART if is_copied(part) else MOST_SENT)
    for part in parts[:-1]:
        assert sum(one.size for one in part) >= SMALLEST_PART


def test_any_few_segments_make_parts_that_s3_takes() -> None:
    for count in range(4):
        for sizes in itertools.product(SIZES, repeat=count):
            check(sizes)


def test_any_many_segments_make_parts_that_s3_takes() -> None:
    choices = random.Random(1)
    for _ in range(300):
        check(tuple(choices.choices(SIZES, k=choices.randint(4, 40))))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), []),
        ((7,), [[("s0", 0, 7)]]),
        ((8 * MIB, 8 * MIB, 7), [[("s0", 0, 8 * MIB)], [("s1", 0, 8 * MIB)], [("s2", 0, 7)]]),
        (
            (8 * MIB, 3 * MIB, 8 * MIB),
            [
                [("s0", 0, 8 * MIB)],
                [("s1", 0, 3 * MIB), ("s2", 0, 2 * MIB)],
                [("s2", 2 * MIB, 8 * MIB)],
            ],
        ),
        (
            (8 * MIB, 3 * MIB, 6 * MIB, 1),
            [
                [("s0", 0, 8 * MIB)],
                [("s1", 0, 3 * MIB), ("s2", 0, 6 * MIB)],
                [("s3", 0, 1)],
            ],
        ),
    ],
)
def test_only_small_ones_and_what_they_lack_are_sent(
    sizes: tuple[int, ...], expected: list[list[tuple[str, int, int]]]
) -> None:
    assert plan_parts(segments_of(sizes)) == [
        tuple(Range(*one) for one in part) for part in expected
    ]


@pytest.mark.parametrize(
    ("sizes", "copied"),
    [((7,), False), ((SMALLEST_PART,), False), ((SMALLEST_PART + 1,), True), ((7, 7), False)],
)
def test_no_part_is_copied_of_an_object_that_is_too_small_for_that(
    sizes: tuple[int, ...], copied: bool
) -> None:
    [part] = plan_parts(segments_of(sizes))
    assert is_copied(part) is copied


async def test_of_calls_that_are_made_together_all_have_ended_when_one_has_failed() -> None:
    ended: list[int] = []

    async def call(number: int) -> None:
        await asyncio.sleep(0.01 * number)
        if number == 1:
            raise LookupError
        ended.append(number)

    with pytest.raises(LookupError):
        await some_at_once(functools.partial(call, number) for number in range(20))
    assert ended == [0, 2, 3, 4, 5, 6, 7]


def test_uploads_that_an_earlier_release_began_are_joined_by_the_same_plan() -> None:
    sizes = (3 * MIB, 9 * MIB, MIB, MIB, 20 * MIB, 5 * MIB + 77, 1)

    assert plan_parts(segments_of(sizes)) == [
        (Range("s0", 0, 3 * MIB), Range("s1", 0, 2 * MIB)),
        (Range("s1", 2 * MIB, 9 * MIB),),
        (Range("s2", 0, MIB), Range("s3", 0, MIB), Range("s4", 0, 3 * MIB)),
        (Range("s4", 3 * MIB, 20 * MIB),),
        (Range("s5", 0, 5 * MIB + 77),),
        (Range("s6", 0, 1),),
    ]
