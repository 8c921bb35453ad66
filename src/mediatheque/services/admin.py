"""What an operator can ask of the service as a whole."""

from dataclasses import dataclass

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import MediathequeError
from mediatheque.services.workers import WorkerService
from mediatheque.storage.stores import Store


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served now: per part ``ok`` or what is wrong with it.

    ``free_bytes`` is what the store can still take, None when it has no such limit.
    """

    ready: bool
    parts: dict[str, str]
    free_bytes: int | None


class AdminService:
    """Looks after the whole."""

    def __init__(
        self, database: Database, store: Store, workers: WorkerService, *, reserved_bytes: int
    ) -> None:
        self._database = database
        self._store = store
        self._workers = workers
        self._reserved_bytes = reserved_bytes

    async def readiness(self) -> Readiness:
        """Ask the database, the workers, the store and the disk."""
        parts = {"database": "ok", "jobs": "ok", "store": "ok", "disk": "ok"}
        free_bytes = None
        try:
            await self._database.check()
            if not await self._workers.count():
                parts["jobs"] = "No job worker runs: jobs wait. Start `mediatheque worker`."
        except MediathequeError as error:
            parts["database"] = parts["jobs"] = error.detail
        try:
            await self._store.check()
            free_bytes = await self._store.free_bytes()
        except MediathequeError as error:
            parts["store"] = error.detail
        if free_bytes is not None and free_bytes <= self._reserved_bytes:
            parts["disk"] = "The disk is full: uploads are refused until space is freed."
        return Readiness(all(state == "ok" for state in parts.values()), parts, free_bytes)
