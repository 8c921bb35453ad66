"""The server that a user's command speaks with, and how the command ends when that fails."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from cyclopts import Parameter, validators

from mediatheque.cli.exits import Exit
from mediatheque.cli.output import printable
from mediatheque.client import (
    DEFAULT_SERVER,
    AsyncClient,
    ClientError,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    IntegrityError,
    InvalidError,
    NotFoundError,
    ServerFailedError,
    ServerUnreachableError,
    SourceChangedError,
    StorageFullError,
)

T = TypeVar("T")

_EXITS: tuple[tuple[tuple[type[ClientError], ...], Exit], ...] = (
    ((InvalidError,), Exit.SETTINGS),
    ((NotFoundError,), Exit.NOT_FOUND),
    ((ConflictError, ForbiddenError), Exit.REFUSED),
    ((IntegrityError, SourceChangedError, StorageFullError), Exit.FAILED),
    ((ClientError,), Exit.NO_SERVER),
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Options:
    """What every command of users takes."""

    server: Annotated[
        str, Parameter(env_var="MEDIATHEQUE_SERVER", help="Address of the service.")
    ] = DEFAULT_SERVER
    json: Annotated[bool, Parameter(negative=(), help="Print JSON, for programs.")] = False


DEFAULTS = Options()

Limit = Annotated[
    int | None, Parameter(help="List so many at most.", validator=validators.Number(gte=0))
]


def converse(options: Options, conversation: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Run a conversation with the server; exit with a sentence when it fails."""
    try:
        return asyncio.run(_converse(options, conversation))
    except ClientError as error:
        sys.exit(exit_for(error).because(sentence(error)))
    except BrokenPipeError:
        raise  # whoever read the output has seen enough
    except OSError as error:
        sys.exit(Exit.FAILED.because(sentence(error)))
    except UnicodeEncodeError as error:  # such bytes of an argument have no place in HTTP
        sys.exit(Exit.SETTINGS.because(f"{printable(error.object)} is not UTF-8."))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED.because("Interrupted."))


async def _converse(options: Options, conversation: Callable[[AsyncClient], Awaitable[T]]) -> T:
    async with AsyncClient(options.server) as client:
        return await conversation(client)


def exit_for(error: ClientError | OSError) -> Exit:
    """Return the code that an error ends a command with."""
    return next((code for kinds, code in _EXITS if isinstance(error, kinds)), Exit.FAILED)


def sentence(error: ClientError | OSError) -> str:
    """Return an error as a person should read it."""
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        return printable(f"{error.filename}: {said}" if error.filename else said)
    more = ""
    if isinstance(error, ServerUnreachableError):
        more = " Start one with `mediatheque serve`, or name another with --server."
    elif isinstance(error, ConnectionLostError | ServerFailedError) and error.request_id:
        more = f" (Request {error.request_id}.)"
    refused = "".join(f"\n  {source.uri}: {source.error}" for source in error.refused)
    return "\n".join(map(printable, (error.detail + more + refused).split("\n")))


def about(thing: str, said: str) -> str:
    """Return a sentence with what it is about before it, unless it names that itself."""
    return said if thing in said else f"{thing}: {said}"


class Failures:
    """What went wrong with some of several things, while the others were done."""

    def __init__(self, things: Iterable[object]) -> None:
        self._several = len(list(things)) > 1
        self._code: Exit | None = None

    def add(self, thing: str, error: ClientError | OSError) -> None:
        """Tell that one thing failed. Without a server, nothing else can be done: raises that."""
        if isinstance(error, ServerUnreachableError):
            raise error
        self._code = Exit.FAILED if self._several else exit_for(error)
        self._code.because(about(printable(thing), sentence(error)))

    def exit(self) -> None:
        """End the command with the code of what failed, if anything did."""
        if self._code is not None:
            sys.exit(int(self._code))
