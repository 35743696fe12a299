"""Statistics over months, of checks that are long gone."""

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitoring.clock import SystemClock
from monitoring.config import parse_database
from monitoring.config.parsing.durations import moment_ms
from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, HOUR_MS
from tests.support.forwarded import maintain
from tests.support.influx_databases import store_at
from tests.support.influxd import Influxd
from tests.support.monitor import local_file
from tests.support.processes import run_program, write_websites

pytestmark = pytest.mark.promise

SITES = ("http://a.example", "http://b.example")


def months(now_ms: int) -> list[CheckResult]:
    """A hundred days of two sites, checked every three hours; the second one fails now and then."""
    return [
        CheckResult(site, now_ms - ago_ms + place, 10_800_000, 3, 200, 10_000 + ago_ms % 99_991, cause=cause)
        for ago_ms in range(100 * DAY_MS, 0, -10_800_000)
        for place, site in enumerate(SITES)
        for cause in [Cause.TIMEOUT if place and ago_ms % 7 == 0 else None]
    ]


def keep_thirty_days(store: LocalStore, now_ms: int) -> None:
    store.set_retention(30 * DAY_MS, 365 * DAY_MS)
    maintain(store, now_ms)


def deliver(store: LocalStore, remote: InfluxStore) -> None:
    forwarder = Forwarder(store, remote, SystemClock())
    while forwarder.step():
        pass
    assert forwarder.trouble is None


def printed(config: Path) -> dict[str, Any]:
    answer = run_program("-p", "--once", "--window", "90d", "--format", "json", "-c", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def assert_right(found: dict[str, Any], story: list[CheckResult]) -> None:
    window = Window(moment_ms(found["from"]), moment_ms(found["until"]))
    assert found["window"] == 90 * 86_400
    assert window.from_ms % HOUR_MS == 0
    assert 0 <= window.length_ms - 90 * DAY_MS < HOUR_MS
    for site, wanted in zip(found["sites"], reference.summarise(story, window, exact=False).values(), strict=True):
        assert wanted.response
        assert (site["URL"], site["checks"], site["available"]) == (wanted.host, wanted.checks, wanted.available)
        assert site["causes"] == {str(cause): count for cause, count in wanted.causes.items()}
        assert site["statuses"] == {"200": wanted.checks}
        times = ("mean", "min", "max", "p50", "p95", "p99")
        assert [site["responseTime"][name] for name in times] == [
            round(getattr(wanted.response, f"{name}_us")) / 1e6 for name in times
        ]


def test_ninety_days_are_told_by_influxdb_which_keeps_points_for_thirty(influxd: Influxd, tmp_path: Path) -> None:
    database = influxd.url(f"long-{uuid.uuid4()}")
    config = write_websites(tmp_path, [{"URL": site} for site in SITES], database=database)
    now_ms = SystemClock().now_ms()
    story = months(now_ms)
    store = LocalStore(local_file(config))
    store.append(story, [], 0)
    keep_thirty_days(store, now_ms)
    with closing(store_at(parse_database(database, {}))) as remote:
        deliver(store, remote)
        store.close()
        local_file(config).unlink()
        for _ in remote.delete(Deletion(SITES, now_ms - 30 * DAY_MS, spans=(Span.MINUTE,), alerts=False)):
            pass
        assert min(check.time_ms for check in remote.results(Window(0, now_ms))) >= now_ms - 30 * DAY_MS
        assert_right(printed(config), story)
        remote.drop_database()


def test_ninety_days_are_told_though_checks_are_kept_for_thirty(tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": site} for site in SITES])
    now_ms = SystemClock().now_ms()
    story = months(now_ms)
    store = LocalStore(local_file(config))
    store.append(story, [], 0)
    keep_thirty_days(store, now_ms)
    assert min(check.time_ms for check in store.results(Window(0, now_ms))) > now_ms - 31 * DAY_MS
    store.close()
    assert_right(printed(config), story)
