"""Statements of many callers in one transaction, for acknowledgements that come by the hundred.

Alone, each would take a connection of the pool, and have the database's log flushed for itself.
Together they take one connection: what comes while a transaction is under way shares the next one
(group commit: DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984).
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Select, bindparam

from mediatheque.catalog.connections import (
    COMMAND_SECONDS,
    DatabaseUnavailableError,
    connection_arguments,
    translated,
)
from mediatheque.catalog.prepared import Prepared

_MOST = 100
"""Statements in one transaction: who comes last shall not wait for too many."""

_LOCK_MILLISECONDS = 1000
"""How long a transaction waits for one row, as everybody else in it waits as well."""

_CLOSE_SECONDS = 2

_CALLER = "caller"
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_IN_USE = "The database is busy with the same thing for others. Try again later."


class Grouped(Prepared):
    """A statement that many callers may run in one transaction, none for the rows of another.

    It locks the rows of its caller in the same order as everybody else, and returns one row or
    none.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        caller = bindparam(_CALLER, type_=BigInteger).label(_CALLER)
        super().__init__(statement.add_columns(caller))


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    statement: Grouped
    values: Mapping[str, Any]
    answer: asyncio.Future[Mapping[str, Any] | None]

    def end(self, row: Mapping[str, Any] | None) -> None:
        if not self.answer.done():  # it may have been cancelled
            self.answer.set_result(row)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class GroupCommit:
    """Runs statements of many callers on one connection to the database at ``url``.

    Unless ``durable``, what was committed a moment ago may be lost by a power cut, or a crash of
    the database.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self._url = url
        self._durable = durable
        self._connection: asyncpg.Connection | None = None
        self._waiting: list[_Call] = []
        self._running: asyncio.Task[None] | None = None

    async def one(self, statement: Grouped, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Run a statement with these values; return its row once it is committed.

        Raises UnavailableError when the database does not answer: then it may be committed or not,
        as after a cancellation; also when others keep its rows locked for a second: then it is not.
        Raises what the driver raises when the database refuses it.
        """
        call = _Call(statement, values, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await call.answer

    async def close(self) -> None:
        """Finish what is under way, and close the connection."""
        if self._running is not None:
            await asyncio.wait([self._running])
        if self._connection is not None:
            self._connection.terminate()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next())
        finally:
            self._running = None

    def _next(self) -> list[_Call]:
        """Take the oldest calls of one statement out of the line."""
        statement = self._waiting[0].statement
        calls = [call for call in self._waiting if call.statement is statement][:_MOST]
        taken = set(calls)
        self._waiting = [call for call in self._waiting if call not in taken]
        return [call for call in calls if not call.answer.done()]

    async def _commit(self, calls: Sequence[_Call]) -> None:
        try:
            with translated():
                await self._execute(calls)
        except (asyncpg.PostgresError, asyncpg.DataError) as error:
            if len(calls) == 1:
                is_busy = isinstance(error, _BUSY)
                calls[0].fail(DatabaseUnavailableError(_IN_USE) if is_busy else error)
                return
            # Nothing was committed. Whoever it was, the others have nothing to do with it.
            for call in calls:
                await self._commit([call])
        except DatabaseUnavailableError as error:
            await self._drop()
            for call in calls:
                call.fail(DatabaseUnavailableError(error.detail))
        except Exception as error:  # noqa: BLE001 - the callers'
            await self._drop()
            for call in calls:
                call.fail(error)
        except BaseException:
            if self._connection is not None:
                self._connection.terminate()
            raise

    async def _execute(self, calls: Sequence[_Call]) -> None:
        if not calls:
            return
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        statement = calls[0].statement
        rows = await self._connection.fetchmany(
            statement.text,
            [
                statement.arguments({**call.values, _CALLER: number})
                for number, call in enumerate(calls)
            ],
            timeout=COMMAND_SECONDS,
        )
        by_caller = {row[_CALLER]: row for row in rows}
        for number, call in enumerate(calls):
            call.end(by_caller.get(number))

    async def _connect(self) -> asyncpg.Connection:
        arguments = connection_arguments(self._url)
        given = arguments.pop("server_settings", {})
        ours = {"lock_timeout": str(_LOCK_MILLISECONDS)}
        if not self._durable:
            ours["synchronous_commit"] = "off"
        return await asyncpg.connect(**arguments, server_settings={**given, **ours})

    async def _drop(self) -> None:
        """Give the connection up; what the server still does for it is cancelled."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close(timeout=_CLOSE_SECONDS)
