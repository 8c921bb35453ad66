"""Bytes: the only room that knows object stores."""
