"""multipart/form-data written by hand, so that a test decides every byte of it."""

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, value: bytes, *more_headers: str) -> bytes:
    """Return one part; ``disposition`` is what follows ``form-data;`` in its header."""
    lines = [f"Content-Disposition: form-data; {disposition}", *more_headers]
    return f"--{BOUNDARY}\r\n".encode() + "\r\n".join([*lines, "", ""]).encode() + value + b"\r\n"


def text_field(name: str, value: str) -> bytes:
    """Return the part of a small field."""
    return part(f'name="{name}"', value.encode())


def file_field(value: bytes, *, name: str = "media", filename: str = "file.bin") -> bytes:
    """Return the part of a file, as browsers write it."""
    return part(
        f'name="{name}"; filename="{filename}"', value, "Content-Type: application/octet-stream"
    )


def form(*parts: bytes) -> bytes:
    """Return the body that holds these parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
