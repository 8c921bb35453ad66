"""``mediatheque sync``: mirror a folder of the server's machine into a bucket."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from mediatheque.cli.exits import Exit
from mediatheque.cli.output import moment, print_json
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.cli.sync_options import DEFAULT_MANNER, Manner, Wanted, wanted
from mediatheque.cli.sync_preview import confirm, preview, show
from mediatheque.cli.sync_progress import exit_as, failures, run_to_end, summary
from mediatheque.client import AsyncClient, Sync, SyncOperation


def sync(
    source: str = "",
    dest: str | None = None,
    /,
    *,
    plan: Annotated[
        bool, Parameter(name="--dry-run", negative=(), help="Only show what would be done.")
    ] = False,
    yes: Annotated[
        bool, Parameter(negative=(), help="Delete without asking; nothing is shown before.")
    ] = False,
    watch: Annotated[
        bool, Parameter(negative=(), help="Go on: again whenever the folder changes.")
    ] = False,
    schedule: Annotated[
        str | None,
        Parameter(help="Do it at these times instead of now: cron, in UTC, as in '0 3 * * *'."),
    ] = None,
    detach: Annotated[
        bool, Parameter(negative=(), help="Start it, print its job's id, and leave it alone.")
    ] = False,
    manner: Manner = DEFAULT_MANNER,
    options: Options = DEFAULTS,
) -> None:
    """Make a bucket the mirror of a folder of the server's machine.

    What the folder lacks is deleted from the bucket: that is shown first, and asked about. Ctrl-C
    cancels the sync. With --json, one object at the end; with --watch, one for each round.

    Parameters
    ----------
    source
        A folder below the service's MEDIATHEQUE_UPLOADS_ROOT, relative to it; default: all of it.
    dest
        The bucket; default: mybucket.
    """
    if plan + (schedule is not None) + (watch or detach) > 1:
        sys.exit(
            Exit.SETTINGS.because("--dry-run, --schedule, and --watch or --detach exclude others.")
        )
    request = wanted(source, dest, manner)
    if plan:
        _show_plan(request, options)
        return
    seen = None
    if not yes:
        seen = _agreed(request, options, also_idle=watch or schedule is not None)
        if seen is None:
            return
    if schedule is not None:
        _schedule(schedule, request, options)
        return
    # Nothing is deleted that was not in the plan that people said yes to.
    as_planned = seen.id if seen is not None and seen.plan is not None else None
    if detach:
        _start(request, options, watch=watch, as_planned=as_planned)
    else:
        _run(request, options, watch=watch, as_planned=as_planned)


def _show_plan(request: Wanted, options: Options) -> None:
    found = converse(options, lambda client: preview(client, request))
    if options.json:
        converse(options, lambda client: _print_with_operations(client, found.sync))
    else:
        show(found, sys.stdout)
        if found.idle and not found.failed:
            print(summary(found.sync))
    exit_as(found.sync, found.failed)


def _agreed(request: Wanted, options: Options, *, also_idle: bool) -> Sync | None:
    """Return the dry run that tells what going on would do; None when there is nothing to do.

    ``also_idle``: return it also then. Ends the command when it must not go on.
    """
    found = converse(options, lambda client: preview(client, request))
    if found.deletes or sys.stderr.isatty():
        show(found, sys.stderr)
    if not found.failed:  # else the sync will tell, and do what it can
        exit_as(found.sync, ())
    if found.deletes:
        confirm(found)
    if not found.idle or found.failed or also_idle:
        return found.sync
    if options.json:
        print_json({"sync": found.sync, "operations": ()})
    else:
        print(summary(found.sync))
    return None


def _schedule(cron: str, request: Wanted, options: Options) -> None:
    made = converse(options, lambda client: client.syncs.schedule(cron, **request))
    if options.json:
        print_json(made)
    else:
        print(f"Schedule {made.id}, for the first time at {moment(made.next_at)}.")


def _start(request: Wanted, options: Options, *, watch: bool, as_planned: int | None) -> None:
    started = converse(
        options,
        lambda client: client.syncs.start(**request, watch=watch, as_planned=as_planned),
    )
    if options.json:
        print_json({"sync": started, "operations": ()})
    else:
        print(started.job)


def _run(request: Wanted, options: Options, *, watch: bool, as_planned: int | None) -> None:
    def tell_round(sync: Sync) -> None:
        if options.json:
            print_json(sync)
        else:
            print(f"{moment(datetime.now(UTC))}\t{summary(sync)}", flush=True)

    async def conversation(client: AsyncClient) -> tuple[Sync, Sequence[SyncOperation]]:
        starting = client.syncs.start(**request, watch=watch, as_planned=as_planned)
        ended = await run_to_end(client, starting, on_round=tell_round)
        if options.json and not watch:
            await _print_with_operations(client, ended)
        return ended, await failures(client, ended)

    ended, failed = converse(options, conversation)
    if not options.json:
        print(summary(ended))
    exit_as(ended, failed)


async def _print_with_operations(client: AsyncClient, sync: Sync) -> None:
    """Print one JSON object, however many operations there are."""
    out = sys.stdout.buffer
    out.write(b'{"sync":' + msgspec.json.encode(sync) + b',"operations":[')
    separator = b""
    async for operation in client.syncs.operations(sync.id):
        out.write(separator + msgspec.json.encode(operation))
        separator = b","
    out.write(b"]}\n")
    out.flush()
