"""Telling a file's type by its first bytes, never by what a client calls it.

Libraries were compared on real files: filetype misses MPEG-TS and some HEIF, puremagic fails on
MPEG-TS, python-magic needs a system library. The signatures are those of the formats'
specifications.
"""

import mimetypes

HEAD_BYTES = 4096
"""How much of a file's beginning is needed."""

UNKNOWN = "application/octet-stream"

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"#EXTM3U", "application/vnd.apple.mpegurl"),
    (b"\xef\xbb\xbf#EXTM3U", "application/vnd.apple.mpegurl"),
    (b"WEBVTT", "text/vtt"),
    (b"\xef\xbb\xbfWEBVTT", "text/vtt"),
)
# Beginnings that plain text can have too; a file of these formats holds a NUL soon after.
_SHORT_PREFIXES = ((b"BM", "image/bmp"), (b"ID3", "audio/mpeg"))
_RIFF = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo", b"WEBP": "image/webp"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
    b"3gp6": "video/3gpp",
}
# An old QuickTime file has no ftyp box; these boxes may come first.
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
# Types that are safe to believe a file name about: plain text, which has no signature.
_TEXT_TYPES = {
    ".txt": "text/plain",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".json": "application/json",
    ".csv": "text/csv",
    ".xml": "application/xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".svg": "image/svg+xml",
    ".md": "text/markdown",
}
# What recordings are, whatever the tables of this machine know.
_EXTENSIONS = {
    "video/webm": ".webm",
    "audio/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/mp4": ".mp4",
    "audio/mp4": ".m4a",
    "video/quicktime": ".mov",
    "video/mp2t": ".ts",
    "video/iso.segment": ".m4s",
    "audio/ogg": ".ogg",
    "video/ogg": ".ogv",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
}


def sniff(head: bytes, filename: str) -> str:
    """Return the media type of a file that begins with ``head``.

    ``head`` is its first ``HEAD_BYTES`` bytes, or all of a shorter file. The name only tells
    apart kinds of text, and decides for files that have no content yet.
    """
    found = _by_prefix(head, _PREFIXES)
    if found is None and b"\0" in head:
        found = _by_prefix(head, _SHORT_PREFIXES) or _by_box(head)
    return found or _by_container(head) or _by_text(head, filename)


def extension_of(media_type: str) -> str:
    """Return the extension, without its dot, that files of a media type are known by."""
    known = _EXTENSIONS.get(media_type) or mimetypes.guess_extension(media_type, strict=False)
    return (known or ".bin").removeprefix(".")


def _by_prefix(head: bytes, prefixes: tuple[tuple[bytes, str], ...]) -> str | None:
    for prefix, media_type in prefixes:
        if head.startswith(prefix):
            return media_type
    return None


def _by_container(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"OggS":
        return "video/ogg" if b"theora" in head[:128] else "audio/ogg"
    if _is_transport_stream(head):
        return "video/mp2t"
    return _mpeg_audio(head)


def _by_box(head: bytes) -> str | None:
    """Recognise ISO base media and QuickTime files by the name of their first box."""
    name = head[4:8]
    if name == b"ftyp":
        return _iso_brand(head)
    if name in {b"styp", b"moof", b"sidx"}:
        return "video/iso.segment"
    return "video/quicktime" if name in _QUICKTIME_BOXES else None


def _iso_brand(head: bytes) -> str:
    """Return the type that the brands of an ISO base media file name (ISO/IEC 14496-12, 4.3)."""
    box = head[8 : max(16, min(int.from_bytes(head[:4], "big"), len(head)))]
    major, compatible = box[:4], [box[i : i + 4] for i in range(8, len(box), 4)]
    if major in {b"mif1", b"msf1"}:
        # A structural brand: what is inside is named by the compatible ones.
        return next((_BRANDS[b] for b in compatible if b in _BRANDS and b != major), "image/heif")
    return _BRANDS.get(major, "video/mp4")


def _is_transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes that each begin with 0x47, optionally behind a 4-byte time code."""
    for start, step in ((0, 188), (4, 192)):
        marks = head[start::step][:4]
        if len(marks) >= 3 and all(mark == 0x47 for mark in marks):
            return True
    return False


def _mpeg_audio(head: bytes) -> str | None:
    """Recognise a frame header of MPEG audio (ISO/IEC 11172-3, 2.4.1.3) or of ADTS AAC."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    layer, bitrate, rate = (head[1] >> 1) & 3, head[2] >> 4, (head[2] >> 2) & 3
    if head[1] & 0xE0 == 0xE0 and layer != 0 and bitrate not in {0, 15} and rate != 3:
        return "audio/mpeg"
    return None


def _by_text(head: bytes, filename: str) -> str:
    _, dot, extension = filename.rpartition(".")
    suffix = dot + extension.lower()
    if not head:
        return _TEXT_TYPES.get(suffix) or mimetypes.guess_type(filename)[0] or UNKNOWN
    if not _looks_like_text(head):
        return UNKNOWN
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<script")):
        return "text/html"
    if b"<svg" in start:
        return "image/svg+xml"
    return _TEXT_TYPES.get(suffix, "text/plain")


def _looks_like_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The head may end within a character.
        return len(head) == HEAD_BYTES and error.start > len(head) - 4
    return True
