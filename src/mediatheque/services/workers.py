"""Who runs jobs: what makes the difference between a queue that waits and one that is forgotten."""

import asyncio

from mediatheque.catalog import workers
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.domain.workers import Worker
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_BEAT_SECONDS = 3.0
_ALIVE_SECONDS = 15.0
_FORGOTTEN_SECONDS = 3600.0


class WorkerService:
    """Keeps the list of workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attend(self, name: str, *, warning: str | None = None) -> None:
        """Give signs of life for a worker until cancelled, then forget it.

        ``warning`` is what its operator should know of it, a sentence.
        """
        worker_id = new_id()
        try:
            while True:
                try:
                    async with self._database.begin() as transaction:
                        await workers.beat(transaction, worker_id, name, warning=warning)
                    # Not together: two workers that slept long would wait for each other for ever.
                    async with self._database.begin() as transaction:
                        await workers.remove_silent(transaction, seconds=_FORGOTTEN_SECONDS)
                except UnavailableError as error:
                    log.warning("no sign of life could be given", reason=error.detail)
                await asyncio.sleep(_BEAT_SECONDS)
        finally:
            async with self._database.begin() as transaction:
                await workers.remove(transaction, worker_id)

    async def alive(self) -> dict[str, str | None]:
        """Return the warning of every worker that runs, None for nothing to warn of."""
        async with self._database.read() as connection:
            return dict(await workers.alive(connection, seconds=_ALIVE_SECONDS))

    async def standing(self) -> list[Worker]:
        """Return every worker that runs, with how many jobs it runs now."""
        async with self._database.read() as connection:
            return await workers.standing(connection, seconds=_ALIVE_SECONDS)
