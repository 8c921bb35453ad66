"""``mediatheque upload``: send files of this machine."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mediatheque.cli.bars import Bars
from mediatheque.cli.output import Rows, amount, print_json, printable
from mediatheque.cli.server import DEFAULTS, Failures, Options, converse, sentence
from mediatheque.client import AsyncClient, ClientError, InvalidError
from mediatheque.client.upload_states import state_folder

_AT_ONCE = 4


def upload(
    file: Path,
    /,
    *files: Path,
    tag: Annotated[
        tuple[str, ...],
        Parameter(negative=(), show_default=False, help="A tag for each; may be repeated."),
    ] = (),
    resource: Annotated[
        str | None, Parameter(help="Address of the media, by default its id. For one file.")
    ] = None,
    project: Annotated[str | None, Parameter(help="Project that each belongs to.")] = None,
    public: Annotated[bool, Parameter(negative=(), help="Mark each as public.")] = False,
    resume: Annotated[
        bool, Parameter(help="Go on with what an earlier run left, and let a later one go on.")
    ] = True,
    options: Options = DEFAULTS,
) -> None:
    """Send files of this machine, and print their ids.

    Every byte is verified. An upload that was interrupted goes on when the same command is run
    again. What cannot be sent does not stop the others. With --json, one object a line: the file
    with its media, or with its error.

    Parameters
    ----------
    file
        A file of this machine. For those of the server's machine there is transfer.
    files
        More of them.
    """
    paths = [file, *files]
    run = _Run(paths, options)

    async def conversation(client: AsyncClient) -> None:
        if resource is not None and len(paths) > 1:
            raise InvalidError("--resource is the address of one file, and these are several.")
        wanted = {"tags": tag, "resource": resource, "project_id": project, "public": public}
        remembered = resume and _can_remember()
        try:
            await run.send_all(client, {**wanted, "resume": remembered})
        except asyncio.CancelledError:
            if remembered:
                run.tell_how_to_go_on()
            raise

    try:
        converse(options, conversation)
    finally:
        run.tell_what_is_there()
    run.end()


class _Run:
    """The files of one command: some at once, each as soon as there is a slot for it."""

    def __init__(self, paths: list[Path], options: Options) -> None:
        self._paths = paths
        self._unfinished = dict.fromkeys(map(str, paths))
        self._json = options.json
        self._failures = Failures(paths)
        self._rows = Rows("id", "size", "type", "file", right=("size",))
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def send_all(self, client: AsyncClient, wanted: dict[str, Any]) -> None:
        """Send every file, ``wanted`` as ``upload`` of the client has it."""
        try:
            with Bars() as bars:
                async with asyncio.TaskGroup() as group:
                    for path in self._paths:
                        group.create_task(self._send(client, path, wanted, bars))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def tell_what_is_there(self) -> None:
        """Print what was sent and is not printed yet."""
        self._rows.flush()

    def end(self) -> None:
        """End the command with the code of what failed."""
        self._failures.exit()

    def tell_how_to_go_on(self) -> None:
        """Say what an interrupted command leaves."""
        if len(self._paths) == 1:
            said = "What has arrived is kept: the same command goes on from there."
        else:
            names = ", ".join(map(printable, self._unfinished))
            said = f"Not finished: {names}. The same command with these goes on from there."
        print(said, file=sys.stderr)

    async def _send(
        self, client: AsyncClient, path: Path, wanted: dict[str, Any], bars: Bars
    ) -> None:
        # JSON has no place for bytes that are not UTF-8.
        shown = os.fsencode(path).decode(errors="replace")
        async with self._slots:
            try:
                with bars.of(str(path)) as progress:
                    media = await client.medias.upload(path, **wanted, on_progress=progress)
            except (ClientError, OSError) as error:
                self._failures.add(str(path), error)
                if self._json:
                    print_json({"file": shown, "error": sentence(error)})
                return
        self._unfinished.pop(str(path), None)
        if self._json:
            print_json({"file": shown, "media": media})
        else:
            self._rows.add(media.id, amount(media.size), media.mime_type, str(path))


def _can_remember() -> bool:
    """Tell whether uploads can be gone on with later; say why when they cannot."""
    try:
        with tempfile.TemporaryFile(dir=state_folder(), buffering=0) as probe:
            probe.write(b"x")
    except OSError as error:
        print(
            f"What is interrupted cannot be gone on with later: {sentence(error)}", file=sys.stderr
        )
        return False
    return True
