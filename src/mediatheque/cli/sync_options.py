"""How a sync is to be done: the options of its command, and what the server is asked for."""

import os
import sys
from dataclasses import dataclass
from typing import Annotated, NoReturn, TypedDict

from cyclopts import Parameter

from mediatheque.cli.asking import ask, can_ask
from mediatheque.cli.exits import Exit

_ACCESS_KEY = "AWS_ACCESS_KEY_ID"
_SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
_SESSION_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Manner:
    """How it is done, now or on a schedule."""

    storage_url: Annotated[
        str | None,
        Parameter(help="Address of the S3 store with the bucket; default: the service's own."),
    ] = None
    region: Annotated[str | None, Parameter(help="Region of that store.")] = None
    # No option takes a key: everybody on the machine can read the arguments of a process.
    keys_from_environment: Annotated[
        bool,
        Parameter(
            negative=(),
            help=f"Send {_ACCESS_KEY} and {_SECRET_KEY} as the keys of that store; default: the "
            "service's own keys.",
        ),
    ] = False
    ask_keys: Annotated[
        bool, Parameter(negative=(), help="Ask for the keys of that store on the terminal.")
    ] = False
    verify: Annotated[
        bool, Parameter(negative=(), help="Read every file, also those that look unchanged.")
    ] = False
    force: Annotated[
        bool, Parameter(negative=(), help="Delete more than the service's limits allow.")
    ] = False
    backup_prefix: Annotated[
        str | None,
        Parameter(help="Keep what is overwritten or deleted in the bucket, under this prefix."),
    ] = None
    wait: Annotated[float, Parameter(help="Seconds between two file operations, 0 to 60.")] = 0.0


DEFAULT_MANNER = Manner()


class Wanted(TypedDict):
    """What the server is asked for, as its client names it."""

    source: str
    dest: str | None
    storage_url: str | None
    region: str | None
    access_key: str | None
    secret_key: str | None
    verify: bool
    force: bool
    backup_prefix: str | None
    wait: float


def wanted(source: str, dest: str | None, manner: Manner) -> Wanted:
    """Return what to ask for, the keys included; ends the command when these cannot be had."""
    access_key, secret_key = _keys(manner)
    return {
        "source": source,
        "dest": dest,
        "storage_url": manner.storage_url,
        "region": manner.region,
        "access_key": access_key,
        "secret_key": secret_key,
        "verify": manner.verify,
        "force": manner.force,
        "backup_prefix": manner.backup_prefix,
        "wait": manner.wait,
    }


def _keys(manner: Manner) -> tuple[str, str] | tuple[None, None]:
    if not (manner.keys_from_environment or manner.ask_keys):
        return None, None
    if manner.storage_url is None:
        _refuse("Keys are those of a --storage-url; the service has keys for its own store.")
    if manner.keys_from_environment and manner.ask_keys:
        _refuse("Use one of --keys-from-environment and --ask-keys.")
    return _asked_keys() if manner.ask_keys else _environment_keys()


def _environment_keys() -> tuple[str, str]:
    if os.environ.get(_SESSION_TOKEN):
        _refuse(f"The keys of the environment are temporary ({_SESSION_TOKEN}): a sync takes none.")
    access_key, secret_key = os.environ.get(_ACCESS_KEY), os.environ.get(_SECRET_KEY)
    if not access_key or not secret_key:
        _refuse(f"{_ACCESS_KEY} and {_SECRET_KEY} are not both set.")
    return access_key, secret_key


def _asked_keys() -> tuple[str, str]:
    if not can_ask():
        _refuse("There is no terminal to ask for keys on; use --keys-from-environment.")
    access_key = ask("Access key: ")
    secret_key = ask("Secret key (not shown): ", hidden=True)
    if not access_key or not secret_key:
        _refuse("A key was not given.")
    return access_key, secret_key


def _refuse(sentence: str) -> NoReturn:
    sys.exit(Exit.SETTINGS.because(sentence))
