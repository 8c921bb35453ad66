"""Uploading a file so that it goes on after broken connections, and in later runs.

A large file is sent in a few parts at once, each an upload of its own, which the server joins.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from mediatheque.client.connection import Connection
from mediatheque.client.digest import RunningCrc
from mediatheque.client.errors import (
    ClientError,
    ConflictError,
    IntegrityError,
    InvalidError,
    NotFoundError,
    SourceChangedError,
)
from mediatheque.client.retries import RETRYABLE
from mediatheque.client.sources import SourceFile, Stretch, opened
from mediatheque.client.tus import Tus, encode_metadata
from mediatheque.client.upload_parts import PartUpload, new_key
from mediatheque.client.upload_states import PartState, StateFile, Subject, UploadState

_PARTS = 4
_LARGE_BYTES = 64 << 20
_PART_UNIT = 8 << 20
"""Parts begin at multiples of it, as what the server writes does: then stores can join them."""

_REMEMBERED_BYTES = 1 << 20
"""What is smaller is sent again as fast as it could be gone on with."""

_NOT_JOINABLE = frozenset({400, 404, 410})
_NEVER_CREATED = frozenset({400, 413})

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with how many bytes are done, and how many there are; goes back after a failure."""


def split(size: int) -> list[tuple[int, int]]:
    """Return the parts that a file is sent in, each with its start and its size, in bytes."""
    if size < _LARGE_BYTES:
        return [(0, size)]
    each = -(-size // (_PARTS * _PART_UNIT)) * _PART_UNIT
    return [(start, min(each, size - start)) for start in range(0, size, each)]


async def upload_file(
    connection: Connection,
    path: Path,
    metadata: Mapping[str, str],
    *,
    resume: bool,
    on_progress: Progress,
    verify: Callable[[str, RunningCrc], Awaitable[T]],
) -> T:
    """Upload a file as the media that ``metadata`` describes; return what ``verify`` returns.

    That is given the id of the upload, which is the media's unless one with the same bytes has the
    address already, and the checksum of what was read. ``resume``: remember the upload until it is
    verified, and go on with what is remembered of an earlier one. Else nothing that can be removed
    is left of an upload that fails.

    Raises ClientError (InvalidError for metadata that is not UTF-8), and OSError.
    """
    with opened(path) as source:
        subject = Subject(
            server=connection.address,
            file=source.uri,
            size=source.size,
            modified_ns=source.modified_ns,
            metadata=encode_metadata(metadata),
        )
        remembered = resume and source.size >= _REMEMBERED_BYTES
        file = await _state_of(subject) if remembered else None
        upload = _Upload(connection, source, subject, file, on_progress)
        try:
            await _send_or_give_up(upload, metadata.get("resource"), remembered=file is not None)
            try:
                verified = await verify(upload.id, upload.crc)
            except IntegrityError:  # there is nothing to go on with
                upload.forget()
                raise
            upload.forget()
        finally:
            if file is not None:
                file.close()
    return verified


async def _state_of(subject: Subject) -> StateFile:
    opening = asyncio.create_task(asyncio.to_thread(StateFile, subject))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread opens it all the same; left open it would lock out later uploads of the file.
        await asyncio.wait([opening])
        if opening.exception() is None:
            opening.result().close()
        raise


async def _send_or_give_up(upload: "_Upload", resource: str | None, *, remembered: bool) -> None:
    """Send it; leave nothing of one that fails and that nobody can go on with."""
    try:
        await upload.send(resource)
    except (ClientError, OSError) as error:
        left = remembered or isinstance(error, RETRYABLE)
        refused = isinstance(error, ClientError) and error.status in _NEVER_CREATED
        if isinstance(error, SourceChangedError) or not left or (refused and not upload.begun):
            await upload.give_up()
        raise


class _Upload:
    """The upload of an open file. ``id`` is that of the media, once ``send`` has returned."""

    def __init__(
        self,
        connection: Connection,
        source: SourceFile,
        subject: Subject,
        file: StateFile | None,
        on_progress: Progress,
    ) -> None:
        self.id = ""
        self._connection = connection
        self._tus = Tus(connection)
        self._source = source
        self._subject = subject
        self._file = file
        self._on_progress = on_progress
        self._parts: list[PartUpload] = []
        self._continued = False

    @property
    def begun(self) -> bool:
        """Whether the server may have some of it, from this run or an earlier one."""
        return self._continued or any(part.id is not None for part in self._parts)

    @property
    def crc(self) -> RunningCrc:
        """The checksum of the whole file, once all of it was read."""
        whole = RunningCrc()
        for part in self._parts:
            whole.extend(part.stretch.crc)
        return whole

    async def send(self, resource: str | None) -> None:
        """Send what the server does not have yet, and let it make a media of it.

        ``resource`` is the address that the media shall have.
        """
        state = self._file.load() if self._file is not None else None
        self._continued = state is not None
        if state is not None and state.joining is not None:
            if await self._join_again(state, state.joining):
                return
            state = None
        begun = state is not None
        if state is None:
            state = UploadState(self._subject, await self._plan(resource), new_key())
            await self._save(state)
        await self._send_parts(state, begun=begun)
        ids = [part.id for part in self._parts if part.id is not None]
        if len(ids) == 1:
            self.id = ids[0]
            return
        self._source.check()
        state.joining = ids
        await self._save(state)
        self.id = await self._tus.join(state.key, ids, self._subject.metadata)

    async def give_up(self) -> None:
        """Remove what has arrived, and remember nothing."""
        await asyncio.gather(*(part.give_up() for part in self._parts))
        self.forget()

    def forget(self) -> None:
        """Remember nothing of the upload."""
        if self._file is not None:
            self._file.remove()

    async def _plan(self, resource: str | None) -> list[PartState]:
        """Return the parts to send. Refuses at once what would be refused in the end."""
        size = self._source.size
        parts = split(size)
        if len(parts) > 1:
            abilities = await self._tus.discover()
            if abilities.most_bytes is not None and size > abilities.most_bytes:
                raise InvalidError(
                    f"{self._source.path} has {size} bytes; the service takes at most "
                    f"{abilities.most_bytes}."
                )
            if resource:
                await self._check_free(resource)
            if not abilities.joins:
                parts = [(0, size)]
        return [PartState(start, length, new_key()) for start, length in parts]

    async def _check_free(self, resource: str) -> None:
        try:
            await self._connection.request("GET", f"/medias/info/{quote(resource, safe='')}")
        except NotFoundError:
            return
        raise ConflictError(f"Resource {resource} already exists")

    async def _send_parts(self, state: UploadState, *, begun: bool) -> None:
        self._parts = self._make_parts(state, begun=begun)
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    group.create_task(part.send())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _join_again(self, state: UploadState, ids: list[str]) -> bool:
        """Let the server join what arrived in an earlier run; False when it has that no more."""
        self._parts = self._make_parts(state, begun=True)
        for part in self._parts:
            await part.digest(part.stretch.size)
        try:
            self.id = await self._tus.join(state.key, ids, self._subject.metadata)
        except ClientError as error:
            if error.status not in _NOT_JOINABLE:
                raise
            return False
        return True

    def _make_parts(self, state: UploadState, *, begun: bool) -> list[PartUpload]:
        return [
            PartUpload(
                self._connection,
                Stretch(self._source, part.start, part.size),
                part,
                self._subject.metadata,
                begun=begun,
                partial=len(state.parts) > 1,
                moved=self._tell,
                save=lambda: self._save(state),
            )
            for part in state.parts
        ]

    def _tell(self) -> None:
        self._on_progress(sum(part.done for part in self._parts), self._source.size)

    async def _save(self, state: UploadState) -> None:
        if self._file is not None:
            await asyncio.to_thread(self._file.save, state)
