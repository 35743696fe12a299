"""One JSON object on each line, for `--format json`.

Percentages are numbers, times are seconds, dates are RFC 3339 in UTC. An unknown value is null, never 0. Every key is always
there, except `location` and `delivery`. `schema` is the version of the format: it changes if a key is removed or changes its
meaning, but not if one is added.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

from monitoring.alerts.explain import Explanation, WindowSum
from monitoring.display.view_model.months import MonthReport, MonthRow
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteRow, StatsReport
from monitoring.display.words import NOTHING, percent_text, time_text
from monitoring.models import PHASES, Alert, Cause, CheckResult, ResponseTimes
from monitoring.storage.notifications import Entry
from monitoring.thresholds import Rule

SCHEMA = 1


def stats_json(report: StatsReport) -> str:
    """The statistics of a window in one line: `{"kind": "stats", …}`."""
    return json_line(
        {
            "kind": "stats",
            "window": seconds(report.length_ms),
            "from": time_text(report.window.from_ms),
            "until": time_text(report.window.until_ms),
            "source": report.source,
            "sites": [site_values(row, report.coverage(row)) for row in report.rows],
        }
    )


def month_json(report: MonthReport) -> str:
    """The summary of a month in one line: `{"kind": "report", …}`."""
    return json_line(
        {
            "kind": "report",
            "month": report.name,
            "from": time_text(report.window.from_ms),
            "until": time_text(report.window.until_ms),
            "source": report.source,
            "sites": [_month_of(report, row) for row in report.rows],
        }
    )


def _month_of(report: MonthReport, row: MonthRow) -> dict[str, object]:
    stats, availability = row.site.stats, row.site.availability
    return {
        "URL": row.site.host,
        "name": row.site.name,
        **location_json(row.site.location),
        "checks": stats.checks,
        "availability": _percent(availability),
        "coverage": _percent(report.coverage(row)),
        "downtime": row.down_ms / 1_000,
        "maintenance": stats.maintenance_ms / 1_000,
        "incidents": row.incidents,
        "longestOutage": None if row.longest_ms is None else row.longest_ms / 1_000,
        "outages": {str(cause): length_ms / 1_000 for cause, length_ms in row.outages_ms.items()},
        "responseTime": response_times(stats.response),
        "causes": _counts(stats.causes),
    }


def alert_json(alert: Alert, name: str | None, delivery: Sequence[Entry] = ()) -> str:
    """A state change in one line: `{"kind": "alert", …}`. `delivery` are its notifications, if known."""
    notifications = {"delivery": [_delivery(entry) for entry in delivery]} if delivery else {}
    return json_line({**alert_values(alert, name), **notifications})


def alert_values(alert: Alert, name: str | None) -> dict[str, object]:
    """The values of a state change, for a line of its own or for another object."""
    return {
        "schema": SCHEMA,
        "kind": "alert",
        "type": str(alert.type),
        "URL": alert.host,
        "name": name,
        **location_json(alert.location),
        "time": time_text(alert.time_ms),
        "startDate": time_text(alert.start_ms),
        "endDate": _date(alert.end_ms),
        "availability": _percent(alert.availability),
        "cause": alert.cause and str(alert.cause),
        "detail": alert.detail or None,
    }


def explanation_json(found: Explanation, location: str, source: str) -> str:
    """Why a site is in its state, in one line: `{"schema": 1, "kind": "explanation", …}`."""
    site, status = found.site, found.status
    return json_line(
        {
            "kind": "explanation",
            "URL": site.host,
            "name": site.name,
            **location_json(location),
            "time": time_text(found.at_ms),
            "source": source,
            "state": str(status.state),
            "since": _date(status.since_ms),
            "rule": rule_json(site.rule),
            "decision": found.decision.reason,
            "window": _window(found.now),
            "alert": found.crossing
            and {
                "time": time_text(found.crossing.alert.time_ms),
                "startDate": time_text(found.crossing.alert.start_ms),
                "crossed": _date(found.crossing.check_ms),
                "window": _window(found.crossing.decided),
            },
            "noCheckSince": _date(found.silent_since_ms),
            "maintenance": found.is_maintained,
            "maintenanceUntil": _date(found.maintenance.until_ms if found.maintenance else None),
            "lastGood": found.good and check_values(found.good),
            "lastFailed": found.failed and check_values(found.failed),
            "next": found.forecast and {"type": str(found.forecast.change), "in": seconds(found.forecast.in_ms)},
        }
    )


def rule_json(rule: Rule) -> dict[str, object]:
    """The thresholds of an alert rule, by their names in the configuration."""
    return {
        "threshold": float(rule.threshold),
        "recoveryThreshold": float(rule.recovery_threshold),
        "window": seconds(rule.window_ms),
        "minimumFailures": rule.minimum_failures,
    }


def _window(found: WindowSum) -> dict[str, object]:
    """An alert window. `ended…` are the parts of `down` and `failures` that belong to an earlier outage."""
    sums = found.sums
    return {
        "from": time_text(found.window.from_ms),
        "until": time_text(found.window.until_ms),
        "checks": sums.checks,
        "failures": sums.failures,
        "covered": seconds(sums.covered_ms),
        "down": seconds(sums.down_ms),
        "endedFailures": sums.ended_failures,
        "endedDown": seconds(sums.ended_down_ms),
        "runs": [
            {
                "from": time_text(run.first_ms),
                "last": time_text(run.last_ms),
                "checks": run.checks,
                "covered": seconds(run.covers_ms),
                "status": run.status or None,
                "cause": run.cause and str(run.cause),
                "detail": run.detail or None,
                "maintenance": run.maintenance,
            }
            for run in found.runs
        ],
        "causes": [
            {
                "cause": str(one.cause),
                "checks": one.checks,
                "down": seconds(one.down_ms),
                "detail": one.detail or None,
            }
            for one in found.causes
        ],
    }


def mark_values(mark: Mark) -> dict[str, object]:
    """The values of one mark of a chart."""
    return {
        "from": time_text(mark.start_ms),
        "until": time_text(mark.end_ms),
        "checks": mark.checks,
        "availability": _percent(mark.availability),
        "coverage": _percent(mark.coverage),
        "maintenance": seconds(mark.maintenance_ms),
        "p50": _seconds(mark.p50_us),
        "p95": _seconds(mark.p95_us),
        "causes": _counts(mark.causes),
    }


def check_values(check: CheckResult) -> dict[str, object]:
    """The values of a check."""
    return {
        "time": time_text(check.time_ms),
        "status": check.status or None,
        "responseTime": _seconds(check.response_us),
        "phases": {phase: _seconds(time_us) for phase, time_us in zip(PHASES, check.phases_us, strict=True)},
        "cause": check.cause and str(check.cause),
        "detail": check.detail or None,
    }


def site_values(row: SiteRow, coverage: Fraction) -> dict[str, object]:
    """The values of a site in a window."""
    stats, status, availability = row.stats, row.status, row.availability
    return {
        "URL": row.host,
        "name": row.name,
        **location_json(row.location),
        "group": row.group,
        "tags": row.tags,
        "checks": stats.checks,
        "available": stats.available,
        "availability": _percent(availability),
        "coverage": _percent(coverage),
        "maintenance": seconds(stats.maintenance_ms),
        "responseTime": response_times(stats.response),
        "phases": {phase: _seconds(stats.phases_us.get(phase)) for phase in PHASES},
        "statuses": _counts(stats.statuses),
        "causes": _counts(stats.causes),
        "state": str(status.state),
        "since": _date(status.since_ms),
        "lastFailure": _date(row.last_failure_ms),
        "detail": row.detail or None,
        "certificateExpires": _date(status.certificate_s and status.certificate_s * 1_000),
    }


def _delivery(entry: Entry) -> dict[str, object]:
    return {
        "channel": entry.channel,
        "state": str(entry.state),
        "time": _date(entry.done_ms),
        "reason": entry.reason or None,
    }


def location_json(location: str) -> dict[str, object]:
    """The key `location`, which is left out for a monitor without a location."""
    return {"location": location} if location else {}


def response_times(response: ResponseTimes | None) -> dict[str, float | None]:
    """Response times in seconds, by their names."""
    if response is None:
        return dict.fromkeys(("mean", "min", "max", "p50", "p95", "p99"))
    return {
        "mean": _seconds(response.mean_us),
        "min": _seconds(response.min_us),
        "max": _seconds(response.max_us),
        "p50": _seconds(response.p50_us),
        "p95": _seconds(response.p95_us),
        "p99": _seconds(response.p99_us),
    }


def _counts(counts: Mapping[int, int] | Mapping[Cause, int]) -> dict[str, int]:
    return {str(key): count for key, count in sorted(counts.items())}


def _seconds(time_us: float | None) -> float | None:
    """Seconds, rounded to microseconds, because a mean is no more exact than its measurements."""
    return None if time_us is None else round(time_us) / 1_000_000


def _percent(percent: Fraction | float | None) -> float | None:
    """A percentage, cut off after two decimals as everywhere, so that 100 is exact."""
    text = percent_text(percent)
    return None if text == NOTHING else float(text)


def seconds(duration_ms: int) -> int | float:
    """A duration in milliseconds as a number of seconds."""
    return duration_ms / 1_000 if duration_ms % 1_000 else duration_ms // 1_000


def _date(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else time_text(moment_ms)


def json_line(value: dict[str, object]) -> str:
    # ASCII only, so that no control character, line separator or override of the writing direction remains.
    return json.dumps({"schema": SCHEMA, **value}, allow_nan=False, separators=(",", ":")).replace("\x7f", "\\u007f")
