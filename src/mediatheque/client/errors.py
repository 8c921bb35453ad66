"""Errors of the client: what a program can do something about, with the server's own sentence."""

from msgspec import Struct


class RefusedSource(Struct, frozen=True):
    """One entry of a transfer that the server did not accept, and why."""

    uri: str
    error: str


class ClientError(Exception):
    """Base of every error of the client.

    ``detail`` is a sentence for people. ``status`` is the HTTP status, when there was an answer;
    ``field`` the part of the request at fault, when the server named one; ``request_id`` is what
    the server's log knows the request by. ``retry_after``: seconds that the server asked to wait.
    ``refused``: the entries of a transfer that it did not accept.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        refused: tuple[RefusedSource, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.field = field
        self.request_id = request_id
        self.retry_after = retry_after
        self.refused = refused


class InvalidError(ClientError):
    """The request itself is wrong; sending it again unchanged cannot help."""


class ForbiddenError(ClientError):
    """The server does not allow this: no permission, or a signed URL that expired."""


class NotFoundError(ClientError):
    """There is no such thing."""


class ConflictError(ClientError):
    """The thing is in a state in which this cannot be done."""


class StorageFullError(ClientError):
    """The store has no room for these bytes. Nothing was kept."""


class UnavailableError(ClientError):
    """The server, its database or its store cannot answer now; later it may."""


class ServerFailedError(ClientError):
    """A defect of the server; its log tells more, under ``request_id``."""


class NotUnderstoodError(ClientError):
    """What answered does not answer as Mediatheque does."""


class ServerUnreachableError(ClientError):
    """No connection could be made, so nothing was asked."""


class ConnectionLostError(ClientError):
    """The connection broke before the answer was there: it may have been done, or not."""


class IntegrityError(ClientError):
    """Bytes arrived that are not those of the media."""


class SourceChangedError(ClientError):
    """A file changed while it was uploaded. Nothing was kept."""
