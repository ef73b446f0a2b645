"""Which lines of a history go when it is full: the oldest of whoever wrote most. Pure.

So what one party writes in a loop pushes out its own lines, and never those of others who wrote less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence


def surplus(owners: Sequence[str], keep: int) -> list[int]:
    """Places of the lines that go so that at most ``keep`` stay; ``owners`` says whose each line is, oldest first.

    Everybody keeps his newest lines, up to one level for all; so who has fewer than that loses nothing.
    """
    counts = Counter(owners)
    level = _level(counts.values(), keep)
    going = {owner: count - level for owner, count in counts.items() if count > level}
    places = []
    for place, owner in enumerate(owners):
        if going.get(owner, 0) > 0:
            going[owner] -= 1
            places.append(place)
    return places


def _level(counts: Iterable[int], room: int) -> int:
    """The highest level at which all fit, each cut to it."""
    smallest_first = sorted(counts)
    for index, count in enumerate(smallest_first):
        share = room // (len(smallest_first) - index)
        if count > share:
            return share
        room -= count
    return smallest_first[-1] if smallest_first else 0
