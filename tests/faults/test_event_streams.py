"""Hundreds of open streams of events: the database crashes, the service stops."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from tests.faults.remains import wait_until
from tests.support.job_rows import enqueue
from tests.support.service import Service, is_worker, running, weigh

STREAMS = 200
MEMORY_PER_STREAM = 100_000
STOP_SECONDS = 10  # a third of what it has at most


class Listener:
    """One open stream and the numbers of the events it brought."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader = reader
        self.numbers: list[int] = []

    async def hear(self, until: str) -> None:
        """Read on until an event tells of this job."""
        number = 0
        while until not in (line := (await self.reader.readline()).decode()):
            assert line, "the stream has ended"
            if line.startswith("id: "):
                number = int(line.removeprefix("id: "))
            elif line.startswith("data: "):
                self.numbers.append(number)

    async def end(self) -> bytes:
        """Return what is left until the service closes the connection."""
        return await self.reader.read()


@contextlib.asynccontextmanager
async def listeners(
    service: Service, count: int, *, path: str = "/events", begins: bytes = b"id: "
) -> AsyncIterator[list[Listener]]:
    """Open so many streams of everything; each has begun."""
    writers = []
    opened = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n\r\n".encode())
        writers.append(writer)
        opened.append(Listener(reader))
    for listener in opened:
        while not (await listener.reader.readline()).startswith(begins):
            pass
    try:
        yield opened
    finally:
        for writer in writers:
            writer.close()


def memory(service: Service) -> int:
    """Return what the web processes hold for themselves, in bytes."""
    web = [process for process in service.processes()[1:] if not is_worker(process)]
    return weigh(web, lambda process: process.memory_full_info().uss)


def crash_database(service: Service) -> None:
    """Kill the embedded database; it is started again by itself."""
    file = service.data_dir / "postgres" / "data" / "postmaster.pid"
    process = psutil.Process(int(file.read_text().splitlines()[0]))
    os.kill(process.pid, signal.SIGQUIT)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: service.http.get("/ready").status_code == 200)


async def test_streams_survive_the_database_and_end_with_the_service(tmp_path: Path) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"}) as service:
        async with listeners(service, 20):  # what the first ones take is not taken for each
            await asyncio.to_thread(enqueue, service)
        before = await asyncio.to_thread(memory, service)
        changes = listeners(service, 10, path="/library/changes", begins=b": ")
        async with listeners(service, STREAMS) as streams, changes as others:
            first = await asyncio.to_thread(enqueue, service)
            async with asyncio.timeout(20):
                await asyncio.gather(*(stream.hear(str(first.id)) for stream in streams))
            grown = await asyncio.to_thread(memory, service) - before
            assert grown < STREAMS * MEMORY_PER_STREAM

            await asyncio.to_thread(crash_database, service)
            jobs = [await asyncio.to_thread(enqueue, service) for _ in range(3)]
            async with asyncio.timeout(20):
                for job in jobs:
                    await asyncio.gather(*(stream.hear(str(job.id)) for stream in streams))
            for stream in streams:
                assert stream.numbers == sorted(set(stream.numbers))
                assert stream.numbers == streams[0].numbers

            began = time.monotonic()
            assert await asyncio.to_thread(service.stop) == 0
            assert time.monotonic() - began < STOP_SECONDS
            ends = await asyncio.gather(*(stream.end() for stream in [*streams, *others]))
            assert all(end.endswith(b"0\r\n\r\n") for end in ends), "a stream was cut off"
