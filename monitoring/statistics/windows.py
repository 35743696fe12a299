"""Properties of a window of statistics: exactness, the width of its marks, availability and coverage. Pure."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from monitoring.models import Window
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

TREND_BUCKETS = 20
"""The approximate number of marks in a sparkline; there is one more if the window begins or ends within a mark."""

EXACT_SITES = 100
"""Up to this many sites the percentiles of a whole day are exact."""

DAYS_FROM_MS = 10 * DAY_MS
"""Longer windows have marks of whole days."""


def is_long(window: Window) -> bool:
    """Is the window read from summaries of whole hours? Then percentiles are within 1 %, and marks are longer."""
    return window.length_ms > DAY_MS


def from_whole_hour(window: Window) -> Window:
    """The window, extended to begin at a whole hour if it is long: old checks remain only as summaries of whole hours."""
    return Window(window.from_ms // HOUR_MS * HOUR_MS, window.until_ms) if is_long(window) else window


def availability(available_ms: int, covered_ms: int) -> Fraction | None:
    """The available percentage of the covered time, exact; None if nothing was covered."""
    return Fraction(100 * available_ms, covered_ms) if covered_ms else None


def coverage(covered_ms: int, window_ms: int) -> Fraction:
    """The percentage of the window that checks cover, exact.

    It is limited to 100, because the last check of a window may also cover time after the window.
    """
    return min(Fraction(100 * covered_ms, window_ms), Fraction(100))


def may_be_exact(window: Window, sites: int) -> bool:
    """Are exact percentiles worth their cost? Yes, in up to a day and for up to as many checks as 100 sites make in a day.

    An hour of 2400 sites has as many checks as a day of 100 sites. Above that, percentiles come from buckets, within 1 %.
    """
    return window.length_ms <= DAY_MS and window.length_ms * sites <= EXACT_SITES * DAY_MS


def bucket_width_ms(window: Window, *, exact: bool) -> int:
    """The width of a mark in the window's sparkline, in milliseconds; marks begin at whole multiples of it.

    It is a number of whole minutes if percentiles are exact, otherwise of whole hours, or of whole days if the window is
    longer than ten days. So each summary lies within one mark.
    """
    width = max(1, -(-window.length_ms // TREND_BUCKETS))
    unit = MINUTE_MS if exact else DAY_MS if window.length_ms > DAYS_FROM_MS else HOUR_MS
    return -(-width // unit) * unit


def bucket_range(window: Window, *, exact: bool) -> range:
    """The numbers (time // width) of the window's marks. The first and the last may reach beyond the window."""
    width = bucket_width_ms(window, exact=exact)
    return range(window.from_ms // width, (window.until_ms - 1) // width + 1)


def joined(windows: Iterable[Window]) -> Sequence[Window]:
    """The union of these windows: windows in order that neither overlap nor touch."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda one: one.from_ms):
        if found and window.from_ms <= found[-1].until_ms:
            found[-1] = Window(found[-1].from_ms, max(found[-1].until_ms, window.until_ms))
        else:
            found.append(window)
    return found
