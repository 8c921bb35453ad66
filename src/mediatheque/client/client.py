"""The asynchronous client."""

from types import TracebackType

from mediatheque.client.connection import Connection
from mediatheque.client.jobs import Jobs
from mediatheque.client.medias import Medias
from mediatheque.client.recordings import Recordings
from mediatheque.client.syncs import Syncs
from mediatheque.client.transfers import Transfers

DEFAULT_SERVER = "http://127.0.0.1:5000"


class AsyncClient:
    """Speaks with one server: ``medias``, ``jobs``, ``transfers``, ``syncs``, ``recordings``.

    ``timeout``: seconds without a byte after which a connection counts as broken. ``patience``:
    seconds for which what failed is tried again, where that is safe: on broken connections and
    when the server cannot answer for now. Raises InvalidError for an address that is none.

    Use it with ``async with``, or call ``close``.
    """

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout: float = 60.0, patience: float = 30.0
    ) -> None:
        self._connection = Connection(server, timeout=timeout, patience=patience)
        self.medias = Medias(self._connection)
        self.jobs = Jobs(self._connection)
        self.transfers = Transfers(self._connection)
        self.syncs = Syncs(self._connection)
        self.recordings = Recordings(self._connection)

    async def close(self) -> None:
        """Close every connection."""
        await self._connection.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
