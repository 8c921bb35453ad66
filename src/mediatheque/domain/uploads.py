"""Uploads: bytes on their way in, before they are a media."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class UploadState(StrEnum):
    """Where an upload stands.

    RECEIVING: its bytes arrive within one request and become a media at its end.
    PENDING: it waits for its bytes, or for its client to confirm them.
    PROMOTING: it was confirmed; its object is being moved to its final key.
    """

    RECEIVING = "receiving"
    PENDING = "pending"
    PROMOTING = "promoting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload under way. Its id becomes the media's.

    ``size`` is what the client declared, in bytes, or None while it is not known. ``staged_key``
    is where the bytes wait, None before any arrived. The checksums are known when the bytes
    passed through us.
    """

    id: UUID
    state: UploadState
    name: str
    size: int | None
    tags: tuple[str, ...]
    created_by: str
    created_role: str
    staged_key: str | None
    crc64nvme: str | None
    blake3: str | None
    created_at: datetime
    expires_at: datetime
