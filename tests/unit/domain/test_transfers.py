"""Cursors, names, states of transfers."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.media import check_name
from mediatheque.domain.transfers import (
    JOB_STATUS_OF,
    STATUS_OF,
    BadSourcesError,
    Transfer,
    TransferStatus,
    check_bandwidth,
    parse_cursor,
    request_digest,
    storable_name,
)

ID = UUID("01a1fc87-9655-79af-939f-09e2b6784b59")
NOW = datetime.now(UTC)
TRANSFER = Transfer(
    id=ID,
    status=TransferStatus.RUNNING,
    sources=("file:///a",),
    request_digest="",
    segmented=True,
    segments=3,
    scanned=True,
    retake=False,
    bandwidth=None,
    files_total=10,
    files_complete=4,
    files_failed=2,
    files_skipped=1,
    bytes_total=1000,
    bytes_complete=400,
    progress=0.4,
    rate=50.0,
    error=None,
    due=None,
    created_at=NOW,
    started_at=NOW,
    finished_at=None,
)


def test_every_status_of_a_job_has_a_word_of_its_own() -> None:
    assert set(STATUS_OF) == set(JobStatus)
    assert set(JOB_STATUS_OF) == set(TransferStatus)


def test_a_transfer_knows_what_is_left() -> None:
    assert TRANSFER.files_pending == 3
    assert TRANSFER.eta == 12.0
    assert replace(TRANSFER, rate=0.0).eta is None
    assert replace(TRANSFER, rate=None).eta is None
    assert replace(TRANSFER, scanned=False).eta is None


@pytest.mark.parametrize(
    ("status", "due", "at_rest", "ended"),
    [
        (TransferStatus.PENDING, None, False, False),
        (TransferStatus.PENDING, NOW, True, False),
        (TransferStatus.RUNNING, None, False, False),
        (TransferStatus.PAUSED, None, True, False),
        (TransferStatus.COMPLETE, None, True, True),
        (TransferStatus.FAILED, None, True, True),
        (TransferStatus.CANCELLED, None, True, True),
    ],
)
def test_a_transfer_knows_whether_it_moves(
    status: TransferStatus, due: datetime | None, at_rest: bool, ended: bool
) -> None:
    transfer = replace(TRANSFER, status=status, due=due)
    assert (transfer.at_rest, transfer.ended) == (at_rest, ended)


def test_a_cursor_names_the_transfer_and_the_call() -> None:
    assert parse_cursor(TRANSFER.cursor) == (ID, 3)
    assert parse_cursor(f"{ID}.0") == (ID, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.1",
        str(ID),
        f"{ID}.",
        f"{ID}.-1",
        f"{ID}.01",
        f"{ID}.1.2",
        f"{ID}.1 ",
        f"{ID}.1\n",
        f"{ID}.{10**9}",
        f"{ID}.٣",
        f"{str(ID).upper()}.1",
        f"{'-' * 36}.1",
    ],
)
def test_what_is_no_cursor_names_nothing(text: str) -> None:
    assert parse_cursor(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "b"], ["b", "a"]),
        (["ab"], ["a", "b"]),
        (["a"], ["a", "a"]),
        (["1:a"], ["a"]),
        (["a", ""], ["a"]),
    ],
)
def test_two_lists_have_two_digests(one: list[str], other: list[str]) -> None:
    assert request_digest(one) == request_digest(list(one))
    assert request_digest(one) != request_digest(other)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (b"a.mp4", "a.mp4"),
        ("ü日本.mp4".encode(), "ü日本.mp4"),
        (b"\xff\xfe.mp4", "\ufffd\ufffd.mp4"),
        (b"a\x00\x1f\x7fb\n", "a\ufffd\ufffd\ufffdb\ufffd"),
        ("\u0085".encode(), "\ufffd"),
        (b"   ", "unnamed"),
        (b"", "unnamed"),
        (b"x" * 300, "x" * 255),
        (b"...", "..."),
    ],
)
def test_any_name_on_disk_becomes_one_that_a_media_can_have(name: bytes, stored: str) -> None:
    assert storable_name(name) == stored
    assert check_name(stored, field="filename") == stored


@pytest.mark.parametrize("bandwidth", [None, 1, 2**53])
def test_a_bandwidth_is_at_least_one(bandwidth: int | None) -> None:
    assert check_bandwidth(bandwidth) == bandwidth


@pytest.mark.parametrize("bandwidth", [0, -1, 2**53 + 1])
def test_a_bandwidth_that_cannot_be_is_refused(bandwidth: int) -> None:
    with pytest.raises(InvalidError, match="bandwidth must be"):
        check_bandwidth(bandwidth)


def test_bad_sources_say_how_many_or_which() -> None:
    assert BadSourcesError([("a", "It is bad.")], of=1).detail == "It is bad. Nothing was started."
    several = BadSourcesError([("a", "It is bad.")], of=3)
    assert several.detail == "1 of 3 entries cannot be transferred. Nothing was started."
    assert several.bad == (("a", "It is bad."),)
