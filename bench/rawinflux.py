"""What an InfluxDB really holds, asked around the monitor's own code."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from monitoring.models import PHASES, Alert, CheckResult, Window

PATIENCE_S = 600.0
FIELDS = ("available", "status", "covers", "lag", "responseTime", *PHASES, "cause")
ALERT_FIELDS = ("type", "availability", "cause")

Point = tuple[Any, ...]
"""Host, time in milliseconds, then the fields; durations in whole microseconds, None where there is none."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not for loopback


class RawInfluxdb:
    """One database of an InfluxDB 1.x on this machine."""

    def __init__(self, port: int, database: str) -> None:
        self._url = f"http://127.0.0.1:{port}/query"
        self._database = database

    def counts(self) -> dict[str, int]:
        """How many checks there are of each host."""
        found = self._ask("SELECT count(available) FROM website_availability GROUP BY host")
        return {host: values[0][1] for host, values in found}

    def summarised(self, measurement: str) -> dict[str, int]:
        """Of how many checks of each host these summaries tell."""
        found = self._ask(f"SELECT sum(checks) FROM {measurement} GROUP BY host")
        return {host: values[0][1] for host, values in found}

    def checks(self, window: Window) -> set[Point]:
        where = f"time >= {window.from_ms}ms AND time < {window.until_ms}ms"
        found = self._ask(f"SELECT {', '.join(FIELDS)} FROM website_availability WHERE {where} GROUP BY host")
        return {(host, *_whole(row)) for host, values in found for row in values}

    def alerts(self) -> set[Point]:
        found = self._ask(f"SELECT {', '.join(ALERT_FIELDS)} FROM website_alerts GROUP BY host")
        return {(host, *row) for host, values in found for row in values}

    def _ask(self, statement: str) -> Iterator[tuple[str, list[list[Any]]]]:
        parameters = urllib.parse.urlencode({"db": self._database, "q": statement, "epoch": "ms"})
        with _direct.open(f"{self._url}?{parameters}", timeout=PATIENCE_S) as answer:
            (result,) = json.load(answer)["results"]
        if "error" in result:
            raise RuntimeError(f"{statement}: {result['error']}")
        for series in result.get("series", ()):
            yield series["tags"]["host"], series["values"]


def _whole(row: list[Any]) -> list[Any]:
    time_ms, available, status, covers, *seconds, cause = row
    return [time_ms, available, status, covers, *(None if one is None else round(one * 1e6) for one in seconds), cause]


def check_point(check: CheckResult) -> Point:
    """How a check must lie there."""
    times = (check.lag_us, check.response_us, *check.phases_us)
    return (check.host, check.time_ms, int(check.available), check.status, check.covers_ms, *times, check.cause)


def alert_point(alert: Alert) -> Point:
    """How a transition must lie there."""
    return alert.host, alert.time_ms, alert.type, alert.availability, alert.cause
