"""Clocks that are wrong or are set: no false alert, no false recovery, no time twice, no number that changes."""

import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitoring.display.words import time_text
from monitoring.models import CheckResult, Window
from monitoring.statistics.reference import summarise
from monitoring.storage.influxdb.points import from_rfc3339
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.faketime import SteppedClock, skewed
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import FOREVER, Monitor, local_file, stored_alerts, stored_checks, wait_for
from tests.support.processes import write_websites
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise

PATHS = ("/good", "/bad")

HOUR_MS = 3_600_000
NEAR_MS = 600_000
"""Far more than a busy machine is late, far less than the hour by which clocks are wrong here."""

INTERVAL_MS = 100

CHECKS_A_PHASE = 25
"""More checks than an alert window of these tests holds (2 s, a check every 0.1 s): all of it is after the step."""

MOST_ABANDONED = 2
"""A check that hangs while its monitor ends is not waited for: at most one of each site and run."""

UNDER_WAY_MS = 2_000
"""How long a check may be under way on a busy machine: of a window that ends now, it is still missing."""


def config_of(target: Target, folder: Path, **settings: object) -> Path:
    return write_websites(folder, [{"URL": target.url(path)} for path in PATHS], **settings)


def wait_for_more_checks(target: Target) -> None:
    goals = {path: len(target.asked(path)) + CHECKS_A_PHASE for path in PATHS}
    wait_for(lambda: all(len(target.asked(path)) >= goal for path, goal in goals.items()), "checks of both sites")


@dataclass(frozen=True, slots=True)
class Skew:
    """A monitor whose clock is wrong, and where it keeps what it sees."""

    name: str
    by_ms: int
    config: Path
    environ: dict[str, str]
    database: InfluxStore


def skews(influxd: Influxd, target: Target, folder: Path) -> list[Skew]:
    """Three monitors of the same two sites, each with a database of its own in one InfluxDB whose clock is right."""
    return [
        _skew(influxd, target, folder / "right", 0, {}),
        _skew(influxd, target, folder / "ahead", HOUR_MS, skewed("+1h")),
        _skew(influxd, target, folder / "behind", -HOUR_MS, skewed("-1h")),
    ]


def _skew(influxd: Influxd, target: Target, folder: Path, by_ms: int, environ: dict[str, str]) -> Skew:
    folder.mkdir()
    database = f"clocks-{uuid.uuid4()}"
    config = config_of(target, folder, database=influxd.url(database))
    store = store_at(address_of(influxd, database))
    return Skew(folder.name, by_ms, config, environ, store)


def test_clocks_an_hour_apart_change_nothing(influxd: Influxd, target: Target, tmp_path: Path) -> None:
    """Monitors an hour ahead of InfluxDB and an hour behind it show the statistics and alerts of one that agrees."""
    chosen = skews(influxd, target, tmp_path)
    target.go_down("/bad")
    with ExitStack() as stack:
        monitors = [stack.enter_context(Monitor(skew.config, environ=skew.environ)) for skew in chosen]
        for skew in chosen:
            stack.callback(skew.database.close)
        for monitor in monitors:
            monitor.wait_for_announcement("alert")
        target.come_back("/bad")
        for monitor in monitors:
            monitor.wait_for_announcement("recovery")
        wait_for(lambda: all(monitor.objects("stats") for monitor in monitors), "statistics")
        assert [monitor.terminate() for monitor in monitors] == [0, 0, 0]
        for skew, monitor in zip(chosen, monitors, strict=True):
            _is_right(skew, monitor, target.url("/bad"))


def _is_right(skew: Skew, monitor: Monitor, bad: str) -> None:
    told = [(one["URL"], one["type"], one["cause"]) for one in monitor.objects("alert")]
    assert told == [(bad, "alert", "status"), (bad, "recovery", "status")], skew.name
    moments = [from_rfc3339(one["time"]) for one in monitor.objects("alert")]
    assert all(abs(moment - skew.by_ms - now_ms()) < NEAR_MS for moment in moments), skew.name
    assert {"influxdb"} <= {shown["source"] for shown in monitor.objects("stats")} <= {"influxdb", "local"}
    for shown in monitor.objects("stats"):
        _equals_its_checks(shown, list(skew.database.results(FOREVER)))
    assert list(skew.database.results(FOREVER)) == stored_checks(local_file(skew.config))
    assert skew.database.alerts(FOREVER) == stored_alerts(local_file(skew.config))


def _equals_its_checks(shown: dict[str, Any], checks: list[CheckResult]) -> None:
    """Statistics printed by `--format json` can be recomputed from the checks in InfluxDB."""
    window = Window(from_rfc3339(shown["from"]), from_rfc3339(shown["until"]))
    for site in shown["sites"]:
        own = [check for check in checks if check.host == site["URL"] and window.from_ms <= check.time_ms < window.until_ms]
        assert all(check.time_ms >= window.until_ms - UNDER_WAY_MS for check in own[site["checks"] :])
        if not site["checks"]:  # the first statistics, on a busy machine
            assert (site["available"], site["availability"]) == (0, None)
            continue
        right = summarise(own[: site["checks"]], window, exact=True)[site["URL"]]
        assert (site["checks"], site["available"]) == (right.checks, right.available)
        assert site["availability"] == 10_000 * right.available_ms // right.covered_ms / 100  # hundredths, cut off
        failed = [check.time_ms for check in checks if check.host == site["URL"] and not check.available]
        # It belongs to the state, which may know of a check that came after the window.
        latest = window.until_ms + UNDER_WAY_MS
        known = {time_text(time_ms) for time_ms in failed if (right.last_failure_ms or 0) <= time_ms < latest}
        assert site["lastFailure"] in known or (site["lastFailure"], right.last_failure_ms) == (None, None)


def _without_detail(check: CheckResult) -> CheckResult:
    return replace(check, detail="")


def test_a_clock_that_is_set_back_and_forth_alarms_nobody(target: Target, tmp_path: Path) -> None:
    """Four steps of an hour: checks go on, times only rise, nothing is announced; what happens then is."""
    clock = SteppedClock(tmp_path / "clock")
    config = config_of(target, tmp_path)
    target.go_down("/bad")
    with Monitor(config, environ=clock.environ) as monitor:
        monitor.wait_for_announcement("alert")
        for by in ("+1h", "+0", "-1h", "+0"):
            clock.set(by)
            wait_for_more_checks(target)
        assert len(monitor.objects("alert")) == 1
        target.come_back("/bad")
        monitor.wait_for_announcement("recovery")
        target.go_down("/good")
        wait_for(lambda: len(monitor.announced("alert")) == 2, "the alert after the steps")
        assert (monitor.terminate(), monitor.errors) == (0, [])
    told = [(alert.host, alert.type) for alert in stored_alerts(local_file(config))]
    assert told == [(target.url(path), kind) for path, kind in (("/bad", "alert"), ("/bad", "recovery"), ("/good", "alert"))]
    checks = stored_checks(local_file(config))
    _only_rises(checks, target)
    gaps = [later.time_ms - earlier.time_ms for earlier, later in pairwise(_of(target.url("/good"), checks))]
    assert min(gaps) >= INTERVAL_MS - 1, "checks were squeezed together"
    assert max(gaps) > HOUR_MS - NEAR_MS, "the clock was not set"


def test_a_clock_set_back_between_two_runs_uses_no_time_twice(target: Target, tmp_path: Path) -> None:
    """The second run goes on where the first, an hour ahead, has ended; the outage it finds is not told again."""
    config = config_of(target, tmp_path)
    target.go_down("/bad")
    with Monitor(config, environ=skewed("+1h")) as first:
        first.wait_for_announcement("alert")
        assert first.terminate() == 0
    known = stored_checks(local_file(config))
    with Monitor(config) as second:
        wait_for_more_checks(target)
        assert second.objects("alert") == []
        target.come_back("/bad")
        second.wait_for_announcement("recovery")
        assert second.terminate() == 0
        assert second.errors == []
    checks = stored_checks(local_file(config))
    assert checks[: len(known)] == known
    _only_rises(checks, target)
    assert [alert.type for alert in stored_alerts(local_file(config))] == ["alert", "recovery"]


def _of(host: str, checks: list[CheckResult]) -> list[CheckResult]:
    return [check for check in checks if check.host == host]


def _only_rises(checks: list[CheckResult], target: Target) -> None:
    """Every check that was made is stored under a time of its own, later than the one before; no duration is negative."""
    for path in PATHS:
        own = _of(target.url(path), checks)
        assert 0 <= len(target.asked(path)) - len(own) <= MOST_ABANDONED
        assert all(earlier.time_ms < later.time_ms for earlier, later in pairwise(own))
    measured = [(check.response_us, check.lag_us, check.covers_ms, *check.phases_us) for check in checks]
    assert all(number is None or 0 <= number < HOUR_MS for numbers in measured for number in numbers)
