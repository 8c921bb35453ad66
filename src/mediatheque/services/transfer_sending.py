"""One file on its way from a transfer into the store."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mediatheque.domain.transfers import TransferFile
from mediatheque.storage.pace import Pace

LARGE_BYTES = 8 << 20
"""From this size on it is worth knowing how far a file is, and few are sent at once."""

NoteUpload = Callable[[TransferFile, str], Awaitable[None]]


class FileSending:
    """What the store asks of us for one file; see ``storage.sending.Sending``.

    ``note_upload`` makes the id of its multipart upload durable. After ``most`` bytes that the
    store did not have before it is stopped, if the store keeps what it has.
    """

    def __init__(
        self,
        file: TransferFile,
        *,
        pace: Pace,
        note_upload: NoteUpload,
        most: int | None = None,
    ) -> None:
        self.file = file
        self.pace = pace
        self.stop = threading.Event()
        self.upload_id = file.upload_id
        self._note_upload = note_upload
        self._most = most
        self._before = file.sent if file.upload_id else 0
        self._sent = 0
        self._counting = threading.Lock()

    @property
    def moved(self) -> int:
        """Bytes that the store has now and did not have before."""
        return max(0, min(self._sent, self.file.size) - self._before)

    @property
    def standing(self) -> TransferFile:
        """The file as it stands while it is being sent."""
        sent = max(self._before, min(self._sent, self.file.size))
        return replace(self.file, sent=sent, upload_id=self.upload_id)

    @property
    def left(self) -> TransferFile:
        """The file as it stands when its sending was interrupted."""
        return self.standing if self.upload_id else replace(self.file, sent=0)

    def start_again(self) -> None:
        """Forget what was sent of a file that changed meanwhile; the store has nothing of it."""
        self.upload_id = None
        self._before = self._sent = 0

    async def begun(self, upload_id: str) -> None:
        """See ``Sending.begun``."""
        await self._note_upload(self.file, upload_id)
        self.upload_id = upload_id
        self._before = self._sent = 0

    def advanced(self, count: int) -> None:
        """See ``Sending.advanced``."""
        with self._counting:
            self._sent += count
        if self._most is not None and self.moved >= self._most:
            self.stop_if_kept()

    def stop_if_kept(self) -> None:
        """Stop it where it can go on later with what the store has."""
        if self.upload_id is not None:
            self.stop.set()
