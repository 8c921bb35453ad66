"""How a sync gets on, until it ends or Ctrl-C cancels it; and how the command ends then."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from mediatheque.cli.bars import Bars
from mediatheque.cli.exits import Exit
from mediatheque.cli.output import printable
from mediatheque.cli.units import shown_bytes, shown_seconds
from mediatheque.client import AsyncClient, Sync, SyncOperation, SyncPlan

_WATCHING = "watching"
_FIRST_POLL_SECONDS = 0.1
_POLL_SECONDS = 0.5
_FAILURES_TOLD = 20
_BAR = "sync"


def _ignore(sync: Sync) -> None:
    """Take no notice of a round."""


async def run_to_end(
    client: AsyncClient,
    starting: Coroutine[Any, Any, Sync],
    *,
    on_round: Callable[[Sync], None] = _ignore,
) -> Sync:
    """Start a sync, show how it gets on, and return it as it ended; cancel it when interrupted.

    ``on_round`` is called when a sync that watches has done everything once more.
    """
    start = asyncio.ensure_future(starting)
    try:
        # An interruption must not lose the id of what is being started: it could not be cancelled.
        return await _follow(client, await asyncio.shield(start), on_round)
    except asyncio.CancelledError:
        await _cancel(client, await start)
        raise


async def _follow(client: AsyncClient, sync: Sync, on_round: Callable[[Sync], None]) -> Sync:
    rounds = 0
    pause = _FIRST_POLL_SECONDS  # short at first: most syncs have little to do
    told: str | None = None
    with Bars() as bars:
        while sync.live:
            if sync.phase == _WATCHING:
                bars.keep(set())
            else:
                bars.show(_BAR, _headline(sync), sync.done.bytes, _bytes_to_move(sync.plan))
            if sync.phase == _WATCHING and sync.rounds > rounds:
                rounds = sync.rounds
                on_round(sync)
            if sync.error and sync.error != told:
                bars.say(f"It will be tried again: {sync.error}")
                told = sync.error
            await asyncio.sleep(pause)
            pause = min(_POLL_SECONDS, 2 * pause)
            sync = await client.syncs.find(sync.id)
    return sync


def _headline(sync: Sync) -> str:
    if sync.plan is None:
        return sync.phase
    failed = f", {sync.failed} failed" if sync.failed else ""
    return f"{sync.phase}: {sync.done.files} of {sync.plan.operations}{failed}"


def _bytes_to_move(plan: SyncPlan | None) -> int | None:
    return plan.upload.bytes + plan.copy.bytes + plan.update.bytes if plan else None


async def _cancel(client: AsyncClient, sync: Sync) -> None:
    cancelled = await client.syncs.cancel(sync.id)
    if sync.dry_run:
        return
    if cancelled.live:
        said = f"Sync {sync.id} is cancelled once the file operations under way are over."
    elif cancelled.status == "cancelled":
        said = f"Cancelled sync {sync.id}."
    else:
        said = f"Sync {sync.id} had ended before: {printable(cancelled.status)}."
    print(said, "What is done stays done; the same command does the rest.", file=sys.stderr)


def summary(sync: Sync) -> str:
    """Return in one line what was done, and how fast."""
    plan = sync.plan
    if plan is None:
        return "Nothing was done."
    if sync.status not in {"success", "running"}:
        return f"{sync.done.files} of {plan.operations} file operations were done."
    counts = {
        "uploaded": plan.upload.files,
        "copied": plan.copy.files,
        "updated": plan.update.files,
        "deleted": plan.delete.files,
    }
    parts = [f"{count} {verb}" for verb, count in counts.items() if count]
    if plan.empty:
        parts.append("no file is left")
    parts = [*(parts or ["nothing to do"]), f"{plan.skip.files} unchanged"]
    if sync.done.bytes and sync.started_at and sync.finished_at:
        seconds = (sync.finished_at - sync.started_at).total_seconds()
        rate = shown_bytes(sync.done.bytes / max(seconds, 0.001))
        parts.append(f"{shown_bytes(sync.done.bytes)} in {shown_seconds(seconds)} ({rate}/s)")
    return ", ".join(parts)


async def failures(client: AsyncClient, sync: Sync) -> tuple[SyncOperation, ...]:
    """Return the first of the operations of a sync that failed."""
    if not sync.failed:
        return ()
    failed = client.syncs.operations(sync.id, state="failed", limit=_FAILURES_TOLD)
    return tuple([operation async for operation in failed])


def exit_as(sync: Sync, failed: Sequence[SyncOperation]) -> None:
    """End the command as the sync ended, unless that is well; ``failed`` are told by name."""
    for operation in failed:
        why = printable(operation.error or "failed")
        print(f"{operation.action} {printable(operation.key)}: {why}", file=sys.stderr)
    if sync.failed > len(failed):
        print(f"… and {sync.failed - len(failed)} more", file=sys.stderr)
    if sync.status == "cancelled":
        sys.exit(Exit.REFUSED.because(f"Sync {sync.id} is cancelled."))
    if sync.status != "success":
        sys.exit(Exit.FAILED.because(printable(sync.error or sync.status)))
