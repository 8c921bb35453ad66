"""``mediatheque transfer``: move files of the server's machine into the store."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import unquote_to_bytes

from cyclopts import Parameter

from mediatheque.cli.bars import Bars
from mediatheque.cli.exits import Exit
from mediatheque.cli.output import print_json, printable, shown_uri
from mediatheque.cli.server import DEFAULTS, Options, about, converse
from mediatheque.cli.units import parse_bytes, shown_bytes, shown_seconds
from mediatheque.client import (
    AsyncClient,
    ConflictError,
    InvalidError,
    Transfer,
    TransferFile,
    TransferPreview,
)
from mediatheque.client.transfers import source_uri

_POLL_SECONDS = 0.5
_FILES_SHOWN = 5
_FAILURES_TOLD = 20


def transfer(
    path: str,
    /,
    *paths: str,
    bandwidth: Annotated[
        str | None, Parameter(help="Bytes per second at most: 10MB, 1.5MiB; 0 for no limit.")
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="Only show what would be transferred.")
    ] = False,
    detach: Annotated[
        bool, Parameter(negative=(), help="Start it, print its id, and leave it alone.")
    ] = False,
    options: Options = DEFAULTS,
) -> None:
    """Move files of the server's machine into the store, and watch.

    Ctrl-C pauses the transfer. The same command goes on with it, wherever it stopped and whoever
    stopped it. With --json, one object at the end.

    Parameters
    ----------
    path
        A file or folder of the server's machine, below one of its MEDIATHEQUE_SOURCE_ROOTS.
    paths
        More of them.
    """

    sources = [source_uri(each) for each in (path, *paths)]
    if dry_run:
        _show(converse(options, lambda client: client.transfers.preview(sources)), options)
        return

    async def move(client: AsyncClient) -> tuple[Transfer, list[TransferFile]]:
        started = await _start(client, sources, _parse_bandwidth(bandwidth))
        if detach:
            return started, []
        try:
            ended = await _follow(client, started)
        except asyncio.CancelledError:
            await _pause(client, started)
            raise
        failed = client.transfers.files(ended.id, state="failed")
        return ended, [file async for file in failed]

    ended, failed = converse(options, move)
    if options.json:
        print_json({"transfer": ended, "failed": failed})
    elif detach:
        print(ended.id)
    else:
        print(_summary(ended))
    if not detach:
        _exit(ended, failed)


def _show(preview: TransferPreview, options: Options) -> None:
    if options.json:
        print_json(preview)
        return
    for problem in preview.problems:
        print(printable(problem), file=sys.stderr)
    least = "" if preview.whole else "at least "
    noun = "file" if preview.files == 1 else "files"
    text = f"{least}{preview.files} {noun}, {shown_bytes(preview.bytes)}"
    for count, word in ((preview.failing, "cannot be read"), (preview.skipped, "skipped")):
        text += f", {count} {word}" if count else ""
    print(text)


def _parse_bandwidth(text: str | None) -> int | None:
    """Return bytes per second, 0 for no limit. Raises InvalidError."""
    if text is None:
        return None
    try:
        return parse_bytes(text.removesuffix("/s"))
    except ValueError as error:
        raise InvalidError(f"--bandwidth: {error}.") from None


async def _start(client: AsyncClient, sources: Sequence[str], bandwidth: int | None) -> Transfer:
    """Return the unfinished transfer of these sources, set going again, or a new one."""
    wanted = _paths(sources)
    async for found in client.transfers.list(status=("pending", "running", "paused")):
        if _paths(found.sources) != wanted:
            continue
        print(f"Going on with transfer {found.id}.", file=sys.stderr)
        if bandwidth is not None:
            await client.transfers.set_bandwidth(found.id, bandwidth or None)
        # Also one that runs: it may have been asked to pause a moment ago.
        return await client.transfers.signal(found.id, "resume")
    return await client.transfers.create(sources, bandwidth=bandwidth or None)


def _paths(uris: Sequence[str]) -> set[bytes]:
    return {unquote_to_bytes(uri).rstrip(b"/") for uri in uris}


async def _follow(client: AsyncClient, transfer: Transfer) -> Transfer:
    """Show how a transfer gets on until it ends or is paused; return it as it then stands."""
    told: str | None = None
    with Bars() as bars:
        while transfer.live and transfer.status != "paused":
            total = transfer.bytes.total if transfer.scanned else None
            bars.show("total", _headline(transfer), transfer.bytes.complete, total)
            under_way = {"total"}
            pending = client.transfers.files(transfer.id, state="pending", limit=_FILES_SHOWN)
            async for file in pending:
                if file.bytes:
                    bars.show(file.uri, shown_uri(file.uri), file.bytes, file.size)
                    under_way.add(file.uri)
            bars.keep(under_way)
            if transfer.error and transfer.error != told:
                bars.say(f"It will be tried again: {transfer.error}")
                told = transfer.error
            await asyncio.sleep(_POLL_SECONDS)
            transfer = await client.transfers.find(transfer.id)
    return transfer


def _headline(transfer: Transfer) -> str:
    files = transfer.files
    done = files.complete + files.failed + files.skipped
    more = "" if transfer.scanned else "+"
    failed = f", {files.failed} failed" if files.failed else ""
    return f"{done} of {files.total}{more} files{failed}"


async def _pause(client: AsyncClient, transfer: Transfer) -> None:
    try:
        await client.transfers.signal(transfer.id, "pause")
    except ConflictError as ended:
        print(printable(ended.detail), file=sys.stderr)
        return
    print(
        f"Paused transfer {transfer.id}. The same command goes on with it; to give it up: "
        f"mediatheque jobs cancel {transfer.id}",
        file=sys.stderr,
    )


def _summary(transfer: Transfer) -> str:
    """Return in one line what was done, and how fast."""
    files = transfer.files
    text = f"{files.complete} of {files.total} files, {shown_bytes(transfer.bytes.complete)}"
    if transfer.started_at and transfer.finished_at:
        seconds = (transfer.finished_at - transfer.started_at).total_seconds()
        rate = transfer.bytes.complete / max(seconds, 0.001)
        text += f" in {shown_seconds(seconds)} ({shown_bytes(rate)}/s)"
    if files.skipped:
        text += f", {files.skipped} skipped"
    return text


def _exit(transfer: Transfer, failed: Sequence[TransferFile]) -> None:
    """End the command as the transfer ended."""
    for file in failed[:_FAILURES_TOLD]:
        print(about(shown_uri(file.uri), printable(file.error or "failed")), file=sys.stderr)
    if len(failed) > _FAILURES_TOLD:
        print(f"… and {len(failed) - _FAILURES_TOLD} more", file=sys.stderr)
    if transfer.status in {"paused", "cancelled"}:
        why = f" {printable(transfer.error)}" if transfer.error else ""
        sys.exit(Exit.REFUSED.because(f"Transfer {transfer.id} is {transfer.status}.{why}"))
    if transfer.status == "failed" or failed:
        again = f" To try them again: mediatheque jobs retry {transfer.id}" if failed else ""
        said = printable(transfer.error or "The transfer failed.")
        sys.exit(Exit.FAILED.because(f"{said}{again}"))
