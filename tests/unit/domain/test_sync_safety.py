"""What a sync may destroy: the limits, and what is not this service's own."""

from dataclasses import replace

import pytest

from mediatheque.domain.sync_safety import SyncLimits, objection, objection_to_foreign
from mediatheque.domain.syncs import Plan, SyncBucket, SyncOptions, Tally

LIMITS = SyncLimits(100, 50, unowned=False)
ALLOWED = SyncLimits(100, 50, unowned=True)
OURS = SyncBucket(
    id=1,
    location="",
    name="photos",
    created=True,
    ordered=True,
    backslashes=None,
    backup_prefixes=(),
)
THEIRS = SyncBucket(
    id=2,
    location="https://127.0.0.1:9000",
    name="photos",
    created=False,
    ordered=True,
    backslashes=None,
    backup_prefixes=(),
)
PLAIN = SyncOptions()
FORCED = SyncOptions(force=True)
EMPTIES = Plan(delete=Tally(2, 20), objects=2, empty=True)
EMPTIES_FOREIGN = Plan(delete=Tally(2, 20), objects=2, foreign=1, empty=True)


@pytest.mark.parametrize(
    ("count", "percent", "deletions", "objects", "refused"),
    [
        (100, 50, 0, 0, False),
        (100, 50, 100, 100, False),
        (100, 50, 101, 202, False),
        (100, 50, 101, 201, True),
        (100, 50, 101, 101, True),
        (100, 50, 5_000_000, 10_000_000, False),
        (100, 50, 5_000_001, 10_000_000, True),
        (0, 50, 1, 2, False),
        (0, 50, 1, 1, True),
        (0, 0, 0, 5, False),
        (0, 0, 1, 1_000_000, True),
        (100, 0, 101, 1_000_000, True),
        (0, 100, 5, 5, False),
    ],
)
def test_deletions_beyond_both_limits_are_refused_unless_they_are_forced(
    count: int, percent: int, deletions: int, objects: int, refused: bool
) -> None:
    plan = Plan(delete=Tally(deletions, 1), objects=objects)
    limits = SyncLimits(count, percent, unowned=True)

    assert (objection(plan, PLAIN, OURS, limits) is not None) is refused
    assert objection(plan, FORCED, OURS, limits) is None


def test_a_refusal_names_the_numbers_and_the_way_out() -> None:
    refused = objection(Plan(delete=Tally(150), objects=160), PLAIN, OURS, LIMITS)

    assert refused is not None
    assert refused.reason == (
        "would delete 150 of the 160 objects in 'photos'; more than 100 and more than 50 % are "
        "refused; use force=1 if that is meant"
    )
    assert refused.detail == f"Nothing was done: the sync {refused.reason}."


@pytest.mark.parametrize("options", [PLAIN, FORCED])
@pytest.mark.parametrize(
    ("plan", "bucket", "said"),
    [
        (EMPTIES, OURS, None),
        (EMPTIES_FOREIGN, OURS, "has objects that were not uploaded by Mediatheque"),
        (EMPTIES, THEIRS, "was not created by Mediatheque"),
        (EMPTIES_FOREIGN, THEIRS, "was not created by Mediatheque"),
    ],
)
def test_a_bucket_goes_only_when_all_of_it_is_ours_or_the_operator_allows_it(
    plan: Plan, bucket: SyncBucket, said: str | None, options: SyncOptions
) -> None:
    refused = objection(plan, options, bucket, LIMITS)

    assert objection(plan, options, bucket, ALLOWED) is None
    if said is None:
        assert refused is None
    else:
        assert refused is not None
        for text in (refused.detail, refused.reason):
            assert said in text
            assert "MEDIATHEQUE_SYNC_DELETE_UNOWNED" in text


@pytest.mark.parametrize("limits", [LIMITS, ALLOWED])
@pytest.mark.parametrize("options", [SyncOptions(watch=True), SyncOptions(scheduled=True)])
def test_a_sync_that_nobody_watches_does_not_remove_a_bucket(
    options: SyncOptions, limits: SyncLimits
) -> None:
    refused = objection(EMPTIES, options, OURS, limits)

    assert refused is not None
    assert refused.reason == "the source is missing or empty"
    assert objection(EMPTIES, replace(options, force=True), OURS, limits) is None
    assert objection(Plan(delete=Tally(2), objects=3), options, OURS, limits) is None


def test_a_plan_that_deletes_nothing_of_others_is_never_objected_to() -> None:
    plan = Plan(upload=Tally(10**6), update=Tally(10**6), objects=10**6)

    for bucket in (OURS, THEIRS):
        assert objection(plan, PLAIN, bucket, LIMITS) is None
        assert objection_to_foreign(plan, bucket, LIMITS) is None


def test_what_others_uploaded_stays_and_is_told_of() -> None:
    plan = Plan(delete=Tally(5), foreign=3, objects=50)

    told = objection_to_foreign(plan, THEIRS, LIMITS)

    assert objection(plan, PLAIN, THEIRS, LIMITS) is None
    assert objection_to_foreign(plan, THEIRS, ALLOWED) is None
    assert told is not None
    assert told.detail.startswith("3 objects in the bucket 'photos' at https://127.0.0.1:9000 are")
    assert told.reason == (
        "3 objects in 'photos' were not uploaded by Mediatheque; set "
        "MEDIATHEQUE_SYNC_DELETE_UNOWNED to delete them"
    )
