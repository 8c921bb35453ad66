"""Local stores that do not do what they are told, or not when."""

import asyncio
import os
from pathlib import Path

from mediatheque.storage.local import LocalStore
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.sending import Sending, Source
from mediatheque.storage.stores import Stored
from tests.support.stores import put


class TroubledStore(LocalStore):
    """A local store that fails on some names, for as many times as it is told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, durable=False)
        self.troubles: dict[str, list[Exception]] = {}
        self.sent: list[str] = []

    async def send_file(
        self, source: Source, key: str, *, content_type: str, sending: Sending
    ) -> Stored:
        name = key.rpartition("/")[2]
        self.sent.append(name)
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)
        return await super().send_file(source, key, content_type=content_type, sending=sending)


class LateStore(LocalStore):
    """A local store that the first object reaches only when ``late`` is set, whatever happens."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, durable=False)
        self.begun = asyncio.Event()
        self.late = asyncio.Event()

    async def send_file(
        self, source: Source, key: str, *, content_type: str, sending: Sending
    ) -> Stored:
        if self.begun.is_set():
            return await super().send_file(source, key, content_type=content_type, sending=sending)
        content = os.pread(source.descriptor, source.size, 0)
        self.begun.set()
        await self.late.wait()
        await put(self, key, content)
        raise SendingStoppedError
