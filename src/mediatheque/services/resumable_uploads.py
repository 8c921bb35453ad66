"""What can be asked of resumable uploads, whose bytes arrive in as many requests as it takes.

Both protocols for them, tus 1.0.0 and HTTP's own, speak to this one service.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mediatheque.catalog import medias, resumable_uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal, owner_scope
from mediatheque.domain.errors import (
    ForbiddenError,
    MediathequeError,
    NotFoundError,
    StoppedError,
    TooLargeError,
    UnavailableError,
)
from mediatheque.domain.ids import parse_id
from mediatheque.domain.media import Media
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    LengthConflictError,
    OffsetConflictError,
    ResumableState,
    ResumableUpload,
    UploadCompleteError,
    UploadExpiredError,
)
from mediatheque.services.held_intake import HeldIntake, HoldLostError
from mediatheque.services.inflow import Inflow
from mediatheque.services.intake import (
    IntakeGoneError,
    IntakeService,
)
from mediatheque.services.resumable_bytes import Fitting, take_verified
from mediatheque.services.resumable_creation import NewUpload, ResumableCreator
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.services.resumable_sweep import ResumableSweeper
from mediatheque.telemetry import metrics

_PATIENCE_SECONDS = 10.0
_MOST_KNOWN = 200
"""Uploads of which a process remembers what they were, so as not to ask at every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """What a client says of bytes that it adds.

    ``offset`` is how many bytes come before them. ``length`` is that of the whole upload, if the
    request tells. ``last``: nothing comes after them; None: the length alone says when it ends.
    ``size`` is how many they are, if that is known before. ``digests`` is what they must hash to,
    by algorithm (``DIGEST_BYTES``); then they are kept only if they do.
    """

    offset: int
    length: int | None = None
    last: bool | None = None
    size: int | None = None
    digests: Mapping[str, bytes] = field(default_factory=dict)


class ResumableUploadService:
    """Creates uploads, takes their bytes, makes medias of them, and gives up those left alone.

    ``lifetime``: seconds without new bytes after which an unfinished upload expires;
    ``most_bytes``: the most that one takes.
    """

    def __init__(
        self,
        database: Database,
        intake: IntakeService,
        finisher: ResumableFinisher,
        *,
        lifetime: int,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._intake = intake
        self._finisher = finisher
        self._lifetime = timedelta(seconds=lifetime)
        self._creator = ResumableCreator(database, lifetime=self._lifetime, most_bytes=most_bytes)
        self._sweeper = ResumableSweeper(database, intake, finisher, lifetime=self._lifetime)
        self.most_bytes = most_bytes
        # As they were after their last bytes here. Who holds the intake of one sees by that
        # whether it still is so.
        self._known: dict[str, ResumableUpload] = {}

    async def create(self, principal: Principal, new: NewUpload) -> ResumableUpload:
        """Create an upload; one whose length is 0 is ready, and ``find`` finishes it.

        Again with the same idempotency key: return the one that there is, which may have bytes, be
        ready or finished.

        With the ``file_id`` of an announced file as its destination, as
        ``FileService.check_signature`` gives it to who has the signed URL, it takes the bytes of
        that in place of one PUT: once it has all of them the file has them, instead of those of
        earlier attempts, and ``FileService.confirm`` works as ever. The upload then is COMPLETE
        without a media.

        Raises what ``ResumableCreator.create`` raises, and UploadExpiredError when that one has
        expired just now.
        """
        created = await self._creator.create(principal, new)
        by_signature = new.destination.file_id is not None
        return await self.peek(LOCAL_OPERATOR if by_signature else principal, str(created))

    async def concatenate(
        self, principal: Principal, new: NewUpload, part_ids: Sequence[str]
    ) -> ResumableUpload:
        """Make one upload of the bytes of partial ones, in this order; ``find`` finishes it.

        Raises what ``ResumableCreator.concatenate`` raises, and UploadExpiredError as ``create``.
        """
        created = await self._creator.concatenate(principal, new, part_ids)
        return await self.peek(principal, str(created))

    async def append(
        self,
        principal: Principal,
        upload_id: str,
        pieces: AsyncIterator[bytes],
        *,
        append: Append,
        stopping: asyncio.Event,
    ) -> ResumableUpload:
        """Add bytes to an upload, and finish it when it has all; return it as it is then.

        Other requests that add to it are asked to stop, and waited for. When yet another one asks
        this one to, ``stopping`` is set, on which ``pieces`` should end. What arrived is kept and
        acknowledged whatever ``pieces`` raise, unless it has to have digests.

        Raises NotFoundError, UploadExpiredError, UploadCompleteError, ForbiddenError for a final
        upload, OffsetConflictError, LengthConflictError, TooLargeError for what is beyond the
        length (the bytes before that are kept), DigestError, IntakeBusyError, UnavailableError when
        the service is being stopped, what ``finish`` of the finisher raises, and what the pieces
        and the store raise.
        """
        upload = self._known.pop(upload_id, None)
        if upload is None or owner_scope(principal) not in {None, upload.created_by}:
            upload = await self._find_open(principal, upload_id)
        async with self._hold_open(principal, upload, stopping) as (held, found):
            if append.offset != found.size:
                raise OffsetConflictError(size=found.size, given=append.offset)
            if found.ready and append.last is False:
                await self._finisher.finish(held, found)
                raise UploadCompleteError("The upload was said to be complete, and takes no more.")
            upload = await self._settle_length(held, found, append)
            refused = await self._take(held, upload, append, pieces)
            upload = self._as_of(held, upload)
            is_whole = upload.length in {None, upload.size}
            if append.last and refused is None and is_whole and not upload.ending:
                upload = await self._settle(held, upload, length=upload.size, ending=True)
            finished = upload.ready
            if finished:
                await self._finisher.finish(held, upload)
            elif append.last and refused is None:
                raise LengthConflictError(
                    f"The upload has {upload.size} of {upload.length} bytes, and the request was "
                    "said to be the last. What arrived is kept."
                )
        if refused is not None:
            raise refused
        if finished:
            return await self.peek(principal, upload_id)
        self._remember(upload)
        return upload

    async def find(self, principal: Principal, upload_id: str) -> ResumableUpload:
        """Return an upload as it is once nobody adds to it; who does is asked to stop.

        One that has all its bytes is finished first. Raises NotFoundError, UploadExpiredError,
        IntakeBusyError when somebody else does not let go of it, who may yet acknowledge more, and
        what ``finish`` of the finisher raises.
        """
        upload = await self.peek(principal, upload_id)
        if upload.state is not ResumableState.RECEIVING:
            return upload
        try:
            async with self._intake.hold(
                upload.id, patience=_PATIENCE_SECONDS, insist=True
            ) as held:
                upload = await self.peek(principal, upload_id)
                if not upload.ready:
                    return upload
                await self._finisher.finish(held, upload)
        except IntakeGoneError:
            pass  # it was finished or given up just now
        return await self.peek(principal, upload_id)

    async def peek(self, principal: Principal, upload_id: str) -> ResumableUpload:
        """Return an upload as it is now; who adds to it goes on.

        Raises NotFoundError and UploadExpiredError.
        """
        parsed = parse_id(upload_id)
        found = None
        if parsed is not None:
            async with self._database.read() as connection:
                found = await resumable_uploads.find(
                    connection, parsed, owner=owner_scope(principal), lifetime=self._lifetime
                )
        if found is None:
            raise NotFoundError("There is no such upload.")
        if found.state is ResumableState.EXPIRED:
            raise UploadExpiredError(
                "Nobody finished the upload in time, and its bytes are gone. Begin a new one."
            )
        return found

    async def media(self, principal: Principal, upload: ResumableUpload) -> Media:
        """Return the media that an upload has become. Raises NotFoundError."""
        found = None
        if upload.media_id is not None:
            async with self._database.read() as connection:
                found = await medias.find(connection, upload.media_id, owner=owner_scope(principal))
        if found is None:
            raise NotFoundError("The upload has not become a media.")
        return found

    async def terminate(self, principal: Principal, upload_id: str) -> None:
        """Give up an upload, with its bytes; of one that is a media forget only the upload.

        Raises NotFoundError, UploadExpiredError, and ConflictError for a part of another upload.
        """
        upload = await self.peek(principal, upload_id)
        try:
            async with self._intake.hold(
                upload.id, patience=_PATIENCE_SECONDS, insist=True
            ) as held:
                await self._finisher.give_up(held, upload)
        except IntakeGoneError:  # it takes no bytes any more: only its address is left
            async with self._database.begin() as transaction:
                await resumable_uploads.remove(transaction, [upload.id])

    async def sweep(self) -> None:
        """Do what is due for uploads that nobody cares for; any number of workers may call it.

        Finishes those that have all their bytes, and removes those that nobody finished in time.
        """
        await self._sweeper.sweep()

    def _remember(self, upload: ResumableUpload) -> None:
        self._known[str(upload.id)] = upload
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    async def _find_open(self, principal: Principal, upload_id: str) -> ResumableUpload:
        """Return an upload that takes bytes."""
        upload = await self.peek(principal, upload_id)
        if upload.concatenation is Concatenation.FINAL:
            raise ForbiddenError("The upload consists of others, and takes no bytes itself.")
        if upload.state is ResumableState.COMPLETE:
            raise UploadCompleteError("The upload is complete and takes no more bytes.")
        return upload

    @contextlib.asynccontextmanager
    async def _hold_open(
        self, principal: Principal, upload: ResumableUpload, stopping: asyncio.Event
    ) -> AsyncIterator[tuple[HeldIntake, ResumableUpload]]:
        """Hold an upload that takes bytes; yields it as it is then."""
        try:
            async with self._intake.hold(
                upload.id, patience=_PATIENCE_SECONDS, insist=True, wanted=stopping
            ) as held:
                if held.intake.touched_at != upload.touched_at:  # others were here since
                    upload = await self._find_open(principal, str(upload.id))
                yield held, upload
        except (HoldLostError, IntakeGoneError):
            await self._find_open(principal, str(upload.id))  # says what has become of it
            raise

    async def _settle_length(
        self, held: HeldIntake, upload: ResumableUpload, append: Append
    ) -> ResumableUpload:
        """Write down what a request tells of the length, before any of its bytes."""
        length = append.length
        if append.last and append.size is not None:
            end = append.offset + append.size
            if length is not None and length != end:
                raise LengthConflictError(
                    f"The request ends at {end} and says that the upload has {length} bytes."
                )
            length = end
        if length is None:
            length = upload.length
        elif upload.length is not None and length != upload.length:
            raise LengthConflictError(
                f"The upload has {upload.length} bytes, as was said before, not {length}."
            )
        elif length < upload.size:
            raise LengthConflictError(f"The upload has {upload.size} bytes already.")
        elif length > self.most_bytes:
            raise TooLargeError(
                f"The upload is said to have {length} bytes; at most {self.most_bytes} are taken."
            )
        # A request whose size nobody knows may break where its bytes happen to be all.
        known = append.last is None or (append.last and append.size is not None)
        ending = known or upload.ready
        if (length, ending) == (upload.length, upload.ending):
            return upload
        return await self._settle(held, upload, length=length, ending=ending)

    async def _settle(
        self, held: HeldIntake, upload: ResumableUpload, *, length: int | None, ending: bool
    ) -> ResumableUpload:
        async with self._database.read() as connection:
            settled_at = await resumable_uploads.settle(
                connection, upload.id, held.holder, length=length, ending=ending
            )
        if settled_at is None:
            raise HoldLostError("Another request works on the upload. Ask where it is.")
        return replace(
            upload,
            length=length,
            ending=ending,
            touched_at=settled_at,
            expires_at=settled_at + self._lifetime,
        )

    async def _take(
        self,
        held: HeldIntake,
        upload: ResumableUpload,
        append: Append,
        pieces: AsyncIterator[bytes],
    ) -> MediathequeError | None:
        """Append the bytes of a request; return why what is beyond the length was refused."""
        most = self.most_bytes if upload.length is None else upload.length
        fitting = Fitting(pieces, max(0, most - upload.size))

        def ends(size: int) -> bool:
            """Tell whether nothing is left to be done under the hold."""
            return size != upload.length and not (append.last and upload.length is None)

        try:
            if append.digests:
                await take_verified(held, fitting, append.digests, ends=ends)
            else:
                target = self._finisher.target(upload, expected=append.size or 0)
                await Inflow(held, ends=ends, target=target).take(fitting)
        except StoppedError as error:
            if self._intake.stopping:
                raise UnavailableError(
                    "The service is being stopped. Ask where the upload is once it is back, and go "
                    "on from there."
                ) from error
            raise
        finally:
            metrics.RECEIVED_BYTES.inc(held.intake.size - upload.size)
        if fitting.exceeded:
            return TooLargeError(
                f"The upload ends after {most} bytes, and the request has more. Those up to there "
                "are kept."
            )
        return None

    def _as_of(self, held: HeldIntake, upload: ResumableUpload) -> ResumableUpload:
        """Return an upload with what its intake has by now."""
        touched_at = max(upload.touched_at, held.intake.touched_at)
        return replace(
            upload,
            size=held.intake.size,
            touched_at=touched_at,
            expires_at=touched_at + self._lifetime,
        )
