"""Resumable uploads in this process, as the doors call them, on a real database and store."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Interval, Uuid, bindparam, text

from mediatheque.catalog import intakes, medias, resumable_uploads
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import StoppedError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from mediatheque.domain.resumable_uploads import Destination, ResumableUpload
from mediatheque.services.files import FileLimits, FileService
from mediatheque.services.identity import IdentityService
from mediatheque.services.intake import IntakeService
from mediatheque.services.janitor import Janitor
from mediatheque.services.processing import ProcessingLimits, ProcessingService
from mediatheque.services.resumable_creation import NewUpload
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.services.resumable_uploads import Append, ResumableUploadService
from mediatheque.services.uploads import UploadService
from mediatheque.storage.keys import CATALOG_ID
from mediatheque.storage.signing import Signer
from mediatheque.storage.stores import Store
from tests.support.parts import pieces
from tests.support.stores import get

LIFETIME = 3600
_PROBING = ProcessingLimits(probe=True, max_size=1 << 30, max_pixels=1 << 20, location=False)
_AGED = (bindparam("by", type_=Interval), bindparam("ids", type_=ARRAY(Uuid)))

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


@dataclass
class ResumableStage:
    """One database and one store, with the services of resumable uploads on them."""

    database: Database
    store: Store
    lease: float = 6
    most_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        uploads = UploadService(self.database, self.store, expiry=60)
        processing = ProcessingService(self.database, _PROBING)
        self.intake = IntakeService(self.database, self.store, lease=self.lease)
        self.finisher = ResumableFinisher(self.database, self.store, uploads, processing)
        self.uploads = ResumableUploadService(
            self.database,
            self.intake,
            self.finisher,
            lifetime=LIFETIME,
            most_bytes=self.most_bytes,
        )
        self.files = FileService(
            self.database,
            self.store,
            uploads,
            processing,
            signer=Signer(b"s" * 32),
            limits=FileLimits(max_size=1 << 20, upload_url_expiry=60, download_url_expiry=60),
        )
        self.janitor = Janitor(
            self.database,
            self.store,
            IdentityService(self.database, self.store),
            orphan_age=0,
            unfinished_age=0,
        )

    async def create(
        self,
        length: int | None = None,
        *,
        principal: Principal = ALICE,
        filename: str = "a.txt",
        resource: str | None = None,
        meta: dict[str, str] | None = None,
        **options: Any,
    ) -> ResumableUpload:
        """Create an upload, and finish it if it needs no bytes."""
        destination = Destination(filename=filename, resource=resource, meta=meta)
        new = NewUpload(destination=destination, length=length, **options)
        upload = await self.uploads.create(principal, new)
        return await self.find(upload, principal) if upload.ready else upload

    async def append(
        self, upload: ResumableUpload, *body: bytes, offset: int | None = None, **options: Any
    ) -> ResumableUpload:
        """Add bytes where the upload was when it was returned."""
        return await self.append_from(upload, pieces(*body), offset=offset, **options)

    async def append_from(
        self,
        upload: ResumableUpload,
        body: AsyncIterator[bytes],
        *,
        offset: int | None = None,
        principal: Principal = ALICE,
        stopping: asyncio.Event | None = None,
        **said: Any,
    ) -> ResumableUpload:
        """Add bytes as they come."""
        append = Append(offset=upload.size if offset is None else offset, **said)
        return await self.uploads.append(
            principal,
            str(upload.id),
            body,
            append=append,
            stopping=stopping or asyncio.Event(),
        )

    async def partial(self, content: bytes, principal: Principal = ALICE) -> ResumableUpload:
        """Return a partial upload that has all its bytes."""
        upload = await self.create(len(content), partial=True, principal=principal)
        return await self.append(upload, content, principal=principal) if content else upload

    async def concatenate(
        self,
        *parts: ResumableUpload,
        principal: Principal = ALICE,
        resource: str | None = None,
        **options: Any,
    ) -> ResumableUpload:
        """Make one upload of partial ones, and finish it."""
        new = NewUpload(destination=Destination(filename="a.txt", resource=resource), **options)
        final = await self.uploads.concatenate(principal, new, [str(one.id) for one in parts])
        return await self.find(final, principal) if final.ready else final

    async def find(self, upload: ResumableUpload, principal: Principal = ALICE) -> ResumableUpload:
        """Return an upload as HEAD does."""
        return await self.uploads.find(principal, str(upload.id))

    async def terminate(self, upload: ResumableUpload, principal: Principal = ALICE) -> None:
        """Give up an upload."""
        await self.uploads.terminate(principal, str(upload.id))

    async def of_intake(self, upload: ResumableUpload) -> Intake | None:
        """Return the intake's row."""
        async with self.database.read() as connection:
            return await intakes.find(connection, upload.id)

    async def rows(self, *uploads: ResumableUpload) -> list[ResumableUpload]:
        """Return those rows that there are."""
        async with self.database.read() as connection:
            found = [
                await resumable_uploads.find(
                    connection, one.id, owner=None, lifetime=timedelta(seconds=LIFETIME)
                )
                for one in uploads
            ]
        return [one for one in found if one is not None]

    async def age(self, *uploads: ResumableUpload, seconds: float = LIFETIME + 60) -> None:
        """Let everything about some uploads have happened so much earlier."""
        async with self.database.begin() as transaction:
            values = {"ids": [one.id for one in uploads], "by": timedelta(seconds=seconds)}
            for table, column in (("intakes", "touched_at"), ("resumable_uploads", "updated_at")):
                statement = text(
                    f"UPDATE {table} SET {column} = {column} - :by WHERE id = ANY(:ids)"
                )
                await transaction.execute(statement.bindparams(*_AGED), values)

    async def medias(self) -> list[Media]:
        """Return every media."""
        async with self.database.read() as connection:
            return await medias.page(connection, Listing(), owner=None)

    async def delete(self, media: Media) -> None:
        """Delete a media as people do."""
        await self.files.delete(LOCAL_OPERATOR, str(media.id))

    async def content(self, media_id: UUID | None) -> bytes:
        """Return the bytes of a media."""
        (media,) = [one for one in await self.medias() if one.id == media_id]
        return await get(self.store, media.object_key)

    async def objects(self) -> set[str]:
        """Return the keys of everything stored, save the mark that says whose the store is."""
        return {info.key async for info in self.store.list("")} - {CATALOG_ID}


@contextmanager
def ending_in(
    patch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    *,
    after: bool,
    error: BaseException | None = None,
) -> Iterator[None]:
    """Let a step end with an error, else as if the process died, before or after it is done."""
    whole = getattr(owner, name)

    async def cut(*arguments: Any, **options: Any) -> None:
        if after:
            await whole(*arguments, **options)
        raise error or asyncio.CancelledError

    with patch.context() as inner:
        inner.setattr(owner, name, cut)
        yield


async def endless(stopping: asyncio.Event, *body: bytes) -> AsyncIterator[bytes]:
    """A body that stalls until it is told to stop."""
    for piece in body:
        yield piece
    await stopping.wait()
    raise StoppedError("Another request took over.")


@contextmanager
def losing_answers(patch: pytest.MonkeyPatch, *numbers: int) -> Iterator[None]:
    """Let transactions be committed, and the answers to those of these numbers never come."""
    begin = Database.begin
    committed = 0

    @asynccontextmanager
    async def begin_and_lose(self: Database) -> AsyncIterator[Transaction]:
        nonlocal committed
        async with begin(self) as transaction:
            yield transaction
        committed += 1
        if committed in numbers:
            raise UnavailableError("The connection was cut.")

    with patch.context() as inner:
        inner.setattr(Database, "begin", begin_and_lose)
        yield
