"""Errors of the stream of events, before it begins."""

from mediatheque.doors.jsonapi.errors import json_api_door

DOOR = json_api_door("events", "/events")
