"""Rows: the only room that knows SQL."""
