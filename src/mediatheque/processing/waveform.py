"""How loud a sound is over its time."""

import json
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import av

from mediatheque.processing.opening import Film, seconds

MOST_PEAKS = 1000
WHOLE = 600.0
"""Seconds up to which all of a sound is decoded; of a longer one, as much in even portions."""
_RATE = 8000
_WINDOW = 0.02
"""Seconds of one peak of a short sound; no shorter ones are told apart."""
_FULL = 32_768


def make_waveform(
    film: Film, duration: float, folder: Path, report: Callable[[float], None]
) -> tuple[str, ...]:
    """Write ``waveform.json``: ``duration`` in seconds and up to 1000 ``peaks`` from 0 to 1.

    Each peak is the loudest moment of an equally long part of the sound. Returns the name of the
    file; none without sound that can be decoded.
    """
    count = max(1, min(MOST_PEAKS, int(duration / _WINDOW)))
    peaks = [0] * count
    heard = False
    for time, samples in _samples(film, duration, count, report):
        heard = True
        _raise(peaks, samples, first=time / duration * count, per_sample=count / duration / _RATE)
    if not heard:
        return ()
    body = {"duration": round(duration, 3), "peaks": [round(peak / _FULL, 3) for peak in peaks]}
    (folder / "waveform.json").write_text(json.dumps(body, separators=(",", ":")), "utf-8")
    return ("waveform.json",)


def _samples(
    film: Film, duration: float, count: int, report: Callable[[float], None]
) -> "Iterator[tuple[float, array[int]]]":
    """Yield the time in seconds and the samples of each decoded piece of the sound."""
    audio = film.audio
    if audio is None or duration <= 0:
        return
    start = seconds(audio.start_time, audio) or 0.0
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    part, portion = duration / count, min(1.0, WHOLE / duration)
    due, is_settled = 0.0, True
    for packet in film.container.demux(audio):
        time = max(0.0, (seconds(packet.pts, audio) or start) - start)
        if time % part > part * portion:
            is_settled = False
            continue
        if time >= due:
            report(min(1.0, time / duration))
            due = time + duration / 100
        try:
            frames = [piece for frame in packet.decode() for piece in resampler.resample(frame)]
        except (av.FFmpegError, ValueError):
            continue
        if not is_settled:
            # What a decoder makes of the first packet behind a leap is not what was recorded.
            is_settled = True
            continue
        for frame in frames:
            samples = array("h", bytes(frame.planes[0])[: frame.samples * 2])
            yield time, samples


def _raise(peaks: list[int], samples: "array[int]", *, first: float, per_sample: float) -> None:
    """Raise the peaks that samples from position ``first`` on exceed."""
    begin, last = 0, len(peaks) - 1
    while begin < len(samples):
        number = int(first + begin * per_sample)
        end = min(len(samples), max(begin + 1, int((number + 1 - first) / per_sample)))
        piece = samples[begin:end]
        number = min(number, last)
        highest, lowest = max(piece), min(piece)
        peaks[number] = max(peaks[number], highest, -lowest)
        begin = end
