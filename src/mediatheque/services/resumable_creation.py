"""Creating resumable uploads: checking what clients say, and writing it down once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import msgspec

from mediatheque.catalog import intakes, medias, resumable_uploads
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import ConflictError, ExistsError, InvalidError, TooLargeError
from mediatheque.domain.ids import new_id, parse_id
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Segment
from mediatheque.domain.media import check_name, check_project
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    Destination,
    ResumableState,
    ResumableUpload,
)
from mediatheque.domain.tags import check_tags
from mediatheque.domain.uploads import Upload
from mediatheque.services.announced_files import find_pending
from mediatheque.storage.digest import RunningCrc

_MOST_PARTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """What a client says of an upload that it creates.

    ``length`` in bytes, None while it is not known; ``ending``: the upload ends when it has them.
    ``metadata`` is the description as it was sent, ``concat`` what was said of the concatenation.
    ``digests`` is what the whole must hash to, in hexadecimal digits, by algorithm
    (``DIGEST_BYTES``).
    """

    destination: Destination
    length: int | None = None
    ending: bool = True
    partial: bool = False
    metadata: str | None = None
    concat: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None


class ResumableCreator:
    """Writes down new uploads. ``lifetime`` and ``most_bytes`` as the service has them."""

    def __init__(self, database: Database, *, lifetime: timedelta, most_bytes: int) -> None:
        self._database = database
        self._lifetime = lifetime
        self._most_bytes = most_bytes

    async def create(self, principal: Principal, new: NewUpload) -> UUID:
        """Create an upload without bytes; return its id, or that of an earlier same request.

        One whose destination names an announced file belongs to who announced that, has the name
        and the length that were announced, and asks nobody for the right to send its bytes.

        Raises InvalidError; TooLargeError; ExistsError when the address is taken; ConflictError
        when the idempotency key belongs to another request, or the file takes no bytes any more;
        NotFoundError when there is no such file.
        """
        kind = Concatenation.PARTIAL if new.partial else Concatenation.WHOLE
        upload_id = new_id()
        async with self._database.begin() as transaction:
            if new.destination.file_id is not None:
                file = await find_pending(transaction, new.destination.file_id)
                principal, new = Principal(file.created_by, file.created_role), _of_file(new, file)
            else:
                new = replace(new, destination=_checked(new.destination))
            earlier = await self._add(transaction, principal, new, upload_id, kind=kind)
            if earlier is not None:
                return earlier
            await intakes.add(transaction, upload_id)
        return upload_id

    async def concatenate(
        self, principal: Principal, new: NewUpload, part_ids: Sequence[str]
    ) -> UUID:
        """Create an upload that has the bytes of partial ones, in this order.

        Again with the same parts, as long as it is not finished: return the one that there is.
        Raises InvalidError unless every part is a finished partial upload of the caller that
        belongs to no other; and what ``create`` raises.
        """
        parts = _parse_parts(part_ids)
        new = replace(new, destination=_checked(new.destination), length=None)
        upload_id = new_id()
        async with self._database.begin() as transaction:
            earlier = await self._add(
                transaction, principal, new, upload_id, kind=Concatenation.FINAL, parts=parts
            )
            if earlier is not None:
                return earlier
            # Nobody finishes them, joins them or gives them up from here on.
            locked = await resumable_uploads.lock(transaction, parts, lifetime=self._lifetime)
            earlier = await _same_final(transaction, upload_id, locked)
            if earlier is not None:
                await resumable_uploads.remove(transaction, [upload_id])
                return earlier
            for part in parts:
                _check_part(principal, part, locked.get(part))
            segments, crc64nvme = await _gather(transaction, parts)
            length = sum(segment.size for segment in segments)
            self._check_length(length)
            await intakes.add(transaction, upload_id, segments=segments, crc64nvme=crc64nvme)
            await resumable_uploads.change(transaction, parts, final_id=upload_id)
            await resumable_uploads.change(transaction, [upload_id], length=length)
        return upload_id

    async def _add(
        self,
        transaction: Transaction,
        principal: Principal,
        new: NewUpload,
        upload_id: UUID,
        *,
        kind: Concatenation,
        parts: Sequence[UUID] = (),
    ) -> UUID | None:
        """Insert an upload; return the id of the one that an earlier same request has created."""
        if new.length is not None:
            self._check_length(new.length)
        request = _fingerprint(new, kind, parts)
        added = await resumable_uploads.add(
            transaction,
            upload_id,
            state=ResumableState.RECEIVING,
            concatenation=kind,
            length=new.length,
            ending=new.ending,
            parts=parts,
            destination=new.destination,
            metadata=new.metadata,
            concat=new.concat,
            digests=new.digests,
            idempotency_key=new.idempotency_key,
            request=request,
            created_by=principal.name,
            created_role=principal.role,
        )
        if added:
            if kind is not Concatenation.PARTIAL:
                await _check_free(transaction, new.destination)
            return None
        assert new.idempotency_key is not None  # nothing else can be in the way
        earlier = await resumable_uploads.find_request(
            transaction, owner=principal.name, idempotency_key=new.idempotency_key
        )
        if earlier is None or earlier[1] != request:
            raise ConflictError(
                "The Idempotency-Key was used for another upload. Use a new one for each."
            )
        return earlier[0]

    def _check_length(self, length: int) -> None:
        if length > self._most_bytes:
            raise TooLargeError(
                f"The upload is said to have {length} bytes; at most {self._most_bytes} are taken."
            )


def _parse_parts(part_ids: Sequence[str]) -> list[UUID]:
    parts = [one for one in map(parse_id, part_ids) if one is not None]
    if not parts or len(parts) < len(part_ids):
        raise InvalidError("Upload-Concat must name partial uploads.", field="Upload-Concat")
    if len(set(parts)) < len(parts) or len(parts) > _MOST_PARTS:
        raise InvalidError(
            f"Upload-Concat must name each partial upload once, and at most {_MOST_PARTS}.",
            field="Upload-Concat",
        )
    return parts


async def _same_final(
    transaction: Transaction, upload_id: UUID, parts: Mapping[UUID, ResumableUpload]
) -> UUID | None:
    """Return the upload that has all these parts, if it came of a request that says the same."""
    finals = {part.final_id for part in parts.values()}
    final_id = finals.pop() if len(finals) == 1 else None
    if final_id is None:
        return None
    requests = await resumable_uploads.requests(transaction, [upload_id, final_id])
    return final_id if requests[final_id] == requests[upload_id] else None


async def _gather(transaction: Transaction, parts: Sequence[UUID]) -> tuple[list[Segment], str]:
    """Return the segments of some intakes one behind the other, and the CRC64NVME of them all."""
    segments: list[Segment] = []
    crc = RunningCrc(NO_BYTES_CRC64NVME)
    for part in parts:
        intake = await intakes.find(transaction, part)
        if intake is not None:
            segments += intake.segments
            crc.extend(intake.crc64nvme, intake.size)
    return segments, crc.value


def _check_part(principal: Principal, part: UUID, found: ResumableUpload | None) -> None:
    if (
        found is None
        or found.concatenation is not Concatenation.PARTIAL
        or found.created_by != principal.name
    ):
        raise InvalidError(f"There is no partial upload {part}.", field="Upload-Concat")
    if found.final_id is not None:
        raise InvalidError(
            f"The partial upload {part} is a part of another one already.", field="Upload-Concat"
        )
    if found.state is not ResumableState.COMPLETE:
        raise InvalidError(
            f"The partial upload {part} is not finished: it has {found.size} of "
            f"{'an unknown number of' if found.length is None else found.length} bytes.",
            field="Upload-Concat",
        )


async def _check_free(transaction: Transaction, destination: Destination) -> None:
    """Refuse early what could not be finished: before its bytes have come all the way."""
    if destination.resource is None:
        return
    taken = await medias.find_address(
        transaction, destination.resource, destination.key, owner=None
    )
    if taken is not None:
        where = destination.resource + (f" with key {destination.key}" if destination.key else "")
        raise ExistsError(f"Resource {where} already exists", field="resource")


def _checked(said: Destination) -> Destination:
    """Return what a client says of a media when that can be one. Raises InvalidError."""
    check_name(said.filename, field="filename")
    if said.resource is not None:
        check_name(said.resource, field="resource")
    if said.key:
        check_name(said.key, field="key")
        if said.resource is None:
            raise InvalidError("A key needs the resource that it belongs to.", field="resource")
    for name, text in (said.meta or {}).items():
        if "\0" in name + text:
            raise InvalidError(
                f"{name[:40]!r} has a NUL character, which no database keeps.", field=name[:40]
            )
    return replace(said, project_id=check_project(said.project_id), tags=check_tags(said.tags))


def _of_file(new: NewUpload, file: Upload) -> NewUpload:
    """Return what is to be created when the bytes are those of an announced file."""
    if new.length not in {None, file.size}:
        raise InvalidError(
            f"The upload was declared with {file.size} bytes, but this request says {new.length}.",
            field="size",
        )
    destination = Destination(filename=file.name, tags=file.tags, file_id=file.id)
    return replace(new, destination=destination, length=file.size)


def _fingerprint(new: NewUpload, kind: Concatenation, parts: Sequence[UUID]) -> str:
    """Return what tells two requests apart that come with the same idempotency key."""
    said = {**asdict(new), "kind": kind, "parts": list(parts), "idempotency_key": None}
    del said["concat"]  # the same parts may be called by other addresses
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()
