"""All that is done with one media, in order; runs in a child process that nobody trusts."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from PIL import Image

from mediatheque.domain.processing import Step
from mediatheque.processing.hls import make_hls
from mediatheque.processing.inspection import inspect
from mediatheque.processing.opening import StepError, open_film
from mediatheque.processing.pictures import (
    describe_picture,
    make_picture_thumbnails,
    open_picture,
    prepare,
)
from mediatheque.processing.posters import make_thumbnails
from mediatheque.processing.probe import describe
from mediatheque.processing.remux import Remux
from mediatheque.processing.sprites import make_sprite
from mediatheque.processing.tasks import Processed, RejectedError, Task
from mediatheque.processing.waveform import make_waveform

Report = Callable[[float], None]


def warm_up() -> None:
    """Load all that is loaded at first use, so that forked children have it already."""
    prepare()
    frame = av.VideoFrame(16, 16, "yuv420p")
    image: Image.Image = frame.reformat(width=8, height=8, format="rgb24").to_image()  # type: ignore[no-untyped-call]  # in its stubs
    for name in ("JPEG", "WEBP"):
        image.save(io.BytesIO(), name)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    sound = av.AudioFrame(format="fltp", layout="stereo", samples=960)
    sound.sample_rate = 48_000
    resampler.resample(sound)


def process(source: str, folder: str, task: Task, report: Report) -> Processed:
    """Do what a task asks for with the file at ``source``; new files are written into ``folder``.

    ``report`` is called with the share of the work that is done, from 0 to 1. A step that fails
    is told of in the answer. Raises RejectedError when there is nothing in the file that could be
    shown or played.
    """
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    if task.kind == "image":
        return _process_picture(Path(source), Path(folder), task)
    return _FilmWork(Path(source), Path(folder), task, report).done()


def _process_picture(source: Path, folder: Path, task: Task) -> Processed:
    files: tuple[str, ...] = ()
    failures: dict[Step, str] = {}
    with open_picture(source, max_pixels=task.max_pixels) as image:
        meta = describe_picture(image, location=task.location)
        if Step.THUMBNAIL in task.steps:
            try:
                files = make_picture_thumbnails(image, folder)
            except RejectedError as error:
                failures[Step.THUMBNAIL] = error.detail
                meta["warnings"] = [error.detail]
    return Processed(meta=meta, files=files, failures=failures)


class _FilmWork:
    """The work on one film or sound: one pass over all of it, then what is made of it."""

    def __init__(self, source: Path, folder: Path, task: Task, report: Report) -> None:
        self._source = self._playable = source
        self._folder = folder
        self._task = task
        self._report = report
        self._files: list[str] = []
        self._failures: dict[Step, str] = {}
        later = (Step.THUMBNAIL, Step.SPRITE, Step.WAVEFORM, Step.HLS)
        self._steps = [step for step in later if step in task.steps]

    def done(self) -> Processed:
        """Do all of it and return what came out."""
        meta = self._pass()
        for number, step in enumerate(self._steps):
            try:
                self._files += self._make(step, meta["duration"], self._part(number + 1))
            except (StepError, RejectedError) as error:
                self._failures[step] = str(error)
            except (av.FFmpegError, OSError, ValueError) as error:
                self._failures[step] = f"It could not be made ({error})."
        self._report(1.0)
        return Processed(meta=meta, files=tuple(self._files), failures=self._failures)

    def _pass(self) -> dict[str, Any]:
        """Measure the film, and copy it into a better container when that is asked for."""
        task = self._task
        with open_film(self._source, max_pixels=task.max_pixels, kind=task.kind) as film:
            remux = Remux(film, self._folder) if Step.REMUX in task.steps else None
            seen = inspect(film, self._source, self._part(0), copy=remux)
            if remux is not None:
                remux.close(keep=seen.is_playable)
            if not seen.is_playable:
                raise RejectedError(
                    "There is no picture and no sound in the file that could be played."
                )
            if remux is not None and remux.failure is not None:
                self._failures[Step.REMUX] = remux.failure
            elif remux is not None and remux.name is not None:
                self._files.append(remux.name)
                self._playable = self._folder / remux.name
            return describe(film, seen, self._source)

    def _make(self, step: Step, duration: float, report: Report) -> tuple[str, ...]:
        """Make the files of one step; none where it has nothing to do: no picture, no sound."""
        task, folder = self._task, self._folder
        with open_film(self._playable, max_pixels=task.max_pixels, kind=task.kind) as film:
            if step is Step.HLS:
                return make_hls(film, self._playable, folder, report)
            if step is Step.WAVEFORM:
                return make_waveform(film, duration, folder, report)
            if film.video is None:
                return ()
            made = (
                make_thumbnails(film, duration, folder)
                if step is Step.THUMBNAIL
                else make_sprite(film, duration, folder, report)
            )
            if not made:
                raise StepError("No picture of it can be decoded.")
            return made

    def _part(self, number: int) -> Report:
        """Return what reports the progress of one of the equal parts of the work."""
        parts = len(self._steps) + 1
        return lambda ratio: self._report((number + ratio) / parts)
