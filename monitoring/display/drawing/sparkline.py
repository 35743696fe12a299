"""The response times of a window as a line of bars, on a scale that all rows share."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitoring.models import Bucket

BARS = "▁▂▃▄▅▆▇█"
SOME_FAILED, MOST_FAILED = "▒", "x"
UNMEASURED = "·"


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic scale from the shortest to the longest response time that is drawn on it."""

    shortest_us: float = 1.0
    longest_us: float = 1.0

    @classmethod
    def of(cls, trends: Iterable[Sequence[Bucket]]) -> "Scale":
        """The scale of all these trends."""
        times = [took for trend in trends for mark in trend if (took := height_us(mark))]
        return cls(min(times), max(times)) if times else cls()

    def place(self, time_us: float) -> float:
        """The position of a time between the shortest (0) and the longest (1)."""
        if self.longest_us <= self.shortest_us or time_us <= self.shortest_us:
            return 0.0
        return min(1.0, math.log(time_us / self.shortest_us) / math.log(self.longest_us / self.shortest_us))


def height_us(mark: Bucket) -> float | None:
    """The response time that a bar shows: the 95th percentile, or the mean if percentiles are not exact."""
    return mark.mean_us if mark.p95_us is None else mark.p95_us


def sparkline(trend: Sequence[Bucket], scale: Scale, width: int) -> Text:
    """One cell for each mark: a bar, `▒` if less than half of its checks failed, `x` if more did, `·` without checks.

    The line has exactly `width` cells. Marks are joined or left out as in `shortened`.
    """
    marks = shortened(trend, width)
    return Text.assemble((UNMEASURED * (width - len(marks)), "weak"), *(_mark(mark, scale) for mark in marks))


def shortened(trend: Sequence[Bucket], width: int) -> Sequence[Bucket]:
    """At most `width` marks: neighbours are joined, then the oldest ones are left out.

    The first mark of a window is cut, so there is one more than the window needs.
    """
    each = max(1, round(len(trend) / max(1, width)))
    first = len(trend) % each
    joined = [_joined(trend[place : place + each]) for place in range(first, len(trend), each)] if each > 1 else trend
    return joined[max(0, len(joined) - width) :]


def _joined(marks: Sequence[Bucket]) -> Bucket:
    """Several marks as one, with the slowest time."""
    means = [mark.mean_us for mark in marks if mark.mean_us is not None]
    slow = [mark.p95_us for mark in marks if mark.p95_us is not None]
    worst = max(marks, key=lambda mark: mark.failures)
    return Bucket(
        max(means, default=None),
        sum(mark.failures for mark in marks),
        sum(mark.checks for mark in marks),
        max(slow, default=None),
        worst.cause,
    )


def mostly_failed(mark: Bucket) -> bool:
    """Did at least half of its checks fail?"""
    return 2 * mark.failures >= mark.checks


def _mark(mark: Bucket, scale: Scale) -> tuple[str, str]:
    if mark.failures:
        return (MOST_FAILED if mostly_failed(mark) else SOME_FAILED), "bad"
    time_us = height_us(mark)
    if time_us is None:
        return UNMEASURED, "weak"
    return BARS[min(int(scale.place(time_us) * len(BARS)), len(BARS) - 1)], "good"
