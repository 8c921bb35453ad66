"""Content-Digest (RFC 9530): what the bytes of a body must hash to."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from mediatheque.domain.digests import DIGEST_BYTES, PromisedDigests
from mediatheque.domain.errors import InvalidError

# A dictionary of byte sequences (RFC 8941, sections 3.2 and 3.3.5). Parameters mean nothing here.
_KEY = r"[a-z*][a-z0-9_.*-]*"
_BYTES = r":[A-Za-z0-9+/]*={0,2}:"
_ITEM = rf'"(?:[^"\\]|\\["\\])*"|{_BYTES}|\?[01]|-?[0-9][0-9.]*|[A-Za-z*][!-+.-:<-~-]*'
_MEMBER = re.compile(rf"({_KEY})=({_BYTES})(?:; *{_KEY}(?:=(?:{_ITEM}))?)*")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def parse_content_digest(field: str | None) -> dict[str, bytes]:
    """Return the digests that a Content-Digest header promises, by algorithm; none without one.

    Algorithms that are not in ``DIGEST_BYTES`` are left out, as the RFC allows. Raises
    InvalidError when none is left, and for a header that is malformed: what was meant to be
    checked is not taken unchecked.
    """
    if field is None:
        return {}
    promised = _parse_members(field)
    digests = {name: promised[name] for name in DIGEST_BYTES if name in promised}
    for name, digest in digests.items():
        if len(digest) != DIGEST_BYTES[name]:
            raise _malformed(f"a {name} has {DIGEST_BYTES[name]} bytes, not {len(digest)}")
    if not digests:
        raise InvalidError(
            f"Content-Digest names no algorithm that is known here: {', '.join(DIGEST_BYTES)}.",
            field="Content-Digest",
        )
    return digests


async def check_digests(
    pieces: AsyncIterator[bytes], digests: Mapping[str, bytes]
) -> AsyncGenerator[bytes, None]:
    """Pass on the pieces of a body. Raises InvalidError at its end unless it has ``digests``."""
    promised = PromisedDigests(digests)
    async for piece in pieces:
        if digests:
            await asyncio.to_thread(promised.update, piece)
        yield piece
    promised.check()


def _parse_members(field: str) -> dict[str, bytes]:
    """Return the members of the dictionary; of a key that comes twice the last one counts."""
    members: dict[str, bytes] = {}
    position, end = 0, len(field)
    while position < end:
        member = _MEMBER.match(field, position)
        if member is None:
            raise _malformed(
                "it is written as in sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:"
            )
        members[member[1]] = _decode(member[2].strip(":"))
        position = member.end()
        comma = _COMMA.match(field, position)
        if position < end and (comma is None or comma.end() == end):
            raise _malformed("its members are separated by commas")
        position = comma.end() if comma else end
    return members


def _decode(text: str) -> bytes:
    # Padding may be left out (RFC 8941, section 4.2.7).
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise _malformed(f"{text[:40]!r} is no base64") from None


def _malformed(reason: str) -> InvalidError:
    return InvalidError(f"Content-Digest is malformed: {reason}.", field="Content-Digest")
