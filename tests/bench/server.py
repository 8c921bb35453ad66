"""The real service as a real process, as an operator would start it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.bench.client import Connection
from tests.bench.machine import Address, free_address
from tests.bench.outcome import BenchError
from tests.bench.probe import SELDOM_SECONDS, Probe, family
from tests.support.service import is_worker

_START_SECONDS = 120
_STOP_SECONDS = 60
_DATABASE = "postgres"


class Service:
    """A running Mediatheque with a data directory of its own."""

    def __init__(self, address: Address, data_dir: Path, process: psutil.Process) -> None:
        self.address = address
        self.data_dir = data_dir
        self._process = process

    def probe(self, *, pss_seconds: float = SELDOM_SECONDS) -> Probe:
        """Return a probe: the time of all processes, the memory of all but the database's."""
        return Probe(self._processes, self.own_processes, pss_seconds=pss_seconds)

    def own_processes(self) -> list[psutil.Process]:
        """Return the processes that run our code: everything but the embedded PostgreSQL."""
        return [process for process in self._processes() if not is_database(process)]

    def worker_processes(self) -> list[psutil.Process]:
        """Return the job worker and what descends from it."""
        workers = [process for process in self.own_processes() if is_worker(process)]
        return [member for worker in workers for member in family(worker)]

    def database_processes(self) -> list[psutil.Process]:
        """Return the processes of the embedded PostgreSQL."""
        return [process for process in self._processes() if is_database(process)]

    def kill(self) -> None:
        """Kill every process with SIGKILL, as a power cut would."""
        everything = self._processes()
        for process in everything:
            with suppress(psutil.NoSuchProcess):  # it may have ended with another
                process.kill()
        psutil.wait_procs(everything, timeout=_STOP_SECONDS)

    def _processes(self) -> list[psutil.Process]:
        return family(self._process)


@contextmanager
def running(
    directory: Path, settings: Mapping[str, str] | None = None, *, again: bool = False
) -> Iterator[Service]:
    """Run ``mediatheque serve`` on a fresh data directory for the length of a block.

    With ``again`` on the data directory that an earlier block left. Everything is as shipped but
    for ``settings`` (``MEDIATHEQUE_…`` variables); what the caller's own environment says of
    Mediatheque is left out.

    :raises BenchError: it does not start or stop, or the block raised it; says what it wrote last.
    """
    address = free_address()
    data_dir = directory / "data"
    directory.mkdir(parents=True, exist_ok=again)
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("mediatheque"), "serve"],
            env=environment(
                data_dir,
                {
                    "MEDIATHEQUE_HOST": address.host,
                    "MEDIATHEQUE_PORT": str(address.port),
                    **(settings or {}),
                },
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the run, and the run ends the service
        )
    try:
        _wait_until_ready(address, process)
        yield Service(address, data_dir, psutil.Process(process.pid))
    except BenchError as error:
        state = "still runs" if process.poll() is None else f"ended with {process.returncode}"
        last_words = log.read_text(errors="replace")[-3000:]
        raise BenchError(f"{error}\nThe service {state}; it wrote last:\n{last_words}") from error
    finally:
        _stop(process)


def environment(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment with these settings of Mediatheque and no other ones."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("MEDIATHEQUE_")
    }
    return {**inherited, "MEDIATHEQUE_DATA_DIR": str(data_dir), **settings}


def _wait_until_ready(address: Address, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    refusal = "it listens on nothing"
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        if not address.accepts_connections():
            continue
        client = Connection(address)
        try:
            client.get("/ready")
        except BenchError as error:
            refusal = str(error)
        else:
            return
        finally:
            client.close()
    raise BenchError(f"The service did not start: {refusal}.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    started = [] if process.poll() is not None else family(psutil.Process(process.pid))
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchError(f"The service did not stop within {_STOP_SECONDS} s.") from None
    finally:
        for left_over in started:
            if left_over.is_running():
                left_over.kill()


def is_database(process: psutil.Process) -> bool:
    """Tell whether this is PostgreSQL, or one of its processes."""
    try:
        return bool(process.name() == _DATABASE)
    except psutil.NoSuchProcess:
        return False
