"""Two contenders in turns."""

from collections.abc import Callable

from tests.bench.outcome import Comparison
from tests.bench.probe import Usage

Contender = Callable[[], Usage]


def compare(
    what: str,
    ours: Contender,
    peer: Contender | None,
    *,
    peer_name: str,
    rounds: int,
    target_ratio: float,
) -> Comparison:
    """Run ours, peer, ours, peer, …; a first turn of each only warms up and is not counted."""
    contenders = [ours] if peer is None else [ours, peer]
    for contender in contenders:
        contender()
    turns = [[contender() for contender in contenders] for _ in range(rounds)]
    return Comparison(
        what=what,
        peer_name=peer_name,
        ours=tuple(turn[0] for turn in turns),
        peer=tuple(turn[1] for turn in turns if len(turn) == 2),
        target_ratio=target_ratio,
    )
