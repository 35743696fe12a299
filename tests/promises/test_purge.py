"""A purge while a real monitor runs: what was to go goes and never comes back, nothing else is touched."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import ConfigError
from monitoring.models import Alert, AlertType, Cause, Window
from monitoring.storage.sqlite.file.lock import writer_is_alive
from tests.support.influxd import Influxd
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
from tests.support.purging import (
    HOUR_MS,
    PATHS,
    fill,
    influx_of,
    monitor_goes_on,
    of,
    purge,
    sorted_checks,
    the_past,
    write_config,
)
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise


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
    assert "alerts and recoveries: 0" in said[1]


def test_nothing_is_deleted_where_nobody_can_be_asked_and_nobody_said_yes(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, target)
    past = the_past([target.url("/gone")], hours=1)
    fill(config, past)
    with pytest.raises(ConfigError, match="--yes"):
        purge(config, yes=False)
    assert stored_checks(local_file(config)) == sorted_checks(past)


@pytest.mark.parametrize("database", ["sqlite:", "influxdb://127.0.0.1:1/monitoring"], ids=["a file", "a database away"])
@pytest.mark.parametrize("mistyped", ["gnoe", "http://nobody.example/"])
def test_a_site_that_is_neither_stored_nor_configured_is_mistyped(
    tmp_path: Path, target: Target, database: str, mistyped: str
) -> None:
    config = write_config(tmp_path, target, database)
    past = the_past([target.url("/gone"), "http://not-any-more.example"], hours=1)
    fill(config, past)
    with pytest.raises(ConfigError, match=f"^--site: no website is called {mistyped.rstrip('/')}"):
        purge(config, site=mistyped)
    assert stored_checks(local_file(config)) == sorted_checks(past)
    assert purge(config, site="http://not-any-more.example")[0] == 0, "stored, though it is configured no more"


@pytest.mark.parametrize("away", [Influxd.kill, Influxd.pause], ids=["gone", "hangs"])
def test_what_a_database_holds_that_does_not_answer_waits_for_a_monitor_that_reaches_it(
    tmp_path: Path, target: Target, own_influxd: Influxd, away: Callable[[Influxd], None]
) -> None:
    """It is said soon what is deleted and what waits."""
    config = write_config(tmp_path, target, own_influxd.url("monitoring"))
    past = the_past([target.url(path) for path in PATHS], hours=1)
    fill(config, past)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config), more_than=len(past))
        wait_for(lambda: undelivered(local_file(config)) == 0, "delivery")
        assert monitor.terminate() == 0
    away(own_influxd)
    began_s, asked_ms = time.monotonic(), now_ms()
    status, said = purge(config, site=target.url("/gone"))
    assert (status, time.monotonic() - began_s < PATIENCE_S) == (0, True)
    waits, ended = said[-2:]
    assert waits.startswith(f"  InfluxDB at 127.0.0.1:{own_influxd.port} does not answer")
    assert waits.endswith(": a monitor of this configuration deletes there once it reaches it")
    assert ended == "Deleted here."
    assert not [it for it in of(target, "/gone", stored_checks(local_file(config))) if it.time_ms < asked_ms]
    own_influxd.start() if away is Influxd.kill else own_influxd.resume()
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
