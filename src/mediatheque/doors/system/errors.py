"""Errors of the system."""

from mediatheque.doors.http.problems import COMMON_STATUSES, Door, error_with_field

DOOR = Door(name="system", prefixes=("/system",), statuses=COMMON_STATUSES, body=error_with_field)
