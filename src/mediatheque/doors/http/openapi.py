"""Describing in OpenAPI what routes read on their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

BYTES = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
"""A body, or a field of a form, that is a file."""

RANGE = {"Range": "Which bytes are wanted, as in bytes=0-99 (RFC 9110)."}
"""What a download reads of its headers."""


def with_parameters(
    parameters: Mapping[str, str],
    *,
    schemas: Mapping[str, Schema] | None = None,
    headers: Mapping[str, str] | None = None,
) -> type[Operation]:
    """Return the class of an operation with these query parameters: name and description.

    They are texts, except for those that have one of ``schemas``. It also reads these headers.
    """

    @dataclass
    class WithParameters(Operation):
        def __post_init__(self) -> None:
            self.parameters = [
                *(self.parameters or []),
                *_declared(parameters, schemas=schemas or {}),
                *_declared(headers or {}, place="header"),
            ]

    return WithParameters


def with_headers(headers: Mapping[str, str]) -> type[Operation]:
    """Return the class of an operation that reads these headers: name and description."""

    @dataclass
    class WithHeaders(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *_declared(headers, place="header")]

    return WithHeaders


def with_body(
    media_type: str,
    schema: Schema,
    *,
    also: Sequence[str] = (),
    required: bool = True,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> type[Operation]:
    """Return the class of an operation that reads a body of this type, or ``also`` of others.

    It also reads these query parameters and headers: name and description.
    """

    @dataclass
    class WithBody(Operation):
        def __post_init__(self) -> None:
            # The framework passes None for routes whose body it does not read itself.
            content = {one: OpenAPIMediaType(schema=schema) for one in (media_type, *also)}
            self.request_body = RequestBody(content=content, required=required)
            self.parameters = [
                *(self.parameters or []),
                *_declared(parameters or {}),
                *_declared(headers or {}, place="header"),
            ]

    return WithBody


def _declared(
    parameters: Mapping[str, str],
    *,
    place: Literal["query", "header"] = "query",
    schemas: Mapping[str, Schema] = MappingProxyType({}),
) -> list[Parameter]:
    return [
        Parameter(
            name=name,
            param_in=place,
            description=description,
            schema=schemas.get(name, Schema(type=OpenAPIType.STRING)),
        )
        for name, description in parameters.items()
    ]
