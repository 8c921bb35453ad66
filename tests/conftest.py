"""Fixtures that every test may ask for."""

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
