"""Checksums of bytes as they pass, to compare with what the server recorded."""

import base64
from functools import cache
from types import ModuleType
from typing import Any

from mediatheque.client.results import Checksum


@cache
def _checksums() -> ModuleType:
    # To import it takes a large part of the time of a command that neither sends nor fetches.
    from awscrt import checksums  # noqa: PLC0415

    found: ModuleType = checksums
    return found


class RunningCrc:
    """CRC64NVME of everything that ``update`` was called with: ``value``, of ``size`` bytes."""

    def __init__(self) -> None:
        self.value = 0
        self.size = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        self.value = _checksums().crc64nvme(piece, self.value)
        self.size += len(piece)

    def extend(self, behind: "RunningCrc") -> None:
        """Take all the bytes that another has taken."""
        self.value = _checksums().combine_crc64nvme(self.value, behind.value, behind.size)
        self.size += behind.size

    def agrees(self, size: int, checksum: Checksum) -> bool:
        """Tell whether these are the bytes described; a checksum that is None says nothing."""
        crc64nvme = base64.b64encode(self.value.to_bytes(8, "big")).decode()
        return self.size == size and checksum.crc64nvme in {None, crc64nvme}


class Digest:
    """CRC64NVME and BLAKE3 of everything that ``update`` was called with."""

    def __init__(self) -> None:
        from blake3 import blake3  # noqa: PLC0415 - as above

        self._blake3: Any = blake3()
        self._crc = RunningCrc()

    @property
    def size(self) -> int:
        """How many bytes these are."""
        return self._crc.size

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._blake3.update(piece)
        self._crc.update(piece)

    def agrees(self, size: int, checksum: Checksum) -> bool:
        """Tell whether these are the bytes described; a checksum that is None says nothing."""
        return self._crc.agrees(size, checksum) and checksum.blake3 in {
            None,
            self._blake3.hexdigest(),
        }
