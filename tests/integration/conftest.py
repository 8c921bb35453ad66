"""Fixtures of tests that need a database but no service."""

from tests.support.database import database, database_url, empty_database_url, postgres_url

__all__ = ["database", "database_url", "empty_database_url", "postgres_url"]
