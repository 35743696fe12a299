"""What a month adds up to, for `--report` and for the page. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport
from monitoring.display.words import inert, percent_text, time_text
from monitoring.models import Cause, Window
from monitoring.names import printable
from monitoring.statistics import windows

MONTH_RULE = (
    "Months are those of UTC. Availability and downtime are by the checks that were made outside of maintenance; an incident"
    " counts in each month that it touches, its length as far as it lies in there. Outages by cause are lengths of"
    " incidents, by the cause that most of their downtime had."
)

CSV_TITLES = (
    *("month", "until", "URL", "name", "location", "availability percent", "coverage percent", "downtime seconds"),
    *("incidents", "longest outage seconds", "mean seconds", "p50 seconds", "p95 seconds", "p99 seconds", "checks"),
    *(f"{cause} outages seconds" for cause in Cause),
    "maintenance seconds",
)


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One site in a month, seen from one location. `incidents` is how many touch it; `longest_ms` None: none did.

    `outages_ms` is how long they lasted, by cause.
    """

    site: SiteRow
    incidents: int
    longest_ms: int | None
    outages_ms: Mapping[Cause, int] = field(default_factory=dict)

    @property
    def down_ms(self) -> int:
        """The time that failed checks stand for."""
        return self.site.stats.down_ms


@dataclass(frozen=True, slots=True)
class MonthReport:
    """All sites in a month; `window` ends earlier while the month is not over. `name` is "2026-01"."""

    name: str
    window: Window
    source: str
    rows: Sequence[MonthRow]

    def coverage(self, row: MonthRow) -> Fraction:
        """Percent of the window that the row's checks stand for, exact."""
        return windows.coverage(row.site.stats.covered_ms, self.window.length_ms)


def month_report(name: str, report: StatsReport, incidents: Sequence[Incident]) -> MonthReport:
    """The statistics of the month with its outages."""
    window = report.window
    lasted: dict[SiteKey, list[tuple[int, Cause | None]]] = {}
    for incident in incidents:
        if overlap_ms := incident.overlap_ms(window.from_ms, window.until_ms):
            lasted.setdefault(incident.key, []).append((overlap_ms, incident.cause))
    return MonthReport(name, window, report.source, [_row(row, lasted.get(row.key, [])) for row in report.rows])


def _row(site: SiteRow, outages: Sequence[tuple[int, Cause | None]]) -> MonthRow:
    by_cause: Counter[Cause] = Counter()
    for length_ms, cause in outages:
        by_cause[cause or Cause.ERROR] += length_ms
    return MonthRow(
        site, len(outages), max((length_ms for length_ms, _ in outages), default=None), dict(by_cause.most_common())
    )


def month_csv(report: MonthReport) -> str:
    """A table for spreadsheets; empty where nothing is known."""
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
