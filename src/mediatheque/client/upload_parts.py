"""Sending one upload to its end: a whole file, or a part of one."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

from mediatheque.client.connection import Connection
from mediatheque.client.errors import ClientError, ConnectionLostError, UnavailableError
from mediatheque.client.retries import RETRYABLE, Retries
from mediatheque.client.sources import PIECE_BYTES, Stretch
from mediatheque.client.tus import Found, NewUpload, Tus
from mediatheque.client.upload_states import PartState

_CONFLICT = 409
_GONE = frozenset({404, 410})
_NOTHING = Found(0, finished=False)


def new_key() -> str:
    """Return a key that no other upload has."""
    return uuid.uuid4().hex


class PartUpload:
    """The upload of a stretch of a file. ``id`` is the server's, ``done`` its bytes under way.

    ``begun``: an earlier run may have created it. ``partial``: it becomes a part of a media, not
    one itself. ``moved`` is called when ``done`` has changed, ``save`` when ``state`` has.
    """

    def __init__(
        self,
        connection: Connection,
        stretch: Stretch,
        state: PartState,
        metadata: str,
        *,
        begun: bool,
        partial: bool,
        moved: Callable[[], None],
        save: Callable[[], Awaitable[None]],
    ) -> None:
        self.id: str | None = None
        self.done = 0
        self.stretch = stretch
        self._connection = connection
        self._tus = Tus(connection)
        self._state = state
        self._metadata = metadata
        self._begun = begun
        self._partial = partial
        self._moved = moved
        self._save = save
        self._renewed = False

    async def send(self) -> None:
        """Send what has not arrived yet, from where that is after every failure, until all has.

        Raises ClientError when that cannot be gone on with, or the patience is over; OSError and
        SourceChangedError of the file.
        """
        retries = self._connection.retries()
        found = await self._find() if self._begun else _NOTHING
        most = self.stretch.size
        while not found.finished:
            try:
                arrived = await self._send_from(found.arrived, most)
                found = Found(arrived, arrived == self.stretch.size)
                most = self.stretch.size
                retries.progressed()
            except ClientError as error:
                if not self._can_go_on(error):
                    raise
                before, found = found, await self._find_after(error, found, retries)
                if found.arrived <= before.arrived:
                    # Who refuses while we send is not heard; a short body it lets come to its end.
                    most = PIECE_BYTES
        await self.digest(self.stretch.size)

    async def digest(self, end: int) -> None:
        """Read for the checksum what comes before ``end`` and was not read yet."""
        while self.stretch.crc.size < end:
            await asyncio.to_thread(self.stretch.read, self.stretch.crc.size)

    async def give_up(self) -> None:
        """Remove what has arrived, as far as the server can be asked to."""
        with contextlib.suppress(ClientError):  # it expires by itself
            upload_id = self.id or await self._tus.create(self._new())
            await self._tus.give_up(upload_id)

    async def _send_from(self, offset: int, most: int) -> int:
        """Send up to ``most`` bytes from ``offset`` on, in one request; return how many there are.

        When there is nothing to send, the request only finishes the upload.
        """
        left = min(most, self.stretch.size - offset)
        await self.digest(offset)
        if self.id is not None:
            return await self._tus.append(
                self.id,
                (lambda: self._pieces(offset, offset + left)) if left else None,
                offset=offset,
                size=left,
            )
        if not left:
            self.id = await self._tus.create(self._new())
            return 0
        whole = self.stretch.size
        self.id, arrived = await self._tus.create_with(self._new(), lambda: self._pieces(0, whole))
        return arrived

    async def _pieces(self, start: int, end: int) -> AsyncIterator[bytes]:
        self._at(start)
        while self.done < end:
            piece = await asyncio.to_thread(self.stretch.read, self.done, end)
            yield piece
            self._at(self.done + len(piece))

    async def _find_after(self, error: ClientError, before: Found, retries: Retries) -> Found:
        """Return where the upload is after a request that failed, when to go on from there."""
        is_lost = isinstance(error, ConnectionLostError)
        if not is_lost:
            await self._connection.pause_after(error, retries)
        try:
            found = await self._find()
        except RETRYABLE:
            if not is_lost:
                raise
            raise error from None  # it came first, and nobody could be asked since
        if found.refused and error.status == _CONFLICT:
            raise error
        if found.arrived > before.arrived:
            retries.progressed()
        if is_lost and not found.finished:
            # Only now: before it broke, the request may have gone on well for hours.
            await self._connection.pause_after(error, retries)
        return found

    def _can_go_on(self, error: ClientError) -> bool:
        """Tell whether it helps to look where the upload is now."""
        if isinstance(error, ConnectionLostError | UnavailableError):
            return True
        return self.id is not None and error.status in {*_GONE, _CONFLICT}

    async def _find(self) -> Found:
        """Return where the upload is. What is gone begins anew, once."""
        try:
            if self.id is None:
                self.id = await self._tus.create(self._new())
            found = await self._tus.look(self.id, length=self.stretch.size)
        except ClientError as error:
            if self._renewed or error.status not in _GONE:
                raise
            self.id = None
            self._renewed = True
            self._state.key = new_key()
            await self._save()
            found = _NOTHING
        self._at(found.arrived)
        return found

    def _at(self, position: int) -> None:
        if position != self.done:
            self.done = position
            self._moved()

    def _new(self) -> NewUpload:
        return NewUpload(
            key=self._state.key,
            length=self.stretch.size,
            metadata=self._metadata,
            partial=self._partial,
        )
