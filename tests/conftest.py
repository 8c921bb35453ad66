"""Fixtures that every test may ask for."""

from tests.support.seaweedfs import seaweedfs
from tests.support.service import local_service, s3_service, service

__all__ = ["local_service", "s3_service", "seaweedfs", "service"]
