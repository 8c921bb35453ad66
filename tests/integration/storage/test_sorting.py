"""Sorting in bounded memory, with runs on disk."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from mediatheque.domain.errors import StorageFullError
from mediatheque.domain.sync_plan import BucketEntry, SourceEntry
from mediatheque.storage.sorting import sort_entries
from tests.support.sources import open_descriptors


def shuffled(count: int) -> Iterator[list[BucketEntry]]:
    """Yield as many objects in batches, with keys in the order of a pseudo-random walk."""
    random = Random(7)
    for start in range(0, count, 1000):
        yield [
            BucketEntry(random.randbytes(8) + b"\xff/%d" % number, number, f"{number:x}")
            for number in range(start, min(start + 1000, count))
        ]


def flat(batches: Iterator[list[BucketEntry]]) -> list[BucketEntry]:
    return [entry for batch in batches for entry in batch]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 7777])
@pytest.mark.parametrize("run_entries", [1, 1000, 2500, 50_000])
def test_entries_come_out_whole_and_in_the_order_of_their_keys_bytes(
    count: int, run_entries: int
) -> None:
    batches = list(sort_entries(shuffled(count), run_entries=run_entries))

    assert flat(iter(batches)) == sorted(flat(shuffled(count)))
    assert all(0 < len(batch) <= 1000 for batch in batches)
    assert all(type(entry) is BucketEntry for batch in batches for entry in batch)


def test_other_tuples_and_plain_bytes_are_sorted_as_well() -> None:
    files = [SourceEntry(bytes([key]), b"path", 1, 2, 3, 2**63 - 1) for key in (255, 0, 128, 128)]

    assert list(sort_entries([[file] for file in files], run_entries=2)) == [sorted(files)]
    assert list(sort_entries([[b"b/", b"\xff"], [b"a"]], run_entries=1)) == [[b"a", b"b/", b"\xff"]]


def test_most_entries_wait_on_disk() -> None:
    next(sort_entries(shuffled(3000), run_entries=1000))  # what is imported and cached once
    tracemalloc.start()
    try:
        count = sum(map(len, sort_entries(shuffled(100_000), run_entries=5000)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 100_000
    assert peak < 8 << 20  # all of them take 25 MB


def test_nothing_is_left_behind_by_a_sort_that_is_given_up(tmp_path: Path) -> None:
    before = open_descriptors()

    sorting = sort_entries(shuffled(3000), run_entries=1000, folder=tmp_path)
    next(sorting)
    assert open_descriptors() == before + 1
    assert list(tmp_path.iterdir()) == []
    del sorting

    assert open_descriptors() == before


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFullError, match=f"{tmp_path}/none"):
        list(sort_entries(shuffled(3000), run_entries=1000, folder=tmp_path / "none"))
