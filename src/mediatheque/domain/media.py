"""Media: one stored file and what is known of it."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.paging import FieldType

MAX_NAME_LENGTH = 255
MAX_PROJECT_LENGTH = 255

LISTED_FIELDS: dict[str, FieldType] = {
    "id": FieldType.ID,
    "resource": FieldType.TEXT,
    "key": FieldType.TEXT,
    "filename": FieldType.TEXT,
    "size": FieldType.INTEGER,
    "mime_type": FieldType.TEXT,
    "created_by": FieldType.TEXT,
    "created_role": FieldType.TEXT,
    "public": FieldType.BOOLEAN,
    "created_at": FieldType.TIME,
    "updated_at": FieldType.TIME,
    "project_id": FieldType.TEXT,
}
"""What a list of medias can be filtered and sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One stored file.

    ``(resource, key)`` is its unique address: ``resource`` is a name that a client chose, ``key``
    is empty for the original and names what was derived from it otherwise. ``object_key`` is
    where the store keeps the bytes; they never change under one ``id``. ``size`` in bytes,
    ``crc64nvme`` base64 as S3 writes it, ``blake3`` hexadecimal; either checksum is None when
    the bytes went straight to a store that did not tell.
    """

    id: UUID
    resource: str
    key: str
    filename: str
    size: int
    mime_type: str
    created_by: str
    created_role: str
    public: bool
    project_id: str | None
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    crc64nvme: str | None = None
    blake3: str | None = None
    object_key: str

    @property
    def etag(self) -> str:
        """Strong validator of the bytes (RFC 9110, section 8.8.3), with its quotes."""
        return f'"{self.id.hex}"'

    def same_bytes(self, *, size: int, blake3: str | None, crc64nvme: str | None) -> bool:
        """Tell whether these are the bytes of this media, by the best checksum both have."""
        if size != self.size:
            return False
        if self.blake3 is not None and blake3 is not None:
            return self.blake3 == blake3
        return self.crc64nvme is not None and self.crc64nvme == crc64nvme


def check_name(name: str, *, field: str) -> str:
    """Return ``name`` when it can name a file, a resource or a key.

    One to 255 characters of any script, no ``/``, no control character, not ``.`` or ``..``.
    Raises InvalidError naming ``field``.
    """
    if not name.strip():
        raise InvalidError(f"The {field} must not be empty.", field=field)
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidError(
            f"The {field} has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed.",
            field=field,
        )
    if name in {".", ".."}:
        raise InvalidError(f"The {field} must not be '.' or '..'.", field=field)
    if "/" in name:
        raise InvalidError(f"The {field} must not contain '/'.", field=field)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise InvalidError(f"The {field} must not contain control characters.", field=field)
    return name


def check_project(project_id: str | None) -> str | None:
    """Return a project's id when it can be one; the empty text means none."""
    if not project_id:
        return None
    if len(project_id) > MAX_PROJECT_LENGTH or any(
        unicodedata.category(character) in {"Cc", "Cs"} for character in project_id
    ):
        raise InvalidError(
            f"A project_id has at most {MAX_PROJECT_LENGTH} characters and no control characters.",
            field="project_id",
        )
    return project_id


def check_size(size: int, *, limit: int) -> int:
    """Return a declared size in bytes when it can be stored. Raises InvalidError."""
    if size < 0:
        raise InvalidError("The size must not be negative.", field="size")
    if size > limit:
        raise InvalidError(
            f"The size is {size} bytes; at most {limit} bytes are allowed.", field="size"
        )
    return size
