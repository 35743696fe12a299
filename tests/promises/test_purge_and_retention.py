"""Purge and retention while a real monitor runs: what was to go goes and never comes back, nothing else is touched."""

import os
import signal
import threading
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.commands.purge import Purge, Terminal, scope_of
from monitoring.config import load_config
from monitoring.errors import ConfigError
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.storage.base import Points
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.lock import writer_is_alive
from monitoring.storage.sqlite.store import LocalStore
from tests.support.forwarded import maintain
from tests.support.gateway import READ_TOKEN, WRITE_TOKEN, Gateway
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.keeper import Keeper
from tests.support.local_files import assert_sound
from tests.support.monitor import (
    FOREVER,
    PATIENCE_S,
    Monitor,
    local_file,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
)
from tests.support.monitor import write_config as write_any_config
from tests.support.points import by_host
from tests.support.target import Target, by_path, now_ms

pytestmark = pytest.mark.promise

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PATHS = ("/gone", "/stays")
RARELY = {"window": 60, "interval": 60}


def write_config(folder: Path, target: Target, database: str = "sqlite:", **settings: object) -> Path:
    urls = [target.url(path) for path in PATHS]
    return write_any_config(folder, urls, 0.2, database=database, alerting=RARELY, **settings)


def the_past(hosts: Collection[str], hours: int = 3) -> list[CheckResult]:
    """A check of each of these sites every ten seconds, until half an hour ago."""
    until_ms = now_ms() - HOUR_MS // 2
    times = range(until_ms - hours * HOUR_MS, until_ms, 10_000)
    return [CheckResult(host, at_ms, 10_000, 3, 200, 1_000) for at_ms in times for host in hosts]


def fill(config: Path, past: list[CheckResult], alerts: Collection[Alert] = ()) -> None:
    """What earlier runs left in the local file, summarised."""
    with closing(LocalStore(local_file(config))) as store:
        store.append(past, list(alerts), now_ms())
        maintain(store, now_ms())


def purge(
    config: Path, *, site: str | None = None, before: str | None = None, location: str | None = None, yes: bool = True
) -> tuple[int, list[str]]:
    """The exit status, and what was said; run in this process, as `--purge` does it in its own."""
    said: list[str] = []
    clock = SystemClock()
    scope = scope_of(site, before, location, clock.now_ms())
    status = Purge(load_config(config, {}), scope, clock, Terminal(said.append, None)).run(yes=yes)
    return status, said


def of(target: Target, path: str, checks: Collection[CheckResult]) -> list[CheckResult]:
    return [check for check in checks if check.host == target.url(path)]


def test_a_site_is_purged_under_a_running_monitor_which_misses_no_check_of_the_others(
    tmp_path: Path, target: Target
) -> None:
    config = write_config(tmp_path, target)
    past = the_past([target.url(path) for path in PATHS])
    fill(config, past, [alert_of(target.url("/gone"))])
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), more_than=len(past) + 4)
        asked_ms = now_ms()
        status, said = purge(config, site=target.url("/gone"))
        assert status == 0
        assert f"{target.url('/gone')}" in said[0]
        monitor_goes_on(target)
        assert monitor.terminate() == 0
    checks = stored_checks(local_file(config))
    assert all(check.time_ms >= asked_ms for check in of(target, "/gone", checks))
    assert stored_alerts(local_file(config)) == []
    stays = of(target, "/stays", checks)
    assert len(stays) == len(set(stays))
    assert set(of(target, "/stays", past)) <= set(stays)
    assert 0 <= len(target.asked("/stays")) - (len(stays) - len(of(target, "/stays", past))) <= 1
    assert of(target, "/gone", checks), "it is checked on"


def alert_of(host: str) -> Alert:
    at_ms = now_ms() - HOUR_MS
    return Alert(AlertType.RECOVERY, host, at_ms, at_ms - 9_000, at_ms - 5_000, 75.0, Cause.TIMEOUT)


def monitor_goes_on(target: Target) -> None:
    before = target.counts()
    wait_for(lambda: all(target.counts()[path] > before[path] + 4 for path in PATHS), "checks after it")


def test_a_purge_survives_kill_9_of_the_monitor_that_was_at_it(tmp_path: Path, target: Target) -> None:
    """The one who purges goes on himself; the next monitor finds nothing of it and everything else."""
    config = write_config(tmp_path, target)
    past = the_past([target.url(path) for path in PATHS], hours=6)
    fill(config, past)
    done: list[int] = []
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=len(past))
        asked_ms = now_ms()
        purging = threading.Thread(target=lambda: done.append(purge(config, site=target.url("/gone"))[0]))
        purging.start()
        gone = of(target, "/gone", past)
        wait_for(lambda: len(of(target, "/gone", stored_checks(local_file(config)))) < len(gone), "the first of it to go")
        monitor.kill()
    purging.join()
    assert done == [0]
    before = stored_checks(local_file(config))
    with Monitor(config, "--silent") as again:
        wait_for_checks(local_file(config), more_than=len(before) + 4)
        assert again.terminate() == 0
    checks = stored_checks(local_file(config))
    assert checks[: len(before)] == before
    assert all(check.time_ms >= asked_ms for check in of(target, "/gone", checks))
    assert set(of(target, "/stays", past)) <= set(of(target, "/stays", checks))


def test_everything_before_a_moment_goes_and_an_open_alert_stays(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, target)
    past = the_past([target.url(path) for path in PATHS])
    opened = Alert(
        AlertType.ALERT, target.url("/stays"), now_ms() - 3 * HOUR_MS, now_ms() - 3 * HOUR_MS, None, 7.0, Cause.DNS
    )
    fill(config, past, [opened])
    status, said = purge(config, before="2h")
    cut_ms = (now_ms() - 2 * HOUR_MS) // HOUR_MS * HOUR_MS
    assert status == 0
    assert stored_checks(local_file(config)) == sorted_checks([check for check in past if check.time_ms >= cut_ms])
    assert stored_alerts(local_file(config)) == [opened]
    assert "2 sites" in said[0]
    assert "0 alerts" in said[1]


def sorted_checks(checks: Collection[CheckResult]) -> list[CheckResult]:
    return sorted(checks, key=lambda check: (check.time_ms, check.host))


def test_nothing_is_deleted_where_nobody_can_be_asked_and_nobody_said_yes(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, target)
    past = the_past([target.url("/gone")], hours=1)
    fill(config, past)
    with pytest.raises(ConfigError, match="--yes"):
        purge(config, yes=False)
    assert stored_checks(local_file(config)) == sorted_checks(past)
    assert purge(config, site="http://nobody.example/")[1] == ["There is nothing of http://nobody.example/ to delete."]


def test_what_a_database_holds_that_does_not_answer_waits_for_a_monitor_that_reaches_it(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    """It is said soon what is deleted and what waits."""
    config = write_config(tmp_path, target, own_influxd.url("monitoring"))
    past = the_past([target.url(path) for path in PATHS], hours=1)
    fill(config, past)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=len(past))
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        assert monitor.terminate() == 0
    own_influxd.kill()
    began_s, asked_ms = time.monotonic(), now_ms()
    status, said = purge(config, site=target.url("/gone"))
    assert (status, time.monotonic() - began_s < PATIENCE_S) == (0, True)
    name = f"InfluxDB at 127.0.0.1:{own_influxd.port}"
    assert said[-2:] == [
        f"  {name} does not answer: what it holds goes when a monitor of this configuration reaches it",
        "Deleted here.",
    ]
    assert not [it for it in of(target, "/gone", stored_checks(local_file(config))) if it.time_ms < asked_ms]
    own_influxd.start()
    with closing(influx_of(own_influxd)) as store, Monitor(config, "--silent") as monitor:
        wait_for(lambda: not set(of(target, "/gone", past)) & set(store.results(FOREVER)), "the purge there")
        assert monitor.terminate() == 0
        assert set(of(target, "/stays", past)) <= set(store.results(FOREVER))


@pytest.mark.parametrize("running", [True, False], ids=["while a monitor runs", "with no monitor"])
def test_influxdb_is_purged_as_well_and_gets_nothing_of_it_back(
    tmp_path: Path, target: Target, own_influxd: Influxd, running: bool
) -> None:
    config = write_config(tmp_path, target, f"influxdb://{own_influxd.host}:{own_influxd.port}/monitoring")
    past = the_past([target.url(path) for path in PATHS], hours=1)
    fill(config, past)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=len(past) + 4)
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        if not running:
            assert monitor.terminate() == 0
        asked_ms = now_ms()
        assert purge(config, site=target.url("/gone"))[0] == 0
        if running:
            monitor_goes_on(target)
            wait_for(lambda: undelivered(local_file(config)) == 0, "delivery of the summaries")
            assert monitor.terminate() == 0
    assert not writer_is_alive(local_file(config))
    with closing(influx_of(own_influxd)) as store:
        held = list(store.results(FOREVER))
        window = Window(past[0].time_ms, asked_ms)
        seen = store.stats(window, exact=True)
    assert all(check.time_ms >= asked_ms for check in of(target, "/gone", held))
    assert set(of(target, "/stays", past)) <= set(held)
    assert set(seen) == {target.url("/stays")}
    assert seen[target.url("/stays")].checks == sum(window.from_ms <= one.time_ms < asked_ms for one in held)


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
        assert monitor.errors == [f"new configuration: {len(PATHS)} sites, 0 added, 0 removed, 0 checked in another way"]
        held = list(store.results(FOREVER))
        assert [alert.host for alert in store.alerts(FOREVER)] == [hosts[0]], "it is still open"
    assert set(theirs) <= set(held)
    assert set(young) <= set(held)
    for path in PATHS:
        made = len(of(target, path, held)) - len(of(target, path, young))
        assert 0 <= len(target.asked(path)) - made <= 1


def influx_of(server: Influxd) -> InfluxStore:
    return store_at(address_of(server, "monitoring"))


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
