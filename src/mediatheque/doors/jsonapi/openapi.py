"""Describing in OpenAPI what can be asked of collections."""

from collections.abc import Iterable

from mediatheque.doors.jsonapi.query import Collection


def filter_parameters(collection: Collection) -> dict[str, str]:
    """Return the filters of a collection: name and description."""

    def described(suffix: str, fields: Iterable[str], text: str) -> dict[str, str]:
        return {f"filter[{name}{suffix}]": text for name in fields}

    return {
        **described("", collection.fields, "Equal to this; `[]` after it for one of several."),
        **described("__in", collection.fields, "One of these, comma-separated."),
        **described("__gte", sorted(collection.ranges), "At least this."),
        **described("__lte", sorted(collection.ranges), "At most this."),
    }


def fields_parameter(collection: Collection) -> dict[str, str]:
    """Return the parameter that chooses attributes."""
    return {f"fields[{collection.type}]": "Attributes to answer with, comma-separated."}


def list_parameters(collection: Collection) -> dict[str, str]:
    """Return everything that can be asked of a list: name and description."""
    return {
        "page[number]": "Page, from 1.",
        "page[size]": "Resources per page, 1 to 1000; default 1000.",
        "page[after]": "Cursor from `links.next`; empty for the first page. As fast on any page.",
        "sort": "Fields, comma-separated, `-` before a descending one; default `id`.",
        "count": "`true`: `meta.count` and `meta.more`, exact.",
        **fields_parameter(collection),
        **filter_parameters(collection),
    }
