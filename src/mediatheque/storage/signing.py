"""Signed URLs of our own, for stores that have none: a folder speaks no HTTP."""

import base64
import hashlib
import hmac
import time
from uuid import UUID

from mediatheque.domain.errors import ForbiddenError


def content_path(media_id: UUID) -> str:
    """Return the path under which our own signed URLs reach the bytes of a file."""
    return f"/api/file/{media_id}/content"


class Signer:
    """Signs and checks what a URL allows: one method, one path, until one moment.

    HMAC-SHA256 (RFC 2104) over all three, so that no part can be changed on its own.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, method: str, path: str, expires: int) -> str:
        """Return the signature for ``method`` on ``path`` until ``expires`` (Unix seconds)."""
        message = f"{method}\n{path}\n{expires}".encode()
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def signed_url(self, base: str, method: str, path: str, *, expires_in: int) -> str:
        """Return ``base`` + ``path`` with a signature that holds for ``expires_in`` seconds."""
        expires = int(time.time()) + expires_in
        signature = self.sign(method, path, expires)
        return f"{base}{path}?expires={expires}&signature={signature}"

    def verify(self, method: str, path: str, *, expires: str, signature: str) -> None:
        """Return when the signature holds now. Raises ForbiddenError saying why it does not."""
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            raise ForbiddenError("The URL is not signed. Ask for a new one.", field="expires")
        expected = self.sign(method, path, int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise ForbiddenError(
                "The signature of the URL does not fit this method and address. Use the URL "
                "unchanged, or ask for a new one.",
                field="signature",
            )
        if int(expires) < time.time():
            raise ForbiddenError("The URL has expired. Ask for a new one.", field="expires")
