"""One bucket of an S3 store, spoken to by blocking calls that run in a few threads."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import os
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import boto3
import botocore.session
import obstore
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from obstore.exceptions import BaseError
from obstore.store import S3Store as ObstoreS3
from urllib3.exceptions import HTTPError

from mediatheque.storage.concurrency import Concurrency
from mediatheque.storage.pace import UNLIMITED, Pace, SendingStoppedError
from mediatheque.storage.remote import CLIENT_OPTIONS, RETRIES
from mediatheque.storage.s3_answers import read_body, within
from mediatheque.storage.s3_deadline import check_in_time
from mediatheque.storage.s3_errors import (
    is_missing,
    is_overload,
    is_passing,
    refusal,
    s3_errors,
)
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.stores import ObjectInfo
from mediatheque.storage.threads import Threads

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, S3Credential

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8
_TRANSFERS = 16
_MOST_REQUESTS = 32
_SEND_BYTES = 1 << 20
_QUICK_BYTES = 1 << 20
_PRESIGNED_SECONDS = 900
_PAUSES = (0.5, 2.0, 6.0, 14.0)
_CREDENTIALS_KEPT = timedelta(minutes=5)  # botocore renews at least 10 minutes before they expire

# urllib3 keeps the connect timeout on the socket while it sends, and Python counts it over one
# whole ``sendall``: this is the time for _SEND_BYTES, not for a part.
_TIMEOUT = urllib3.Timeout(connect=20, read=60)

_LOOK_SECONDS = 9
_LOOK_TIMEOUT = urllib3.Timeout(connect=4, read=5)

# obstore has no other way to leave the proxies of the environment alone than one of its own, which
# is for no address at all.
_NO_PROXY: "ClientConfig" = {
    "proxy_url": "http://127.0.0.1:9",
    "proxy_excludes": "*,0.0.0.0/0,::/0",
}

# What obstore refuses or changes: control characters, and empty, "." and ".." segments.
_INEXACT = re.compile(r"[\x00-\x1f\x7f]|(?:^|/)\.{0,2}(?:/|$)")


class S3Bucket:
    """A bucket, and the prefix below which all our keys lie.

    Credentials are ``keys``, or come from boto3's own chain (variables, files, roles), and are
    never logged. Redirects to another address are not followed, and no proxy of the environment is
    used: that would be told the access key, and to it a loopback address is another machine's.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        *,
        endpoint: str | None,
        region: str | None,
        keys: S3Keys | None = None,
    ) -> None:
        core = botocore.session.get_session()
        core.register_component("data_loader", _loader())
        session = boto3.Session(
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
            botocore_session=core,
        )
        ca_bundle = core.get_config_variable("ca_bundle")
        self.name = name
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.client: S3Client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or session.region_name or "us-east-1",
            config=Config(  # type: ignore[call-arg]  # the stubs lack the endpoint setting
                signature_version="s3v4",
                # "virtual" rather than "auto": presigned URLs then name the region's own address.
                s3={"addressing_style": "path" if endpoint else "virtual"},
                # CRC64NVME is sent where it matters; boto3 shall not add its own CRC32, least of
                # all to presigned URLs, whose user would have to send it.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                ignore_configured_endpoint_urls=True,
                proxies={},
                retries={"mode": "standard", "max_attempts": 5},
                connect_timeout=10,
                read_timeout=120,
                max_pool_connections=_THREADS + _TRANSFERS,
            ),
        )
        self.client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
        self.client.meta.events.register("before-send.s3", check_in_time)
        address = urlsplit(self.client.meta.endpoint_url)
        port = f":{address.port}" if address.port else ""
        self.place = f"The bucket {name!r} at {address.scheme}://{address.hostname}{port}"
        self.requests = Concurrency(is_overload, most=_MOST_REQUESTS)
        connect = functools.partial(
            ObstoreS3,
            name,
            prefix=self.prefix.rstrip("/") or None,
            endpoint=self.client.meta.endpoint_url,
            region=self.client.meta.region_name,
            virtual_hosted_style_request=False,
            credential_provider=_credentials_of(session),
            client_options={
                **CLIENT_OPTIONS,
                **_NO_PROXY,
                "allow_http": address.scheme == "http",
                **({"root_certificate": _read(ca_bundle)} if ca_bundle else {}),
            },
        )
        self.objects = connect(retry_config=RETRIES)
        self._puts = connect(
            retry_config={"max_retries": 0}, checksum_algorithm="CRC64NVME", unsigned_payload=True
        )
        self._verifies = False
        self._http = urllib3.PoolManager(
            maxsize=_MOST_REQUESTS, timeout=_TIMEOUT, retries=False, ca_certs=ca_bundle
        )
        self._threads = Threads(_THREADS, thread_name_prefix="s3")
        self._transfers = Threads(_TRANSFERS, thread_name_prefix="s3-transfer")

    def full_key(self, key: str) -> str:
        """Return the name that an object of ours has in the bucket."""
        return self.prefix + key

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short blocking call in a thread; its S3 errors become ours."""
        return await self._in(self._threads, lambda: call(*args, **kwargs))

    async def transfer(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call that moves many bytes; the short ones never queue behind these."""
        return await self._in(self._transfers, lambda: call(*args, **kwargs))

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Like ``transfer``, for callers in a thread; errors stay what they are."""
        return self._transfers.submit(call, *args, **kwargs)

    def presign(
        self, operation: str, parameters: Mapping[str, Any], *, expires_in: int, method: str
    ) -> str:
        """Return a URL that allows one ``operation`` for ``expires_in`` seconds. Contacts nobody.

        ``parameters`` are boto3's, without the bucket.
        """
        return self.client.generate_presigned_url(
            operation,
            Params={"Bucket": self.name, **parameters},
            ExpiresIn=expires_in,
            HttpMethod=method,
        )

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when there is none. Blocks."""
        try:
            found = self.client.head_object(
                Bucket=self.name, Key=self.full_key(key), ChecksumMode="ENABLED"
            )
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        composite = found.get("ChecksumType") == "COMPOSITE"
        return ObjectInfo(
            key=key,
            size=found["ContentLength"],
            modified=found["LastModified"].astimezone(UTC),
            etag=found["ETag"],
            crc64nvme=None if composite else found.get("ChecksumCRC64NVME"),
        )

    def put(
        self,
        key: str,
        content_type: str,
        body: memoryview,
        *,
        crc64nvme: str,
        give_up: threading.Event,
        pace: Pace = UNLIMITED,
    ) -> str:
        """Put one whole object; otherwise as ``send``.

        Small ones are tried through obstore first, which costs a third of ``send``. It sends a
        checksum too, but cannot tell whether the store verified it: so not before ``send`` has
        seen that this store does. Whatever obstore fails at is left to ``send``.
        """
        if self._verifies and len(body) <= pace.step(_QUICK_BYTES) and not _INEXACT.search(key):
            pace.wait(len(body), give_up)
            with contextlib.suppress(BaseError, FileNotFoundError), self.requests.slot():
                attributes = {"Content-Type": content_type}
                done = obstore.put(
                    self._puts, key, body, attributes=attributes, use_multipart=False
                )
                if done["e_tag"] is not None:
                    return done["e_tag"]
        parameters = {"Key": self.full_key(key), "ContentType": content_type}
        return self.send(
            "put_object", parameters, body, crc64nvme=crc64nvme, give_up=give_up, pace=pace
        )

    def send(
        self,
        operation: Literal["put_object", "upload_part"],
        parameters: Mapping[str, Any],
        body: memoryview,
        *,
        crc64nvme: str,
        give_up: threading.Event,
        pace: Pace = UNLIMITED,
    ) -> str:
        """Send ``body`` with its checksum, which the store verifies; return the ETag. Blocks.

        Passing troubles are waited out, five tries in about half a minute, unless ``give_up`` is
        set meanwhile: then SendingStoppedError. Otherwise raises what ``s3_errors`` understands.
        """

        def pieces() -> Iterator[memoryview]:
            rest = body
            while rest:
                piece = rest[: pace.step(_SEND_BYTES)]
                pace.wait(len(piece), give_up)
                yield piece
                rest = rest[len(piece) :]

        def try_once() -> str:
            return self._send_once(operation, parameters, len(body), pieces(), crc64nvme)

        return self._persist(try_once, give_up)

    def fetch(
        self, operation: str, parameters: Mapping[str, Any], *, give_up: threading.Event
    ) -> bytes:
        """Return the body of the answer to a GET, past boto3's costly parsers. Blocks.

        Passing troubles are waited out as by ``send``.
        """
        return self._persist(lambda: self._fetch_once(operation, parameters, _TIMEOUT), give_up)

    def look(self, operation: str, parameters: Mapping[str, Any]) -> bytes:
        """Like ``fetch``, but without patience: one try, which ends within ten seconds."""
        # Timeouts of sockets count neither name servers nor answers that come byte by byte.
        return within(_LOOK_SECONDS, lambda: self._fetch_once(operation, parameters, _LOOK_TIMEOUT))

    def close(self) -> None:
        """Wait for the calls under way and close every connection. Blocks."""
        self._transfers.shutdown()
        self._threads.shutdown()
        self._http.clear()
        self.client.close()

    async def _in(self, threads: Threads, call: Callable[[], T]) -> T:
        def guarded() -> T:
            with s3_errors(self.place):
                return call()

        return await asyncio.get_running_loop().run_in_executor(threads, guarded)

    def _persist(self, try_once: Callable[[], T], give_up: threading.Event) -> T:
        def in_slot() -> T:
            with self.requests.slot():
                return try_once()

        for wait_seconds in _PAUSES:
            try:
                return in_slot()
            except (ClientError, HTTPError) as error:
                if not is_passing(error):
                    raise
                if give_up.wait(wait_seconds * random.uniform(0.75, 1.25)):  # noqa: S311
                    raise SendingStoppedError from error
        return in_slot()

    def _fetch_once(
        self, operation: str, parameters: Mapping[str, Any], timeout: urllib3.Timeout
    ) -> bytes:
        url = self.presign(operation, parameters, expires_in=_PRESIGNED_SECONDS, method="GET")
        answer = self._http.request(
            "GET", url, timeout=timeout, redirect=False, preload_content=False
        )
        body = read_body(answer, operation)
        if answer.status != 200:
            raise refusal(operation, answer.status, body)
        return body

    def _send_once(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        size: int,
        pieces: Iterator[memoryview],
        crc64nvme: str,
    ) -> str:
        # Every x-amz- header must be signed; the bytes themselves are not, so that nothing is
        # hashed with SHA-256: the checksum speaks for them.
        url = self.presign(
            operation,
            {**parameters, "ChecksumCRC64NVME": crc64nvme},
            expires_in=_PRESIGNED_SECONDS,
            method="PUT",
        )
        headers = {"Content-Length": str(size), "x-amz-checksum-crc64nvme": crc64nvme}
        if "ContentType" in parameters:
            headers["Content-Type"] = parameters["ContentType"]
        body = cast("Iterator[bytes]", pieces)
        answer = self._http.request("PUT", url, body=body, headers=headers, redirect=False)
        if answer.status != 200:
            raise refusal(operation, answer.status, answer.data)
        if answer.headers.get("x-amz-checksum-crc64nvme") != crc64nvme:
            raise refusal(operation, 200, b"<Code>ChecksumNotVerified</Code>")
        self._verifies = True
        return answer.headers["ETag"]


@functools.cache
def _loader() -> Loader:
    """Return what reads botocore's models; one for all, as each would hold 12 MiB of them."""
    return create_loader()


def _add_md5(request: "AWSRequest", **_: object) -> None:
    """Add the checksum that stores older than boto3's own choice insist on."""
    digest = hashlib.md5(cast("bytes", request.body), usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def _credentials_of(session: boto3.Session) -> "Callable[[], S3Credential]":
    """Give obstore what boto3 resolved, so that both agree."""

    def provide() -> "S3Credential":
        found = session.get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        if frozen.access_key is None or frozen.secret_key is None:
            raise NoCredentialsError
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_KEPT,
        }

    return provide


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()
