"""Content-Digest and Repr-Digest (RFC 9530): what bytes must hash to."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from mediatheque.domain.digests import DIGEST_BYTES, PromisedDigests
from mediatheque.domain.errors import InvalidError
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.http.structured_fields import BYTES, KEY, PARAMETERS

_ALGORITHMS = ("sha-256", "sha-512", "sha", "md5")
# A dictionary of byte sequences (RFC 9651, sections 3.2 and 3.3.5).
_MEMBER = re.compile(rf"({KEY})=({BYTES}){PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def parse_content_digest(field: str | None, *, name: str = "Content-Digest") -> dict[str, bytes]:
    """Return the digests that a header promises, by algorithm; none without the header.

    ``name`` is the header's: Repr-Digest is written in the same way.

    Algorithms that are not known here are left out, as the RFC allows. Raises InvalidError when
    none is left, and for a header that is malformed: what was meant to be checked is not taken
    unchecked.
    """
    if field is None:
        return {}
    promised = _parse_members(field, name)
    digests = {known: promised[known] for known in _ALGORITHMS if known in promised}
    for known, digest in digests.items():
        if len(digest) != DIGEST_BYTES[known]:
            raise _malformed(name, f"a {known} has {DIGEST_BYTES[known]} bytes, not {len(digest)}")
    if not digests:
        raise InvalidError(
            f"{name} names no algorithm that is known here: {', '.join(_ALGORITHMS)}.", field=name
        )
    return digests


def sent_digests(request: AnyRequest, name: str) -> dict[str, bytes]:
    """Return the digests that Content-Digest or Repr-Digest promises. Raises InvalidError."""
    field = field_value(request.scope["headers"], name.lower().encode())
    return parse_content_digest(field, name=name)


async def check_digests(
    pieces: AsyncIterator[bytes], digests: Mapping[str, bytes]
) -> AsyncGenerator[bytes, None]:
    """Pass on the pieces of a body. Raises InvalidError at its end unless it has ``digests``."""
    promised = PromisedDigests(digests)
    async for piece in pieces:
        if digests:
            await asyncio.to_thread(promised.update, piece)
        yield piece
        del piece  # it would stay in memory for as long as the next one takes to come
    promised.check()


def _parse_members(field: str, name: str) -> dict[str, bytes]:
    """Return the members of the dictionary; of a key that comes twice the last one counts."""
    members: dict[str, bytes] = {}
    position, end = 0, len(field)
    while position < end:
        member = _MEMBER.match(field, position)
        if member is None:
            raise _malformed(
                name, "it is written as in sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:"
            )
        members[member[1]] = _decode(member[2].strip(":"), name)
        position = member.end()
        comma = _COMMA.match(field, position)
        if position < end and (comma is None or comma.end() == end):
            raise _malformed(name, "its members are separated by commas")
        position = comma.end() if comma else end
    return members


def _decode(text: str, name: str) -> bytes:
    # Padding may be left out (RFC 9651, section 4.2.7).
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise _malformed(name, f"{text[:40]!r} is no base64") from None


def _malformed(name: str, reason: str) -> InvalidError:
    return InvalidError(f"{name} is malformed: {reason}.", field=name)
