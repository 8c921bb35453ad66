"""A media as a JSON:API resource, for every door that answers with one."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from mediatheque.domain.media import Media

TYPE = "media:medias"


class Checksum(Struct, frozen=True):
    """``crc64nvme`` in base64 as S3 writes it, ``blake3`` hexadecimal; null when not known."""

    crc64nvme: str | None
    blake3: str | None


class Attributes(Struct, frozen=True, kw_only=True):
    """What is known of a media. ``size`` in bytes, times in UTC."""

    resource: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    filename: str | UnsetType = UNSET
    size: int | UnsetType = UNSET
    mime_type: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    created_role: str | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    project_id: str | UnsetType | None = UNSET
    checksum: Checksum | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    meta: dict[str, Any] | UnsetType = UNSET


class Resource(Struct, frozen=True):
    """One media."""

    type: str
    id: str
    attributes: Attributes


class Document(Struct, frozen=True):
    """One media as a document."""

    data: Resource


def resource(media: Media, attributes: frozenset[str] | None = None) -> Resource:
    """Return a media as a resource, with all attributes or those that were asked for."""
    everything = {
        "resource": media.resource,
        "key": media.key,
        "filename": media.filename,
        "size": media.size,
        "mime_type": media.mime_type,
        "created_by": media.created_by,
        "created_role": media.created_role,
        "public": media.public,
        "created_at": media.created_at,
        "updated_at": media.updated_at,
        "project_id": media.project_id,
        "checksum": Checksum(media.crc64nvme, media.blake3),
        "tags": media.tags,
        "meta": media.meta,
    }
    if attributes is not None:
        everything = {name: everything[name] for name in everything if name in attributes}
    return Resource(TYPE, str(media.id), Attributes(**everything))  # type: ignore[arg-type]
