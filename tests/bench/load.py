"""Constant load: as many answers as a server gives to 32 connections in five seconds."""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

from tests.bench.machine import Address
from tests.bench.outcome import BenchError

CONNECTIONS = 32
SECONDS = 5
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What came back: answers per second, and the time that 99 of 100 did not exceed."""

    per_second: float
    p99_milliseconds: float


def find() -> str | None:
    """Return the path of ``wrk``, or None when this machine has none."""
    return shutil.which("wrk")


def apply(wrk: str | None, address: Address, target: str) -> Load:
    """Load a server with GETs of one path, by ``wrk`` or else by a generator of our own.

    The own one takes more of the processors away from the server, so it tells less.

    :raises BenchError: an answer was not 2xx, or a connection broke.
    """
    return asyncio.run(_own(address, target)) if wrk is None else _wrk(wrk, address, target)


def _wrk(wrk: str, address: Address, target: str) -> Load:
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", f"{address}{target}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", said.stdout)
    if "Non-2xx" in said.stdout or "Socket errors" in said.stdout or not (per_second and p99):
        raise BenchError(f"wrk on {target}: {said.stdout}{said.stderr}")
    return Load(float(per_second[1]), float(p99[1]) * _UNITS[p99[2]])


async def _own(address: Address, target: str) -> Load:
    request = f"GET {target} HTTP/1.1\r\nHost: {address.host}\r\n\r\n".encode()
    started = time.perf_counter()
    deadline = started + SECONDS
    clients = [_client(address, request, deadline) for _ in range(CONNECTIONS)]
    milliseconds = sorted(taken for client in await asyncio.gather(*clients) for taken in client)
    elapsed = time.perf_counter() - started
    return Load(len(milliseconds) / elapsed, milliseconds[99 * len(milliseconds) // 100])


async def _client(address: Address, request: bytes, deadline: float) -> list[float]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    taken: list[float] = []
    try:
        while (started := time.perf_counter()) < deadline:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if not head.startswith(b"HTTP/1.1 2") or length is None:
                raise BenchError(f"answer under load: {head!r}")
            await reader.readexactly(int(length[1]))
            taken.append((time.perf_counter() - started) * 1000)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise BenchError(f"a connection broke under load ({error!r})") from error
    finally:
        writer.close()
    return taken
