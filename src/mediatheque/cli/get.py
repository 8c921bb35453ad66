"""``mediatheque get``: download a file."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mediatheque.cli.bars import Bars
from mediatheque.cli.output import print_json, printable
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.cli.units import shown_bytes
from mediatheque.client import AsyncClient, ClientError, ConflictError, InvalidError, Media
from mediatheque.client.downloads import partial_path

_STDOUT = "-"
_LONGEST_NAME = 255


def get(
    name: str,
    /,
    *,
    output: Annotated[
        str | None,
        Parameter(
            alias="-o",
            help="File or folder to write to; - for standard output.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    force: Annotated[bool, Parameter(negative=(), help="Replace a file that exists.")] = False,
    options: Options = DEFAULTS,
) -> None:
    """Download a file, going on where an earlier download was interrupted.

    The file appears once every byte is verified; until then its bytes wait in ID.part beside it.

    Parameters
    ----------
    name
        Its id, its resource, or RESOURCE/KEY.
    """

    async def download(client: AsyncClient) -> None:
        if output == _STDOUT and options.json:
            raise InvalidError("Standard output takes either the file or JSON.")
        media = await client.medias.find(name)
        if output == _STDOUT:
            await _to_stdout(client, media)
            return
        target = _target(output, media)
        if not force and target.exists():
            raise ConflictError(f"{target} exists. Use --force to replace it, or -o for another.")
        try:
            with Bars() as bars, bars.of(target.name) as progress:
                await client.medias.download(media, target, on_progress=progress)
        except (asyncio.CancelledError, ClientError):
            _tell_what_is_kept(target, media)
            raise
        if options.json:
            print_json({"file": str(target), "media": media})
        else:
            print(printable(str(target)))

    converse(options, download)


def _target(output: str | None, media: Media) -> Path:
    """Return the file to write: in a folder, under the media's own name."""
    folder = Path(output or "")
    if not folder.is_dir():
        if str(output).endswith("/"):
            raise InvalidError(f"{output} is not a folder.")
        return folder
    # The server allows names that this machine might not, and need not be trusted here.
    name = media.filename.replace("/", "_").replace("\0", "_")
    if name in {"", ".", ".."} or len(os.fsencode(name)) > _LONGEST_NAME:
        name = media.id
    return folder / name


def _tell_what_is_kept(target: Path, media: Media) -> None:
    partial = partial_path(target, media)
    if partial.exists():
        kept = shown_bytes(partial.stat().st_size)
        print(
            f"{kept} of {shown_bytes(media.size)} are kept in {printable(str(partial))}; the same "
            "command goes on from there.",
            file=sys.stderr,
        )


async def _to_stdout(client: AsyncClient, media: Media) -> None:
    async for piece in client.medias.read(media):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
