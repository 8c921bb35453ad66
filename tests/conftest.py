"""Fixtures that every test may ask for."""

import functools
import signal
import ssl
from collections.abc import Iterator

import pytest

from tests.support.job_rows import job_classes
from tests.support.listing import project
from tests.support.seaweedfs import seaweedfs
from tests.support.service import local_service, s3_service, service, source_root

__all__ = [
    "job_classes",
    "local_service",
    "project",
    "s3_service",
    "seaweedfs",
    "service",
    "source_root",
]

SHOWN_WHOLE = 200
"""Bytes up to which two values that should be equal are shown."""


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place of the tests' own for what the commands that they run remember of uploads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Let httpx read the certificates of all authorities once, and not for each request alone.

    That took more time than the requests, and the services here speak no TLS.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix files that mostly wait with files that compute, and end with some of the latter.

    While processes wait together nobody uses the processors, and at the end of the longest file
    the other processes would stand idle.
    """
    files = list(dict.fromkeys(item.path for item in items))
    waiting = [path for path in files if "faults" in path.parts]
    computing = [path for path in files if "faults" not in path.parts]
    turn = {path: 0.6 * n / len(waiting) for n, path in enumerate(waiting)}
    turn |= {path: n / len(computing) for n, path in enumerate(computing)}
    items.sort(key=lambda item: turn[item.path])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why a test was tried once more: what passed then has failed before all the same."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"tried once more: {report.nodeid}", sep="_")
        terminalreporter.write_line(report.longreprtext)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say where two files differ, and how long they are, in place of showing all their bytes."""
    if op != "==" or not isinstance(left, bytes) or not isinstance(right, bytes):
        return None
    if max(len(left), len(right)) <= SHOWN_WHOLE:
        return None
    pairs = enumerate(zip(left, right, strict=False))
    first = next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))
    around = slice(first, first + 16)
    return [
        f"{len(left)} bytes == {len(right)} bytes",
        f"they differ from byte {first} on: {left[around]!r} and {right[around]!r}",
    ]


# A shell starts what it puts into the background deaf to Ctrl-C, and every process that a test
# starts and interrupts would be so, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
