"""Settings: the only reader of the environment and of the configuration file.

Every setting is a field of ``Settings``. Its environment variable is ``MEDIATHEQUE_`` and its
name in capitals; in the TOML file it goes by its name. The environment wins over the file.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

PREFIX = "MEDIATHEQUE_"
FILE_VARIABLE = "MEDIATHEQUE_CONFIG"
SERVER_VARIABLE = "MEDIATHEQUE_SERVER"
"""Which service the commands for users speak with; the service itself does not read it."""

SECRET_CHARACTERS = 32
"""How long a secret that signs URLs is at least."""

MASK = "********"


class ConfigError(Exception):
    """A setting that cannot be used. The message names it and says what it is for."""


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    try:
        return (Path(base) if base else Path("~/.local/share").expanduser()) / "mediatheque"
    except RuntimeError:  # neither HOME nor an entry in the list of users
        raise ConfigError(
            "There is no home directory to keep data in: set MEDIATHEQUE_DATA_DIR to a folder."
        ) from None


def _default_workers() -> int:
    return max(1, min(4, os.cpu_count() or 1))


def _default_processing() -> int:
    return max(1, (os.cpu_count() or 1) - 1)


Bytes = Annotated[int, Meta(ge=0, extra={"unit": "bytes"})]
Seconds = Annotated[int, Meta(ge=1, extra={"unit": "seconds"})]
HttpAddress = Annotated[
    str, Meta(pattern=r"^https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#\[\]:@]+)(:[0-9]{1,5})?(/[^\s?#]*)?$")
]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set. Sizes in bytes, durations in seconds."""

    data_dir: Annotated[
        Path,
        Meta(description="Folder of everything that is kept on this machine."),
    ] = msgspec.field(default_factory=_default_data_dir)
    host: Annotated[
        str,
        Meta(
            description="Address to listen on. Anything but a loopback address is refused "
            "while no authentication is configured."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port to listen on.")] = 5000
    workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Web processes. Default: one per core, at most 4."),
    ] = msgspec.field(default_factory=_default_workers)
    database_url: Annotated[
        str | None,
        Meta(
            description="PostgreSQL 14 or newer, as postgresql://user:password@host/database. "
            "Default: a private PostgreSQL in the data directory.",
            extra={"secret": "url"},
        ),
    ] = None
    database_connections: Annotated[
        int,
        Meta(ge=1, le=200, description="Database connections per process, at most."),
    ] = 10
    storage_url: Annotated[
        str | None,
        Meta(
            description="Where bytes are kept: file:///folder, s3://bucket/prefix, "
            "gs://bucket/prefix or az://container/prefix. Default: `objects` in the data "
            "directory.",
            extra={"secret": "url"},
        ),
    ] = None
    s3_endpoint: Annotated[
        HttpAddress | None,
        Meta(
            description="Address of a store that speaks S3 and is not AWS, for example "
            "http://127.0.0.1:8333. Credentials come from the standard AWS variables.",
        ),
    ] = None
    source_roots: Annotated[
        tuple[Path, ...],
        Meta(
            description="Folders that transfers may read, with everything below them, separated "
            "by colons. Default: none, no transfer can be started."
        ),
    ] = ()
    uploads_root: Annotated[
        Path | None,
        Meta(
            description="Folder whose content syncs mirror into buckets. Default: `uploads` in "
            "the data directory, which is made at the start."
        ),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins of web pages that may call the service, separated by commas; "
            "`*` for any. Default: none, same origin only."
        ),
    ] = ()
    durability: Annotated[
        Literal["full", "relaxed"],
        Meta(
            description="`full`: bytes and folders are fsynced before anything is acknowledged. "
            "`relaxed`: they are not, nor are the rows that count pieces of recordings and of "
            "resumable uploads; a power cut may lose what was acknowledged, and a crash of the "
            "database the pieces of the last second. For the local store only."
        ),
    ] = "full"
    reserved_space: Annotated[
        Bytes,
        Meta(
            description="Bytes of each local disk that uploads and processing leave free, so that "
            "a full one does not stop the database."
        ),
    ] = 256 << 20
    # Not Bytes: a type may set its least value only once.
    max_upload_size: Annotated[
        int,
        Meta(
            ge=1,
            description="Largest upload or recording, and largest file of a transfer.",
            extra={"unit": "bytes"},
        ),
    ] = 1 << 40
    upload_expiry: Annotated[
        Seconds,
        Meta(
            description="Seconds after which an upload that nobody finished is removed; of one "
            "that can be resumed, after its last bytes."
        ),
    ] = 86_400
    upload_url_expiry: Annotated[
        Seconds, Meta(le=604_800, description="Seconds for which a signed upload URL holds.")
    ] = 3_600
    download_url_expiry: Annotated[
        Seconds, Meta(le=604_800, description="Seconds for which a signed download URL holds.")
    ] = 3_600
    redirect_downloads: Annotated[
        bool,
        Meta(
            description="Answer downloads with a redirect to a signed URL of the store, when the "
            "store has such URLs, instead of streaming the bytes."
        ),
    ] = False
    public_url: Annotated[
        HttpAddress | None,
        Meta(
            description="Address under which clients reach the service, when it is behind a "
            "proxy: https://media.example.org. Default: taken from each request."
        ),
    ] = None
    secret_key: Annotated[
        Annotated[str, Meta(min_length=SECRET_CHARACTERS)] | None,
        Meta(
            description="Secret that signs URLs; the same on every machine of one service. "
            "Default: made at the first start and kept in the data directory.",
            extra={"secret": "all"},
        ),
    ] = None
    idle_timeout: Annotated[
        Seconds,
        Meta(description="Seconds without a byte after which a request body is given up."),
    ] = 30
    shutdown_timeout: Annotated[
        Seconds,
        Meta(description="Seconds that requests in flight have to finish when stopping."),
    ] = 30
    job_lease: Annotated[
        int,
        Meta(
            ge=2,
            description="Seconds without a sign of life from a worker after which its jobs are "
            "taken over by others.",
            extra={"unit": "seconds"},
        ),
    ] = 10
    segment_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="Bytes that one call of `/transfer_media_segment` moves, about.",
            extra={"unit": "bytes"},
        ),
    ] = 64 << 20
    segment_seconds: Annotated[
        Seconds,
        Meta(description="Seconds after which one call of `/transfer_media_segment` answers."),
    ] = 10
    deduplicate: Annotated[
        bool,
        Meta(
            description="Transfers do not send bytes again that the store has already as a media "
            "of the same owner: every file is hashed first, and medias share an object."
        ),
    ] = False
    transfers_per_worker: Annotated[
        int, Meta(ge=1, le=100, description="Transfers that one job worker runs at once.")
    ] = 2
    transfers_at_once: Annotated[
        int,
        Meta(ge=0, description="Transfers that all job workers together run at once; 0: any."),
    ] = 0
    syncs_per_worker: Annotated[
        int, Meta(ge=1, le=100, description="Syncs that one job worker runs at once.")
    ] = 4
    sync_endpoints: Annotated[
        tuple[HttpAddress, ...],
        Meta(
            description="Addresses of S3 stores that a sync may be told to write to, separated by "
            "commas. Default: any on a loopback address, while the service listens on one itself."
        ),
    ] = ()
    sync_delete_unowned: Annotated[
        bool,
        Meta(
            description="Syncs may delete buckets that the service did not create, and objects "
            "that it did not upload."
        ),
    ] = False
    # Not Bytes or Seconds: numbers of something else.
    sync_delete_count: Annotated[
        int,
        Meta(ge=0, description="Objects that a sync may always delete; see the next setting."),
    ] = 100
    sync_delete_percent: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Percentage of a bucket's objects beyond which a sync that would delete "
            "more than `sync_delete_count` is refused, unless it is forced.",
        ),
    ] = 50
    recordings_quiet_after: Annotated[
        Seconds,
        Meta(
            description="Seconds without a new chunk after which a recording that nobody completed "
            "is completed by itself."
        ),
    ] = 3_600
    recordings_keep_original: Annotated[
        bool,
        Meta(
            description="Keep the bytes of a recording as they were received beside the file that "
            "was made of them. Without it they are kept only when something was wrong with them."
        ),
    ] = True
    probe_medias: Annotated[
        bool,
        Meta(description="Find out about every uploaded and transferred media what `meta` shows."),
    ] = True
    meta_location: Annotated[
        bool,
        Meta(description="Let `meta` show the place where a photo was taken."),
    ] = False
    processing_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Medias that one job worker processes at once, and as many recordings "
            "beside them. Default: one per core but one.",
        ),
    ] = msgspec.field(default_factory=_default_processing)
    processing_memory: Annotated[
        int,
        Meta(
            ge=512 << 20,
            description="Address space of one child process that processes a media.",
            extra={"unit": "bytes"},
        ),
    ] = 1 << 30
    processing_max_size: Annotated[
        Bytes,
        Meta(description="Largest media that is looked into; of larger ones `meta` stays empty."),
    ] = 100 << 30
    processing_max_pixels: Annotated[
        int,
        Meta(
            ge=1_000_000,
            description="Pixels of the largest picture, or frame of a film, that is decoded.",
        ),
    ] = 50_000_000
    janitor_schedule: Annotated[
        str,
        Meta(
            pattern=r"^\S+( \S+){4,5}$",
            description="When the janitor removes leftovers, as a cron expression in UTC.",
        ),
    ] = "17 * * * *"
    orphan_age: Annotated[
        Seconds,
        Meta(
            description="Seconds that an object nobody refers to, or an unfinished write, is "
            "left alone before the janitor removes it."
        ),
    ] = 86_400
    log_format: Annotated[
        Literal["auto", "console", "json"],
        Meta(description="`auto`: for people on a terminal, JSON otherwise."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least level that is logged."),
    ] = "info"

    @property
    def store_url(self) -> str:
        """The storage URL in effect."""
        return self.storage_url or (self.data_dir.absolute() / "objects").as_uri()

    @property
    def sync_root(self) -> Path:
        """The folder that syncs read."""
        return self.uploads_root or self.data_dir.absolute() / "uploads"

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches the service."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def durable(self) -> bool:
        """Whether local writes are fsynced."""
        return self.durability == "full"


def environment_variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def read_settings(environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read settings from ``environment`` and the TOML file it names, or ``file``.

    Raises ConfigError, naming the setting and where it was read.
    """
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    values: dict[str, Any] = {}
    for name, value in (_read_file(file) if file else {}).items():
        if name not in Settings.__struct_fields__:
            raise ConfigError(f"{file}: there is no setting {name!r}.")
        values[name] = _convert(name, value, where=f"{name} in {file}")
    for name in Settings.__struct_fields__:
        variable = environment_variable(name)
        text = environment.get(variable, "")
        if text != "":
            values[name] = _convert(name, _split(name, text), where=variable)
    return Settings(**values)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none; a typing error, most likely."""
    known = {environment_variable(name) for name in Settings.__struct_fields__}
    known |= {FILE_VARIABLE, SERVER_VARIABLE}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values, secrets masked, for printing; unset ones left out."""
    plain: dict[str, Any] = {}
    for name, annotation in get_type_hints(Settings, include_extras=True).items():
        value = getattr(settings, name)
        secret = (describe(annotation).extra or {}).get("secret")
        if value is None:
            continue
        if secret == "all":  # noqa: S105 - a marker, not a password
            plain[name] = MASK
        elif secret == "url":  # noqa: S105 - a marker, not a password
            plain[name] = mask_url(value)
        else:
            plain[name] = msgspec.to_builtins(value, enc_hook=str)
    return plain


def describe(annotation: Any) -> Meta:
    """Return the description of a setting's annotation."""
    metas = [part for part in annotation.__metadata__ if isinstance(part, Meta)]
    return next(meta for meta in reversed(metas) if meta.description)


def mask_url(url: str) -> str:
    """Return ``url`` with its password, and any query (which can hold one), masked."""
    # Passwords are often not percent-encoded: everything up to the last "@" can belong to one.
    shown = re.sub(r"(?<=://)([^:/@]*):.*@", rf"\1:{MASK}@", url, flags=re.DOTALL)
    address, mark, query = shown.partition("?")
    return address + mark + (MASK if "password" in query else query)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = msgspec.toml.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ConfigError(
            f"The configuration file {file} cannot be read: {error.strerror}."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {file} is not valid TOML: {error}.") from None
    return values


def _split(name: str, text: str) -> str | list[str]:
    hint = get_type_hints(Settings)[name]
    if get_origin(hint) is not tuple:
        return text
    separator = os.pathsep if Path in get_args(hint) else ","
    return [part.strip() for part in text.split(separator) if part.strip()]


def _convert(name: str, value: Any, *, where: str) -> Any:
    annotation = get_type_hints(Settings, include_extras=True)[name]
    try:
        return msgspec.convert(value, annotation, strict=False, dec_hook=_decode_path)
    except (msgspec.ValidationError, ValueError, RuntimeError) as error:
        meaning = describe(annotation).description
        raise ConfigError(f"{where} is not usable: {error}. {meaning}") from None


def _decode_path(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
