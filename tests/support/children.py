"""A pool whose children do what ``tests.support.hostile`` lets files ask for."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mediatheque.domain.processing import Step
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.rlimits import Limits, limits_for
from mediatheque.processing.tasks import Processed, Task

REPOSITORY = Path(__file__).parents[2]
MEMORY = 512 << 20
TASK = Task(kind="video", steps=(Step.PROBE,), max_pixels=1_000_000)


class Children:
    """Starts children of ``pool``, each with a file and a folder of its own below ``place``."""

    def __init__(self, pool: ProcessingPool, place: Path) -> None:
        self.pool = pool
        self._place = place
        self._number = 0

    def new(self, do: str, **arguments: Any) -> tuple[Path, Path]:
        """Return a file that lets a child do something, and the folder for it."""
        self._number += 1
        folder = self._place / str(self._number)
        folder.mkdir()
        source = self._place / f"{self._number}.bin"
        source.write_text(json.dumps({"do": do, "with": arguments}))
        return source, folder

    async def do(self, do: str, **arguments: Any) -> Any:
        """Let a child do something; return what came of it."""
        return (await self.process(do, **arguments)).meta["result"]

    async def process(self, do: str, **arguments: Any) -> Processed:
        """Let a child do something; return its whole answer."""
        return await self.pool.process(TASK, *self.new(do, **arguments))


@asynccontextmanager
async def opened(
    place: Path,
    *,
    at_once: int = 2,
    limits: Callable[[int, int], Limits] = limits_for,
    steps: str = "tests.support.hostile",
) -> AsyncIterator[Children]:
    """Open a pool for the block."""
    pool = ProcessingPool(at_once=at_once, memory=MEMORY, steps=steps, limits=limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv("MEDIATHEQUE_SECRET_KEY", "a secret of the worker")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "another one")
        try:
            yield Children(pool, place)
        finally:
            await pool.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def children(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Children]:
    """Children of one pool for all tests of a module."""
    async with opened(tmp_path_factory.mktemp("children")) as found:
        yield found


async def started(folder: Path) -> tuple[int, int]:
    """Wait until a child that sleeps has begun; return its process id and that of its parent."""
    async with asyncio.timeout(10):
        while not (folder / "started").exists():
            await asyncio.sleep(0.01)
    child, parent = map(int, (folder / "started").read_text().split())
    return child, parent


async def _sleep(place: Path) -> None:
    async with opened(place) as found:
        await found.process("sleep")


if __name__ == "__main__":  # a worker that can be killed
    os.chdir("/")
    asyncio.run(_sleep(Path(sys.argv[1])))
