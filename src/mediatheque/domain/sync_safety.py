"""What a sync may destroy, and what it says when it may not."""

from dataclasses import dataclass

from mediatheque.domain.syncs import Plan, SyncBucket, SyncOptions

_ALLOW = "The operator can allow that with MEDIATHEQUE_SYNC_DELETE_UNOWNED."


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """What syncs may delete without being forced.

    More than ``count`` objects only if that is at most ``percent`` of the bucket's. ``unowned``:
    also objects and buckets that are not of this service.
    """

    count: int
    percent: int
    unowned: bool


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a plan is not carried out: a sentence, and the few words that a status shows."""

    detail: str
    reason: str


def objection(
    plan: Plan, options: SyncOptions, bucket: SyncBucket, limits: SyncLimits
) -> Objection | None:
    """Return why nothing of a plan may be done for a bucket that exists; None when it may."""
    if not options.force:
        too_much = _too_much(plan, bucket, limits)
        if too_much is not None:
            return too_much
    if not plan.empty:
        return None
    if (options.watch or options.scheduled) and not options.force:
        return Objection(
            "The source is missing or empty. A sync that nobody watches does not delete "
            "everything for that: start one by hand, or with force=1.",
            "the source is missing or empty",
        )
    if limits.unowned or (bucket.created and not plan.foreign):
        return None
    what = "has objects that were not uploaded" if bucket.created else "was not created"
    return Objection(
        f"The source is missing or empty, and {bucket.place} {what} by Mediatheque: nothing was "
        f"deleted. {_ALLOW}",
        f"the source is missing or empty, and the bucket {bucket.name!r} {what} by Mediatheque; "
        "set MEDIATHEQUE_SYNC_DELETE_UNOWNED to delete it",
    )


def objection_to_foreign(plan: Plan, bucket: SyncBucket, limits: SyncLimits) -> Objection | None:
    """Return why a sync that did everything else has left objects of other people alone."""
    if limits.unowned or not plan.foreign:
        return None
    return Objection(
        f"{plan.foreign} objects in {bucket.place} are not in the source, but were not uploaded by "
        f"Mediatheque. They were not deleted. {_ALLOW}",
        f"{plan.foreign} objects in {bucket.name!r} were not uploaded by Mediatheque; set "
        "MEDIATHEQUE_SYNC_DELETE_UNOWNED to delete them",
    )


def _too_much(plan: Plan, bucket: SyncBucket, limits: SyncLimits) -> Objection | None:
    deletions = plan.delete.files
    if deletions <= limits.count or deletions * 100 <= limits.percent * plan.objects:
        return None
    reason = (
        f"would delete {deletions} of the {plan.objects} objects in {bucket.name!r}; more than "
        f"{limits.count} and more than {limits.percent} % are refused; use force=1 if that is meant"
    )
    return Objection(f"Nothing was done: the sync {reason}.", reason)
