"""Errors of the medias of door 3."""

from mediatheque.doors.jsonapi.errors import json_api_door

DOOR = json_api_door("medias", "/medias", "/api/v1/media")
