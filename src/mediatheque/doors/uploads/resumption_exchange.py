"""One request of HTTP's own resumable uploads, and what its answer says, also of an error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

from litestar import Response

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import (
    DisconnectedError,
    ExistsError,
    InvalidError,
    MediathequeError,
    NotFoundError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.domain.media import Media
from mediatheque.domain.resumable_uploads import (
    DigestError,
    LengthConflictError,
    ResumableState,
    ResumableUpload,
    UploadCompleteError,
    UploadExpiredError,
)
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.doors.http.requests import AnyRequest, content_length, media_type_for
from mediatheque.doors.jsonapi.documents import MEDIA_TYPE
from mediatheque.doors.jsonapi.medias import Document, resource
from mediatheque.doors.uploads import resumption_problems
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.resumption_headers import (
    OLD,
    VERSION,
    limit_of,
    upload_limit,
)
from mediatheque.services import Services
from mediatheque.services.resumable_uploads import Append

_COMPLETE, _INCOMPLETE = "?1", "?0"


class Exchange:
    """A request in one interop ``version``. ``headers`` are those of its answer, as known so far.

    ``base`` is the address of the service. ``Upload-Complete: ?1`` in an answer means that it is
    about the whole: what became of it, or why it became nothing.
    """

    def __init__(self, request: AnyRequest, services: Services, base: str, *, version: int) -> None:
        self.request = request
        self.uploads = services.resumable_uploads
        self.principal = resolve_principal()
        self.base = base
        self.version = version
        self.headers = {VERSION: str(version)}

    async def answer(self, work: Awaitable[Response[Any]]) -> Response[Any]:
        """Return what ``work`` returns, or the answer that tells of its error."""
        try:
            return await work
        except DisconnectedError:
            raise
        except (MediathequeError, ProtocolError) as error:
            named: MediathequeError | ProtocolError = error
            if self.version == OLD and isinstance(error, UploadExpiredError):
                named = NotFoundError(error.detail)
            return resumption_problems.answer_error(self.request, named, self.headers)

    def refuse_of_old(self, *names: str) -> None:
        """Raise InvalidError for a header that the old version has refused by the server."""
        found = [name for name in names if name.lower() in self.request.headers]
        if self.version == OLD and found:
            raise InvalidError(f"{found[0]} does not belong into this request.", field=found[0])

    def announce_limits(self) -> None:
        """Let the answer tell the limits of every upload, as that to one too large must."""
        self.headers["Upload-Limit"] = upload_limit(
            self.version, most_bytes=self.uploads.most_bytes, lifetime=None
        )

    async def take(self, bodies: BodyReader, upload_id: str, said: Append) -> ResumableUpload:
        """Add the body to an upload; return it as it is then.

        Raises what ``append`` of the service does, with the state of the upload in ``headers``.
        """
        bodies.ask(self.request)
        stopping = asyncio.Event()
        async with (
            self._telling(upload_id),
            aclosing(bodies.pieces(self.request, stopping=stopping)) as pieces,
        ):
            return await self.uploads.append(
                self.principal, upload_id, pieces, append=said, stopping=stopping
            )

    async def finish(self, upload: ResumableUpload) -> ResumableUpload:
        """Finish an upload that has all its bytes; return it as it is then.

        Raises what ``find`` of the service does, with the state of the upload in ``headers``.
        """
        async with self._telling(str(upload.id)):
            return await self.uploads.find(self.principal, str(upload.id))

    async def conclude(self, upload: ResumableUpload) -> Response[Any]:
        """Return the answer to the request that ended an upload: that of what it is for."""
        self._tell(upload)
        self.headers["Upload-Complete"] = _COMPLETE
        if upload.destination.file_id is not None:
            return Response(b"", status_code=200, media_type="text/plain", headers=self.headers)
        if upload.media_id is None:
            return Response(None, status_code=204, headers=self.headers)
        media = await self.point_to_media(upload)
        return Response(
            Document(resource(media)),
            status_code=200,
            media_type=media_type_for(self.request, MEDIA_TYPE),
            headers=self.headers,
        )

    def acknowledge(self, upload: ResumableUpload, *, status: int) -> Response[Any]:
        """Return an answer without a body that tells where an upload is."""
        self._tell(upload)
        complete = upload.state is ResumableState.COMPLETE
        self.headers["Upload-Complete"] = _COMPLETE if complete else _INCOMPLETE
        body = None if status == 204 else b""
        return Response(body, status_code=status, headers=self.headers)

    async def point_to_media(self, upload: ResumableUpload) -> Media:
        """Return the media that an upload has become, and let the answer tell where it is."""
        media = await self.uploads.media(self.principal, upload)
        names = (media.resource, media.key) if media.key else (media.resource,)
        path = "/".join(quote(name, safe="") for name in names)
        self.headers["Content-Location"] = f"{self.base}/medias/info/{path}"
        return media

    def _tell(self, upload: ResumableUpload) -> None:
        self.headers["Upload-Offset"] = str(upload.size)
        self.headers["Upload-Limit"] = limit_of(
            upload, self.version, most_bytes=self.uploads.most_bytes
        )

    @asynccontextmanager
    async def _telling(self, upload_id: str) -> AsyncIterator[None]:
        """Let the answer to an error in the block tell where an upload is, and name the error."""
        try:
            yield
        except DisconnectedError:
            raise
        except MediathequeError as error:
            named = self._named(error, await self._look_again(upload_id))
            if named is error:
                raise
            raise named from error

    async def _look_again(self, upload_id: str) -> ResumableUpload | None:
        """Return an upload after an error, and let the answer tell where it is."""
        with suppress(MediathequeError):
            upload = await self.uploads.peek(self.principal, upload_id)
            self._tell(upload)
            if upload.state is ResumableState.RECEIVING:
                self.headers["Upload-Complete"] = _INCOMPLETE
            return upload
        return None

    def _named(self, error: MediathequeError, upload: ResumableUpload | None) -> MediathequeError:
        """Return an error as the protocol names it, knowing the upload that it has left."""
        if isinstance(error, ExistsError):
            self.headers["Upload-Complete"] = _COMPLETE
        elif isinstance(error, DigestError) and upload is None:
            # That of the whole: the upload is gone, and so is its address.
            self.headers["Upload-Complete"] = _COMPLETE
            self.headers.pop("Location", None)
        elif isinstance(error, UploadCompleteError):
            if self.version != OLD and content_length(self.request) != 0:
                return LengthConflictError(error.detail)
        elif isinstance(error, TooLargeError) and upload is not None and upload.has_all_bytes:
            return LengthConflictError(error.detail)
        elif isinstance(error, TimeoutExceededError):
            return TimeoutExceededError("The body stopped coming. Go on at Upload-Offset.")
        return error
