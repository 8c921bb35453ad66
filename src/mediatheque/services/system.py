"""What an operator sees of the service: how it stands and what it holds."""

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from mediatheque.catalog import stored
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.library import Amount, LibraryKind
from mediatheque.domain.workers import Worker
from mediatheque.services.admin import AdminService, Readiness
from mediatheque.services.workers import WorkerService
from mediatheque.storage import keys
from mediatheque.storage.stores import Store

_LEAST_FRESH_SECONDS = 2.0
_SHARE = 50
"""What is counted is shown for so many times as long as counting took."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the store is on: its size in bytes, and what uploads can still take."""

    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the service stands. No ``disk`` where the store is not one of this machine's."""

    readiness: Readiness
    disk: Disk | None
    workers: list[Worker]


@dataclass(frozen=True, slots=True)
class StoredAmounts:
    """What is stored, in all, of each kind, and of each kind on each of some days (UTC)."""

    total: Amount
    by_kind: dict[LibraryKind, Amount]
    by_day: dict[tuple[date, LibraryKind], Amount]


class SystemService:
    """Tells operators about the whole."""

    def __init__(
        self, database: Database, store: Store, admin: AdminService, workers: WorkerService
    ) -> None:
        self._database = database
        self._store = store
        self._admin = admin
        self._workers = workers
        self._counting = asyncio.Lock()
        self._counted: dict[
            str | None, tuple[float, Mapping[tuple[date, LibraryKind], Amount]]
        ] = {}

    async def standing(self, _principal: Principal) -> Standing:
        """Return how the service stands, also when parts of it do not answer."""
        readiness = await self._admin.readiness()
        try:
            workers = await self._workers.standing()
        except UnavailableError:
            workers = []
        return Standing(readiness, await self._disk(readiness.free_bytes), workers)

    async def stored(self, principal: Principal, *, days: int) -> StoredAmounts:
        """Return what is stored, a moment ago, with the last ``days`` one by one."""
        found = await self._amounts(owner_scope(principal))
        first = datetime.now(UTC).date() - timedelta(days=days - 1)
        by_kind: dict[LibraryKind, Amount] = defaultdict(Amount)
        for (_, kind), amount in found.items():
            by_kind[kind] += amount
        return StoredAmounts(
            total=sum(by_kind.values(), Amount()),
            by_kind=by_kind,
            by_day={place: amount for place, amount in found.items() if place[0] >= first},
        )

    async def _amounts(self, owner: str | None) -> Mapping[tuple[date, LibraryKind], Amount]:
        """Return the sums of all days; counted anew only when that was long ago."""
        async with self._counting:
            until, found = self._counted.get(owner, (0.0, {}))
            began = time.monotonic()
            if began >= until:
                async with self._database.read() as connection:
                    found = await stored.amounts(connection, owner=owner)
                ended = time.monotonic()
                fresh = max(_LEAST_FRESH_SECONDS, _SHARE * (ended - began))
                self._counted[owner] = ended + fresh, found
            return found

    async def _disk(self, free_bytes: int | None) -> Disk | None:
        file = self._store.local_path(keys.CATALOG_ID)
        if file is None or free_bytes is None:
            return None
        usage = await asyncio.to_thread(shutil.disk_usage, file.parent)
        return Disk(free_bytes, usage.total)
