"""A job worker process with workflows for tests: ``python -m tests.support.job_worker``.

What they do is written to the table ``effects``, with the number of the claim that did it.
"""

import asyncio
import os
import time
from functools import partial

from sqlalchemy import text

from mediatheque.config import read_settings
from mediatheque.domain.errors import UnavailableError
from mediatheque.engine.worker import QueueLimits
from mediatheque.runtime import Runtime, open_runtime
from mediatheque.services.job_runs import JobFailedError, JobRun, Workflow, patiently
from mediatheque.telemetry.logs import configure_logs
from mediatheque.worker import run_jobs

EFFECTS = """
CREATE TABLE effects (
    job_id uuid NOT NULL, epoch int NOT NULL, what text NOT NULL, worker int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
LIMITS = {
    "free": QueueLimits(per_process=10),
    "narrow": QueueLimits(per_process=2),
    "global": QueueLimits(per_process=2, everywhere=3),
}

_here: dict[str, int] = dict.fromkeys(LIMITS, 0)


async def effect(runtime: Runtime, run: JobRun, what: str) -> None:
    """Write an effect, as a workflow writes anything that only the newest claim may write."""

    async def write() -> None:
        async with runtime.database.begin() as transaction:
            await run.still_holds(transaction)
            await transaction.execute(
                text("INSERT INTO effects VALUES (:job, :epoch, :what, :worker)"),
                {"job": run.id, "epoch": run.epoch, "what": what, "worker": os.getpid()},
            )

    await patiently(write)


async def steps(run: JobRun, runtime: Runtime) -> None:
    """Go ``steps`` steps of ``seconds`` each, one checkpoint after each."""
    queue = run.arguments.get("queue", "free")
    _here[queue] += 1
    try:
        if _here[queue] > LIMITS[queue].per_process:
            await effect(runtime, run, "too many")
        first = (run.checkpoint or {}).get("done", 0)
        for step in range(first, run.arguments["steps"]):
            await asyncio.sleep(run.arguments["seconds"])
            done = step + 1
            await run.save(
                progress=done / run.arguments["steps"], checkpoint={"done": done}, force=True
            )
        await effect(runtime, run, "done")
    finally:
        _here[queue] -= 1


async def stubborn(run: JobRun, runtime: Runtime) -> None:
    """Block the whole process, heartbeats included, for ``seconds``; then write."""
    time.sleep(run.arguments["seconds"])
    await effect(runtime, run, "done")


async def fail(run: JobRun, runtime: Runtime) -> None:
    """Fail the first ``times`` runs; ``for_good``: in a way that is not tried again."""
    if run.retry_count < run.arguments["times"]:
        if run.arguments.get("for_good"):
            raise JobFailedError("This cannot work.")
        raise UnavailableError(f"The other side is away, attempt {run.retry_count + 1}.")
    await effect(runtime, run, "done")


async def break_down(run: JobRun) -> None:
    """Raise something that nobody foresaw, holding something that is nobody's business."""
    raise ValueError("password=hunter2")


async def die(run: JobRun) -> None:
    """Kill the process."""
    os.kill(os.getpid(), 9)


def main() -> None:
    """Run until stopped."""
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)

    async def run() -> None:
        runtime = open_runtime(settings)
        workflows: dict[str, Workflow] = {
            "steps": partial(steps, runtime=runtime),
            "stubborn": partial(stubborn, runtime=runtime),
            "fail": partial(fail, runtime=runtime),
            "break_down": break_down,
            "die": die,
        }
        await run_jobs(runtime, workflows, LIMITS)
        await runtime.close()

    asyncio.run(run())


if __name__ == "__main__":
    main()
