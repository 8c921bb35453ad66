"""Checksums of bytes as they pass, to compare with what the server recorded."""

import base64
from typing import Any

from awscrt import checksums
from blake3 import blake3

from mediatheque.client.results import Checksum


class Digest:
    """CRC64NVME and BLAKE3 of everything that ``update`` was called with."""

    def __init__(self) -> None:
        self._blake3: Any = blake3()
        self._crc64nvme = 0
        self.size = 0

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._blake3.update(piece)
        self._crc64nvme = checksums.crc64nvme(piece, self._crc64nvme)
        self.size += len(piece)

    def agrees(self, size: int, checksum: Checksum) -> bool:
        """Tell whether these are the bytes described; a checksum that is None says nothing."""
        crc64nvme = base64.b64encode(self._crc64nvme.to_bytes(8, "big")).decode()
        return (
            self.size == size
            and checksum.blake3 in {None, self._blake3.hexdigest()}
            and checksum.crc64nvme in {None, crc64nvme}
        )
