"""A long list: rows written straight into the database, with nothing behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tests.bench.listed import Listed
from tests.bench.outcome import BenchError

_USER = "mediatheque"
_DATABASE = "postgres"


class Database:
    """A connection to the database of a running service, for questions about one list."""

    def __init__(self, connected: Any, listed: Listed) -> None:
        self._connected = connected
        self.listed = listed

    async def fill(self, rows: int) -> None:
        """Insert so many rows, the same ones each time, and put the table in its settled state.

        The settled state is what autovacuum comes to by itself: statistics and visibility map.
        """
        async with self._connected.transaction():
            await self._connected.execute("SELECT setseed(0.25)")
            await self._connected.execute(self.listed.rows, rows, timeout=3600)
        await self._connected.execute(f"VACUUM (FREEZE, ANALYZE) {self.listed.table}", timeout=3600)
        await self._connected.execute("CHECKPOINT", timeout=3600)

    async def values(self, column: str) -> list[tuple[Any, int]]:
        """Return the commonest and the rarest value of a column with the number of their rows.

        One only when there is no difference between the two.
        """
        counted = (
            f"SELECT {column}, count(*) FROM {self.listed.table} "
            f"WHERE {column} IS NOT NULL GROUP BY 1"
        )
        common, rare = [
            tuple(await self._connected.fetchrow(f"{counted} ORDER BY 2 {order}, 1 LIMIT 1"))
            for order in ("DESC", "ASC")
        ]
        return [common] if common[1] == rare[1] else [common, rare]

    async def quantiles(self, column: str, fractions: Sequence[float]) -> list[Any]:
        """Return the values of a column that so large a part of the rows does not exceed."""
        query = (
            f"SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY {column}) "
            f"FROM {self.listed.table}"
        )
        return list(await self._connected.fetchval(query, fractions))

    async def count(self, condition: str, *values: Any) -> int:
        """Return how many rows fulfil an SQL condition on ``$1``, ``$2``, …"""
        query = f"SELECT count(*) FROM {self.listed.table} WHERE {condition}"
        return int(await self._connected.fetchval(query, *values))

    async def close(self) -> None:
        """Close the connection."""
        await self._connected.close()


async def connect(data_dir: Path, listed: Listed) -> Database:
    """Connect to the PostgreSQL that a service embeds, as its ``postmaster.pid`` says.

    :raises BenchError: none runs there.
    """
    try:
        facts = (data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        raise BenchError(f"no PostgreSQL runs in {data_dir}") from None
    port, socket_directory = int(facts[3]), facts[4]
    connected = await asyncpg.connect(
        host=socket_directory, port=port, user=_USER, database=_DATABASE
    )
    return Database(connected, listed)
