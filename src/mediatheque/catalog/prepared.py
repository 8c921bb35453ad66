"""Statements that run for every chunk of every recording.

SQLAlchemy takes ten times as long to hand over a statement and its parameters as the driver takes
to send them. Where that is most of what a request costs, a statement is put together by SQLAlchemy
once, as text, and from then on given to the driver.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from mediatheque.catalog.connections import driver_connection, stands_alone

_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own is not typed


class Prepared:
    """One statement that returns one row or none."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        self.text = str(compiled)
        self._names: list[str] = list(compiled.positiontup)
        self._constants = {
            name: parameter.value
            for name, parameter in compiled.binds.items()
            if not parameter.required
        }

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values of the parameters as the driver takes them, in order."""
        given = {**self._constants, **values}
        return [given[name] for name in self._names]

    async def one(
        self, connection: AsyncConnection, values: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Run it with the values of its parameters; return the row, by the names of its columns.

        On a connection of ``Database.read``; elsewhere as slowly as any other statement, because
        a transaction only begins with the first statement that SQLAlchemy itself executes. Raises
        what the driver raises; the connection is not used again then.
        """
        if not stands_alone(connection):
            found = (await connection.execute(self._statement, values)).mappings().one_or_none()
            return None if found is None else dict(found)
        driver = await driver_connection(connection)
        try:
            row: asyncpg.Record | None = await driver.fetchrow(self.text, *self.arguments(values))
        except BaseException:
            # The pool does not see what the driver says, nor what a cancelled call left behind.
            await connection.invalidate()
            raise
        return row
