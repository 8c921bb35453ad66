"""A sync, as a job; also one that watches its folder and never ends by itself."""

from mediatheque.services import Services
from mediatheque.services.job_runs import JobRun


async def run(run: JobRun, services: Services) -> None:
    """Make the bucket what the folder is."""
    await services.sync_runs.run(run)
