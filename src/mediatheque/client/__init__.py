"""A Python client of Mediatheque. Speaks HTTP only, and imports nothing else of the package."""

from mediatheque.client.blocking import Client
from mediatheque.client.client import DEFAULT_SERVER, AsyncClient
from mediatheque.client.errors import (
    ClientError,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    IntegrityError,
    InvalidError,
    NotFoundError,
    NotUnderstoodError,
    RefusedSource,
    ServerFailedError,
    ServerUnreachableError,
    SourceChangedError,
    StorageFullError,
    UnavailableError,
)
from mediatheque.client.results import (
    Checksum,
    Job,
    JobEvent,
    Media,
    Signalled,
    Transfer,
    TransferFile,
)

__all__ = [
    "DEFAULT_SERVER",
    "AsyncClient",
    "Checksum",
    "Client",
    "ClientError",
    "ConflictError",
    "ConnectionLostError",
    "ForbiddenError",
    "IntegrityError",
    "InvalidError",
    "Job",
    "JobEvent",
    "Media",
    "NotFoundError",
    "NotUnderstoodError",
    "RefusedSource",
    "ServerFailedError",
    "ServerUnreachableError",
    "Signalled",
    "SourceChangedError",
    "StorageFullError",
    "Transfer",
    "TransferFile",
    "UnavailableError",
]
