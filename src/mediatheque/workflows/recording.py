"""Finishing a recording, as a job."""

from mediatheque.services import Services
from mediatheque.services.job_runs import JobRun


async def run(run: JobRun, services: Services) -> None:
    """Make a film of the chunks that were received."""
    await services.recording_runs.run(run)
