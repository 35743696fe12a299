"""How fast a backlog shrinks, and how long it will last. Pure."""

from typing import NamedTuple

SHORTEST_NS = 3_000_000_000
"""It takes so long to know a pace."""

LONGEST_NS = 60_000_000_000
"""A pace is that of this time."""


class Pace(NamedTuple):
    """Points a second by which a backlog shrinks, and the seconds until it is gone."""

    per_s: int
    left_s: int


class Backlog:
    """Watches how many points wait. Used by one thread."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, int]] = []

    def pace(self, now_ns: int, waiting: int) -> Pace | None:
        """The pace at a moment of a monotonic clock when so many points wait; None: not known yet, or they get no fewer."""
        self._seen = [(ns, points) for ns, points in self._seen if now_ns - ns <= LONGEST_NS]
        if self._seen and waiting > self._seen[0][1]:  # another backlog, or one that grows
            self._seen = []
        if not self._seen or now_ns - self._seen[-1][0] >= SHORTEST_NS:
            self._seen.append((now_ns, waiting))
        began_ns, began = self._seen[0]
        past_ns = now_ns - began_ns
        if past_ns < SHORTEST_NS or began <= waiting:
            return None
        delivered, seconds = began - waiting, past_ns / 1e9
        return Pace(round(delivered / seconds), round(waiting * seconds / delivered))
