"""Telling those who look at the library that it has changed.

One look at the catalog now and then for all who listen in this process, and none while nobody
does.
"""

import asyncio
from collections.abc import AsyncGenerator

from mediatheque.catalog import changes
from mediatheque.catalog.changes import Recent
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_LOOK_SECONDS = 1.5
_REST_SECONDS = 1.0


class LibraryChanges:
    """Watches the medias for as long as somebody listens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._seen: Recent | None = None
        self._stopping = False

    async def listen(self, *, silence: float) -> AsyncGenerator[bool, None]:
        """Yield True after changes, of which there may have been many, until the service stops.

        Once in the beginning, too: what changed before was not told. False after each ``silence``
        in seconds.
        """
        wake = self._begin()
        try:
            while not self._stopping:
                try:
                    async with asyncio.timeout(silence):
                        await wake.wait()
                except TimeoutError:
                    yield False
                    continue
                wake.clear()
                if not self._stopping:
                    yield True
                    await asyncio.sleep(_REST_SECONDS)
        finally:
            self._end(wake)

    def tell(self) -> None:
        """Wake all who listen: something changed, or may have."""
        for wake in self._listeners:
            wake.set()

    def stop(self) -> None:
        """Let everybody who listens go."""
        self._stopping = True
        self.tell()

    def _begin(self) -> asyncio.Event:
        wake = asyncio.Event()
        self._listeners.add(wake)
        if self._seen is not None:
            wake.set()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return wake

    def _end(self, wake: asyncio.Event) -> None:
        self._listeners.discard(wake)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking = self._seen = None

    async def _look(self) -> None:
        while True:
            try:
                async with self._database.read() as connection:
                    self._seen, changed = await changes.recent(connection, self._seen)
                if changed:
                    self.tell()
            except UnavailableError as error:
                log.info("changes of the library not looked for", reason=error.detail)
            except Exception:
                # A defect here must not leave everybody who listens waiting for ever.
                log.exception("changes of the library not looked for")
            await asyncio.sleep(_LOOK_SECONDS)
