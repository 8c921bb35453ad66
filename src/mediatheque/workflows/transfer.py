"""A transfer, as a job; also one that moves only when it is called, segment by segment."""

from mediatheque.services import Services
from mediatheque.services.job_runs import JobRun


async def run(run: JobRun, services: Services) -> None:
    """Find the files and send them to the store."""
    await services.transfer_runs.run(run)
