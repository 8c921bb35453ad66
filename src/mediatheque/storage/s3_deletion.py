"""Deleting many objects of an S3 store."""

import re
from collections.abc import Iterator, Sequence

from botocore.exceptions import ClientError

from mediatheque.storage.mirrors import Refused
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import code_of, is_missing

_AT_ONCE = 1000  # S3 takes no more
# The request names its keys in XML, which cannot write most control characters, and whose parsers
# change line ends: a changed key would be that of another object.
_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\u2028\ufffe\uffff]")


def delete_objects(bucket: S3Bucket, keys: Sequence[str]) -> list[Refused]:
    """Delete objects, a thousand with one request; return those that the store keeps. Blocks.

    One that does not exist is fine. Raises what ``s3_errors`` understands.
    """
    plain = [key for key in keys if not _NOT_IN_XML.search(key)]
    refused = [
        one
        for start in range(0, len(plain), _AT_ONCE)
        for one in _delete_batch(bucket, plain[start : start + _AT_ONCE])
    ]
    for key in filter(_NOT_IN_XML.search, keys):
        refused += _delete_one(bucket, key)
    return refused


def _delete_batch(bucket: S3Bucket, keys: Sequence[str]) -> Iterator[Refused]:
    answer = bucket.client.delete_objects(
        Bucket=bucket.name,
        Delete={"Quiet": True, "Objects": [{"Key": bucket.full_key(key)} for key in keys]},
    )
    for error in answer.get("Errors", ()):
        if error.get("Code") not in {"NoSuchKey", "NoSuchVersion"}:
            key = error["Key"].removeprefix(bucket.prefix)
            yield _refused(bucket, key, error.get("Code", "no reason given"))


def _delete_one(bucket: S3Bucket, key: str) -> Iterator[Refused]:
    try:
        bucket.client.delete_object(Bucket=bucket.name, Key=bucket.full_key(key))
    except ClientError as error:
        if code_of(error) == "AccessDenied":
            yield _refused(bucket, key, code_of(error))
        elif not is_missing(error):
            raise


def _refused(bucket: S3Bucket, key: str, code: str) -> Refused:
    return Refused(key.encode(), f"{bucket.place} refused to delete it ({code}).")
