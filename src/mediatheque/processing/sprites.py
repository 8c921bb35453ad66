"""A sheet of small pictures for the preview above a player's time line."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from mediatheque.processing.frames import key_frame, upright
from mediatheque.processing.opening import Film

MOST_TILES, COLUMNS = 100, 10
_SECONDS_A_TILE = 1.0
BOX = (160, 320)
"""Largest width and height of a tile."""


def make_sprite(
    film: Film, duration: float, folder: Path, report: Callable[[float], None]
) -> tuple[str, ...]:
    """Write ``sprite.webp`` and ``sprite.vtt``: a tile for each second, but at most a hundred.

    Only key frames are decoded: a tile shows the last one before the middle of its time, and all
    times before the next one share it. The WebVTT file names the part of the sheet by a media
    fragment (W3C Media Fragments 1.0, 4.2.2). Returns the names of the files; none when no picture
    can be decoded.
    """
    count = max(1, min(MOST_TILES, int(duration / _SECONDS_A_TILE)))
    step = duration / count
    tiles: list[Image.Image] = []
    spans: list[tuple[float, float, int]] = []
    have: int | None = None
    for number in range(count):
        report(number / count)
        frame = key_frame(film, (number + 0.5) * step, besides=have)
        if frame is not None and film.video is not None:
            tiles.append(upright(frame, BOX, film.video.sample_aspect_ratio))
            have = frame.pts
        if tiles:
            spans.append((number * step, (number + 1) * step, len(tiles) - 1))
    if not tiles:
        return ()
    _write_sheet(tiles, folder / "sprite.webp")
    _write_cues(spans, tiles[0].size, folder / "sprite.vtt")
    return "sprite.webp", "sprite.vtt"


def _place(tile: int, size: tuple[int, int]) -> tuple[int, int]:
    return tile % COLUMNS * size[0], tile // COLUMNS * size[1]


def _write_sheet(tiles: list[Image.Image], path: Path) -> None:
    width, height = tiles[0].size
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (width * min(COLUMNS, len(tiles)), height * rows))
    for number, tile in enumerate(tiles):
        # The picture may have changed its shape on the way.
        fitted = tile if tile.size == (width, height) else tile.resize((width, height))
        sheet.paste(fitted, _place(number, (width, height)))
    sheet.save(path, quality=60, method=2)


def _write_cues(spans: list[tuple[float, float, int]], size: tuple[int, int], path: Path) -> None:
    cues = ["WEBVTT\n"]
    for start, end, tile in spans:
        x, y = _place(tile, size)
        cues.append(
            f"{_clock(start)} --> {_clock(end)}\nsprite.webp#xywh={x},{y},{size[0]},{size[1]}\n"
        )
    path.write_text("\n".join(cues), encoding="utf-8")


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
