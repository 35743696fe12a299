"""Whatever happens to InfluxDB: checks and alerts go on, and in the end it holds every check exactly once."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitoring.config import site_host
from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.storage.sqlite.store import LocalStore
from tests.support.delivered import (
    DATABASE,
    DELIVERED_S,
    assert_outage_is_announced_in_time,
    assert_same_contents,
)
from tests.support.influxd import Influxd
from tests.support.monitor import (
    Monitor,
    local_file,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.target import Target, assert_holds_all_asked, now_ms
from tests.support.waiting import BUSY

pytestmark = pytest.mark.promise

SITES = ("/one", "/two", "/three")

LONGEST_GAP_MS = 2_500 * BUSY
"""Ten intervals: a stalled machine, not a monitor that waits for a database."""

HOUR_MS = 3_600_000
INTERVAL_MS = 2_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """How InfluxDB fails and how that ends; `early`: it begins before the monitor starts."""

    begin: Callable[[Influxd], None]
    end: Callable[[Influxd], None]
    early: bool = False
    least_s: float = 0.0


TROUBLES = {
    "comes late": Trouble(Influxd.wipe, Influxd.start, early=True),
    "hangs": Trouble(Influxd.pause, Influxd.resume, least_s=12),  # longer than a write waits: it is sent twice
    "is killed": Trouble(Influxd.kill, Influxd.start),
    "loses its disk": Trouble(Influxd.wipe, Influxd.start),
}


def config_for(folder: Path, target: Target, server: Influxd) -> Path:
    return write_config(folder, [target.url(path) for path in SITES], database=server.url(DATABASE))


def wait_until_delivered(config: Path) -> None:
    wait_for_checks(local_file(config))
    wait_for(lambda: undelivered(local_file(config)) == 0, "everything is delivered", DELIVERED_S)


def end(monitor: Monitor, config: Path) -> None:
    """SIGTERM. What a busy machine does not deliver in the second that an end takes, the next start delivers."""
    assert monitor.terminate() == 0
    if undelivered(local_file(config)):
        with Monitor(config, "--silent") as again:
            wait_until_delivered(config)
            assert again.terminate() == 0


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_when_influxdb_fails_checks_and_alerts_go_on_and_in_the_end_it_holds_everything_once(
    tmp_path: Path, target: Target, own_influxd: Influxd, trouble: Trouble
) -> None:
    config = config_for(tmp_path, target, own_influxd)
    if trouble.early:
        trouble.begin(own_influxd)
    with Monitor(config) as monitor:
        if trouble.early:
            wait_for_checks(local_file(config))
        else:
            wait_until_delivered(config)
            trouble.begin(own_influxd)
        over_ms = now_ms() + trouble.least_s * 1_000
        assert_outage_is_announced_in_time(monitor, target)
        wait_for(lambda: now_ms() >= over_ms, "the end of the trouble")
        assert undelivered(local_file(config)) > 0
        trouble.end(own_influxd)
        wait_until_delivered(config)
        end(monitor, config)
    assert target.longest_gap_ms() <= LONGEST_GAP_MS
    assert_holds_all_asked(stored_checks(local_file(config)), target, runs=2)
    assert_same_contents(config, own_influxd)


@pytest.mark.parametrize("ending", [Monitor.terminate, Monitor.kill], ids=["SIGTERM", "kill -9"])
def test_what_a_monitor_had_sent_to_an_influxdb_that_never_took_it_is_delivered_by_the_next_start(
    tmp_path: Path, target: Target, own_influxd: Influxd, ending: Callable[[Monitor], int | None]
) -> None:
    config = config_for(tmp_path, target, own_influxd)
    with Monitor(config) as monitor:
        wait_until_delivered(config)
        own_influxd.pause()
        stored = len(stored_checks(local_file(config)))
        wait_for_checks(local_file(config), more_than=stored + 10)
        assert not ending(monitor)
    own_influxd.kill()
    assert undelivered(local_file(config)) > 0

    own_influxd.start()
    with Monitor(config) as monitor:
        wait_until_delivered(config)
        end(monitor, config)
    assert_same_contents(config, own_influxd)


def past_hour(url: str) -> list[CheckResult]:
    """A check every two seconds until a minute ago, one in twenty failed."""
    random_times = random.Random(7)
    start_ms = now_ms() - HOUR_MS - 60_000
    return [
        CheckResult(
            site_host(url),
            start_ms + number * INTERVAL_MS,
            INTERVAL_MS,
            lag_us=random_times.randint(0, 9_000),
            status=200 if number % 20 else 503,
            response_us=random_times.randint(1_000, 900_000),
            cause=None if number % 20 else Cause.STATUS,
        )
        for number in range(HOUR_MS // INTERVAL_MS)
    ]


def test_after_an_hour_without_influxdb_all_of_it_is_delivered_and_statistics_come_from_there(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    config = config_for(tmp_path, target, own_influxd)
    store = LocalStore(local_file(config))
    for path in SITES:
        store.append(past_hour(target.url(path)), [], 0)
    store.close()
    assert undelivered(local_file(config)) == len(SITES) * HOUR_MS // INTERVAL_MS

    with Monitor(config) as monitor:
        wait_for(lambda: from_influxdb(monitor), "statistics from InfluxDB")
        wait_until_delivered(config)
        end(monitor, config)
    assert monitor.objects("alert") == []
    assert_same_contents(config, own_influxd)
    assert_recomputable(from_influxdb(monitor)[0], stored_checks(local_file(config)))


def from_influxdb(monitor: Monitor) -> list[dict[str, Any]]:
    """The statistics it has printed that InfluxDB gave."""
    return [line for line in monitor.objects("stats") if line["source"] == "influxdb"]


def assert_recomputable(printed: dict[str, Any], checks: list[CheckResult]) -> None:
    """The printed numbers follow from the stored checks; the newest one of a site may have been under way just then."""
    window = Window(milliseconds(printed["from"]), milliseconds(printed["until"]))
    for row in printed["sites"]:
        seen = [check for check in checks if check.host == row["URL"] and window.from_ms <= check.time_ms < window.until_ms]
        ended = seen if row["checks"] == len(seen) else seen[:-1]
        site = reference.summarise(ended, window, exact=True)[row["URL"]]
        assert (row["checks"], row["available"]) == (site.checks, site.available)
        assert row["availability"] == 10_000 * site.available_ms // site.covered_ms / 100  # hundredths, cut off
        assert site.response
        assert row["responseTime"]["mean"] == round(site.response.mean_us) / 1e6
        assert row["responseTime"]["p95"] == site.response.p95_us / 1e6


def milliseconds(date: str) -> int:
    return round(datetime.fromisoformat(date).timestamp() * 1_000)
