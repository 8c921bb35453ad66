"""Small real media files, made on the spot."""

import math
import struct
import wave
import zlib
from pathlib import Path


def make_samples(folder: Path) -> list[Path]:
    """Write a picture, a sound and a video into ``folder`` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = [folder / "gradient.png", folder / "tone.wav", folder / "sweep.avi"]
    _write_png(samples[0], width=640, height=360)
    _write_wav(samples[1], seconds=30, rate=44_100)
    _write_avi(samples[2], width=160, height=96, frames=75, rate=25)
    return samples


def _write_png(path: Path, *, width: int, height: int) -> None:
    """A colour gradient (PNG specification, 3rd edition)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(
        b"\0" + bytes(c for x in range(width) for c in (x * 255 // width, y * 255 // height, 128))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _write_wav(path: Path, *, seconds: int, rate: int) -> None:
    """A tone of 440 Hz, stereo, 16 bits."""
    period = [int(20_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate)]
    second = b"".join(struct.pack("<hh", value, value) for value in period)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for _ in range(seconds):
            sound.writeframes(second)


def _write_avi(path: Path, *, width: int, height: int, frames: int, rate: int) -> None:
    """A bar that moves to the right: uncompressed pictures in a RIFF AVI file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def listed(kind: bytes, *chunks: bytes) -> bytes:
        return chunk(b"LIST", kind + b"".join(chunks))

    size = width * height * 3
    main = struct.pack(
        "<14I", 1_000_000 // rate, size * rate, 0, 0x10, frames, 0, 1, size, width, height, *[0] * 4
    )
    stream = b"vidsDIB " + struct.pack(
        "<IHHIIIIIIII4H", 0, 0, 0, 0, 1, rate, 0, frames, size, 0, size, 0, 0, width, height
    )
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    headers = listed(
        b"hdrl",
        chunk(b"avih", main),
        listed(b"strl", chunk(b"strh", stream), chunk(b"strf", bitmap)),
    )
    pictures = []
    for frame in range(frames):
        bar = frame * (width - 8) // frames
        row = b"\x20\x20\x20" * bar + b"\xff\xc0\x40" * 8 + b"\x20\x20\x20" * (width - 8 - bar)
        pictures.append(chunk(b"00db", row * height))
    movie = listed(b"movi", *pictures)
    path.write_bytes(chunk(b"RIFF", b"AVI " + headers + movie))
