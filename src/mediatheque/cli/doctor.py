"""``mediatheque doctor``: is everything there that a start needs, and if not, what to do?"""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from mediatheque import __version__
from mediatheque.catalog.database import Database
from mediatheque.catalog.schema import missing_migrations
from mediatheque.cli.data_dir import embedded_database, make_data_dir, service_runs
from mediatheque.cli.exits import Exit
from mediatheque.cli.serve import check_address
from mediatheque.config import Settings, read_settings, unknown_variables
from mediatheque.domain.errors import InvalidError, MediathequeError
from mediatheque.engine.worker import check_schedule
from mediatheque.processing import sandbox
from mediatheque.runtime import database_url, open_configured_store, read_secret, secret_file
from mediatheque.services.identity import IdentityService
from mediatheque.services.workers import WorkerService

_ENOUGH_BYTES = 1 << 30
_MARKS = {"ok": "ok  ", "warning": "warn", "error": "FAIL"}


class Finding(msgspec.Struct, frozen=True):
    """What one check found: ``detail`` says what is so, or what is wrong and how to mend it."""

    check: str
    state: Literal["ok", "warning", "error"]
    detail: str


def doctor(
    *,
    json: Annotated[bool, Parameter(negative=(), help="Print JSON.")] = False,
) -> None:
    """Check everything that a start needs, and say how to mend what is wrong.

    Makes the data directory when there is none, and changes nothing else. The embedded database
    is started for the check, unless the service runs. Exits with 10 when something would keep the
    service from working.
    """
    found = list(_examine(read_settings(os.environ)))
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        for finding in found:
            print(f"{_MARKS[finding.state]}  {finding.check}: {finding.detail}")
    if any(finding.state == "error" for finding in found):
        sys.exit(int(Exit.FAILED))


def _examine(settings: Settings) -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("version", "ok", f"Mediatheque {__version__}, Python {python}")
    yield from _settings(settings)
    folder = _data_dir(settings)
    yield folder
    if folder.state == "error":
        return
    yield from _sources(settings)
    make_data_dir(settings.data_dir)
    yield from _secret(settings)
    runs = service_runs(settings.data_dir)
    yield _address(settings, runs=runs)
    first = settings.database_url is None and not (settings.data_dir / "postgres/data").exists()
    if first:
        yield Finding("database", "ok", "The embedded one will be made by the first start.")
        yield from asyncio.run(_store(settings, None))
        return
    with embedded_database(settings):
        yield from asyncio.run(_database_and_store(settings, runs=runs))


def _settings(settings: Settings) -> Iterator[Finding]:
    unknown = unknown_variables(os.environ)
    for name in unknown:
        yield Finding("settings", "warning", f"{name} is set, but there is no such setting.")
    try:
        check_schedule(settings.janitor_schedule)
    except MediathequeError as error:
        yield Finding("settings", "error", f"MEDIATHEQUE_JANITOR_SCHEDULE: {error.detail}")
    else:
        if not unknown:
            yield Finding("settings", "ok", "All are known and usable.")
    if settings.durability != "full":
        detail = "MEDIATHEQUE_DURABILITY is relaxed: a power cut can lose what was acknowledged."
        yield Finding("settings", "warning", detail)


def _data_dir(settings: Settings) -> Finding:
    check = "data directory"
    wanted = settings.data_dir.absolute()
    try:
        existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    except OSError as error:
        detail = f"{wanted} cannot be had: {error.strerror}. Set MEDIATHEQUE_DATA_DIR to another."
        return Finding(check, "error", detail)
    free = shutil.disk_usage(existing).free
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        detail = f"{existing} cannot be written. Set MEDIATHEQUE_DATA_DIR to a folder of yours."
        return Finding(check, "error", detail)
    if free < settings.reserved_space + _ENOUGH_BYTES:
        detail = f"Only {free >> 20} MiB are free at {existing}. Free some, or move the data."
        return Finding(check, "warning", detail)
    return Finding(check, "ok", f"{settings.data_dir}, {free >> 30} GiB free")


def _secret(settings: Settings) -> Iterator[Finding]:
    secret = secret_file(settings)
    if settings.secret_key is not None or not secret.exists():
        return
    if secret.stat().st_mode & 0o077:
        detail = f"Others can read {secret}. Run: chmod 600 {secret}"
        yield Finding("secret", "error", detail)
    try:
        read_secret(settings)
    except InvalidError as error:
        yield Finding("secret", "error", error.detail)


def _sources(settings: Settings) -> Iterator[Finding]:
    if not settings.source_roots:
        detail = "None is set: transfers are refused. Set MEDIATHEQUE_SOURCE_ROOTS to allow some."
        yield Finding("source roots", "warning", detail)
    for root in settings.source_roots:
        yield _readable("source roots", root)
    if settings.uploads_root is not None or settings.sync_root.exists():
        yield _readable("uploads root", settings.sync_root)
    else:
        yield Finding("uploads root", "ok", f"{settings.sync_root} is made at the start.")


def _readable(check: str, root: Path) -> Finding:
    if not root.is_dir():
        return Finding(check, "error", f"{root} is not a folder. Create or correct it.")
    if not os.access(root, os.R_OK | os.X_OK):
        detail = f"{root} cannot be read by this user. Change its permissions, or the user."
        return Finding(check, "error", detail)
    return Finding(check, "ok", str(root))


def _address(settings: Settings, *, runs: bool) -> Finding:
    where = f"{settings.host}:{settings.port}"
    if runs:
        return Finding("address", "ok", "A service runs on this data directory.")
    reason = check_address(settings)
    return (
        Finding("address", "ok", f"{where} is free.")
        if reason is None
        else Finding("address", "error", reason)
    )


async def _database_and_store(settings: Settings, *, runs: bool) -> list[Finding]:
    try:
        database = Database(database_url(settings), connections=2)
    except MediathequeError as error:
        return [Finding("database", "error", error.detail), *await _store(settings, None)]
    try:
        await database.check()
        missing = await missing_migrations(database_url(settings))
    except MediathequeError as error:
        detail = f"{error.detail} Check MEDIATHEQUE_DATABASE_URL."
        return [Finding("database", "error", detail), *await _store(settings, None)]
    else:
        if missing:
            detail = f"{missing} migrations are missing; the next start applies them."
            return [Finding("database", "ok", detail), *await _store(settings, None)]
        found = [Finding("database", "ok", "It answers, and its schema is the newest.")]
        found += await _store(settings, database)
        workers = await WorkerService(database).alive()
        if runs and not workers:
            detail = "The service runs, but no job worker: see its log."
            found.append(Finding("job workers", "error", detail))
        else:
            found.append(Finding("job workers", "ok", f"{len(workers)} running"))
        return [*found, _sandbox()]
    finally:
        await database.close()


def _sandbox() -> Finding:
    warning = sandbox.available().warning
    if warning is not None:
        return Finding("sandbox", "warning", warning)
    return Finding("sandbox", "ok", "Processes that look into medias are locked up.")


async def _store(settings: Settings, database: Database | None) -> list[Finding]:
    try:
        store = open_configured_store(settings)
    except MediathequeError as error:
        return [Finding("store", "error", error.detail)]
    try:
        await store.check()
        if database is not None:
            await IdentityService(database, store).check()
    except MediathequeError as error:
        return [Finding("store", "error", error.detail)]
    finally:
        await store.close()
    return [Finding("store", "ok", f"{settings.store_url} can be written and read.")]
