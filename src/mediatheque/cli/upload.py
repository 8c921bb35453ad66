"""``mediatheque upload``: send files of this machine."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mediatheque.cli.bars import Bars
from mediatheque.cli.output import Rows, amount, print_json
from mediatheque.cli.server import DEFAULTS, Failures, Options, converse, sentence
from mediatheque.client import AsyncClient, ClientError, ServerUnreachableError

_AT_ONCE = 4


def upload(
    file: Path,
    /,
    *files: Path,
    tag: Annotated[
        tuple[str, ...],
        Parameter(negative=(), show_default=False, help="A tag for each; may be repeated."),
    ] = (),
    options: Options = DEFAULTS,
) -> None:
    """Send files of this machine, and print their ids.

    Every byte is verified. What cannot be sent does not stop the others. With --json, one object
    a line: the file with its media, or with its error.

    Parameters
    ----------
    file
        A file of this machine. For those of the server's machine there is transfer.
    files
        More of them.
    """
    failures = Failures([file, *files])
    rows = Rows("id", "size", "type", "file", right=("size",))

    async def send_all(client: AsyncClient) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)
        try:
            with Bars() as bars:
                async with asyncio.TaskGroup() as group:
                    for path in [file, *files]:
                        group.create_task(send(client, path, slots, bars))
        except* ServerUnreachableError as unreachable:
            raise unreachable.exceptions[0] from None

    async def send(client: AsyncClient, path: Path, slots: asyncio.Semaphore, bars: Bars) -> None:
        # JSON has no place for bytes that are not UTF-8.
        shown = os.fsencode(path).decode(errors="replace")
        async with slots:
            try:
                with bars.of(str(path)) as progress:
                    media = await client.medias.upload(path, tags=tag, on_progress=progress)
            except (ClientError, OSError) as error:
                failures.add(str(path), error)
                if options.json:
                    print_json({"file": shown, "error": sentence(error)})
                return
        if options.json:
            print_json({"file": shown, "media": media})
        else:
            rows.add(media.id, amount(media.size), media.mime_type, str(path))

    converse(options, send_all)
    rows.flush()
    failures.exit()
