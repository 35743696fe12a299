"""The marks of a chart: the statistics of a site in each span of time. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

from monitoring.display.words import inert, percent_text, time_text
from monitoring.models import Cause, SiteStats
from monitoring.statistics import windows

NO_CAUSES: Mapping[Cause, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Mark:
    """The statistics of one span. Percentiles are those of the available checks (None: there are none), `causes` are counts.

    `length_ms` is the part of the span that is over.
    """

    start_ms: int
    length_ms: int
    checks: int = 0
    covered_ms: int = 0
    available_ms: int = 0
    p50_us: float | None = None
    p95_us: float | None = None
    causes: Mapping[Cause, int] = field(default_factory=lambda: NO_CAUSES)
    maintenance_ms: int = 0

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.length_ms

    @property
    def availability(self) -> Fraction | None:
        """The exact percentage of the time that is either up or down; None: there is no such time."""
        return windows.availability(self.available_ms, self.covered_ms - self.maintenance_ms)

    @property
    def coverage(self) -> Fraction:
        """The exact percentage of the span that checks cover."""
        return windows.coverage(self.covered_ms, max(1, self.length_ms))

    @property
    def down_ms(self) -> int:
        """The time that failed checks cover."""
        return self.covered_ms - self.maintenance_ms - self.available_ms

    @property
    def failures(self) -> int:
        return sum(self.causes.values())


def mark_of(start_ms: int, length_ms: int, stats: SiteStats) -> Mark:
    """The mark of these statistics."""
    response = stats.response
    return Mark(
        start_ms,
        length_ms,
        stats.checks,
        stats.covered_ms,
        stats.available_ms,
        response.p50_us if response else None,
        response.p95_us if response else None,
        stats.causes or NO_CAUSES,
        stats.maintenance_ms,
    )


def causes_of(marks: Iterable[Mark]) -> Mapping[Cause, int]:
    """The number of failed checks by cause, most frequent first."""
    found: dict[Cause, int] = {}
    for mark in marks:
        for cause, count in mark.causes.items():
            found[cause] = found.get(cause, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


CSV_TITLES = (
    *("from", "until", "location", "checks", "availability percent", "coverage percent", "p50 seconds", "p95 seconds"),
    *(f"{cause} failures" for cause in Cause),
)


def series_csv(series: Mapping[str, Sequence[Mark]]) -> str:
    """A table for spreadsheets of the marks of each location. Unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_TITLES)
    for location, marks in series.items():
        writer.writerows(_csv_row(location, mark) for mark in marks)
    return text.getvalue()


def _csv_row(location: str, mark: Mark) -> list[object]:
    times = ("" if it is None else round(it) / 1_000_000 for it in (mark.p50_us, mark.p95_us))
    return [
        time_text(mark.start_ms),
        time_text(mark.end_ms),
        inert(location),
        mark.checks,
        "" if mark.availability is None else percent_text(mark.availability),
        percent_text(mark.coverage),
        *times,
        *(mark.causes.get(cause, 0) for cause in Cause),
    ]
