"""One chunk on its way in: where it belongs, and what its bytes hash to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from mediatheque.domain.digests import PromisedDigests
from mediatheque.domain.errors import TooLargeError
from mediatheque.domain.recordings import (
    Chunk,
    ChunkConflictError,
    ChunkPlace,
    Recording,
    RecordingState,
)
from mediatheque.storage.digest import Digest


class ChunkDigest:
    """What the bytes of a chunk come to; a ``Hasher``. ``promised``: digests by algorithm."""

    def __init__(self, promised: Mapping[str, bytes]) -> None:
        self._content = Digest()
        self._promised = PromisedDigests(promised)

    @property
    def size(self) -> int:
        """How many bytes passed by."""
        return self._content.size

    @property
    def blake3(self) -> str:
        """Their BLAKE3, 64 hexadecimal digits."""
        return self._content.blake3

    def update(self, piece: bytes | memoryview) -> None:
        """Feed the next bytes, from a thread."""
        self._content.update(piece)
        self._promised.update(piece)

    async def consume(self, pieces: AsyncIterator[bytes]) -> None:
        """Feed all bytes of a chunk that is not stored."""
        async for piece in pieces:
            await asyncio.to_thread(self.update, piece)

    def check(self) -> None:
        """Raise InvalidError unless the bytes hash to what was promised."""
        self._promised.check()


async def within_limit(
    pieces: AsyncIterator[bytes], recording: Recording, *, most_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Pass on the bytes of the next chunk.

    Raises TooLargeError when a recording would have more than ``most_bytes`` with them.
    """
    size = recording.size
    async for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise TooLargeError(
                f"A recording has at most {most_bytes} bytes, and the chunk goes beyond that. "
                "Nothing of it was kept. Complete the recording, and go on with another one."
            )
        yield piece
        del piece  # it would stay in memory for as long as the next one takes to come


def check_open(recording: Recording) -> None:
    """Raise ChunkConflictError unless a recording still takes chunks."""
    if recording.state is not RecordingState.RECORDING:
        raise ChunkConflictError(
            "The recording is complete and takes no more chunks.",
            chunks=recording.chunks,
            size=recording.size,
        )


def is_earlier(recording: Recording, place: ChunkPlace) -> bool:
    """Tell whether a chunk that belongs at ``place`` must have been received already."""
    return (place.number is not None and place.number < recording.chunks) or (
        place.offset is not None and place.offset < recording.size
    )


def check_next(recording: Recording, place: ChunkPlace) -> None:
    """Raise ChunkConflictError unless ``place`` is that of the next chunk."""
    if place.number not in {None, recording.chunks} or place.offset not in {None, recording.size}:
        raise refusal(recording, f"{_said(place)} does not follow what was received.")


def check_same(
    recording: Recording, place: ChunkPlace, chunk: Chunk | None, digest: ChunkDigest
) -> None:
    """Raise ChunkConflictError unless ``chunk`` is at ``place`` and has the same bytes."""
    if chunk is None or place.offset not in {None, chunk.start}:
        raise refusal(recording, f"{_said(place)} is none that was received.")
    if (chunk.size, chunk.blake3) != (digest.size, digest.blake3):
        raise refusal(recording, f"{_said(place)} was received already, with other bytes.")


def refusal(recording: Recording, reason: str) -> ChunkConflictError:
    """Return the error that refuses a chunk and says which one is expected."""
    return ChunkConflictError(
        f"{reason} Expected is chunk {recording.chunks}, at offset {recording.size}.",
        chunks=recording.chunks,
        size=recording.size,
    )


def _said(place: ChunkPlace) -> str:
    number = "The chunk" if place.number is None else f"Chunk {place.number}"
    return number if place.offset is None else f"{number} at offset {place.offset}"
