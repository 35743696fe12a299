"""Rows of InfluxDB's answers as our values. Pure.

A database may hold points of other writers: what is no cause is `error`, what is no alert is passed over.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from monitoring.models import PHASES, Alert, AlertType, Cause, CheckResult
from monitoring.store.lineprotocol import from_rfc3339

Row = Mapping[str, Any]
"""One row, column name to value: times in milliseconds, durations in seconds, None for a field that is not there."""

US_PER_S = 1e6

WHOLE_CHECK = "available, status, covers, lag, cause, responseTime, " + ", ".join(PHASES)
"""The fields that `check_of` reads."""


def by_host(series: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """The rows of an answer that is grouped by host, in order of time."""
    return {
        one["tags"]["host"]: [dict(zip(one["columns"], values, strict=True)) for values in one["values"]] for one in series
    }


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
