"""Identifiers: UUID version 7, and what counts as one in a request."""

import time
import uuid

import pytest

from mediatheque.domain.ids import new_id, parse_id

CANONICAL = "0198c0de-0000-7000-8000-0123456789ab"


def test_an_id_is_a_uuid_of_version_7_made_now() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= made.int >> 80 <= after


def test_later_ids_sort_after_earlier_ones() -> None:
    earlier = new_id()
    time.sleep(0.002)

    assert earlier < new_id()
    assert str(earlier) < str(new_id())


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_what_is_written_is_read_back() -> None:
    made = new_id()

    assert parse_id(str(made)) == made
    assert parse_id(str(made).upper()) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        CANONICAL.replace("-", ""),
        "{" + CANONICAL + "}",
        "urn:uuid:" + CANONICAL,
        CANONICAL + " ",
        CANONICAL[:-1],
        CANONICAL.replace("1", "１"),
        "../" + CANONICAL,
        "' OR 1=1 --",
        "\0",
    ],
)
def test_what_is_not_canonical_is_no_id(text: str) -> None:
    assert parse_id(text) is None
