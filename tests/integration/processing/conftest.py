"""Fixtures of tests that start children."""

from tests.support.children import children

__all__ = ["children"]
