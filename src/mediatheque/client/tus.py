"""The requests of tus 1.0.0 (https://tus.io/protocols/resumable-upload) that uploads are made of.

Every one is repeated as the connection's patience allows, but for those with bytes.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httpx

from mediatheque.client.connection import Connection, Content
from mediatheque.client.errors import (
    ClientError,
    ConflictError,
    InvalidError,
    NotUnderstoodError,
)

_HEADERS = {"Tus-Resumable": "1.0.0"}
_PATH = "/uploads"
_NO_SUCH_ADDRESS = {404, 405}
# To make one object of several, the store may have to copy them.
_JOIN_TIMEOUT = 900.0


def encode_metadata(metadata: Mapping[str, str]) -> str:
    """Return the value of Upload-Metadata. Raises InvalidError for what is not UTF-8."""
    return ",".join(f"{name} {_encoded(name, text)}" for name, text in metadata.items())


def _encoded(name: str, text: str) -> str:
    try:
        return base64.b64encode(text.encode()).decode()
    except UnicodeEncodeError:  # bytes of the command line, for one
        raise InvalidError(f"{name}: {text!a} is not UTF-8.", field=name) from None


class Abilities(NamedTuple):
    """What a server can do: the largest upload in bytes, None for any; whether it joins parts."""

    most_bytes: int | None
    joins: bool


class Found(NamedTuple):
    """Where an upload is: how many bytes have ``arrived``, and whether it is ``finished``.

    ``refused``: it has all its bytes and cannot become a media; why, an empty ``append`` tells.
    """

    arrived: int
    finished: bool
    refused: bool = False


class NewUpload(NamedTuple):
    """An upload to be: ``key`` is what tells it from others when an answer got lost.

    ``length`` in bytes; ``metadata`` describes the media, as ``encode_metadata`` writes it;
    ``partial``: it will be a part of one.
    """

    key: str
    length: int
    metadata: str
    partial: bool

    @property
    def headers(self) -> dict[str, str]:
        """What tells the server of it."""
        headers = {
            "Idempotency-Key": self.key,
            "Upload-Length": str(self.length),
            "Upload-Metadata": self.metadata,
        }
        return headers | {"Upload-Concat": "partial"} if self.partial else headers


class Tus:
    """Resumable uploads of one server, by their ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def discover(self) -> Abilities:
        """Return what the server can do. Raises NotUnderstoodError for one without uploads."""
        answer = await self._ask("OPTIONS")
        most = answer.headers.get("tus-max-size", "")
        return Abilities(
            most_bytes=int(most) if most.isascii() and most.isdigit() else None,
            joins="concatenation" in answer.headers.get("tus-extension", "").split(","),
        )

    async def create(self, new: NewUpload) -> str:
        """Return the id of an upload, which is made unless there is one with its key."""
        return _id(await self._ask("POST", headers=new.headers))

    async def create_with(self, new: NewUpload, content: Content) -> tuple[str, int]:
        """Make an upload with all its bytes, once; return its id and how many have arrived."""
        headers = {**_with_bytes(new.length), **new.headers}
        answer = await self._ask("POST", headers=headers, content=content)
        return _id(answer), _offset(answer)

    async def append(
        self, upload_id: str, content: Content | None, *, offset: int, size: int
    ) -> int:
        """Send ``size`` bytes for ``offset``, once; return how many the upload then has."""
        answer = await self._connection.request(
            "PATCH",
            f"{_PATH}/{upload_id}",
            headers={**_with_bytes(size), "Upload-Offset": str(offset)},
            content=content,
            repeatable=False,
        )
        return _offset(answer)

    async def look(self, upload_id: str, *, length: int) -> Found:
        """Return where an upload is that shall have ``length`` bytes."""
        try:
            answer = await self._connection.request(
                "HEAD", f"{_PATH}/{upload_id}", headers=_HEADERS
            )
        except ConflictError:  # without a sentence: such an answer has no body
            return Found(length, finished=False, refused=True)
        arrived = _offset(answer)
        return Found(arrived, arrived == length and "upload-expires" not in answer.headers)

    async def join(self, key: str, part_ids: Sequence[str], metadata: str) -> str:
        """Return the id of the upload with the bytes of these parts; made as ``create`` does."""
        addresses = " ".join(f"{_PATH}/{part_id}" for part_id in part_ids)
        headers = {
            "Idempotency-Key": key,
            "Upload-Concat": f"final;{addresses}",
            "Upload-Metadata": metadata,
        }
        return _id(await self._ask("POST", headers=headers, read_timeout=_JOIN_TIMEOUT))

    async def give_up(self, upload_id: str) -> None:
        """Remove an upload with its bytes; of a finished one only its address."""
        await self._connection.request("DELETE", f"{_PATH}/{upload_id}", headers=_HEADERS)

    async def _ask(
        self,
        method: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
        read_timeout: float | None = None,
    ) -> httpx.Response:
        try:
            return await self._connection.request(
                method,
                _PATH,
                headers={**_HEADERS, **(headers or {})},
                content=content,
                repeatable=content is None,
                read_timeout=read_timeout,
            )
        except ClientError as error:
            # At the address of all uploads there is something, unless there are none.
            if error.status not in _NO_SUCH_ADDRESS:
                raise
            raise NotUnderstoodError(
                f"The service at {self._connection.address} takes no resumable uploads: it is "
                "older than this client, and must be updated first.",
                request_id=error.request_id,
            ) from error


def _with_bytes(size: int) -> dict[str, str]:
    return {
        **_HEADERS,
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(size),
    }


def _id(answer: httpx.Response) -> str:
    """Return the last part of the address of an upload.

    Its beginning is how the server sees itself, which need not be how it is reached from here.
    """
    upload_id = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if not upload_id:
        raise _not_understood(answer)
    return str(upload_id)


def _offset(answer: httpx.Response) -> int:
    offset = answer.headers.get("upload-offset", "")
    if not (offset.isascii() and offset.isdigit()):
        raise _not_understood(answer)
    return int(offset)


def _not_understood(answer: httpx.Response) -> NotUnderstoodError:
    return NotUnderstoodError(
        f"{answer.request.url} does not say what it has of an upload. Is this the right address, "
        "or is there a proxy between that removes headers?",
        status=answer.status_code,
        request_id=answer.headers.get("x-request-id"),
    )
