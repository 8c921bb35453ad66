"""Syncs: what can be asked for, and how far one is."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.syncs import (
    RANK,
    Action,
    Phase,
    Plan,
    Sync,
    SyncBucket,
    SyncOptions,
    Tally,
    check_backup_prefix,
    check_bucket_name,
    check_source,
)

PLAN = Plan(upload=Tally(3, 30), copy=Tally(1, 1), update=Tally(2, 2), delete=Tally(4, 4))
SYNC = Sync(
    id=UUID("01a1fc87-9655-79af-939f-09e2b6784b59"),
    number=7,
    bucket_id=1,
    location="",
    bucket="photos",
    source="",
    options=SyncOptions(),
    phase=Phase.UPLOADING,
    plan=PLAN,
    planned_at=None,
    reason=None,
    job_status=JobStatus.RUNNING,
    error=None,
    created_at=datetime.now(UTC),
    started_at=None,
    finished_at=None,
)


def test_what_is_missing_comes_first_and_what_goes_away_last() -> None:
    assert set(RANK) == set(Action)
    assert sorted(Action, key=lambda action: (RANK[action], action)) == [
        Action.COPY,
        Action.UPLOAD,
        Action.UPDATE,
        Action.DELETE,
    ]
    assert RANK[Action.COPY] == RANK[Action.UPLOAD]


@pytest.mark.parametrize(
    ("status", "reason", "error", "said"),
    [
        (JobStatus.PENDING, None, None, "running"),
        (JobStatus.RUNNING, None, "an earlier try", "running"),
        (JobStatus.PAUSED, None, None, "running"),
        (JobStatus.COMPLETED, None, None, "success"),
        (JobStatus.CANCELLED, "s3", "No.", "cancelled"),
        (
            JobStatus.ERRORED,
            "s3 storage connection",
            "A sentence.",
            "error (s3 storage connection)",
        ),
        (JobStatus.ERRORED, None, "A sentence.", "error (A sentence.)"),
        (JobStatus.ERRORED, None, None, "error (unknown)"),
    ],
)
def test_a_sync_stands_where_its_job_does_in_words_of_its_own(
    status: JobStatus, reason: str | None, error: str | None, said: str
) -> None:
    assert replace(SYNC, job_status=status, reason=reason, error=error).status == said


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_of_a_job_has_a_word(status: JobStatus) -> None:
    said = replace(SYNC, job_status=status).status

    assert said.split()[0] in {"running", "success", "cancelled", "error"}
    assert (said == "running") is status.live


@pytest.mark.parametrize(
    ("plan", "done", "failed", "progress"),
    [
        (None, 0, 0, 0.0),
        (Plan(), 0, 0, 0.0),
        (PLAN, 0, 0, 0.0),
        (PLAN, 4, 0, 0.4),
        (PLAN, 4, 1, 0.5),
        (PLAN, 9, 1, 1.0),
    ],
)
def test_progress_is_the_part_of_the_operations_that_is_over(
    plan: Plan | None, done: int, failed: int, progress: float
) -> None:
    standing = replace(SYNC, plan=plan, done=Tally(done, 0), failed=failed)

    assert standing.progress == progress
    assert replace(standing, job_status=JobStatus.ERRORED).progress == progress
    assert replace(standing, phase=Phase.WATCHING).progress == 1.0
    assert replace(standing, job_status=JobStatus.COMPLETED).progress == 1.0


def test_what_is_skipped_is_no_operation() -> None:
    assert replace(PLAN, skip=Tally(100, 100)).operations == 10


@pytest.mark.parametrize(
    "name", ["abc", "a" * 63, "0a0", "my.bucket-1", "1.2.3.4.5", "1.2.3.a", "12345678"]
)
def test_names_of_buckets_are_taken_as_they_are(name: str) -> None:
    assert check_bucket_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "ab", "a" * 64, "a" * 100_000, "Abc", "a_b", "a b", "abc\n", "ab\0", "é" * 3, "١٢٣"),
        *(
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "1.2.3.4",
            "999.999.999.999",
            "a/b",
            "../x",
            "\ud800ab",
        ),
    ],
)
def test_other_names_are_no_buckets(name: str) -> None:
    with pytest.raises(InvalidError, match="dest must be a bucket's name") as refused:
        check_bucket_name(name)

    assert refused.value.field == "dest"
    assert len(refused.value.detail) < 300
    refused.value.detail.encode()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("", ""),
        (".", ""),
        ("./", ""),
        ("a", "a"),
        ("./a//b/./c/", "a/b/c"),
        ("..a/b../...", "..a/b../..."),
        (" a / b\\..\n", " a / b\\..\n"),
        ("é/e\u0301", "é/e\u0301"),
        ("~/$HOME", "~/$HOME"),
    ],
)
def test_a_source_is_a_path_below_the_root(text: str, source: str) -> None:
    assert check_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        *("/", "/etc", "//a", "..", "../a", "a/..", "a/../b", "./../a", "a/b/../../../c"),
        *("a\0b", "\0", "a/\ud800", "/" + "a" * 100_000, "../" * 100_000),
    ],
)
def test_a_source_that_is_no_path_below_the_root_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="source") as refused:
        check_source(text)

    assert refused.value.field == "source"
    assert len(refused.value.detail) < 300
    refused.value.detail.encode()


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("backups", "backups"),
        ("/backups/november//", "backups/november"),
        ("..a/ b", "..a/ b"),
        ("a" * 200, "a" * 200),
        ("é" * 100, "é" * 100),
    ],
)
def test_a_backup_prefix_has_no_slashes_at_its_ends(text: str, prefix: str) -> None:
    assert check_backup_prefix(text) == prefix


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "//", ".", "..", "a/../b", "a/./b", "a//b", "./a", "a/.."),
        *("a" * 201, "é" * 101, "a\0", "\ud800", "a/" * 100_000),
    ],
)
def test_a_backup_prefix_that_no_key_begins_with_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="backup_prefix") as refused:
        check_backup_prefix(text)

    assert refused.value.field == "backup_prefix"
    assert len(refused.value.detail) < 300
    refused.value.detail.encode()


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("", "the bucket 'photos'"),
        ("https://127.0.0.1:9000", "the bucket 'photos' at https://127.0.0.1:9000"),
    ],
)
def test_a_bucket_is_called_by_its_name_and_its_store(location: str, place: str) -> None:
    bucket = SyncBucket(
        id=1,
        location=location,
        name="photos",
        created=False,
        ordered=True,
        backslashes=None,
        backup_prefixes=(),
    )

    assert bucket.place == place
