"""A bucket in memory, with the ways in which real ones differ."""

import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from blake3 import blake3

from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.storage.mirrors import (
    Compared,
    Mirror,
    Put,
    Refused,
    TooLateError,
    UnorderedError,
)
from mediatheque.storage.sending import Sending, Source, read_source

_BATCH = 1000


class MemoryMirror:
    """Holds what is put into it; ``fail`` is raised by everything that would ask a store.

    ``before`` is called with a method's name and its key, or an empty one, before it does anything.

    ``in_order``: the listing is by the keys' bytes, as Amazon's is. ``backslashes`` are kept, or
    taken for slashes. ``plain_etags`` are MD5 digests, others say nothing of the content.
    """

    place = "the bucket 'memory'"
    at_once = 4

    def __init__(
        self, *, in_order: bool = True, backslashes: bool = True, plain_etags: bool = True
    ) -> None:
        self.in_order = in_order
        self.backslashes = backslashes
        self.plain_etags = plain_etags
        self.created = False
        self.contents: dict[bytes, bytes] = {}
        self.listings = 0
        self.compared: list[bytes] = []
        self.probes = 0
        self.fail: Exception | None = None
        self.before: Callable[[str, bytes], object] = lambda *_: None
        self.half_way: Callable[[], Awaitable[object]] = _go_on

    def hold(self, key: bytes, content: bytes) -> BucketEntry:
        """Make an object, as anybody may."""
        self.created = True
        self.contents[key] = content
        return self._entry(key)

    def exists(self) -> bool:
        """See ``Mirror``."""
        self._ask("exists")
        return self.created

    def create(self) -> bool:
        """See ``Mirror``."""
        self._ask("create")
        made, self.created = not self.created, True
        return made

    def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
        """See ``Mirror``."""
        self._ask("entries")
        self.listings += 1
        if in_order and not self.in_order:
            raise UnorderedError("The listing is not in order.")
        keys = sorted(self.contents)
        for start in range(0, len(keys), _BATCH):
            yield [self._entry(key) for key in keys[start : start + _BATCH]]

    def keeps_backslashes(self) -> bool:
        """See ``Mirror``."""
        self._ask("keeps_backslashes")
        assert self.created
        self.probes += 1
        return self.backslashes

    def head(self, key: bytes) -> BucketEntry | None:
        """See ``Mirror``."""
        self._ask("head", key)
        return self._entry(key) if key in self.contents else None

    def compare(self, entry: BucketEntry, source: Source) -> Compared:
        """See ``Mirror``."""
        self._ask("compare", entry.key)
        self.compared.append(entry.key)
        content = _read(source)
        equal = self.plain_etags and self.contents[entry.key] == content
        return Compared(equal, blake3(content).hexdigest())

    def put(
        self,
        source: Source,
        key: bytes,
        content_type: str,
        *,
        give_up: threading.Event | None = None,
    ) -> Put:
        """See ``Mirror``."""
        del content_type, give_up
        self._ask("put", key)
        return self._put(source, key)

    async def send(self, source: Source, key: bytes, content_type: str, sending: Sending) -> Put:
        """See ``Mirror``."""
        del content_type
        self._ask("send", key)
        sending.advanced(source.size // 2)
        await self.half_way()
        sending.advanced(source.size - source.size // 2)
        return self._put(source, key)

    async def copy(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        """See ``Mirror``."""
        self._ask("copy", target)
        if entry.key not in self.contents:
            raise NotFoundError("It is gone.")
        if self._entry(entry.key) != entry:
            raise ConflictError("It is another one.")
        return self.hold(target, self.contents[entry.key])

    def delete(self, keys: Sequence[bytes], *, before: float | None = None) -> list[Refused]:
        """See ``Mirror``."""
        self._ask("delete")
        if before is not None and time.monotonic() >= before:
            raise TooLateError("It is too late.")
        for key in keys:
            self.contents.pop(key, None)
        return []

    def in_the_way(self, key: bytes) -> list[BucketEntry]:
        """See ``Mirror``."""
        del key
        return []

    def remove(self) -> None:
        """See ``Mirror``."""
        self._ask("remove")
        if self.contents:
            raise ConflictError("The bucket is not empty.")
        self.created = False

    async def abandon(self, key: bytes, upload_id: str) -> None:
        """See ``Mirror``."""

    def close(self) -> None:
        """See ``Mirror``."""

    def _ask(self, name: str, key: bytes = b"") -> None:
        self.before(name, key)
        if self.fail is not None:
            raise self.fail

    def _put(self, source: Source, key: bytes) -> Put:
        content = _read(source)
        entry = self.hold(key, content)
        return Put(entry.size, entry.etag, blake3(content).hexdigest())

    def _entry(self, key: bytes) -> BucketEntry:
        content = self.contents[key]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return BucketEntry(key, len(content), md5 if self.plain_etags else f"{md5}-1")


async def _go_on() -> None:
    """Do not stop half way."""


def _read(source: Source) -> bytes:
    content = bytearray(source.size)
    read_source(source.descriptor, 0, memoryview(content))
    return bytes(content)


_IS_ONE: type[Mirror] = MemoryMirror
