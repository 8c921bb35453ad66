"""Fixtures that every test may ask for."""

from tests.support.listing import project
from tests.support.seaweedfs import seaweedfs
from tests.support.service import local_service, s3_service, service

__all__ = ["local_service", "project", "s3_service", "seaweedfs", "service"]
