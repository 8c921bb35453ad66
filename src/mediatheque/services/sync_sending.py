"""One large file on its way from a sync into its bucket."""

import threading
from collections.abc import Awaitable, Callable

from mediatheque.domain.syncs import Operation
from mediatheque.storage.pace import UNLIMITED

NoteUpload = Callable[[Operation, str], Awaitable[None]]


class SyncSending:
    """What the store asks of us for one large file; see ``storage.sending.Sending``.

    ``note_upload`` makes the id of its multipart upload durable.
    """

    pace = UNLIMITED

    def __init__(
        self, operation: Operation, note_upload: NoteUpload, stop: threading.Event
    ) -> None:
        self.operation = operation
        self.upload_id = operation.upload_id
        self.stop = stop
        self._note_upload = note_upload
        self._sent = 0
        self._counting = threading.Lock()

    @property
    def sent(self) -> int:
        """Bytes that the store has of it, those of an earlier run included."""
        return min(self._sent, self.operation.size)

    def start_again(self) -> None:
        """Forget what was sent of a file that changed meanwhile; the store has nothing of it."""
        self.upload_id = None
        self._sent = 0

    async def begun(self, upload_id: str) -> None:
        """See ``Sending.begun``."""
        await self._note_upload(self.operation, upload_id)
        self.upload_id = upload_id
        self._sent = 0

    def advanced(self, count: int) -> None:
        """See ``Sending.advanced``."""
        with self._counting:
            self._sent += count
