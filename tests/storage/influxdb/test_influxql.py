"""The statements of docs/influxql.md, run against a real InfluxDB that a monitor wrote to."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.statistics import percentiles
from monitoring.statistics.summary import Span
from monitoring.storage.base import Points
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import to_rfc3339
from tests.support.influx_databases import PATIENT_S, new_database, store_at
from tests.support.influxd import Influxd
from tests.support.sources import ROOT
from tests.support.summaries import summaries_of

BLOCK = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)
HOSTS = ("https://example.org/", "shop")
KEPT = "in maintenance for five minutes"


@dataclass(frozen=True)
class Monitored:
    """What is stored, and the client that asks about it."""

    client: InfluxClient
    checks: Sequence[CheckResult]
    alerts: Sequence[Alert]

    def rows(self, statement: str) -> Mapping[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for series in self.client.query(statement):
            rows = [dict(zip(series.columns, row, strict=True)) for row in series.values]
            found.setdefault(series.host, []).extend(rows)
        return found

    def of(self, host: str, **more: Any) -> list[CheckResult]:
        return [one for one in self.checks if one.host == host and all(getattr(one, k) == v for k, v in more.items())]


@pytest.fixture(scope="module")
def monitored(influxd: Influxd) -> Iterator[Monitored]:
    """Two hours of two sites until a minute ago; the second one fails in runs, with different causes."""
    now_ms = Span.MINUTE.start_of(int(time.time() * 1_000))  # the statements ask for the time before the server's now
    checks = [made(host, now_ms - 60_000 - 10_000 * number, number) for number in range(720) for host in HOSTS]
    checks += [replace(made(KEPT, now_ms - 60_000 - 10_000 * number, number), maintenance=1) for number in range(30)]
    alerts = [
        Alert(AlertType.ALERT, "shop", now_ms - 50_000, now_ms - 60_000, None, 70.0, Cause.TLS),
        Alert(AlertType.RECOVERY, HOSTS[0], now_ms - 9_000, now_ms - 90_000, now_ms - 30_000, 95.0, Cause.DNS),
    ]
    with new_database(influxd) as address, contextlib.closing(store_at(address)) as store:
        store.write(Points(checks, alerts, summaries_of(checks)))
        client = InfluxClient(address, (1.0, PATIENT_S))
        yield Monitored(client, checks, alerts)
        client.close()


def made(host: str, time_ms: int, number: int) -> CheckResult:
    cause = None
    if host == "shop":
        cause = Cause.TIMEOUT if number % 90 == 50 else Cause.TLS if number % 100 < 3 else None
    took_us = None if cause else 20_000 + number * 37 % 50_000
    return CheckResult(
        host, time_ms, 10_000, 90, 0 if cause else 200, took_us, (None,) * 5, cause, "as it said" if cause else ""
    )


def sections() -> dict[str, list[str]]:
    text = (ROOT / "docs" / "influxql.md").read_text()
    parts = (part.partition("\n") for part in text.split("\n## ")[1:])
    return {title: [" ".join(found.split()) for found in BLOCK.findall(body)] for title, _, body in parts}


STATEMENTS = [(title, number) for title, found in sections().items() for number in range(len(found))]


def test_the_document_has_the_charts_that_people_ask_for() -> None:
    assert [title for title, found in sections().items() if found] == [
        "Availability by hour",
        "Response time: 95th percentile by minute",
        "Downtime by cause",
        "Maintenance",
        "Current state of all sites",
    ]


@pytest.mark.parametrize(("title", "number"), STATEMENTS)
def test_every_statement_finds_something(monitored: Monitored, title: str, number: int) -> None:
    assert any(monitored.rows(sections()[title][number]).values())


def test_availability_by_hour_is_that_of_the_checks(monitored: Monitored) -> None:
    by_minute, by_hour = sections()["Availability by hour"]
    for statement, span in ((by_minute, Span.HOUR), (by_hour, Span.DAY)):
        found = monitored.rows(statement)
        for host in HOSTS:
            expected = {}
            for start_ms in sorted({span.start_of(one.time_ms) for one in monitored.of(host)}):
                own = [one for one in monitored.of(host) if span.start_of(one.time_ms) == start_ms]
                good_ms = sum(one.covers_ms for one in own if one.available)
                expected[start_ms] = float(100 * good_ms / sum(one.covers_ms for one in own))
            assert {row["time"]: row["availability"] for row in found[host]} == pytest.approx(expected)


def test_the_95th_percentile_by_minute_is_that_of_the_checks(monitored: Monitored) -> None:
    for statement in sections()["Response time: 95th percentile by minute"]:
        found = monitored.rows(statement)
        for host in HOSTS:
            times: dict[int, list[int]] = {}
            for one in monitored.of(host, cause=None):
                assert one.response_us is not None
                times.setdefault(Span.MINUTE.start_of(one.time_ms), []).append(one.response_us)
            expected = {minute: percentiles.percentile(sorted(own), 95) / 1e6 for minute, own in times.items()}
            seen = {row["time"]: row["p95"] for row in found[host] if row["p95"] is not None}
            assert seen == pytest.approx(expected)


def test_downtime_by_cause_is_that_of_the_checks(monitored: Monitored) -> None:
    by_cause, together, last = sections()["Downtime by cause"]
    for cause in Cause:
        expected = sum(one.covers_ms for one in monitored.of("shop", cause=cause)) / 1_000
        found = monitored.rows(by_cause.replace("'timeout'", f"'{cause}'"))
        assert [row["down"] for row in found.get("shop", [])] == ([expected] if expected else [])
        assert HOSTS[0] not in found
    failed = [one for one in monitored.of("shop") if not one.available]
    assert {host: rows[0]["down"] for host, rows in monitored.rows(together).items()} == {
        HOSTS[0]: 0,
        KEPT: 0,
        "shop": sum(one.covers_ms for one in failed) / 1_000,
    }
    newest = sorted(failed, key=lambda one: -one.time_ms)[:20]
    assert [(row["time"], row["cause"], row["detail"]) for row in monitored.rows(last)[""]] == [
        (one.time_ms, one.cause, one.detail) for one in newest
    ]


def test_maintenance_has_its_seconds_and_no_availability(monitored: Monitored) -> None:
    (statement,) = sections()["Maintenance"]
    found = {host: rows[0]["maintenance"] for host, rows in monitored.rows(statement).items()}
    assert found == {KEPT: 300}
    for availability in sections()["Availability by hour"]:
        assert monitored.rows(availability).keys() == set(HOSTS)


def test_the_document_names_every_cause(monitored: Monitored) -> None:
    text = (ROOT / "docs" / "influxql.md").read_text()
    assert {cause for cause in Cause if f"`{cause}`" not in text} == set()


def test_the_current_state_is_that_of_the_last_check_and_the_last_alert(monitored: Monitored) -> None:
    checks, alerts = sections()["Current state of all sites"]
    newest = {host: max(monitored.of(host), key=lambda one: one.time_ms) for host in (*HOSTS, KEPT)}
    found = monitored.rows(checks)
    assert {host: rows[0]["available"] for host, rows in found.items()} == {
        host: int(one.available) for host, one in newest.items()
    }
    changes = {host: rows[0] for host, rows in monitored.rows(alerts).items()}
    assert {host: row["state"] for host, row in changes.items()} == {"shop": "alert", HOSTS[0]: "recovery"}
    assert changes["shop"]["startDate"] == to_rfc3339(monitored.alerts[0].start_ms)


def test_the_document_names_every_field(monitored: Monitored) -> None:
    """What a person finds in the database is explained."""
    text = (ROOT / "docs" / "influxql.md").read_text()
    names = {row["fieldKey"] for rows in monitored.rows("SHOW FIELD KEYS").values() for row in rows}
    assert {name for name in names if f"`{name}`" not in text} <= {"proof", "delivery", "newest", "summarised"}
