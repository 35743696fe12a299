"""Rows of InfluxDB's answers as our values. Pure.

A database may hold points of other writers: what is no cause is `error`, what is no alert is passed over.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.models import (
    PHASES,
    Alert,
    AlertType,
    Bucket,
    Cause,
    CheckResult,
    Downtime,
    Failure,
    ResponseTimes,
    SiteStats,
    Window,
)
from monitoring.stats import bucket_range, bucket_width_ms
from monitoring.store.lineprotocol import from_rfc3339

Row = Mapping[str, Any]
"""One row, column name to value: times in milliseconds, durations in seconds, None for a field that is not there."""

US_PER_S = 1e6


def site_stats(
    host: str, window: Window, *, good: Row, failed: Sequence[Row], good_statuses: Mapping[int, int], means: Sequence[Row]
) -> SiteStats:
    """Put a site's statistics together from what was asked about its available and its failed checks.

    `good` holds aggregates (empty: there was no available check), `failed` the failed checks themselves, `means` the
    mean response time of those parts of the window that have one.
    """
    available_ms = good.get("covers") or 0
    return SiteStats(
        host=host,
        checks=good.get("checks", 0) + len(failed),
        available=good.get("checks", 0),
        covered_ms=available_ms + sum(row["covers"] or 0 for row in failed),
        available_ms=available_ms,
        response=_response_times(good),
        phases_us={phase: good[phase] * US_PER_S for phase in PHASES if good.get(phase) is not None},
        statuses=_statuses(good_statuses, failed),
        causes=Counter(_cause(row) for row in failed),
        last_failure_ms=failed[-1]["time"] if failed else None,
        trend=_trend(window, means, failed),
    )


def downtime_of(checks: Row, failed: Row) -> Downtime:
    """From the number of checks and their `covers`, of all and of the failed ones."""
    return Downtime(
        checks=checks["checks"],
        failures=failed.get("checks", 0),
        covered_ms=checks["covers"] or 0,
        down_ms=failed.get("covers") or 0,
    )


def failure_of(row: Row) -> Failure:
    return Failure(row["time"], row["covers"] or 0, _cause(row))


def check_of(host: str, row: Row) -> CheckResult:
    """A whole check; its `detail` was never sent."""
    resolve, connect, tls, processing, transfer = (_us(row[phase]) for phase in PHASES)
    return CheckResult(
        host=host,
        time_ms=row["time"],
        covers_ms=row["covers"] or 0,
        lag_us=_us(row["lag"]) or 0,
        status=row["status"] or 0,
        response_us=_us(row["responseTime"]),
        phases_us=(resolve, connect, tls, processing, transfer),
        cause=None if row["available"] else _cause(row),
    )


def alert_of(host: str, row: Row) -> Alert | None:
    """An alert or a recovery; None when the row is neither."""
    try:
        return Alert(
            type=AlertType(row["type"]),
            host=host,
            time_ms=row["time"],
            start_ms=from_rfc3339(row["startDate"]),
            end_ms=from_rfc3339(row["endDate"]) if row["endDate"] else None,
            availability=float(row["availability"]),
            cause=_cause(row) if row["cause"] else None,
        )
    except (ValueError, TypeError):
        return None


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * US_PER_S)


def _cause(row: Row) -> Cause:
    try:
        return Cause(row["cause"])
    except ValueError:
        return Cause.ERROR


def _statuses(good: Mapping[int, int], failed: Sequence[Row]) -> Counter[int]:
    counts = Counter(row["status"] for row in failed)
    counts.update(good)
    return Counter({status: count for status, count in counts.items() if status})


def _response_times(good: Row) -> ResponseTimes | None:
    """None too when the first answer came late: a site's row may lack what a later statement did not see."""
    if good.get("mean") is None or good.get("min") is None:
        return None
    low, high, p50, p95, p99 = (round(good[name] * US_PER_S) for name in ("min", "max", "p50", "p95", "p99"))
    return ResponseTimes(good["mean"] * US_PER_S, low, high, p50, p95, p99)


def _trend(window: Window, means: Sequence[Row], failed: Sequence[Row]) -> tuple[Bucket, ...]:
    width = bucket_width_ms(window)
    failures = Counter(row["time"] // width for row in failed)
    mean_us = {row["time"] // width: row["mean"] * US_PER_S for row in means}
    return tuple(Bucket(mean_us.get(number), failures[number]) for number in bucket_range(window))
