"""Errors of the library."""

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, error_with_field

DOOR = Door(name="library", prefixes=("/library",), statuses=COMMON_STATUSES, body=error_with_field)
