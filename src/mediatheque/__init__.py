"""Mediatheque: receives media, keeps it safely in any object store, and gives it back."""

__version__ = "0.1.0"
