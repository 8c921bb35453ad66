"""Looking into medias, and making others of them, as a job."""

from mediatheque.services import Services
from mediatheque.services.job_runs import JobRun


async def run(run: JobRun, services: Services) -> None:
    """Do the steps that were asked for with each of the job's medias."""
    await services.processing_runs.run(run)
