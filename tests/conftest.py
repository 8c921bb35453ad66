"""Fixtures that every test may ask for."""

from tests.support.seaweedfs import seaweedfs

__all__ = ["seaweedfs"]
