"""What files look like, whatever their file system says of them."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from mediatheque.storage.fingerprints import calendar_time, fingerprint

SECOND = 1_000_000_000
YEAR = 365 * 86_400 * SECOND
MOST = 2**63 - 1


def status(**values: int) -> Any:
    usual = {"st_size": 1, "st_mtime_ns": 0, "st_ctime_ns": 0, "st_ino": 1, "st_dev": 1}
    return SimpleNamespace(**{**usual, **values})


@pytest.mark.parametrize(
    ("time", "told"), [(5 * SECOND, 5 * SECOND), (400 * YEAR, MOST), (-400 * YEAR, -MOST)]
)
def test_times_fit_in_a_column(time: int, told: int) -> None:
    looks = fingerprint(status(st_mtime_ns=time, st_ctime_ns=time))
    assert (looks.mtime_ns, looks.ctime_ns) == (told, told)


def test_the_number_of_an_inode_fits_in_a_column() -> None:
    assert fingerprint(status(st_ino=2**64 - 1)).inode == MOST


def test_a_time_is_told_if_there_is_one() -> None:
    assert calendar_time(5 * SECOND) == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("time", [MOST, -MOST, 3_000_000 * YEAR, -3_000 * YEAR])
def test_a_time_of_no_calendar_is_none(time: int) -> None:
    assert calendar_time(time) is None
