"""The janitor's round, as a job."""

from mediatheque.services import Services
from mediatheque.services.job_runs import JobRun

JOB_CLASS = "janitor"
QUEUE = "maintenance"


async def run(run: JobRun, services: Services) -> None:
    """Remove what crashes and clients left behind."""
    run.check()
    await services.janitor.sweep()
