"""What an operator can ask of the service as a whole."""

from dataclasses import dataclass

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import MediathequeError
from mediatheque.services.workers import WorkerService
from mediatheque.storage.stores import Store


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served now: per part ``ok`` or what is wrong with it.

    ``warnings`` keep nothing from being served; each is a sentence for the operator.
    ``free_bytes`` is what the store can still take, None when it has no such limit.
    """

    ready: bool
    parts: dict[str, str]
    warnings: list[str]
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
        warnings: list[str] = []
        free_bytes = None
        try:
            await self._database.check()
            alive = await self._workers.alive()
            warnings += [f"{name}: {warning}" for name, warning in alive.items() if warning]
            if not alive:
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
        ready = all(state == "ok" for state in parts.values())
        return Readiness(ready, parts, warnings, free_bytes)
