"""Holding a sync to the plan of a dry run, so that nothing is lost that nobody has seen."""

from mediatheque.catalog import sync_operations, syncs
from mediatheque.catalog.database import Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, InvalidError
from mediatheque.domain.syncs import Sync
from mediatheque.services.sync_failure import SyncFailedError
from mediatheque.services.sync_requests import SyncTask


async def check_planned(transaction: Transaction, principal: Principal, task: SyncTask) -> None:
    """Check, before a sync is started, that there is the plan that it shall be held to, if any.

    Raises InvalidError when that is not one of the same source and bucket, and ConflictError when
    it is out of date.
    """
    number = task.options.as_planned
    if number is None:
        return
    planned = await syncs.find(transaction, number, owner=owner_scope(principal))
    if planned is None or not planned.options.dry_run or planned.plan is None:
        raise InvalidError(
            f"as_planned must be the id of a dry run that has a plan; {str(number)[:40]} is none.",
            field="as_planned",
        )
    same = (planned.location, planned.bucket, planned.source)
    if same != (task.location, task.bucket, task.source):
        raise InvalidError(
            f"The dry run {number} is of another source or bucket. Make a dry run of these.",
            field="as_planned",
        )
    kept = await sync_operations.page(transaction, planned.id, limit=1)
    if planned.plan.operations and not kept:
        raise ConflictError(
            f"The plan of the dry run {number} is out of date: another sync of the bucket came "
            "after it. Make another dry run."
        )


async def check_kept_to(connection: Transaction, sync: Sync) -> None:
    """Check, before anything is done, that a sync loses nothing but what it is held to.

    Raises SyncFailedError when it would overwrite or delete more.
    """
    number = sync.options.as_planned
    if number is None or sync.rounds:
        return
    planned = await syncs.find(connection, number, owner=None)
    assert sync.plan is not None
    if planned is None or planned.plan is None:
        raise SyncFailedError(
            f"The dry run {number} was deleted, and with it the plan that this sync is held to. "
            "Make another one, and start a sync with that.",
            reason="not as planned",
        )
    count, key = await sync_operations.unplanned(connection, sync.id, planned.id)
    if key is not None:
        name = key.decode(errors="replace")[:200]
        news = f"{count} of the objects that would be overwritten or deleted now, such as {name!r}"
    elif sync.plan.empty and not planned.plan.empty:
        news = "the removal of the bucket, because the source is missing or empty now"
    else:
        return
    raise SyncFailedError(
        f"The plan of the dry run {number} does not have {news}. None of that was done. Make "
        "another dry run, look at its plan, and start a sync with that.",
        reason="not as planned",
    )
