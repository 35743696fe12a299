"""The summary of a month, for `--report` and for the page. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from monitoring.display.view_model.incidents import Incident, Overlap, lengths_by_cause, overlaps
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport
from monitoring.display.words import inert, percent_text, time_text
from monitoring.models import Cause, Window
from monitoring.names import printable
from monitoring.statistics import windows

MONTH_RULE = (
    "Months are in UTC. Availability and downtime are based on the checks outside of maintenance. An incident counts in"
    " each month that it touches, with its length in that month. While nobody measures a site that was down, its incident"
    " ends with the last check. Outages by cause are the lengths of incidents, by the cause of most of their downtime."
)

CSV_TITLES = (
    *("month", "until", "URL", "name", "location", "availability percent", "coverage percent", "downtime seconds"),
    *("incidents", "longest outage seconds", "mean seconds", "p50 seconds", "p95 seconds", "p99 seconds", "checks"),
    *(f"{cause} outages seconds" for cause in Cause),
    "maintenance seconds",
)


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One site in a month, seen from one location. `incidents` counts those that touch the month.

    `longest_ms` is the length of the longest one in it (None: there is none), `outages_ms` the sum of lengths by cause.
    """

    site: SiteRow
    incidents: int
    longest_ms: int | None
    outages_ms: Mapping[Cause, int] = field(default_factory=dict)

    @property
    def down_ms(self) -> int:
        """The time that failed checks cover."""
        return self.site.stats.down_ms


@dataclass(frozen=True, slots=True)
class MonthReport:
    """All sites in a month. `window` ends early if the month is not over. `name` is "2026-01"."""

    name: str
    window: Window
    source: str
    rows: Sequence[MonthRow]

    def coverage(self, row: MonthRow) -> Fraction:
        """The exact percentage of the window that the checks of a row cover."""
        return windows.coverage(row.site.stats.covered_ms, self.window.length_ms)


def month_report(
    name: str, report: StatsReport, incidents: Sequence[Incident], unmeasured: Mapping[SiteKey, int]
) -> MonthReport:
    """The report from the statistics and the outages of a month. `unmeasured` are the sites that nobody measures now."""
    lasted = overlaps(incidents, report.window, unmeasured)
    return MonthReport(name, report.window, report.source, [_row(row, lasted.get(row.key, ())) for row in report.rows])


def _row(site: SiteRow, outages: Sequence[Overlap]) -> MonthRow:
    longest_ms = max((length_ms for length_ms, _ in outages), default=None)
    return MonthRow(site, len(outages), longest_ms, lengths_by_cause(outages))


def month_csv(report: MonthReport) -> str:
    """A table for spreadsheets. Unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_TITLES)
    for row in report.rows:
        writer.writerow([report.name, time_text(report.window.until_ms), *_names(row.site), *_numbers(report, row)])
    return text.getvalue()


def _names(site: SiteRow) -> list[str]:
    return [inert(printable(text)) for text in (site.host, site.name or "", site.location)]


def _numbers(report: MonthReport, row: MonthRow) -> list[object]:
    stats, availability = row.site.stats, row.site.availability
    response = stats.response
    times_us = (response.mean_us, response.p50_us, response.p95_us, response.p99_us) if response else (None,) * 4
    return [
        "" if availability is None else percent_text(availability),
        percent_text(report.coverage(row)),
        row.down_ms / 1_000,
        row.incidents,
        "" if row.longest_ms is None else row.longest_ms / 1_000,
        *("" if time_us is None else round(time_us / 1_000_000, 6) for time_us in times_us),
        stats.checks,
        *(row.outages_ms.get(cause, 0) / 1_000 for cause in Cause),
        stats.maintenance_ms / 1_000,
    ]
