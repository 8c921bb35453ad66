"""Intakes without a catalog: what was flushed counts as recorded when a test says so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import Appended, IntakeStore
from mediatheque.storage.stores import Store
from tests.support.stores import get


def new_intake() -> Intake:
    """Return an intake without bytes."""
    now = datetime.now(UTC)
    return Intake(id=new_id(), created_at=now, touched_at=now)


def recorded(intake: Intake, appended: Appended) -> Intake:
    """Return the intake as the catalog has it from then on."""
    return replace(
        intake, size=appended.size, crc64nvme=appended.crc64nvme, segments=appended.segments
    )


def crc_of(content: bytes) -> str:
    """Return the CRC64NVME of some content as intakes have it."""
    crc = RunningCrc(NO_BYTES_CRC64NVME)
    crc.update(content)
    return crc.value


def put_together(parts: Sequence[Intake]) -> Intake:
    """Return an intake that has the segments of others, one behind the other."""
    crc = RunningCrc(NO_BYTES_CRC64NVME)
    for part in parts:
        crc.extend(part.crc64nvme, part.size)
    return replace(
        new_intake(),
        size=sum(part.size for part in parts),
        crc64nvme=crc.value,
        segments=tuple(segment for part in parts for segment in part.segments),
    )


async def append(store: IntakeStore, intake: Intake, *pieces: bytes) -> Intake:
    """Append and record some pieces, as one request does."""
    appender = store.appender(intake)
    try:
        for piece in pieces:
            await appender.write(piece)
        appended = await appender.flush()
    finally:
        await appender.close()
    return recorded(intake, appended)


async def acknowledged(store: Store, intake: Intake) -> bytes:
    """Read an intake's bytes before they are joined."""
    return b"".join(
        [await get(store, segment.object_key, 0, segment.size) for segment in intake.segments]
    )


def open_files(intake_id: UUID) -> list[str]:
    """Return the descriptors of this process that are files of an intake."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # the one that lists them
            continue
        if str(intake_id) in target:
            found.append(descriptor.name)
    return found
