"""Headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

import base64
import re
from collections.abc import Mapping

from mediatheque.domain.digests import DIGEST_BYTES
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.resumable_uploads import Destination
from mediatheque.doors.http.conditions import Headers, field_value
from mediatheque.doors.http.requests import parse_count

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "checksum",
    "expiration",
    "termination",
    "concatenation",
)
CHECKSUMS: Mapping[str, str] = {
    "sha1": "sha",
    "sha256": "sha-256",
    "md5": "md5",
    "crc32": "crc32",
}
"""The algorithms, as tus calls them and as we do."""

# What separates addresses elsewhere is none of them: a part that goes unseen would be lost.
_PART = re.compile(
    r"(?:https?://[^/?#,;]+)?(?:/[^/?#,;:]+)*/uploads/([^/?#,;:]+)/?(?:\?[^#,;]*)?", re.IGNORECASE
)

EXPOSED = (
    "Location",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Metadata",
    "Upload-Expires",
    "Upload-Concat",
)
"""Headers of answers that pages of other origins may read."""

MOST_METADATA = 16 << 10
"""Longest Upload-Metadata that is taken, in characters."""

MOST_KEY = 255
"""Longest Idempotency-Key that is taken, in characters."""

_NAME = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_TRUE = {"true": True, "1": True, "false": False, "0": False, "": False}
_UNDERSTOOD = {"filename", "name", "resource", "key", "project_id", "public", "tags"}


def parse_length(headers: Headers) -> int | None:
    """Return the length of a new upload; None: it is told later. Raises InvalidError."""
    length = field_value(headers, b"upload-length")
    deferred = field_value(headers, b"upload-defer-length")
    if deferred is None and length is None:
        raise InvalidError(
            "Upload-Length is missing; or Upload-Defer-Length: 1, to tell it later.",
            field="Upload-Length",
        )
    if deferred not in {None, "1"}:
        raise InvalidError("Upload-Defer-Length can only be 1.", field="Upload-Defer-Length")
    if deferred is not None and length is not None:
        raise InvalidError(
            "Upload-Length tells the length, and Upload-Defer-Length puts it off.",
            field="Upload-Defer-Length",
        )
    return None if length is None else parse_count(length, field="Upload-Length")


def parse_key(text: str | None) -> str | None:
    """Return the key that an Idempotency-Key is, if it is one. Raises InvalidError."""
    if text is not None and (len(text) > MOST_KEY or not _PRINTABLE.fullmatch(text)):
        raise InvalidError(
            f"Idempotency-Key must be 1 to {MOST_KEY} printable characters of ASCII.",
            field="Idempotency-Key",
        )
    return text


def parse_metadata(text: str) -> dict[str, str]:
    """Return what Upload-Metadata says: pairs of a key and a base64 text. Raises InvalidError."""
    if len(text) > MOST_METADATA:
        raise _bad_metadata(f"has {len(text)} characters; at most {MOST_METADATA} are taken")
    pairs: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not _NAME.fullmatch(key):
            raise _bad_metadata(f"has a pair without a key that can be one: {pair[:40]!r}")
        if key in pairs:
            raise _bad_metadata(f"has the key {key[:40]!r} twice")
        try:
            pairs[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:
            raise _bad_metadata(f"has no base64 of a UTF-8 text for {key[:40]!r}") from None
        if "\0" in pairs[key]:
            raise _bad_metadata(f"has a NUL character for {key[:40]!r}")
    return pairs


def destination_of(metadata: Mapping[str, str]) -> Destination:
    """Return the media that metadata describes. Raises InvalidError."""
    public = metadata.get("public", "").lower()
    if public not in _TRUE:
        raise _bad_metadata(f"has {public[:40]!r} for public, which is true or false")
    return Destination(
        filename=metadata.get("filename") or metadata.get("name") or "upload",
        resource=metadata.get("resource") or None,
        key=metadata.get("key", ""),
        public=_TRUE[public],
        project_id=metadata.get("project_id") or None,
        tags=tuple(tag for tag in map(str.strip, metadata.get("tags", "").split(",")) if tag),
        meta={key: text for key, text in metadata.items() if key not in _UNDERSTOOD},
    )


def parse_checksum(text: str) -> dict[str, bytes]:
    """Return the digest that Upload-Checksum promises, by algorithm. Raises InvalidError."""
    name, _, encoded = text.strip().partition(" ")
    if name not in CHECKSUMS:
        raise InvalidError(
            f"Upload-Checksum names {name[:40]!r}; known are {', '.join(CHECKSUMS)}.",
            field="Upload-Checksum",
        )
    try:
        digest = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES[CHECKSUMS[name]]:
        raise InvalidError(
            f"Upload-Checksum has no base64 of a {name} behind its algorithm.",
            field="Upload-Checksum",
        )
    return {CHECKSUMS[name]: digest}


def parse_parts(text: str) -> list[str] | None:
    """Return the ids of the parts that Upload-Concat names; None for a partial upload.

    The parts are addresses of uploads, with or without their host. Raises InvalidError.
    """
    if text == "partial":
        return None
    kind, _, addresses = text.partition(";")
    if kind != "final" or not addresses.strip():
        raise InvalidError(
            "Upload-Concat is partial, or final; with the addresses of the parts.",
            field="Upload-Concat",
        )
    return [_parse_part(address) for address in addresses.split()]


def _parse_part(address: str) -> str:
    found = _PART.fullmatch(address)
    if found is None:
        raise InvalidError(
            f"Upload-Concat names {address[:100]!r}, which is no address of an upload. Addresses "
            "are separated by spaces.",
            field="Upload-Concat",
        )
    return found[1]


def _bad_metadata(what: str) -> InvalidError:
    return InvalidError(f"Upload-Metadata {what}.", field="Upload-Metadata")
