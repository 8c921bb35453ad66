"""How object keys are laid out. Every key of ours is made here.

``originals/<id>/<safe name>`` holds a finished media, ``staging/<id>/<attempt>`` the bytes of an
upload that nobody has confirmed yet.
"""

import re
from uuid import UUID

from mediatheque.domain.ids import parse_id

ORIGINALS = "originals/"
CATALOG_ID = "catalog-id"
"""Object that names the catalog whose objects these are."""

STAGING = "staging/"
BUCKETS = "buckets/"
"""What the keys begin with that syncs have in this store, each with the name of its bucket."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """Reduce a client's file name to what every file system and store takes.

    Letters, digits, dot, dash and underscore, at most 100 characters, no leading dot; what
    matters of the name for people is kept in the catalog, untouched.
    """
    cleaned = _UNSAFE.sub("_", name).lstrip(".")[-100:].lstrip(".")
    return cleaned or "media"


def original(media_id: UUID, name: str) -> str:
    """Key of a finished media."""
    return original_folder(media_id) + safe_name(name)


def original_folder(media_id: UUID) -> str:
    """What the key of a finished media begins with, whatever its name."""
    return f"{ORIGINALS}{media_id}/"


def is_original(key: str) -> bool:
    """Tell whether a key is that of a finished media."""
    return key.startswith(ORIGINALS)


def beside(key: str, mark: str) -> str:
    """Key of another object for the same owner as ``key``'s."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{mark}-{name}"


def staging(upload_id: UUID, attempt: str) -> str:
    """Key under which one attempt to send an upload's bytes waits for its confirmation."""
    return f"{STAGING}{upload_id}/{attempt}"


def may_be_ours(key: str) -> bool:
    """Tell whether a key is where ours are, among which anybody may have put another one."""
    return key.startswith((ORIGINALS, STAGING, BUCKETS))


def owner(key: str) -> UUID | None:
    """Return the id of the media or upload that a key of ours belongs to; None for a foreign key.

    The bucket may hold other people's objects; they are none of our business.
    """
    parts = key.split("/")
    if len(parts) != 3 or parts[0] + "/" not in {ORIGINALS, STAGING}:
        return None
    return parse_id(parts[1])
