"""Reading what a request says about itself."""

from typing import Any

from litestar import Request

from mediatheque.config import Settings

JSON = "application/json"


def base_url(request: Request[Any, Any, Any], settings: Settings) -> str:
    """Return the address under which this client reaches the service, without a final slash."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = request.scope["scheme"]
    host = request.headers.get("host") or f"{settings.host}:{settings.port}"
    return f"{scheme}://{host}"


def content_length(request: Request[Any, Any, Any]) -> int | None:
    """Return the declared length of the body in bytes, or None when there is none."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def media_type_for(request: Request[Any, Any, Any], special: str) -> str:
    """Return ``special`` (a JSON dialect), or plain JSON for a client that accepts only that."""
    accepted = request.headers.get("accept", "*/*")
    plain_only = JSON in accepted and special not in accepted and "*/*" not in accepted
    return JSON if plain_only else special
