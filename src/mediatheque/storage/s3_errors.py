"""What the errors of an S3 store mean to us, and which of them pass by themselves."""

import contextlib
import re
from collections.abc import Iterator

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from obstore.exceptions import BaseError
from urllib3.exceptions import HTTPError

from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError
from mediatheque.storage.mirrors import BlockedError

_FULL = {
    "InsufficientStorage",
    "QuotaExceeded",
    "StorageFull",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
}
_REFUSED_CHECKSUM = {"BadDigest", "XAmzContentChecksumMismatch", "InvalidRequest"}
_OVERLOAD_CODES = {"RequestTimeout", "SlowDown"}
_PASSING_STATUSES = {429, 500, 502, 503, 504}
_BLOCKED = {"XMinioParentIsObject", "XMinioObjectExistsAsDirectory"}
_MISSING_CODES = {"404", "NoSuchKey", "NotFound"}

_OTHER_REGION = "{place} lies in another region than was asked. Set AWS_DEFAULT_REGION to its own."
_WRONG_KEY = (
    "{place} does not know the access key. Check AWS_ACCESS_KEY_ID. If a key was given, check that."
)
_OLD_TOKEN = "The session token for {place} has expired or is wrong. Check AWS_SESSION_TOKEN."  # noqa: S105
_SENTENCES = {
    "NoSuchBucket": "{place} does not exist. Create it, or correct its name, which for the "
    "service's own store is in MEDIATHEQUE_STORAGE_URL.",
    "BucketAlreadyExists": "{place} belongs to somebody else. Choose another name.",
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": "{place} refused the signature. Check AWS_SECRET_ACCESS_KEY. "
    "If a secret key was given, check that.",
    "AccessDenied": "The access key may not do this in {place}. Allow it to list, read, write "
    "and delete objects there.",
    "ExpiredToken": _OLD_TOKEN,
    "InvalidToken": _OLD_TOKEN,
    "RequestTimeTooSkewed": "The clock of this machine differs too much from that of {place}.",
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "ChecksumNotVerified": "{place} does not verify CRC64NVME checksums. Use a version of it "
    "that does, so that no damaged byte is ever kept.",
    "NoSuchUpload": "The unfinished upload was removed from {place} meanwhile. Send it again.",
}


def refusal(operation: str, status: int, body: bytes) -> ClientError:
    """Return the error that boto3 would raise for an answer that did not come through it."""
    code = re.search(rb"<Code>([^<]{1,100})</Code>", body)
    return ClientError(
        {
            "Error": {"Code": code[1].decode("ascii", "replace") if code else str(status)},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        operation,
    )


def code_of(error: ClientError) -> str:
    """Return S3's name for the error, or the HTTP status where an answer had no body.

    Whoever answers chooses it, and it is shown on terminals.
    """
    return re.sub(r"[^A-Za-z0-9.]", "?", error.response.get("Error", {}).get("Code", ""))[:100]


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the answer."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_missing(error: ClientError) -> bool:
    """Tell whether the store said that there is no such object."""
    return code_of(error) in _MISSING_CODES


def is_gone(error: ClientError) -> bool:
    """Tell whether the store said that there is no such multipart upload."""
    return code_of(error) == "NoSuchUpload"


def is_precondition(error: ClientError) -> bool:
    """Tell whether the store found another object than the request named by its ETag."""
    return status_of(error) == 412


def is_checksum_refused(error: ClientError) -> bool:
    """Tell whether the store has other bytes than the checksum says."""
    return code_of(error) in _REFUSED_CHECKSUM


def is_passing(error: ClientError | HTTPError) -> bool:
    """Tell whether sending the same bytes again can help.

    A refused checksum is among them: bytes may have been damaged on their way.
    """
    if is_overload(error):
        return True
    return isinstance(error, ClientError) and is_checksum_refused(error)


def is_overload(error: Exception) -> bool:
    """Tell whether the store may have had more to do than it could: it said so, or fell silent."""
    if isinstance(error, ClientError):
        return status_of(error) in _PASSING_STATUSES or code_of(error) in _OVERLOAD_CODES
    return isinstance(error, HTTPError | BaseError)


def translate(error: ClientError | BotoCoreError | HTTPError, place: str) -> MediathequeError:
    """Return our error for one of boto3's or urllib3's; its sentence holds no secrets."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return UnavailableError(
            f"{place} asks for credentials, and there are none. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY where the service runs, or give a sync keys of its own."
        )
    if not isinstance(error, ClientError):
        return UnavailableError(
            f"{place} does not answer ({type(error).__name__}). Check that it runs and that its "
            "address is right."
        )
    code, status = code_of(error), status_of(error)
    if status == 507 or code in _FULL:
        return StorageFullError(f"{place} has no room for these bytes.")
    if code in _REFUSED_CHECKSUM:
        return UnavailableError(
            f"{place} refused bytes whose checksum differed on arrival ({code}), again and "
            "again. Check memory and network of this machine."
        )
    if code in _BLOCKED:
        return BlockedError(
            f"{place} keeps real folders: an object and what lies below its key exclude each other."
        )
    sentence = _SENTENCES.get(code)
    if sentence is None and status == 403:
        sentence = _SENTENCES["AccessDenied"]
    if sentence is None and 300 <= status < 400:
        sentence = "{place} refers to another address, which is not followed. Give that one."
    if sentence is None:
        return UnavailableError(f"{place} refused the request ({status} {code}).")
    return UnavailableError(sentence.format(place=place))


@contextlib.contextmanager
def s3_errors(place: str) -> Iterator[None]:
    """Turn what boto3 and urllib3 raise about the bucket ``place`` into our errors."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPError) as error:
        raise translate(error, place) from error
