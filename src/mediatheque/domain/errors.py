"""Errors that callers can do something about.

An error carries a kind and a sentence for people, never an HTTP status: each door owns the one
table that maps kinds to its own status and body.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing went wrong, as far as a caller needs to tell."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    CONFLICT = "conflict"
    EXISTS = "exists"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    STORAGE_FULL = "storage_full"
    UNAVAILABLE = "unavailable"


class MediathequeError(Exception):
    """Base of every error that is an answer rather than a defect.

    ``detail`` says what happened, to what, and what to do about it. ``field`` names the part of
    the request at fault, when there is one: ``name``, ``page[size]``.
    """

    kind: Kind

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class InvalidError(MediathequeError):
    """The request itself is wrong; sending it again unchanged cannot help."""

    kind = Kind.INVALID


class ForbiddenError(MediathequeError):
    """The caller may not do this: no permission, or a signature that does not hold."""

    kind = Kind.FORBIDDEN


class NotFoundError(MediathequeError):
    """There is no such thing, or none that the caller may see."""

    kind = Kind.NOT_FOUND


class GoneError(MediathequeError):
    """The thing was there, and is not any more."""

    kind = Kind.GONE


class ConflictError(MediathequeError):
    """The thing is in a state in which this cannot be done."""

    kind = Kind.CONFLICT


class ExistsError(MediathequeError):
    """The name is taken by something else."""

    kind = Kind.EXISTS


class TooLargeError(MediathequeError):
    """More bytes than the operator allows."""

    kind = Kind.TOO_LARGE


class UnsupportedError(MediathequeError):
    """The bytes come in a form in which none are taken."""

    kind = Kind.UNSUPPORTED


class TimeoutExceededError(MediathequeError):
    """The client stopped sending for longer than the idle deadline."""

    kind = Kind.TIMEOUT


class StoppedError(ConflictError):
    """The request was told to stop: for a newer one, or with the service."""


class DisconnectedError(MediathequeError):
    """The client went away before its request was complete; nobody reads the answer."""

    kind = Kind.DISCONNECTED


class StorageFullError(MediathequeError):
    """The store has no room for these bytes."""

    kind = Kind.STORAGE_FULL


class UnavailableError(MediathequeError):
    """The database or the store does not answer; trying again later can help."""

    kind = Kind.UNAVAILABLE
