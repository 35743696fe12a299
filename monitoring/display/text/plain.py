"""Plain lines for pipes, logs and simple terminals: no colours, easy to grep and to cut.

A line has words without spaces, mostly `key=value`. An unknown value is "-".
"""

from collections.abc import Sequence

from monitoring.display.view_model.months import MONTH_RULE, MonthReport, MonthRow
from monitoring.display.view_model.ranking import closing_rest_text, closing_shown_and_rest, longest_outages
from monitoring.display.view_model.values import Closing, ClosingRow, Header, SiteRow, StatsReport, View
from monitoring.display.words import (
    NOTHING,
    WAITING,
    alert_sentence,
    counts_text,
    duration_text,
    host_and_name,
    lengths_text,
    ongoing_text,
    percent_text,
    plural,
    reason_text,
    seconds_text,
    source_text,
    time_text,
    window_text,
)
from monitoring.models import Alert, ResponseTimes, SiteStats
from monitoring.names import printable

LABELS = ("location", "group", "tags")
"""Columns that appear only if a site has a value."""

CLOSING_ROWS = 50
"""How many sites the closing summary lists. If there are more, it lists the worst."""


def stats_lines(report: StatsReport) -> list[str]:
    """One line on the window, then one aligned line for each site in the order of the configuration."""
    until, sites = time_text(report.window.until_ms), len({row.host for row in report.rows})
    head = f"== {window_text(report.length_ms)} until {until}, {plural(sites, 'site')}, from {report.source}"
    labels = [label for label in LABELS if any(getattr(row, label) for row in report.rows)]
    lines = _aligned([_site_words(report, row, labels) for row in report.rows])
    return [head, *(line + _reason(row.detail) for line, row in zip(lines, report.rows, strict=True))]


def month_lines(report: MonthReport) -> list[str]:
    """One line on the month, one for each site, and the rule of calculation."""
    until, sites = time_text(report.window.until_ms), len({row.site.host for row in report.rows})
    head = f"== {report.name} until {until}, {plural(sites, 'site')}, from {report.source}"
    return [head, *_aligned([_month_words(report, row) for row in report.rows]), MONTH_RULE]


def _month_words(report: MonthReport, row: MonthRow) -> list[str]:
    response = row.site.stats.response
    times = (None, None, None) if response is None else (response.p50_us, response.p95_us, response.p99_us)
    return [
        _percent("availability", percent_text(row.site.availability)),
        _percent("coverage", percent_text(report.coverage(row))),
        _word("downtime", duration_text(row.down_ms)),
        *_maintenance_words([it.site for it in report.rows], row.site.stats),
        f"incidents={row.incidents}",
        _word("longest-outage", NOTHING if row.longest_ms is None else duration_text(row.longest_ms)),
        _word("outages", lengths_text(row.outages_ms)),
        *(_word(key, seconds_text(time_us)) for key, time_us in zip(("p50", "p95", "p99"), times, strict=True)),
        f"checks={row.site.stats.checks}",
        *([_word("location", printable(row.site.location))] if row.site.location else []),
        printable(row.site.host),
        *([f"({printable(row.site.name)})"] if row.site.name else []),
    ]


def history_line(alert: Alert, name: str | None = None) -> str:
    """A state change in one line: the sentence, and the reason as `key=value`."""
    reason = f", cause={alert.cause}{_reason(alert.detail, ', ')}" if alert.detail else ""
    return f"{alert_sentence(alert, host_and_name(alert.host, name))}{reason}"


def placeholder_line(header: Header) -> str:
    """The line before the first statistics."""
    return f"== {WAITING}: {plural(header.sites, 'site')}, {source_text(header.source, header.why)}"


def closing_lines(closing: Closing) -> list[str]:
    """The summary of a run: open outages, a line on the run, one for each site (or the worst), alerts, notes and storage."""
    outages, names = longest_outages(closing.alerts, closing.ended_ms), closing.names
    shown, rest = closing_shown_and_rest(closing.rows, CLOSING_ROWS)
    return [
        *(f"still down: {_still_down(alert, closing)}" for alert in closing.still_down),
        f"== monitored {run_text(closing)}",
        *_aligned([_closing_words(closing, row, outages.get(row.host)) for row in shown]),
        *([f"... and {closing_rest_text(rest)}"] if rest else []),
        *(history_line(alert, names.get(alert.host)) for alert in closing.past),
        *map(printable, filter(None, (*closing.notes, closing.stored))),
    ]


def ongoing_lines(view: View) -> list[str]:
    """A line on each open outage, which says if it is no longer measured."""
    names = {row.host: row.name for report in view.reports[:1] for row in report.rows}
    until_ms = view.unmeasured
    return [
        ongoing_text(it, view.now_ms, host_and_name(it.host, names.get(it.host)), until_ms.get((it.host, it.location)))
        for it in view.ongoing
    ]


def _still_down(alert: Alert, closing: Closing) -> str:
    return ongoing_text(alert, closing.ended_ms, host_and_name(alert.host, closing.names.get(alert.host)))


def run_text(closing: Closing) -> str:
    """The text after "monitored": how many sites, from where, for how long, and when."""
    lasted = duration_text(closing.ended_ms - closing.started_ms)
    span = f"{time_text(closing.started_ms)} to {time_text(closing.ended_ms)}"
    here = f" from {printable(closing.location)}" if closing.location else ""
    return f"{plural(len(closing.rows), 'site')}{here} for {lasted}, {span}"


def _site_words(report: StatsReport, row: SiteRow, labels: Sequence[str]) -> list[str]:
    stats, since_ms, days = row.stats, row.status.since_ms, row.certificate_days(report.window.until_ms)
    return [
        row.status.state,
        _percent("availability", percent_text(row.availability)),
        _percent("coverage", percent_text(report.coverage(row))),
        f"checks={stats.checks}",
        *_response_words(stats.response),
        _word("status", counts_text(stats.statuses, ",")),
        _word("causes", counts_text(stats.causes, ",")),
        _word("last-failure", NOTHING if row.last_failure_ms is None else time_text(row.last_failure_ms)),
        _word("for", NOTHING if since_ms is None else duration_text(report.window.until_ms - since_ms)),
        *([] if days is None else [_word("cert", f"{days}d")]),
        *_maintenance_words(report.rows, stats),
        *(_word(label, _label_text(getattr(row, label))) for label in labels),
        *_site_name(row),
    ]


def _maintenance_words(rows: Sequence[SiteRow], stats: SiteStats) -> list[str]:
    """The time in maintenance, if any site has some."""
    if not any(row.stats.maintenance_ms for row in rows):
        return []
    return [_word("maintenance", duration_text(stats.maintenance_ms) if stats.maintenance_ms else NOTHING)]


def _label_text(found: str | Sequence[str] | None) -> str:
    return printable(found if isinstance(found, str) else ",".join(found or ())) or NOTHING


def _response_words(response: ResponseTimes | None) -> list[str]:
    times = (None, None, None) if response is None else (response.mean_us, response.p95_us, response.max_us)
    return [_word(key, seconds_text(time_us)) for key, time_us in zip(("mean", "p95", "max"), times, strict=True)]


def _closing_words(closing: Closing, row: ClosingRow, outage_ms: int | None) -> list[str]:
    return [
        _percent("availability", percent_text(row.availability)),
        _percent("coverage", percent_text(closing.coverage(row))),
        f"checks={row.checks}",
        f"incidents={row.incidents}",
        _word("longest-outage", NOTHING if outage_ms is None else duration_text(outage_ms)),
        *_site_name(row),
    ]


def _site_name(row: SiteRow | ClosingRow) -> list[str]:
    return [printable(row.host), *([f"({printable(row.name)})"] if row.name else [])]


def _reason(detail: str, before: str = "  ") -> str:
    """The reason in quotes at the end of a line. It is the only value with blanks."""
    return f'{before}detail="{reason_text(detail).replace(chr(34), chr(39))}"' if detail else ""


def _percent(key: str, percent: str) -> str:
    return _word(key, percent if percent == NOTHING else f"{percent}%")


def _word(key: str, value: str) -> str:
    return f"{key}={'-' if value == NOTHING else value.replace(' ', '')}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines. Each word except the last is padded to the width of its column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    padded = [[word.ljust(width) for word, width in zip(row, [*widths, 0], strict=False)] for row in rows]
    return ["  ".join(row).rstrip() for row in padded]
