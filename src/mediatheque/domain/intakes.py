"""Intakes: items whose bytes arrive in pieces at known offsets, before they are a media."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

NO_BYTES_CRC64NVME = "AAAAAAAAAAA="
"""CRC64NVME of nothing, base64 as S3 writes it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload that is not completed; ``number`` from 1, ``etag`` the store's.

    Amazon S3 API Reference, UploadPart.
    """

    upload_id: str
    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of an intake's bytes that one object of the store holds; ``size`` in bytes.

    The object may be longer: what is beyond ``size`` was never acknowledged. With a ``part`` the
    bytes are that of the object to be, and cannot be read before it is one.
    """

    object_key: str
    size: int
    part: Part | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One item being received. Its id becomes the media's.

    ``segments`` hold its acknowledged bytes in order, ``size`` is their sum, ``crc64nvme`` that of
    all of them, base64 as S3 writes it. ``closed``: no more bytes are taken. ``touched_at`` is
    when it last changed: bytes were acknowledged, or something was settled about what it becomes.
    Who remembers what it belongs to sees by it whether that still holds.
    """

    id: UUID
    size: int = 0
    crc64nvme: str = NO_BYTES_CRC64NVME
    segments: tuple[Segment, ...] = ()
    closed: bool = False
    created_at: datetime
    touched_at: datetime
