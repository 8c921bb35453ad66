"""Medias: list, find, upload, download, tag, delete."""

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.digest import RunningCrc
from mediatheque.client.downloads import Progress, download_media, read_media
from mediatheque.client.errors import IntegrityError, InvalidError, NotFoundError
from mediatheque.client.jsonapi import Filters, every, one
from mediatheque.client.results import Media
from mediatheque.client.uploads import upload_file

Step = Literal["probe", "remux", "thumbnail", "sprite", "waveform", "hls"]

NEWEST_FIRST = "-created_at"
# Each id is a filter in a query string, which servers do not take at any length.
_SEARCH_PAGE_SIZE = 100
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SEARCH_SORTS: Mapping[str, str] = {
    "filename": "name,asc",
    "-filename": "name,desc",
    "size": "size,asc",
    "-size": "size,desc",
    "created_at": "uploaded,asc",
    "-created_at": "uploaded,desc",
}


class _File(Struct, frozen=True):
    id: str


class _FilePage(Struct, frozen=True):
    page: list[_File]
    total: int


class _JobReference(Struct, frozen=True):
    id: str


class _JobDocument(Struct, frozen=True):
    data: _JobReference


class Medias:
    """What can be asked of medias."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(
        self,
        *,
        name: str = "",
        tags: Sequence[str] = (),
        filters: Filters | None = None,
        sort: str = NEWEST_FIRST,
        limit: int | None = None,
    ) -> AsyncIterator[Media]:
        """Yield medias, page by page as they are needed.

        ``name``: part of the file's name, in any case. ``tags``: all of them. ``filters``: fields
        with values, as in ``{"mime_type": "image/png", "size__gte": 1000, "key": ""}``. ``sort``:
        fields separated by commas, ``-`` before a descending one; a search by name or tags finds
        originals only, and sorts by one of filename, size and created_at.
        """
        found = (
            self._search(name, tags, filters or {}, sort)
            if name or tags
            else every(
                self._connection, "/medias", Media, filters=filters or {}, sort=sort, limit=limit
            )
        )
        left = limit
        async for media in found:
            if left == 0:
                return
            left = None if left is None else left - 1
            yield media

    async def find(self, name: str, *, key: str = "") -> Media:
        """Return a media by its resource, by ``resource/key``, or by its id.

        Raises NotFoundError.
        """
        resource, _, path_key = name.partition("/")
        try:
            return one(
                await self._connection.request("GET", _path("info", resource, key or path_key)),
                Media,
            )
        except NotFoundError:
            if not _ID.fullmatch(name):
                raise
            async for media in self.list(filters={"id": name}, sort="id"):
                return media
            raise

    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        resource: str | None = None,
        project_id: str | None = None,
        public: bool = False,
        resume: bool = False,
        on_progress: Progress | None = None,
    ) -> Media:
        """Upload a file, under its own name unless another is given, and return the media.

        In a name that is not UTF-8, � takes the place of each wrong byte. ``resource`` is the
        address of the media, by default its id. ``resume``: go on with what an earlier call has
        begun, also in another process or before a reboot, and leave behind what a later one can
        go on with; the file, its name and tags must be the same. What is not gone on with, the
        server removes.

        Raises OSError when the file cannot be read, SourceChangedError when it changes meanwhile,
        and IntegrityError when other bytes arrived than were sent; nothing is kept then. Raises
        ConflictError when the resource is taken, or another call is at the same upload, and
        InvalidError when something said of the file is not UTF-8.
        """
        source = Path(path)
        metadata = {"filename": name or os.fsencode(source.name).decode(errors="replace")}
        if resource:
            metadata["resource"] = resource
        if project_id:
            metadata["project_id"] = project_id
        if public:
            metadata["public"] = "true"
        if tags:
            metadata["tags"] = _listed(tags)

        async def verify(upload_id: str, crc: RunningCrc) -> Media:
            media = await self.find(resource or upload_id)
            if crc.agrees(media.size, media.checksum):
                return media
            if media.id == upload_id:
                await self.delete(media)
            raise IntegrityError(
                f"What the server received of {source} is not what the file holds: it was damaged "
                "on its way, or changed without a sign. Nothing was kept; upload it again."
            )

        return await upload_file(
            self._connection,
            source,
            metadata,
            resume=resume,
            on_progress=on_progress or _ignore,
            verify=verify,
        )

    def read(self, media: Media, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a media, not verified, going on after broken connections."""
        return read_media(self._connection, media, _file_path(media), start=start)

    async def download(
        self,
        media: Media,
        target: str | os.PathLike[str],
        *,
        on_progress: Progress | None = None,
    ) -> None:
        """Download a media to the file ``target``, which appears complete and verified, or not.

        A download that was interrupted goes on where it stopped: its bytes wait beside
        ``target``, in ``<id of the media>.part``. Raises OSError, IntegrityError, and
        ConflictError when the same download runs already.
        """
        await download_media(
            self._connection, media, _file_path(media), Path(target), on_progress or _ignore
        )

    async def delete(self, media: Media) -> None:
        """Delete an original and everything derived from it."""
        if media.key:
            raise InvalidError(f"{media.key} is derived from {media.resource}, and goes with that.")
        await self._connection.request("DELETE", _original(media))

    async def process(self, media: Media, steps: Sequence[Step]) -> str:
        """Let a job look into an original or make other medias of it; return the job's id.

        Wait for it with ``client.jobs.wait``. Raises InvalidError when it cannot be processed.
        """
        answer = await self._connection.request(
            "POST",
            f"/medias/process/{quote(media.resource, safe='')}",
            body={"steps": list(steps)},
        )
        return decode(answer, _JobDocument).data.id

    async def add_tags(self, media: Media, tags: Sequence[str]) -> None:
        """Add tags to those that an original has."""
        await self._connection.request("POST", f"{_original(media)}/tags", body=list(tags))

    async def remove_tags(self, media: Media, tags: Sequence[str]) -> None:
        """Remove all of these tags from an original, or none when one of them is not there."""
        await self._connection.request(
            "DELETE", f"{_original(media)}/tags", body=list(tags), repeatable=False
        )

    async def _search(
        self, name: str, tags: Sequence[str], filters: Filters, sort: str
    ) -> AsyncIterator[Media]:
        """Find files by name and tags, and look up what else is known of them."""
        if sort not in _SEARCH_SORTS:
            raise InvalidError(
                f"A search by name or tag cannot be sorted by {sort!r}, only by filename, size or "
                "created_at.",
                field="sort",
            )
        params = [("name", name), ("tags", ",".join(tags)), ("sort", _SEARCH_SORTS[sort])]
        params.append(("pageSize", str(_SEARCH_PAGE_SIZE)))
        number, more = 0, True
        seen: set[str] = set()
        while more:
            answer = await self._connection.request(
                "GET", "/api/file", params=[*params, ("page", str(number))]
            )
            page = decode(answer, _FilePage)
            # What is uploaded meanwhile moves the end of one page to the start of the next.
            ids = [file.id for file in page.page if file.id not in seen]
            for media in await self._look_up(ids, filters):
                yield media
            seen = {file.id for file in page.page}
            number += 1
            more = number * _SEARCH_PAGE_SIZE < page.total

    async def _look_up(self, ids: Sequence[str], filters: Filters) -> Sequence[Media]:
        """Return those of the medias with these ids that pass, in the same order."""
        if not ids:
            return []
        listed = every(
            self._connection, "/medias", Media, filters={**filters, "id__in": ids}, sort="id"
        )
        found = {media.id: media async for media in listed}
        return [found[media_id] for media_id in ids if media_id in found]


def _listed(tags: Sequence[str]) -> str:
    """Return tags with commas between them."""
    for tag in tags:
        if not tag or "," in tag:
            raise InvalidError(f"{tag!r} is no tag: it is empty, or has a comma.", field="tags")
    return ",".join(tags)


def _path(what: str, resource: str, key: str) -> str:
    path = f"/medias/{what}/{quote(resource, safe='')}"
    return f"{path}/{quote(key, safe='')}" if key else path


def _file_path(media: Media) -> str:
    return _path("files", media.resource, media.key)


def _original(media: Media) -> str:
    return f"/api/file/{media.id}"


def _ignore(_done: int, _total: int) -> None:
    """Take progress that nobody asked for."""
