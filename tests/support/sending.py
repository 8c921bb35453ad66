"""Files to send into a store, and a caller that keeps what it hears."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mediatheque.storage.pace import Pace
from mediatheque.storage.sources import SourceFile
from mediatheque.storage.stores import Store, Stored

KEY = "originals/1/object"


@dataclass
class Recorder:
    """A ``Sending``. ``on_advance`` is called with all bytes so far, by whichever thread sends."""

    upload_id: str | None = None
    pace: Pace = field(default_factory=Pace)
    stop: threading.Event = field(default_factory=threading.Event)
    on_advance: Callable[[int], None] = lambda _total: None
    upload_ids: list[str] = field(default_factory=list)
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def begun(self, upload_id: str) -> None:
        self.upload_ids.append(upload_id)

    def advanced(self, count: int) -> None:
        with self._lock:
            self.total += count
            total = self.total
        self.on_advance(total)


def open_source(path: Path) -> SourceFile:
    """Open a file as transfers do."""
    descriptor = os.open(path, os.O_RDONLY)
    return SourceFile(descriptor, os.fstat(descriptor))


async def send(
    store: Store,
    path: Path,
    key: str = KEY,
    *,
    sending: Recorder | None = None,
    content_type: str = "video/mp4",
) -> Stored:
    """Send one file."""
    with open_source(path) as source:
        return await store.send_file(
            source, key, content_type=content_type, sending=sending or Recorder()
        )
