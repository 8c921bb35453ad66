"""What a run is asked to do, and with what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """``size`` of the big file in bytes, ``rows`` of the long list.

    ``directory`` is on the disk that is measured. ``nginx``, ``wrk`` and ``ffmpeg`` are paths of
    programs, None where the machine has none; ``peers`` has those of the peers of transfers that
    are there.
    """

    directory: Path
    rounds: int
    size: int
    rows: int
    nginx: str | None
    wrk: str | None
    ffmpeg: str | None
    peers: Mapping[str, str]
