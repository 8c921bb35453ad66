"""From a storage URL to a store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.local import LocalStore
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.stores import Store


def open_store(
    url: str, *, s3_endpoint: str | None, durable: bool, reserved_bytes: int, memory: PartMemory
) -> Store:
    """Return the store that ``url`` names; nothing is contacted before ``Store.check``.

    ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``
    or ``memory://`` (for tests: gone with the process). ``s3_endpoint`` is the address of a
    store that speaks S3 but is not AWS; ``memory`` is for parts on their way to a store that is no
    folder. Raises InvalidError for any other URL, and for one with credentials.
    """
    # Nothing of the URL is repeated: it may have a password in it, though none belongs there.
    refused = InvalidError(
        "MEDIATHEQUE_STORAGE_URL is not understood. Use file:///folder, s3://bucket/prefix, "
        "gs://bucket/prefix or az://container/prefix, without credentials: those come from the "
        "variables of the store's own tools.",
        field="MEDIATHEQUE_STORAGE_URL",
    )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused from None
    if "@" in parts.netloc or ":" in parts.netloc:
        raise refused
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path:
        root = Path(unquote(parts.path))
        return LocalStore(root, durable=durable, reserved_bytes=reserved_bytes)
    # The cloud stores bring large libraries along; a folder should not pay their memory.
    if parts.scheme == "s3" and parts.netloc:
        from mediatheque.storage.s3 import S3Store  # noqa: PLC0415

        return S3Store(parts.netloc, parts.path.strip("/"), endpoint=s3_endpoint, memory=memory)
    if (parts.scheme in {"gs", "az"} and parts.netloc) or parts.scheme == "memory":
        from mediatheque.storage.remote import open_remote  # noqa: PLC0415

        return open_remote(url, memory)
    raise refused
