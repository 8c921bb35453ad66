"""What operators and their tools ask: is it alive, is it ready, how is it doing."""

from typing import Any

from litestar import Response, Router, get
from msgspec import Struct

from mediatheque.doors.dependencies import GivenServices
from mediatheque.doors.http.problems import COMMON_STATUSES, Door, Problem
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.telemetry import metrics


@get("/openapi.json", include_in_schema=False)
async def openapi(request: AnyRequest) -> Response[dict[str, Any]]:
    """Return the description of all doors in OpenAPI 3.1."""
    return Response(request.app.openapi_schema.to_schema())


class Ready(Struct, frozen=True):
    """``status`` is ``ready`` or ``unavailable``; per part ``ok`` or what is wrong with it.

    ``warnings`` are sentences for the operator; they do not make the service unavailable.
    """

    status: str
    checks: dict[str, str]
    warnings: list[str]
    free_bytes: int | None


@get("/health", summary="Is the process alive?")
async def health() -> Response[bytes]:
    """Answer with an empty body."""
    return Response(b"", media_type="text/plain")


@get("/ready", summary="Can requests be served?")
async def ready(services: GivenServices) -> Response[Ready]:
    """Check the database, the job workers, the store and the disk; 503 when one is not well."""
    found = await services.admin.readiness()
    answer = Ready(
        status="ready" if found.ready else "unavailable",
        checks=found.parts,
        warnings=found.warnings,
        free_bytes=found.free_bytes,
    )
    return Response(answer, status_code=200 if found.ready else 503)


@get("/metrics", summary="Prometheus metrics", sync_to_thread=True)
def prometheus() -> Response[bytes]:
    """Return the metrics of all web processes in the Prometheus text format."""
    return Response(metrics.render_metrics(), media_type=metrics.CONTENT_TYPE)


def _body(problem: Problem) -> dict[str, Any]:
    return {"error": problem.detail}


DOOR = Door(name="health", prefixes=("/health",), statuses=COMMON_STATUSES, body=_body)
"""Also answers for addresses that belong to no door."""

router = Router("/", route_handlers=[health, ready, prometheus, openapi], tags=["health"])
