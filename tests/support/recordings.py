"""Recordings in this process: what door 1 and the workers call, on a real database and store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from mediatheque.catalog import intakes, recordings
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Intake, Segment
from mediatheque.domain.recordings import Chunk, ChunkPlace, Recording
from mediatheque.services.intake import IntakeService
from mediatheque.services.jobs import JobService
from mediatheque.services.recordings import RecordingService
from mediatheque.storage.stores import Store
from tests.support.parts import pieces

QUIET_AFTER = 3600
EXPIRY = 86_400


@dataclass
class RecordingStage:
    """One database and one store, with the services of recordings on them, as a process has."""

    database: Database
    store: Store
    lease: float = 6
    most_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        self.jobs = JobService(self.database)
        self.intake = IntakeService(self.database, self.store, lease=self.lease)
        self.recordings = RecordingService(
            self.database,
            self.store,
            self.intake,
            quiet_after=QUIET_AFTER,
            expiry=EXPIRY,
            most_bytes=self.most_bytes,
        )

    async def create(self, principal: Principal = LOCAL_OPERATOR) -> Recording:
        """Start a recording."""
        return await self.recordings.create(principal)

    async def add(
        self,
        recording: Recording,
        *body: bytes,
        number: int | None = None,
        offset: int | None = None,
        **options: Any,
    ) -> Recording:
        """Add one chunk whose bytes arrive in these pieces."""
        return await self.add_from(
            recording, pieces(*body), place=ChunkPlace(number, offset), **options
        )

    async def add_from(
        self,
        recording: Recording,
        body: AsyncIterator[bytes],
        *,
        place: ChunkPlace | None = None,
        digests: dict[str, bytes] | None = None,
        principal: Principal = LOCAL_OPERATOR,
    ) -> Recording:
        """Add one chunk as its bytes come."""
        return await self.recordings.add(
            principal,
            str(recording.id),
            body,
            place=place or ChunkPlace(),
            digests=digests or {},
        )

    async def recorded(self, *chunks: bytes, principal: Principal = LOCAL_OPERATOR) -> Recording:
        """Return a recording that has received these chunks."""
        recording = await self.create(principal)
        for chunk in chunks:
            recording = await self.add(recording, chunk, principal=principal)
        return recording

    async def complete(
        self, recording: Recording, principal: Principal = LOCAL_OPERATOR
    ) -> Recording:
        """Complete a recording."""
        return await self.recordings.complete(principal, str(recording.id))

    async def find(self, recording: Recording, principal: Principal = LOCAL_OPERATOR) -> Recording:
        """Return a recording as it stands now."""
        return await self.recordings.find(principal, str(recording.id))

    async def read(self, recording: Recording, start: int = 0, end: int | None = None) -> bytes:
        """Return what was received, all of it or a range."""
        found = await self.find(recording)
        last = found.size if end is None else end
        return b"".join([piece async for piece in self.recordings.read(found, start, last)])

    async def of_intake(self, recording: Recording) -> Intake | None:
        """Return the intake's row."""
        async with self.database.read() as connection:
            return await intakes.find(connection, recording.media_id)

    async def chunks(self, recording: Recording) -> list[Chunk]:
        """Return the rows of all chunks, in order."""
        found = await self.find(recording)
        async with self.database.read() as connection:
            several = [
                await recordings.chunk(connection, recording.id, number)
                for number in range(found.chunks)
            ]
        return [chunk for chunk in several if chunk is not None]


async def added_recording(database: Database, **values: Any) -> Recording:
    """Insert a recording of ``alice`` with its intake, past the services."""
    media_id = new_id()
    plain = {
        "id": uuid4(),
        "media_id": media_id,
        "created_by": "alice",
        "created_role": "member",
    }
    async with database.begin() as transaction:
        await intakes.add(transaction, media_id)
        return await recordings.add(transaction, **(plain | values))


async def acknowledged(
    database: Database, recording: Recording, *segments: Segment, blake3: str = "b3"
) -> Recording:
    """Acknowledge one chunk, with which the intake has these segments; nothing is stored."""
    async with database.read() as connection:
        holder = uuid4()
        before = await intakes.take(connection, recording.media_id, holder, seconds=60)
        assert before is not None
    size = sum(segment.size for segment in segments)
    acknowledgement = intakes.Acknowledgement(
        before=before,
        holder=holder,
        segments=segments,
        size=size,
        crc64nvme=f"crc of {size}",
    )
    added = await recordings.add_chunk(
        database.group, acknowledgement, recording, size=size - before.size, blake3=blake3
    )
    assert added is not None
    return added
