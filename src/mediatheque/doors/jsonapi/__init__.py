"""JSON:API (https://jsonapi.org/format/1.1/), for the doors that speak it."""
