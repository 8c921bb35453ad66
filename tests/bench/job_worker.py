"""A job worker process for measuring: ``python -m tests.bench.job_worker``."""

import asyncio
import os

from mediatheque.config import read_settings
from mediatheque.engine.worker import QueueLimits
from mediatheque.runtime import open_runtime
from mediatheque.services.job_runs import JobRun
from mediatheque.telemetry.logs import configure_logs
from mediatheque.worker import run_jobs

QUEUE = "bench"
AT_ONCE = 10
"""How many jobs one process runs at once."""


async def nothing(run: JobRun) -> None:
    """Do nothing."""


async def wait(run: JobRun) -> None:
    """Run until told to stop."""
    await run.stopping.wait()
    run.check()


def main() -> None:
    """Run until stopped."""
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)

    async def run() -> None:
        runtime = open_runtime(settings)
        workflows = {"nothing": nothing, "wait": wait}
        await run_jobs(runtime, workflows, {QUEUE: QueueLimits(per_process=AT_ONCE)})
        await runtime.close()

    asyncio.run(run())


if __name__ == "__main__":
    main()
