"""Keeping a client's keys in the database so that only this service can read them."""

import os

import msgspec

from mediatheque.domain.errors import ConflictError
from mediatheque.storage.s3_keys import S3Keys

_PURPOSE = b"mediatheque: keys of S3 stores, AES-256-GCM"
_NONCE_BYTES = 12


class Sealer:
    """Encrypts and authenticates with a key that is derived from the service's ``secret``."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, keys: S3Keys, context: bytes) -> bytes:
        """Return the keys encrypted. ``context`` says what they are for, and is not kept.

        AES-256-GCM (NIST SP 800-38D) with a random nonce, which comes first.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        nonce = os.urandom(_NONCE_BYTES)
        plain = msgspec.msgpack.encode((keys.access_key, keys.secret_key))
        return nonce + AESGCM(self._key()).encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> S3Keys:
        """Return what was sealed for the same ``context``.

        Raises ConflictError when it was sealed with another secret or for another context, or has
        been changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            plain = AESGCM(self._key()).decrypt(nonce, encrypted, context)
        except (InvalidTag, ValueError):
            raise ConflictError(
                "The keys of the store cannot be read any more: the service's secret key is "
                "another than when they were given. Give them again."
            ) from None
        return S3Keys(*msgspec.msgpack.decode(plain, type=tuple[str, str]))

    def _key(self) -> bytes:
        # The library takes 8 MB of memory, which a service without such keys should not pay.
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        return HKDF(hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(self._secret)
