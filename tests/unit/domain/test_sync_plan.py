"""What is decided about one key, from everything that can be known of it."""

from itertools import product

import pytest

from mediatheque.domain.sync_plan import (
    BucketEntry,
    Remembered,
    SourceEntry,
    Verdict,
    is_owned,
    judge,
    looks_unchanged,
    settled_ctime,
)

SECOND = 1_000_000_000
MS = 1_000_000
TIME = 1_700_000_000 * SECOND + 123_456_789

FILE = SourceEntry(key=b"k", path=b"k", size=5, mtime_ns=TIME, ctime_ns=TIME + 1, inode=9)
OBJECT = BucketEntry(key=b"k", size=5, etag="e")
KNOWN = Remembered(
    key=b"k",
    size=5,
    etag="e",
    mtime_ns=FILE.mtime_ns,
    ctime_ns=FILE.ctime_ns,
    inode=FILE.inode,
    blake3="0" * 64,
    uploaded=True,
)
RESIZED = FILE._replace(size=6)
LARGER = OBJECT._replace(size=6)
REPLACED = OBJECT._replace(etag="f")
FILES = (FILE, RESIZED, FILE._replace(size=0))
OBJECTS = (OBJECT, LARGER, REPLACED)
TOUCHED = {
    "written": KNOWN._replace(mtime_ns=TIME - 1),
    "written, its time put back": KNOWN._replace(ctime_ns=TIME),
    "another file of the same times": KNOWN._replace(inode=8),
    "changed too recently to tell": KNOWN._replace(ctime_ns=0),
}
STALE = {
    "of an object that was replaced": KNOWN._replace(etag="f"),
    "of an object of another size": KNOWN._replace(size=6),
}
MEMORIES = (None, KNOWN, *TOUCHED.values(), *STALE.values())

either = pytest.mark.parametrize("verify", [False, True])


@either
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_file_without_an_object_is_uploaded(memory: Remembered | None, verify: bool) -> None:
    assert judge(FILE, None, memory, verify=verify) is Verdict.UPLOAD


@either
@pytest.mark.parametrize(("stored", "memory"), list(product(OBJECTS, MEMORIES)))
def test_an_object_without_a_file_is_deleted(
    stored: BucketEntry, memory: Remembered | None, verify: bool
) -> None:
    assert judge(None, stored, memory, verify=verify) is Verdict.DELETE


@either
@pytest.mark.parametrize("memory", MEMORIES[1:])
def test_what_is_only_remembered_is_forgotten(memory: Remembered, verify: bool) -> None:
    assert judge(None, None, memory, verify=verify) is Verdict.FORGET


@either
@pytest.mark.parametrize(
    ("source", "stored", "memory"),
    [
        (source, stored, memory)
        for source, stored, memory in product(FILES, OBJECTS, MEMORIES)
        if source.size != stored.size
    ],
)
def test_a_file_of_another_size_replaces_the_object(
    source: SourceEntry, stored: BucketEntry, memory: Remembered | None, verify: bool
) -> None:
    assert judge(source, stored, memory, verify=verify) is Verdict.UPDATE


@either
@pytest.mark.parametrize(
    ("stored", "memory"),
    [(OBJECT, None), (REPLACED, KNOWN), *((OBJECT, memory) for memory in STALE.values())],
)
def test_an_object_of_which_nothing_is_known_is_compared(
    stored: BucketEntry, memory: Remembered | None, verify: bool
) -> None:
    assert judge(FILE, stored, memory, verify=verify) is Verdict.COMPARE


def test_an_unchanged_file_is_left_alone_or_read_when_that_is_wanted() -> None:
    assert judge(FILE, OBJECT, KNOWN, verify=False) is Verdict.SKIP
    assert judge(FILE, OBJECT, KNOWN, verify=True) is Verdict.REHASH


@either
@pytest.mark.parametrize("how", TOUCHED)
def test_a_file_that_may_have_changed_at_the_same_size_is_read(how: str, verify: bool) -> None:
    assert judge(FILE, OBJECT, TOUCHED[how], verify=verify) is Verdict.REHASH


def test_a_file_is_unchanged_only_when_all_of_it_is() -> None:
    assert looks_unchanged(FILE, KNOWN)
    assert not looks_unchanged(RESIZED, KNOWN)


@pytest.mark.parametrize(
    ("stored", "memory", "owned"),
    [
        (OBJECT, KNOWN, True),
        (OBJECT, None, False),
        (OBJECT, KNOWN._replace(uploaded=False), False),
        (REPLACED, KNOWN, False),
        (LARGER, KNOWN, False),
    ],
)
def test_an_object_is_ours_while_it_is_the_one_that_we_uploaded(
    stored: BucketEntry, memory: Remembered | None, owned: bool
) -> None:
    assert is_owned(stored, memory) is owned


WHOLE = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("ctime_ns", "now_ns", "settled"),
    [
        (TIME, TIME, False),
        (TIME, TIME + 20 * MS - 1, False),
        (TIME, TIME + 20 * MS, True),
        # From a clock that is ahead.
        (TIME + SECOND, TIME, False),
        # Times of whole seconds.
        (WHOLE, WHOLE + SECOND, False),
        (WHOLE, WHOLE + 2 * SECOND - 1, False),
        (WHOLE, WHOLE + 2 * SECOND, True),
    ],
)
def test_a_time_tells_of_the_next_change_once_the_clock_has_ticked(
    ctime_ns: int, now_ns: int, settled: bool
) -> None:
    assert settled_ctime(ctime_ns, now_ns) == (ctime_ns if settled else 0)
