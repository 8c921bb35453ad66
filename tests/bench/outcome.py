"""What a benchmark finds out: one kind of outcome for each kind of question."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.probe import Usage


class BenchError(Exception):
    """The run is worth nothing: bytes differ, an answer is wrong, or a server does not start."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same work done by us and by a peer in turns; the target bounds the ratio of times.

    ``peer`` is empty when the peer's program is missing on this machine.
    """

    what: str
    peer_name: str
    ours: tuple[Usage, ...]
    peer: tuple[Usage, ...]
    target_ratio: float

    @property
    def ratio(self) -> float | None:
        """Our median time over the peer's, or None when the peer was not measured."""
        return median_wall(self.ours) / median_wall(self.peer) if self.peer else None

    @property
    def ratio_of_minima(self) -> float | None:
        """Our best time over the peer's best, or None when the peer was not measured."""
        return min_wall(self.ours) / min_wall(self.peer) if self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the median ratio keeps the target; None when the peer was not measured."""
        return None if self.ratio is None else self.ratio <= self.target_ratio


@dataclass(frozen=True, slots=True)
class Memory:
    """What our processes held, database aside, before and at the worst moment of some work."""

    what: str
    idle_rss_bytes: int
    usage: Usage
    target_bytes: int

    @property
    def met(self) -> bool:
        """Whether the peak of resident memory stayed below the target."""
        return self.usage.peak_rss_bytes < self.target_bytes


@dataclass(frozen=True, slots=True)
class Latency:
    """How long warm requests took, one after the other on one connection."""

    what: str
    milliseconds: tuple[float, ...]
    target_milliseconds: float | None

    @property
    def median(self) -> float:
        """Median time in milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """95th percentile in milliseconds (nearest rank)."""
        ordered = sorted(self.milliseconds)
        return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None when the row has no target."""
        return None if self.target_milliseconds is None else self.median < self.target_milliseconds


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers per second under a constant number of connections."""

    what: str
    generator: str
    per_second: tuple[float, ...]
    p99_milliseconds: tuple[float, ...]
    target_per_second: float

    @property
    def median(self) -> float:
        """Median of the rounds, in answers per second."""
        return statistics.median(self.per_second)

    @property
    def met(self) -> bool:
        """Whether the median reaches the target."""
        return self.median >= self.target_per_second


Outcome = Comparison | Memory | Latency | Rate


def median_wall(runs: Sequence[Usage]) -> float:
    """Median wall time in seconds."""
    return statistics.median(run.wall_seconds for run in runs)


def min_wall(runs: Sequence[Usage]) -> float:
    """Shortest wall time in seconds."""
    return min(run.wall_seconds for run in runs)
