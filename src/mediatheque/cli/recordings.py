"""``mediatheque recordings``: what is being recorded and was, and completing it."""

from cyclopts import App

from mediatheque.cli.output import Rows, amount, moment, print_json
from mediatheque.cli.server import DEFAULTS, Failures, Limit, Options, converse
from mediatheque.client import AsyncClient, ClientError

app = App(name="recordings", help="List recordings, and complete those left unfinished.")


@app.default
def list_recordings(*, limit: Limit = None, options: Options = DEFAULTS) -> None:
    """List recordings, newest first.

    With --json, one object a line.
    """

    async def show(client: AsyncClient) -> None:
        rows = Rows("id", "status", "size", "created", "remarks", right=("size",))
        async for recording in client.recordings.list(limit=limit):
            if options.json:
                print_json(recording)
            else:
                rows.add(
                    recording.id,
                    recording.status,
                    amount(recording.size),
                    moment(recording.created_at),
                    recording.error or recording.warning or "-",
                )
        rows.flush()

    converse(options, show)


@app.command
def complete(recording_id: str, /, *recording_ids: str, options: Options = DEFAULTS) -> None:
    """Complete recordings that were left unfinished; their processing begins.

    With --json, one object a line.

    Parameters
    ----------
    recording_id
        The recording's id.
    recording_ids
        More of them.
    """
    failures = Failures([recording_id, *recording_ids])

    async def complete_all(client: AsyncClient) -> None:
        for each in [recording_id, *recording_ids]:
            try:
                recording = await client.recordings.complete(each)
            except ClientError as error:
                failures.add(each, error)
                continue
            if options.json:
                print_json(recording)

    converse(options, complete_all)
    failures.exit()
