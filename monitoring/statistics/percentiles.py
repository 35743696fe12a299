"""Percentiles by nearest rank, in integers. Pure."""

from collections.abc import Sequence

PERCENTS = (50, 95, 99)

SLOW = 95
"""The percentile that a mark of a sparkline shows."""


def rank(count: int, percent: int) -> int:
    """The index of the nearest rank, as InfluxQL's `percentile()` picks it: `floor(n*p/100 + 0.5) - 1`, clamped to the data.

    In integers: floor((2*n*p + 100) / 200) - 1.
    """
    return min(max((2 * count * percent + 100) // 200 - 1, 0), count - 1)


def percentile(ordered: Sequence[int], percent: int) -> int:
    """The percentile by nearest rank; `ordered` is ascending and not empty."""
    return ordered[rank(len(ordered), percent)]
