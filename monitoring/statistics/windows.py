"""A window of statistics: how exact its numbers are, how long its marks are, its availability and coverage. Pure."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from monitoring.models import Window
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

TREND_BUCKETS = 20
"""About how many marks the sparkline of a window has; one more when the window's ends cut through marks."""


EXACT_SITES = 100
"""Up to this many sites the percentiles of a whole day are exact."""

DAYS_FROM_MS = 10 * DAY_MS
"""Longer windows have marks of whole days."""


def is_long(window: Window) -> bool:
    """Is the window answered from summaries of whole hours? Then percentiles are within 1 %, and marks are longer."""
    return window.length_ms > DAY_MS


def from_whole_hour(window: Window) -> Window:
    """A long window, extended to begin at a whole hour: of old checks only summaries of whole hours are kept."""
    return Window(window.from_ms // HOUR_MS * HOUR_MS, window.until_ms) if is_long(window) else window


def availability(available_ms: int, covered_ms: int) -> Fraction | None:
    """Percent of the covered time that was available, exact; None when nothing was covered."""
    return Fraction(100 * available_ms, covered_ms) if covered_ms else None


def coverage(covered_ms: int, window_ms: int) -> Fraction:
    """Percent of the window that checks cover, exact.

    At most 100: the last check of a window may cover some of what comes after it.
    """
    return min(Fraction(100 * covered_ms, window_ms), Fraction(100))


def may_be_exact(window: Window, sites: int) -> bool:
    """Are exact percentiles worth their cost? Yes, for at most a day and at most as many checks as 100 sites make in a day.

    An hour of 2400 sites is as much as a day of 100. Beyond that they come from buckets, within 1 %.
    """
    return window.length_ms <= DAY_MS and window.length_ms * sites <= EXACT_SITES * DAY_MS


def bucket_width_ms(window: Window, *, exact: bool) -> int:
    """How many milliseconds one mark of the window's sparkline covers; marks begin at whole multiples of it.

    Whole minutes where percentiles are exact, else whole hours, or days from ten days on: a summary lies in one mark.
    """
    width = max(1, -(-window.length_ms // TREND_BUCKETS))
    unit = MINUTE_MS if exact else DAY_MS if window.length_ms > DAYS_FROM_MS else HOUR_MS
    return -(-width // unit) * unit


def bucket_range(window: Window, *, exact: bool) -> range:
    """The numbers (time // width) of the window's marks, the first and the last of which it may cut through."""
    width = bucket_width_ms(window, exact=exact)
    return range(window.from_ms // width, (window.until_ms - 1) // width + 1)


def joined(windows: Iterable[Window]) -> Sequence[Window]:
    """The same time in windows that neither overlap nor touch, in order."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda one: one.from_ms):
        if found and window.from_ms <= found[-1].until_ms:
            found[-1] = Window(found[-1].from_ms, max(found[-1].until_ms, window.until_ms))
        else:
            found.append(window)
    return found
