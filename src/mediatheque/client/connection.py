"""HTTP with one server: addresses, timeouts, retries, and errors as the client's own."""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from mediatheque.client.answers import error_of
from mediatheque.client.errors import (
    ClientError,
    ConnectionLostError,
    InvalidError,
    NotFoundError,
    ServerUnreachableError,
)
from mediatheque.client.retries import RETRYABLE, Retries

CONNECT_TIMEOUT = 10.0
# A proxy of the environment cannot know what "this machine" is.
_NEVER_PROXIED = ("all://localhost", "all://127.0.0.1", "all://[::1]")
# Repeated where a redirect leads: what is sent goes to nobody whom the caller has not named.
_FOLLOWED = frozenset({"GET", "HEAD"})
# Nothing was sent when one of these is raised.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

Parameters = Iterable[tuple[str, str]]
Content = Callable[[], AsyncIterator[bytes]]


class Connection:
    """Requests to one server.

    ``timeout``: seconds without a byte after which a connection counts as broken. ``patience``:
    seconds for which a request that can safely be repeated is. Raises InvalidError for an address
    that is none.
    """

    def __init__(self, address: str, *, timeout: float, patience: float) -> None:
        self.address = address.rstrip("/")
        self._patience = patience
        self._met = False
        try:
            parts = urlsplit(self.address)
            # To ask for the port raises ValueError for one that is none.
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
                raise ValueError("an address is such as http://127.0.0.1:5000")
            self._http = httpx.AsyncClient(
                base_url=self.address,
                timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT, pool=None),
                mounts=dict.fromkeys(_NEVER_PROXIED),
                headers={"User-Agent": "mediatheque-client"},
            )
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            # The last: a proxy of the environment of a kind that httpx has no support for here.
            raise InvalidError(f"{address!r} cannot be used: {error}.") from None

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def retries(self) -> Retries:
        """Return what decides on the attempts at one thing."""
        return Retries(self._patience)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Parameters = (),
        body: object = None,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        read_timeout: float | None = None,
    ) -> httpx.Response:
        """Ask for something until it is answered; return a successful answer, else raise.

        ``url`` is a path, or a whole address. ``body`` is sent as JSON; ``content`` begins the
        bytes of a body anew for every attempt. What is not ``repeatable`` is tried again only
        when nothing was sent. ``read_timeout`` in seconds, for what takes longer than others.
        """
        # One for all attempts, so that the server's log shows them together.
        request_id = uuid.uuid4().hex
        options: dict[str, Any] = {
            "params": params,
            "headers": {"X-Request-Id": request_id, **(headers or {})},
        }
        if body is not None:
            options["content"] = msgspec.json.encode(body)
            options["headers"]["Content-Type"] = "application/json"
        if read_timeout is not None:
            options["timeout"] = httpx.Timeout(read_timeout, connect=CONNECT_TIMEOUT, pool=None)
        retries = self.retries()
        while True:
            if content is not None:
                options["content"] = content()
            try:
                async with self.stream(method, url, **options) as response:
                    await response.aread()
                    return response
            except RETRYABLE as error:
                if not repeatable and not isinstance(error, ServerUnreachableError):
                    raise
                await self.pause_after(error, retries)
            except NotFoundError:
                # An attempt before, whose answer was lost, has deleted it.
                if method == "DELETE" and repeatable and retries.failed_before:
                    return httpx.Response(204)
                raise

    async def pause_after(self, error: ClientError, retries: Retries) -> None:
        """Wait before another attempt; raise ``error`` when there should be none.

        A server that was never met is most likely not there, one that was is restarting.
        """
        if isinstance(error, ServerUnreachableError) and not self._met:
            raise error
        await retries.pause_after(error)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        params: Parameters = (),
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[httpx.Response]:
        """Ask once; give a successful answer whose body is not read yet.

        ``options`` as httpx has them. Raises the client's own errors, also for what happens to the
        connection while the block reads the body. A redirect (downloads may be sent to the store)
        is followed without the conditions: those were about this server's entity tags.
        """
        sent = {"X-Request-Id": uuid.uuid4().hex, **(headers or {})}
        # httpx takes an empty list for "remove the query".
        options["params"] = list(params) or None
        try:
            async with self._http.stream(method, url, headers=sent, **options) as response:
                self._met = True
                if response.is_success:
                    yield response
                    return
                if response.next_request is None:
                    raise await error_of(response)
                location = response.next_request.url
                if method not in _FOLLOWED:
                    raise InvalidError(
                        f"{self.address} sends this on to {location.copy_with(query=None)}. "
                        "Give the address that is meant instead.",
                        status=response.status_code,
                    )
            plain = {name: sent[name] for name in sent if not name.startswith("If-")}
            async with self._http.stream(method, location, headers=plain) as response:
                if not response.is_success:
                    raise await error_of(response)
                yield response
        except httpx.RequestError as error:
            raise self._broken(error, sent["X-Request-Id"]) from error
        except httpx.InvalidURL as error:
            raise InvalidError(f"{url!r} is no usable address: {error}.") from None

    def _broken(self, error: httpx.RequestError, request_id: str) -> ClientError:
        """Return what a failure below HTTP means."""
        reason = _reason(error)
        if isinstance(error, _NOT_SENT):
            return ServerUnreachableError(
                f"There is no server at {self._origin(error)} ({reason}).", request_id=request_id
            )
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return InvalidError(f"The request cannot be sent: {reason}.", request_id=request_id)
        self._met = True
        return ConnectionLostError(
            f"The connection to {self._origin(error)} broke ({reason}).", request_id=request_id
        )

    @staticmethod
    def _origin(error: httpx.RequestError) -> str:
        """Return scheme, host and port: signed URLs are not for logs."""
        url = error.request.url
        return f"{url.scheme}://{url.netloc.decode()}"


def _reason(error: BaseException) -> str:
    """Return what the system said, where it said something."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio has a text of its own for these; names that do not resolve have no errno.
            return os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
