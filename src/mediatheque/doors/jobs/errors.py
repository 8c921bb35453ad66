"""Errors of the jobs of door 3."""

from mediatheque.doors.jsonapi.errors import json_api_door

DOOR = json_api_door("jobs", "/jobs", "/api/v1/media/jobs")
