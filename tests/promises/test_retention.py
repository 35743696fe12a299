"""Retention while a real monitor or gateway runs: what is too old goes everywhere, nothing else is touched."""

import os
import signal
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.storage.base import Points
from monitoring.storage.sqlite.store import LocalStore
from tests.support.forwarded import maintain
from tests.support.gateway import READ_TOKEN, WRITE_TOKEN, Gateway
from tests.support.influxd import Influxd
from tests.support.keeper import Keeper
from tests.support.local_files import assert_sound
from tests.support.monitor import (
    FOREVER,
    Monitor,
    local_file,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
)
from tests.support.points import by_host
from tests.support.purging import (
    DAY_MS,
    HOUR_MS,
    PATHS,
    fill,
    influx_of,
    monitor_goes_on,
    of,
    sorted_checks,
    the_past,
    write_config,
)
from tests.support.target import Target, by_path, now_ms

pytestmark = pytest.mark.promise


def test_what_is_older_than_retention_goes_while_a_monitor_runs(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, target, retention={"checks": "1d", "alerts": "2d"})
    old = [CheckResult(target.url(path), now_ms() - 3 * DAY_MS + n * 60_000, 60_000, 1, 200, 5)
           for n in range(120) for path in PATHS]  # fmt: skip
    young = the_past([target.url(path) for path in PATHS], hours=1)
    fill(config, old + young)
    with Monitor(config, "--silent") as monitor:
        wait_for(lambda: not set(old) & set(stored_checks(local_file(config))), "the old ones to go")
        assert monitor.terminate() == 0
    checks = stored_checks(local_file(config))
    assert set(young) <= set(checks)
    stored = by_path([check for check in checks if check not in set(young)])
    for path in PATHS:
        assert 0 <= len(target.asked(path)) - stored[path] <= 1


def the_past_days_ago(hosts: Collection[str], days: int) -> list[CheckResult]:
    """Two hours of one check a minute of each of these sites."""
    begin_ms = now_ms() - days * DAY_MS
    times = range(begin_ms, begin_ms + 2 * HOUR_MS, 60_000)
    return [CheckResult(host, at_ms, 60_000, 1, 200, 5) for at_ms in times for host in hosts]


def test_what_is_older_than_retention_leaves_influxdb_and_nothing_that_others_wrote(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    """A monitor is told a shorter retention while it runs; it misses no check meanwhile."""
    config = write_config(tmp_path, target, own_influxd.url("monitoring"), retention={"checks": "30d", "alerts": "60d"})
    hosts = [target.url(path) for path in PATHS]
    old, young = the_past_days_ago(hosts, 20), the_past(hosts, hours=1)
    theirs = the_past_days_ago(["http://theirs.example/"], 20)
    fill(config, old + young, [Alert(AlertType.ALERT, hosts[0], old[0].time_ms, old[0].time_ms, None, 7.0, Cause.DNS)])
    with closing(influx_of(own_influxd)) as store, Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=len(old + young) + 4)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        store.write(Points(theirs))
        assert set(old) <= set(store.results(FOREVER))
        write_config(tmp_path, target, own_influxd.url("monitoring"), retention={"checks": "2d", "alerts": "3d"})
        wait_for(lambda: not set(old) & set(store.results(FOREVER)), "the old ones to go")
        gone = Window(old[0].time_ms, old[-1].time_ms)
        wait_for(lambda: not by_host(store.counts(gone, "minutes")).keys() & set(hosts), "their minutes to go")
        monitor_goes_on(target)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery of what came meanwhile")
        assert monitor.terminate() == 0
        assert monitor.errors == [f"new configuration: {len(PATHS)} sites; changed: retention"]
        held = list(store.results(FOREVER))
        assert [alert.host for alert in store.alerts(FOREVER)] == [hosts[0]], "it is still open"
    assert set(theirs) <= set(held)
    assert set(young) <= set(held)
    for path in PATHS:
        made = len(of(target, path, held)) - len(of(target, path, young))
        assert 0 <= len(target.asked(path)) - made <= 1


def test_checks_that_grew_too_old_before_the_database_had_them_are_told(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, target, "influxdb://127.0.0.1:1/monitoring", retention={"checks": "1d", "alerts": "2d"})
    old = the_past_days_ago([target.url("/stays")], 3)
    fill(config, old)
    sentence = f"{len(old)} checks grew older than retention before InfluxDB at 127.0.0.1:1 had them"
    with Monitor(config, "--silent") as monitor:
        wait_for(lambda: sentence in monitor.errors, "words about them")
        wait_for(lambda: not set(old) & set(stored_checks(local_file(config))), "the old ones to go")
        monitor_goes_on(target)
        assert monitor.terminate() == 0
    away = [line for line in monitor.errors if line.startswith("InfluxDB at 127.0.0.1:1 does not answer")]
    assert sorted(monitor.errors) == sorted([*away, sentence])
    assert len(away) == 1
    with Monitor(config, "--format", "text") as again:
        wait_for(lambda: f"== {sentence}" in again.printed, "the header")
        assert again.terminate() == 0
    with Monitor(config, "--silent", "--database", "sqlite:") as alone:
        monitor_goes_on(target)
        assert alone.terminate() == 0
    assert alone.errors == [], "no database is to have them"


@pytest.mark.parametrize("kind", ["influxdb", "sqlite"])
def test_a_gateway_keeps_its_database_within_its_own_retention(
    tmp_path: Path, target: Target, own_influxd: Influxd, kind: str
) -> None:
    where = own_influxd.url("monitoring") if kind == "influxdb" else "sqlite:"
    config = write_config(tmp_path, target, where, retention={"checks": "30d", "alerts": "30d"})
    old, young = the_past_days_ago(["http://one/", "http://two/"], 20), the_past(["http://one/", "http://two/"], hours=1)
    with (
        Gateway(config) as gateway,
        closing(gateway.store(WRITE_TOKEN)) as writer,
        closing(gateway.store(READ_TOKEN)) as reader,
    ):
        gateway.wait_until_it_serves()
        writer.verify("file")
        writer.write(Points(old + young))
        assert len(list(reader.results(FOREVER))) == len(old + young)
        write_config(tmp_path, target, where, retention={"checks": "2d", "alerts": "2d"})
        os.kill(gateway.pid, signal.SIGHUP)
        wait_for(lambda: len(list(reader.results(FOREVER))) <= len(young), "the old ones to go")
        assert list(reader.results(FOREVER)) == sorted_checks(young)
        assert gateway.terminate() == 0
        assert gateway.errors == []


def test_retention_survives_kill_9_at_any_moment_and_takes_nothing_young(tmp_path: Path) -> None:
    """A writer that retains while it writes, killed again and again."""
    file = tmp_path / "monitor.db"
    hour_ms = now_ms() // HOUR_MS * HOUR_MS
    old = [CheckResult(f"site {n % 40}", hour_ms - 60 * HOUR_MS + n * 1_500, 60_000, 1, 200, 5) for n in range(12_000)]
    young = [CheckResult("young", hour_ms - HOUR_MS + n * 1_000, 1_000, 1, 200, 5) for n in range(100)]
    with closing(LocalStore(file)) as store:
        store.append(old + young, [], now_ms())
        maintain(store, now_ms())
    left = len(old)
    for _ in range(30):
        with Keeper(file) as keeper:
            wait_for(lambda: keeper.committed, "a commit")
            keeper.kill()
        assert_sound(file)
        checks = stored_checks(file)
        assert set(young) <= set(checks)
        assert len(set(keeper.committed) - {check.time_ms for check in checks}) == 0, "what was committed is there"
        before, left = left, len(set(old) & set(checks))
        assert left <= before
        if not left:
            break
    assert left == 0
    with closing(LocalStore(file)) as store:
        store.set_retention(DAY_MS, DAY_MS)
        maintain(store, now_ms())
        assert not store.counts(Window(0, hour_ms - HOUR_MS), "minutes")
        assert store.expired() == len(old)
