"""The same client for programs without an event loop.

Every verb is written once, in the asynchronous client, and only named here. They run in the event
loop of one background thread, so that this client also works inside notebooks, which have a
running loop, and may be used from several threads.
"""

from types import TracebackType

from mediatheque.client.client import DEFAULT_SERVER, AsyncClient
from mediatheque.client.jobs import Jobs
from mediatheque.client.medias import Medias
from mediatheque.client.portal import Blocking, Portal, waits, yields
from mediatheque.client.recordings import Recordings
from mediatheque.client.syncs import Syncs
from mediatheque.client.transfers import Transfers


class BlockingMedias(Blocking[Medias]):
    """What can be asked of medias."""

    list = yields(Medias.list)
    find = waits(Medias.find)
    upload = waits(Medias.upload)
    read = yields(Medias.read)
    download = waits(Medias.download)
    delete = waits(Medias.delete)
    process = waits(Medias.process)
    add_tags = waits(Medias.add_tags)
    remove_tags = waits(Medias.remove_tags)


class BlockingJobs(Blocking[Jobs]):
    """What can be asked of jobs."""

    list = yields(Jobs.list)
    find = waits(Jobs.find)
    signal = waits(Jobs.signal)
    signal_all = waits(Jobs.signal_all)
    delete = waits(Jobs.delete)
    watch = yields(Jobs.watch)
    wait = waits(Jobs.wait)


class BlockingTransfers(Blocking[Transfers]):
    """What can be asked of transfers. Each one is a job under the same id."""

    create = waits(Transfers.create)
    preview = waits(Transfers.preview)
    list = yields(Transfers.list)
    find = waits(Transfers.find)
    files = yields(Transfers.files)
    signal = waits(Transfers.signal)
    set_bandwidth = waits(Transfers.set_bandwidth)


class BlockingSyncs(Blocking[Syncs]):
    """What can be asked of syncs. Each one is a job, whose id is its ``job``."""

    start = waits(Syncs.start)
    find = waits(Syncs.find)
    running = waits(Syncs.running)
    cancel = waits(Syncs.cancel)
    operations = yields(Syncs.operations)
    schedule = waits(Syncs.schedule)
    schedules = waits(Syncs.schedules)
    unschedule = waits(Syncs.unschedule)


class BlockingRecordings(Blocking[Recordings]):
    """What can be asked of recordings. The id of each one is the resource of its medias."""

    create = waits(Recordings.create)
    add = waits(Recordings.add)
    send = waits(Recordings.send)
    complete = waits(Recordings.complete)
    record = waits(Recordings.record)
    find = waits(Recordings.find)
    list = yields(Recordings.list)
    wait = waits(Recordings.wait)


class Client:
    """``AsyncClient`` for programs without an event loop. Use it with ``with``, or ``close`` it."""

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout: float = 60.0, patience: float = 30.0
    ) -> None:
        self._client = AsyncClient(server, timeout=timeout, patience=patience)
        self._portal = Portal()
        self.medias = BlockingMedias(self._client.medias, self._portal)
        self.jobs = BlockingJobs(self._client.jobs, self._portal)
        self.transfers = BlockingTransfers(self._client.transfers, self._portal)
        self.syncs = BlockingSyncs(self._client.syncs, self._portal)
        self.recordings = BlockingRecordings(self._client.recordings, self._portal)

    def close(self) -> None:
        """Close every connection, and the thread that they are used in.

        What other threads are waiting for ends with RuntimeError. To close it again is harmless.
        """
        if not self._portal.closed:
            self._portal.close(self._client.close())

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
