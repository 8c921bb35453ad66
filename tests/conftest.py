"""Fixtures that every test may ask for."""

import signal

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

# A shell starts what it puts into the background deaf to Ctrl-C, and every process that a test
# starts and interrupts would be so, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
