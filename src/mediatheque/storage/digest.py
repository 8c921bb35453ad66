"""Checksums that are computed while bytes pass by."""

import base64

from awscrt import checksums
from blake3 import blake3


def encode_crc64nvme(value: int) -> str:
    """Write a CRC64NVME as S3 does: base64 of its 8 big-endian bytes."""
    return base64.b64encode(value.to_bytes(8, "big")).decode()


def decode_crc64nvme(text: str) -> int:
    """Read a CRC64NVME that was written by ``encode_crc64nvme``."""
    return int.from_bytes(base64.b64decode(text), "big")


class RunningCrc:
    """CRC64NVME of bytes of which earlier ones are gone: goes on from the ``value`` of those.

    Unlike a ``Digest`` it needs nothing but that to go on in another process. Feed from a thread.
    """

    def __init__(self, value: str) -> None:
        self._crc = decode_crc64nvme(value)

    def update(self, piece: bytes | memoryview) -> None:
        """Feed the next bytes."""
        self._crc = checksums.crc64nvme(piece, self._crc)

    def extend(self, crc64nvme: str, size: int) -> None:
        """Take the next ``size`` bytes for fed, of which the checksum is known."""
        self._crc = checksums.combine_crc64nvme(self._crc, decode_crc64nvme(crc64nvme), size)

    @property
    def value(self) -> str:
        """CRC64NVME of all bytes so far, base64 as S3 writes it."""
        return encode_crc64nvme(self._crc)


class Digest:
    """Size, CRC64NVME and BLAKE3 of everything that was fed to it.

    CRC64NVME travels with the bytes and is verified by stores; BLAKE3 is the content's identity.
    Both release the interpreter lock, so feed from a thread. The CRC of the whole is put together
    from those of its parts, so that no byte is looked at twice.
    """

    def __init__(self) -> None:
        self.size = 0
        self._crc = 0  # of all parts that have ended
        self._part_crc = 0
        self._part_size = 0
        self._blake3 = blake3()

    def update(self, piece: bytes | memoryview) -> None:
        """Feed the next bytes."""
        self._part_crc = checksums.crc64nvme(piece, self._part_crc)
        self._part_size += len(piece)
        self._blake3.update(piece)
        self.size += len(piece)

    def end_part(self) -> str:
        """Return the CRC64NVME of what was fed since the last call, base64 as S3 writes it."""
        part = self._part_crc
        self._crc = checksums.combine_crc64nvme(self._crc, part, self._part_size)
        self._part_crc = self._part_size = 0
        return encode_crc64nvme(part)

    @property
    def crc64nvme(self) -> str:
        """CRC64NVME of all bytes so far, base64 as S3 writes it."""
        return encode_crc64nvme(
            checksums.combine_crc64nvme(self._crc, self._part_crc, self._part_size)
        )

    @property
    def blake3(self) -> str:
        """BLAKE3 of all bytes so far, 64 hexadecimal digits."""
        return self._blake3.hexdigest()
