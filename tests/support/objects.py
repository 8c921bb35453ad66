"""Looking into the store of a running service, past the service."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from tests.support.service import Service


def stored_objects(service: Service) -> set[str]:
    """Return the keys of everything that the store holds, unfinished writes included."""
    url = service.settings.get("MEDIATHEQUE_STORAGE_URL")
    if url is None:
        root = service.data_dir / "objects"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    location = urlsplit(url)
    client = boto3.client(
        "s3",
        endpoint_url=service.settings["MEDIATHEQUE_S3_ENDPOINT"],
        region_name=service.settings["AWS_REGION"],
        aws_access_key_id=service.settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=service.settings["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )
    prefix = location.path.strip("/") + "/"
    found: set[str] = set()
    for page in client.get_paginator("list_objects_v2").paginate(
        Bucket=location.netloc, Prefix=prefix
    ):
        found |= {item["Key"].removeprefix(prefix) for item in page.get("Contents", ())}
    unfinished = client.list_multipart_uploads(Bucket=location.netloc, Prefix=prefix)
    return found | {f"unfinished {item['Key']}" for item in unfinished.get("Uploads", ())}


def eventually(check: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Ask until ``check`` holds; for what a service does after it has answered, or to nobody."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
