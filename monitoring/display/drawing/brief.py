"""Short forms of numbers and times, for narrow tables. Pure."""

import math

from monitoring.display.words import DURATIONS, NOTHING, local_text, local_time
from monitoring.units import DAY_MS

UNITS = tuple(zip((size for _, size in DURATIONS), ("d", "h", "m", "s"), strict=True))


def brief_duration(duration_ms: int) -> str:
    """A duration in at most five characters, cut off: "16s", "1m13", "12m", "2h05", "3d04", "120d".

    A count below ten is followed by the next smaller unit.
    """
    left = max(0, duration_ms)
    place = next((place for place, (size, _) in enumerate(UNITS) if left >= size), len(UNITS) - 1)
    size, unit = UNITS[place]
    count, rest = divmod(left, size)
    if place == len(UNITS) - 1 or count >= 10:
        return f"{count}{unit}"
    return f"{count}{unit}{rest // UNITS[place + 1][0]:02d}"


def brief_seconds(time_us: float | None) -> str:
    """A response time in at most six characters: "0.4ms", "57ms", "1.24s", "12.3s"; "-": unknown."""
    if time_us is None or not math.isfinite(time_us):
        return "-"
    if time_us < 9_950:
        return f"{time_us / 1_000:.1f}ms"
    if time_us < 999_500:
        return f"{time_us / 1_000:.0f}ms"
    return f"{time_us / 1e6:.2f}s" if time_us < 9_995_000 else f"{time_us / 1e6:.1f}s"


def brief_window(length_ms: int) -> str:
    """The length of a window as a title: "10m", "1h", "30d", "1d12"."""
    if length_ms == DAY_MS:
        return "24h"
    for size, unit in UNITS:
        if length_ms % size == 0:
            return f"{length_ms // size}{unit}"
    return brief_duration(length_ms)


def clock_text(moment_ms: int) -> str:
    """The local time of day with its offset: "18:24:07 +01:00"."""
    return local_text(moment_ms)[11:]


def minute_text(moment_ms: int) -> str:
    """The local time of day in minutes: "18:24"."""
    return f"{local_time(moment_ms):%H:%M}"


def brief_percent(percent: str) -> str:
    """The percentage; an unknown one as a dash that takes one cell in every terminal."""
    return "-" if percent == NOTHING else percent
