"""What a sync is asked to do, and the check of it that comes before anything is written."""

import re
from dataclasses import dataclass, field, replace

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.syncs import (
    DEFAULT_BUCKET,
    LONGEST_WAIT,
    SyncOptions,
    check_backup_prefix,
    check_bucket_name,
    check_source,
)
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.sealing import Sealer

_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_KEY = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """What somebody asks for, in their words; see ``SyncOptions`` for how it is to be done.

    ``dest`` is the bucket's name, ``storage_url`` the address of its store: None for the
    configured one. ``keys`` are for that address; None for the service's own.
    """

    source: str = ""
    dest: str = DEFAULT_BUCKET
    storage_url: str | None = None
    keys: S3Keys | None = None
    options: SyncOptions = field(default_factory=SyncOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTask:
    """What a sync has to do, checked and in its final form; ``credentials`` are sealed keys."""

    location: str
    bucket: str
    source: str
    options: SyncOptions
    credentials: bytes | None


def check_request(request: SyncRequest, endpoints: Endpoints, sealer: Sealer) -> SyncTask:
    """Return what is asked for in its final form.

    Raises InvalidError, and ForbiddenError for a store that the operator does not allow. Whether
    the source is there is left to the sync: without one, the bucket goes away.
    """
    options = _check_options(request.options)
    source = check_source(request.source)
    bucket = check_bucket_name(request.dest)
    location = "" if request.storage_url is None else endpoints.check(request.storage_url)
    credentials = None
    if request.keys is not None:
        _check_keys(request.keys, location)
        options = replace(options, keyed=True)
        credentials = sealer.seal(request.keys, sealing_context(location, bucket))
    return SyncTask(
        location=location, bucket=bucket, source=source, options=options, credentials=credentials
    )


def sealing_context(location: str, bucket: str) -> bytes:
    """Return what sealed keys are bound to: they open for this bucket at this address only."""
    return f"sync:{location}/{bucket}".encode()


def _check_options(options: SyncOptions) -> SyncOptions:
    if not 0 <= options.wait <= LONGEST_WAIT:
        raise InvalidError(
            f"wait must be a number of seconds from 0 to {LONGEST_WAIT}.", field="wait"
        )
    if not _REGION.fullmatch(options.region):
        raise InvalidError(
            "region must be the name of a region, such as 'us-east-1'.", field="region"
        )
    if options.watch and options.dry_run:
        raise InvalidError(
            "A dry run ends with its plan: it cannot watch as well. Leave out one of watch and "
            "dry_run.",
            field="watch",
        )
    if options.as_planned is not None and options.dry_run:
        raise InvalidError(
            "A dry run changes nothing, whatever was planned. Leave out one of as_planned and "
            "dry_run.",
            field="as_planned",
        )
    if options.backup_prefix is None:
        return options
    return replace(options, backup_prefix=check_backup_prefix(options.backup_prefix))


def _check_keys(keys: S3Keys, location: str) -> None:
    """Raise InvalidError without a word of the keys themselves."""
    for name, text in (("access_key", keys.access_key), ("secret_key", keys.secret_key)):
        if not _KEY.fullmatch(text):
            raise InvalidError(
                f"{name} must be 1 to 512 visible ASCII characters, without spaces.", field=name
            )
    if not location:
        raise InvalidError(
            "access_key and secret_key need a storage_url: the configured store is used with "
            "keys of its own.",
            field="access_key",
        )
