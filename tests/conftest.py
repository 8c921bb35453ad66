"""Fixtures that every test may ask for."""

import signal
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


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place of the tests' own for what the commands that they run remember of uploads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait most: at the end, other processes would stand idle."""
    items.sort(key=lambda item: "faults" not in item.path.parts)


# A shell starts what it puts into the background deaf to Ctrl-C, and every process that a test
# starts and interrupts would be so, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
