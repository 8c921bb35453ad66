"""Transfers: files of the server's own machine on their way to the store."""

import os
from collections.abc import AsyncIterator, Sequence
from typing import Literal
from urllib.parse import quote

from msgspec import Struct, field

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.errors import NotFoundError
from mediatheque.client.pages import every_item
from mediatheque.client.results import Transfer, TransferFile, TransferPreview

_NO_FILES = (("limit", "0"),)

Signal = Literal["cancel", "pause", "resume", "retry"]


class _TransferPage(Struct, frozen=True):
    items: tuple[Transfer, ...] = field(name="transfers")
    next: str | None


class _FilePage(Struct, frozen=True):
    items: tuple[TransferFile, ...] = field(name="file_list")
    next: str | None


class Transfers:
    """What can be asked of transfers. Each one is a job under the same id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self, sources: Sequence[str | os.PathLike[str]], *, bandwidth: int | None = None
    ) -> Transfer:
        """Start a transfer of files, and of all files below folders, of the server's machine.

        A source is a path, or a URI. ``bandwidth``: bytes per second at most. Raises InvalidError,
        whose ``refused`` names each source that the server does not accept.
        """
        answer = await self._connection.request(
            "POST",
            "/transfers",
            body={
                "media_files": [source_uri(source) for source in sources],
                "bandwidth": bandwidth,
            },
            repeatable=False,
        )
        return decode(answer, Transfer)

    async def preview(self, sources: Sequence[str | os.PathLike[str]]) -> TransferPreview:
        """Return what a transfer of these sources would take along; nothing is started.

        Raises InvalidError as ``create`` does.
        """
        answer = await self._connection.request(
            "POST",
            "/transfers/preview",
            body={"media_files": [source_uri(source) for source in sources]},
        )
        return decode(answer, TransferPreview)

    def list(
        self, *, status: Sequence[str] = (), limit: int | None = None
    ) -> AsyncIterator[Transfer]:
        """Yield transfers, newest first: all of them, or those in one of these statuses."""
        params = {"status": ",".join(status)} if status else {}
        return every_item(self._connection, "/transfers", params, _TransferPage, limit=limit)

    async def find(self, transfer_id: str) -> Transfer:
        """Return a transfer. Raises NotFoundError."""
        answer = await self._connection.request("GET", _path(transfer_id), params=_NO_FILES)
        return decode(answer, Transfer)

    def files(
        self, transfer_id: str, *, state: str | None = None, limit: int | None = None
    ) -> AsyncIterator[TransferFile]:
        """Yield the files of a transfer: all of them, or those in one state."""
        params = {"state": state} if state else {}
        return every_item(self._connection, _path(transfer_id), params, _FilePage, limit=limit)

    async def signal(self, transfer_id: str, signal: Signal) -> Transfer:
        """Cancel, pause or resume a transfer, or retry those of its files that failed.

        Raises NotFoundError, and ConflictError when its status does not allow it.
        """
        answer = await self._connection.request("POST", f"{_path(transfer_id)}/{signal}")
        return decode(answer, Transfer)

    async def set_bandwidth(self, transfer_id: str, bandwidth: int | None) -> Transfer:
        """Limit a transfer to ``bandwidth`` bytes per second, or not at all."""
        answer = await self._connection.request(
            "PATCH", _path(transfer_id), body={"bandwidth": bandwidth}
        )
        return decode(answer, Transfer)


def source_uri(source: str | os.PathLike[str]) -> str:
    """Return the URI of a source, made absolute; a path keeps its bytes, whatever its encoding."""
    if isinstance(source, str) and "://" in source:
        return source
    path = os.path.abspath(source)  # noqa: PTH100 - symlinks are the server's to follow
    return "file://" + quote(os.fsencode(path))


def _path(transfer_id: str) -> str:
    if not transfer_id:  # the address of the list
        raise NotFoundError("There is no transfer ''.")
    return f"/transfers/{quote(transfer_id, safe='')}"
