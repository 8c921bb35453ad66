"""What the description in OpenAPI says of ``/uploads``: headers and statuses of both protocols."""

from collections.abc import Mapping

from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation
from msgspec import Struct

from mediatheque.doors.http.openapi import BYTES, with_body, with_headers
from mediatheque.doors.uploads import resumption_headers
from mediatheque.doors.uploads.tus_requests import CONTENT_TYPE

_PROTOCOLS = {
    "Tus-Resumable": "1.0.0: the request is one of tus.",
    "Upload-Draft-Interop-Version": "8 or 6: the request is one of HTTP's own.",
}
_OF_BYTES = {
    "Upload-Complete": "HTTP's own: whether nothing comes after the body.",
    "Upload-Checksum": "tus: an algorithm and the base64 of what the body hashes to.",
    "Content-Digest": "HTTP's own: what the body hashes to (RFC 9530).",
    "Repr-Digest": "HTTP's own: what the whole hashes to (RFC 9530).",
}
_LENGTH = {"Upload-Length": "How many bytes the whole has."}
_OF_CREATION = {
    **_LENGTH,
    "Upload-Defer-Length": "tus: 1, when the length is told later.",
    "Upload-Metadata": "tus: pairs of a key and the base64 of a text; what the media becomes.",
    "Upload-Concat": "tus: partial, or final; and the addresses of partial uploads.",
    "Idempotency-Key": "The same creation again, with the same key, is the same upload.",
}
_OFFSET = {"Upload-Offset": "How many bytes come before those of the body."}
_ANSWERED = {
    "Location": "Where the upload is.",
    "Upload-Offset": "How many bytes have arrived.",
    "Upload-Expires": "tus: until when more are waited for.",
    "Upload-Length": "How many bytes the whole has, if that is known.",
    "Upload-Defer-Length": "tus: 1, while the length is not known.",
    "Upload-Metadata": "tus: the description as it was sent.",
    "Upload-Concat": "tus: of what the upload is a part, or consists.",
    "Upload-Complete": "HTTP's own: whether the upload is complete.",
    "Upload-Limit": "HTTP's own: what the server takes.",
    "Accept-Patch": "HTTP's own: the content type of bytes that are added.",
    "Tus-Resumable": "1.0.0.",
    "Tus-Version": "The versions of tus that are spoken.",
    "Tus-Extension": "The extensions of tus that are spoken.",
    "Tus-Max-Size": "How many bytes an upload has at most.",
    "Tus-Checksum-Algorithm": "The algorithms that Upload-Checksum may name.",
}
_ERRORS = {
    400: "A header is missing, or cannot be read, or contradicts what was said before.",
    403: "The upload consists of others, and takes no bytes itself.",
    404: "There is no such upload; or it is no media yet, and there is nothing to download.",
    408: "Nothing came for too long. What had come is kept.",
    409: "The offset is another one, the upload is complete, its address is taken, or another "
    "request took over.",
    410: "Nobody finished the upload in time, and its bytes are gone.",
    412: "The protocol is not said, or not spoken in this version.",
    413: "More bytes than the upload takes. Those that fit are kept.",
    415: "The content type is another one, or the bytes have a content coding.",
    423: "Another request adds to the upload, and does not let go.",
    460: "tus: the bytes do not have the checksum. They are not kept.",
}


class Error(Struct, frozen=True):
    """What went wrong, in a sentence for people; of HTTP's own it is a problem (RFC 9457)."""

    error: str


def answered(*names: str) -> list[ResponseHeader]:
    """Describe these headers of an answer."""
    return [
        # The value is what the type is taken from.
        ResponseHeader(name=name, value="", description=_ANSWERED[name], documentation_only=True)
        for name in ("Tus-Resumable", *names)
    ]


def refused(*statuses: int) -> Mapping[int, ResponseSpec]:
    """Describe the errors that have these statuses."""
    return {
        status: ResponseSpec(Error, description=_ERRORS[status], generate_examples=False)
        for status in statuses
    }


CREATING: type[Operation] = with_body(
    "*/*", BYTES, required=False, headers={**_PROTOCOLS, **_OF_CREATION, **_OF_BYTES}
)
APPENDING: type[Operation] = with_body(
    CONTENT_TYPE,
    BYTES,
    also=(resumption_headers.CONTENT_TYPE,),
    headers={**_PROTOCOLS, **_OFFSET, **_LENGTH, **_OF_BYTES},
)
ASKING: type[Operation] = with_headers(_PROTOCOLS)
