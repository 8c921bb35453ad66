"""Digests that a client promises of the bytes that it sends."""

import hashlib
from collections.abc import Mapping

from mediatheque.domain.errors import InvalidError

_HASHLIB_NAMES = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}

DIGEST_BYTES = {
    name: hashlib.new(called, usedforsecurity=False).digest_size
    for name, called in _HASHLIB_NAMES.items()
}
"""The algorithms that are checked, as RFC 9530 names them, and how long a digest of each is."""


class PromisedDigests:
    """What bytes must hash to, by algorithm. Feed all of them, then ``check``."""

    def __init__(self, promised: Mapping[str, bytes]) -> None:
        self._promised = promised
        self._found = {
            name: hashlib.new(_HASHLIB_NAMES[name], usedforsecurity=False) for name in promised
        }

    def update(self, piece: bytes) -> None:
        """Feed the next bytes."""
        for found in self._found.values():
            found.update(piece)

    def check(self) -> None:
        """Raise InvalidError unless the bytes hash to what was promised."""
        for name, found in self._found.items():
            if found.digest() != self._promised[name]:
                raise InvalidError(
                    f"The {name} of what arrived is not the one in Content-Digest: it was damaged "
                    "on its way. Nothing of it was kept; send it again.",
                    field="Content-Digest",
                )
