"""Digests that a client promises of the bytes that it sends."""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from mediatheque.domain.errors import InvalidError


class _Hash(Protocol):
    def update(self, piece: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 of ISO 3309, as its four big-endian bytes."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: Mapping[str, Callable[[], _Hash]] = {
    "sha-256": lambda: hashlib.sha256(usedforsecurity=False),
    "sha-512": lambda: hashlib.sha512(usedforsecurity=False),
    "sha": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": _Crc32,
}

DIGEST_BYTES = {name: len(new().digest()) for name, new in _HASHES.items()}
"""The algorithms that are checked, and how many bytes a digest of each has.

Their names are those of RFC 9530, which does not have the last: that is one of tus 1.0.0.
"""

_COMMON_NAMES = {
    "sha-256": "SHA-256",
    "sha-512": "SHA-512",
    "sha": "SHA-1",
    "md5": "MD5",
    "crc32": "CRC-32",
}


class PromisedDigests:
    """What bytes must hash to, by algorithm. Feed all of them, then ask for ``broken``."""

    def __init__(self, promised: Mapping[str, bytes]) -> None:
        self._promised = promised
        self._found = {name: _HASHES[name]() for name in promised}

    def update(self, piece: bytes | memoryview) -> None:
        """Feed the next bytes."""
        for found in self._found.values():
            found.update(piece)

    @property
    def broken(self) -> str | None:
        """Common name of the first digest that is not the promised one; None: all are."""
        for name, found in self._found.items():
            if found.digest() != self._promised[name]:
                return _COMMON_NAMES[name]
        return None

    def check(self) -> None:
        """Raise InvalidError unless the bytes of a request hash to what was promised."""
        if self.broken is not None:
            raise InvalidError(
                f"The {self.broken} of what arrived is not the one in Content-Digest: it was "
                "damaged on its way. Nothing of it was kept; send it again.",
                field="Content-Digest",
            )
