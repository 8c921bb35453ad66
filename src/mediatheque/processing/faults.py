"""What is wrong with a film or a sound, in sentences for people who know no codecs."""

from typing import Any

import av

from mediatheque.processing.inspection import ENOUGH, Inspection
from mediatheque.processing.opening import Film
from mediatheque.processing.timeline import PICTURE_HOLE, SOUND_HOLE, Span, merged, shared

MOST_GAPS = 50
_LATEST_BEGINNING = 1.0
_LIVE = {"webm", "matroska", "mp4"}
"""Formats of recorders, whose clocks begin with 0."""


def find_gaps(film: Film, seen: Inspection) -> list[Span]:
    """Return the spans in seconds without picture, or without sound; at most 50."""
    spans: list[Span] = []
    if film.video is not None:
        spans += seen.tracks[film.video.index].spans(PICTURE_HOLE)
    if film.audio is not None:
        spans += seen.tracks[film.audio.index].spans(SOUND_HOLE)
    return merged(spans)[:MOST_GAPS]


def _lost(film: Film, seen: Inspection) -> list[Span]:
    """Return the times at which there is neither picture nor sound.

    Of picture alone nothing can be told: a still screen sends none for a while either.
    """
    if film.audio is None:
        return []
    sound = seen.tracks[film.audio.index].spans(SOUND_HOLE)
    if film.video is None:
        return sound
    return shared(seen.tracks[film.video.index].spans(SOUND_HOLE), sound)


def find_faults(film: Film, seen: Inspection, meta: dict[str, Any]) -> list[str]:
    """Return what is wrong, in sentences for people who know no codecs."""
    said = [*_said_of_the_end(film, seen, meta)]
    if seen.begins > _LATEST_BEGINNING and meta["format"] in _LIVE and "coverage" in meta:
        said.append(f"It begins at {seen.begins:.1f} s; what came before may have been lost.")
    if seen.faults:
        said.append("The file is damaged in the middle; what was there cannot be shown.")
    lost = _lost(film, seen)
    if lost:
        times = ", ".join(f"{start:.1f} s to {end:.1f} s" for start, end in lost[:3])
        more = f" and {len(lost) - 3} more times" if len(lost) > 3 else ""
        said.append(f"Nothing was recorded from {times}{more}; a piece may have been lost.")
    if sum(track.late for track in seen.tracks.values()):
        said.append("Pieces seem to be out of order or doubled; what came too late was left out.")
    said += [
        f"The recording begins anew at {s:.1f} s; what came then was put behind."
        for s in seen.restarts[:3]
    ]
    if seen.video is not None and seen.video.failed:
        said.append(
            "The picture cannot be shown."
            if not seen.video.works
            else "Parts of the picture are damaged and cannot be shown."
        )
    if seen.audio is not None and not seen.audio.works:
        said.append("The sound cannot be heard.")
    return said


def _said_of_the_end(film: Film, seen: Inspection, meta: dict[str, Any]) -> list[str]:
    coverage: float = meta.get("coverage", 1.0)
    is_cut = seen.ended_early and not seen.faults
    if (coverage < ENOUGH and not is_cut) or seen.broken:
        share = f" only {coverage:.0%} of it could be read;" if coverage < ENOUGH else ""
        return [f"The file is damaged:{share} what comes behind is lost."]
    said = (film.container.duration or 0) / av.time_base
    there: float = meta["duration"]
    # Other containers only guess how long they are.
    is_told = "coverage" not in meta and meta["format"] in {"mp4", "quicktime", "3gp", "flac"}
    if is_told and said > there * 1.02 + 1.0:
        return [f"The end is missing: of {said:.0f} s only {there:.0f} s are there."]
    if seen.ended_early:
        return ["The file ends in the middle of something: its end is missing."]
    return []
