"""``mediatheque schedules``: syncs that start again and again."""

from cyclopts import App

from mediatheque.cli.output import Rows, moment, print_json
from mediatheque.cli.server import DEFAULTS, Failures, Options, converse
from mediatheque.client import AsyncClient, ClientError

app = App(name="schedules", help="List the schedules of syncs, and remove them.")


@app.default
def list_schedules(*, options: Options = DEFAULTS) -> None:
    """List the schedules of syncs, which `sync --schedule` makes.

    With --json, one object a line.
    """
    rows = Rows("id", "cron", "next", "source", "bucket", "store", right=("id",))
    for schedule in converse(options, lambda client: client.syncs.schedules()):
        if options.json:
            print_json(schedule)
        else:
            rows.add(
                str(schedule.id),
                schedule.cron,
                moment(schedule.next_at),
                schedule.source or "-",
                schedule.dest,
                schedule.storage_url or "-",
            )
    rows.flush()


@app.command
def rm(schedule_id: int, /, *schedule_ids: int, options: Options = DEFAULTS) -> None:
    """Remove schedules. What one has started goes on.

    Parameters
    ----------
    schedule_id
        The schedule's id.
    schedule_ids
        More of them.
    """
    failures = Failures([schedule_id, *schedule_ids])

    async def remove(client: AsyncClient) -> None:
        for each in [schedule_id, *schedule_ids]:
            try:
                await client.syncs.unschedule(each)
            except ClientError as error:
                failures.add(str(each), error)
                continue
            if options.json:
                print_json({"deleted": each})

    converse(options, remove)
    failures.exit()
