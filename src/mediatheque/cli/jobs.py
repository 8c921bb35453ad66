"""``mediatheque jobs``: list jobs, watch them, signal them."""

import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Literal, get_args

from cyclopts import App, Parameter

from mediatheque.cli.exits import Exit
from mediatheque.cli.output import Rows, moment, print_facts, print_json, printable
from mediatheque.cli.server import DEFAULTS, Failures, Limit, Options, converse
from mediatheque.client import AsyncClient, ClientError, InvalidError, Job, JobEvent
from mediatheque.client.jobs import Signal

_TRANSFER = "transfer"

app = App(name="jobs", help="List jobs, watch them, pause, resume, cancel and retry them.")

Statuses = Annotated[
    tuple[Literal["pending", "running", "paused", "completed", "errored", "cancelled"], ...],
    Parameter(
        name="--status",
        negative=(),
        show_default=False,
        help="May be repeated.",
    ),
]
Classes = Annotated[
    tuple[str, ...],
    Parameter(
        name="--class",
        negative=(),
        show_default=False,
        help="Kind of work; may be repeated.",
    ),
]


@app.default
def list_jobs(
    *,
    status: Statuses = (),
    job_class: Classes = (),
    sort: Annotated[
        str,
        Parameter(
            help="Fields to sort by, separated by commas, with - before a descending one.",
            allow_leading_hyphen=True,
        ),
    ] = "-created_at",
    limit: Limit = None,
    options: Options = DEFAULTS,
) -> None:
    """List jobs, newest first.

    With --json, one object a line.
    """

    async def show_all(client: AsyncClient) -> None:
        rows = Rows("id", "class", "status", "progress", "created", "error", right=("progress",))
        filters = _filters(status, job_class)
        async for job in client.jobs.list(filters=filters, sort=sort, limit=limit):
            if options.json:
                print_json(job)
            else:
                rows.add(*_cells(job))
        rows.flush()

    converse(options, show_all)


@app.command
def show(job_id: str, /, *, options: Options = DEFAULTS) -> None:
    """Print what is known of a job.

    Parameters
    ----------
    job_id
        The job's id.
    """
    job = converse(options, lambda client: client.jobs.find(job_id))
    if options.json:
        print_json(job)
        return
    facts: dict[str, object] = {
        "id": job.id,
        "class": job.job_class,
        "status": job.status,
        "progress": f"{job.progress:.1%}",
        "priority": job.priority,
        "retries": job.retry_count,
        "error": job.error,
        "unicity": job.unicity,
        "arguments": job.arguments,
        "scheduled": moment(job.scheduled_at),
        "created": moment(job.created_at),
        "started": moment(job.started_at),
        "finished": moment(job.finished_at),
    }
    print_facts({name: value for name, value in facts.items() if value not in (None, "-")})


@app.command
def watch(*job_ids: str, options: Options = DEFAULTS) -> None:
    """Print what happens to jobs as it happens, until all of those named have ended.

    Without a name: to all jobs, until interrupted. With --json, one event a line.

    Parameters
    ----------
    job_ids
        Their ids.
    """

    async def follow(client: AsyncClient) -> dict[str, str]:
        wanted = {job_id.lower() for job_id in job_ids}  # as the server writes them
        ended: dict[str, str] = {}
        async with aclosing(client.jobs.watch(*job_ids)) as events:
            async for event in events:
                if options.json:
                    print_json(event)
                else:
                    _print_event(event)
                if event.live:
                    ended.pop(event.job, None)
                else:
                    ended[event.job] = event.status
                if wanted and ended.keys() >= wanted:
                    break
        return ended

    ended = converse(options, follow)
    failed = [job for job, status in ended.items() if status != "completed"]
    if failed:
        sys.exit(Exit.FAILED.because(f"{len(failed)} of {len(ended)} jobs were not completed."))


def _signalling(signal: Signal) -> Callable[..., None]:
    """Return the command that sends a signal."""

    def command(
        *job_ids: Annotated[str, Parameter(help="Their ids.")],
        status: Statuses = (),
        job_class: Classes = (),
        options: Options = DEFAULTS,
    ) -> None:
        filters = _filters(status, job_class)

        async def send(client: AsyncClient) -> None:
            if bool(job_ids) == bool(filters):
                raise InvalidError("Name either the jobs, or a --status or --class of jobs.")
            if filters:
                done = await client.jobs.signal_all(signal, filters)
                text = f"{done.signalled} jobs took the signal, {done.refused} cannot now"
                print_json(done) if options.json else print(text)
            else:
                await _signal_each(client, signal, job_ids, failures, as_json=options.json)

        failures = Failures(job_ids)
        converse(options, send)
        failures.exit()

    return command


for _signal in get_args(Signal):
    app.command(
        _signalling(_signal),
        name=_signal,
        help=f"{_signal.capitalize()} jobs: those named, or all with a --status or --class.",
    )


async def _signal_each(
    client: AsyncClient,
    signal: Signal,
    job_ids: Sequence[str],
    failures: Failures,
    *,
    as_json: bool,
) -> None:
    for job_id in job_ids:
        try:
            job = await client.jobs.find(job_id)
            if job.job_class == _TRANSFER:
                # Its own door knows its files: a retry takes those that failed.
                await client.transfers.signal(job_id, signal)
                job = await client.jobs.find(job_id)
            else:
                job = await client.jobs.signal(job_id, signal)
        except ClientError as error:
            failures.add(job_id, error)
            continue
        if as_json:
            print_json(job)
        else:
            print(f"{job.id}\t{printable(job.status)}")


def _filters(status: Sequence[str], job_class: Sequence[str]) -> dict[str, Sequence[str]]:
    filters = {"status": status, "job_class": job_class}
    return {name: values for name, values in filters.items() if values}


def _cells(job: Job) -> tuple[str, ...]:
    return (
        job.id,
        job.job_class,
        job.status,
        f"{job.progress:.0%}",
        moment(job.created_at),
        job.error or "",
    )


def _print_event(event: JobEvent) -> None:
    detail = event.detail.get("reason") or event.detail.get("signal") or ""
    cells = (moment(event.at), event.job, event.kind, event.status, f"{event.progress:.0%}", detail)
    print("\t".join(printable(str(cell)) for cell in cells), flush=True)
