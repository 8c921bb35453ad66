"""The BLAKE3 of a file that stays where it is."""

from blake3 import blake3

from mediatheque.storage.sending import READ_BYTES, Source, check_unchanged, read_source


def hash_source(source: Source) -> str:
    """Return the BLAKE3 of a file, 64 hexadecimal digits. Blocks.

    Raises SourceChangedError and SourceReadError.
    """
    digest = blake3()
    buffer = memoryview(bytearray(min(READ_BYTES, source.size)))
    for offset in range(0, source.size, READ_BYTES):
        piece = buffer[: source.size - offset]
        read_source(source.descriptor, offset, piece)
        digest.update(piece)
    check_unchanged(source)
    return digest.hexdigest()
