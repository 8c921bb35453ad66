"""Why a sync ends in an error."""

from mediatheque.services.job_runs import JobFailedError

CONNECTION = "s3 storage connection"
"""Reason of every sync whose store does not answer, or refuses its keys."""


class SyncFailedError(JobFailedError):
    """The sync ends: ``detail`` is a sentence, ``reason`` the few words its status shows."""

    def __init__(self, detail: str, *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason or detail.rstrip(".")
