"""What the local file keeps, however the monitor ends and whatever the disk does."""

import random
import re
from pathlib import Path

import pytest

from monitoring.models import AlertType, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.local_files import assert_sound, fill_disk, free_disk
from tests.support.monitor import (
    Monitor,
    as_printed,
    local_file,
    stored_alerts,
    stored_checks,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.target import Target, assert_holds_all_asked, by_path, now_ms

pytestmark = pytest.mark.promise

KILLS = 5
SITES = ("/one", "/two", "/three")

RARELY = {"window": 60, "interval": 60}
"""Every decision on alerts makes the writer commit; with this rule it commits on its own only."""

LOST_MS = 1_500
"""The promised last second, and half a second for a disk that others use too."""


def run_and_kill(config: Path, target: Target, dice: random.Random) -> int:
    """Start the monitor and `kill -9` it at some moment; when that was."""
    before = target.counts()
    with Monitor(config, "--silent"):
        wait_for(lambda: all(target.counts()[path] > before[path] for path in SITES), "a check of each site")
        end_ms = now_ms() + dice.randint(0, 3_000)
        wait_for(lambda: now_ms() >= end_ms, "the moment of the kill")
    return now_ms()


@pytest.mark.timing
def test_kill_9_loses_at_most_the_last_second_and_the_next_start_goes_on(
    tmp_path: Path, target: Target, dice: random.Random
) -> None:
    config = write_config(tmp_path, [target.url(path) for path in SITES], alerting=RARELY)
    checks: list[CheckResult] = []
    for _ in range(KILLS):
        stored_before, asked_before = by_path(checks), target.counts()
        killed_ms = run_and_kill(config, target, dice)
        assert_sound(local_file(config))
        earlier, checks = checks, stored_checks(local_file(config))
        new = by_path(checks) - stored_before
        assert checks[: len(earlier)] == earlier, "what was stored stays, and what comes later has later times"
        for path in SITES:
            must = (target.counts(until_ms=killed_ms - LOST_MS) - asked_before)[path]
            assert must <= new[path] <= (target.counts() - asked_before)[path]


def test_sigterm_writes_what_was_not_committed_yet(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url(path) for path in SITES], interval_s=0.05, alerting=RARELY)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config))
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))))  # a commit, just now
        before = target.counts()
        wait_for(lambda: all(target.counts()[path] > before[path] + 5 for path in SITES), "checks after it")
        assert monitor.terminate() == 0
    assert_holds_all_asked(stored_checks(local_file(config)), target)


def test_an_alert_that_was_announced_survives_kill_9_in_the_same_instant(tmp_path: Path, target: Target) -> None:
    """And it is not announced again; the recovery is, once, also when the site came back while nobody watched."""
    config = write_config(tmp_path, [target.url("/")], interval_s=0.2)
    target.go_down("/")
    with Monitor(config) as first:
        first.wait_for_announcement("alert")
        first.kill()
    assert as_printed(stored_alerts(local_file(config))) == first.objects("alert")

    with Monitor(config) as second:
        enough = len(stored_checks(local_file(config))) + 25  # five seconds: longer than the rule's window
        wait_for_checks(local_file(config), more_than=enough)
        second.kill()
    assert second.objects("alert") == []

    target.come_back("/")
    with Monitor(config) as third:
        third.wait_for_announcement("recovery")
        assert third.terminate() == 0
    (recovery,) = third.objects("alert")
    assert recovery["startDate"] == first.objects("alert")[0]["startDate"]
    assert as_printed(stored_alerts(local_file(config))) == [*first.objects("alert"), recovery]


def test_times_rise_across_a_restart_though_the_clock_was_set_back(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/")])
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config))
        monitor.terminate()
    last = stored_checks(local_file(config))[-1]
    later = CheckResult(last.host, now_ms() + 3_600_000, covers_ms=250, lag_us=0, status=200)
    store = LocalStore(local_file(config))
    store.append([later], [], 0)  # as if the clock had been an hour ahead until now
    store.close()

    asked = len(target.asked("/"))
    with Monitor(config, "--silent") as monitor:
        wait_for(lambda: len(target.asked("/")) > asked + 4, "some checks")
        assert monitor.terminate() == 0
    new = [check for check in stored_checks(local_file(config)) if check.time_ms > later.time_ms]
    assert 0 <= len(target.asked("/")) - asked - len(new) <= 1


def test_a_second_monitor_on_the_same_file_is_told_who_the_first_is(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/")])
    with Monitor(config) as first:
        wait_for_checks(local_file(config))
        with Monitor(config) as second:
            assert second.wait() == 1
        (line,) = second.errors
        assert str(first.pid) in line
        assert str(local_file(config)) in line
        asked = len(target.asked("/"))
        wait_for(lambda: len(target.asked("/")) > asked + 2, "the first monitor goes on")
        assert first.terminate() == 0
    assert_holds_all_asked(stored_checks(local_file(config)), target)


def test_a_wrong_configuration_ends_with_2_and_all_its_errors_before_anything_is_done(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:1/", "no address"], interval_s=-1, wibsites=[])
    with Monitor(config) as monitor:
        assert monitor.wait() == 2
    assert sorted(line.split(": ")[1] for line in monitor.errors) == ["defaultCheckInterval", "websites[1].URL", "wibsites"]
    assert all(line.startswith(f"{config}:1: ") for line in monitor.errors)
    assert monitor.printed == []
    assert not local_file(config).exists()


def test_a_full_disk_is_told_once_while_checks_and_alerts_go_on_and_nothing_is_lost(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/")], interval_s=0.2)
    file = local_file(config)
    with Monitor(config) as monitor:
        wait_for_checks(file)
        fill_disk(monitor, file)
        wait_for(lambda: monitor.errors, "words about the full disk")
        target.go_down("/")
        monitor.wait_for_announcement("alert")
        target.come_back("/")
        monitor.wait_for_announcement("recovery")
        assert len(monitor.errors) == 1
        assert str(file) in monitor.errors[0]
        stored_while_full = len(stored_checks(file))
        free_disk(monitor)
        wait_for_checks(file, more_than=stored_while_full)
        wait_for(lambda: len(monitor.errors) == 2, "words about the free disk")
        assert monitor.terminate() == 0
    assert_sound(file)
    assert_holds_all_asked(stored_checks(file), target)
    assert [alert.type for alert in stored_alerts(file)] == [AlertType.ALERT, AlertType.RECOVERY]
    assert as_printed(stored_alerts(file)) == monitor.objects("alert")


def test_a_disk_that_stays_full_makes_the_end_of_the_run_a_failure_that_is_told(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/")])
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(local_file(config))
        fill_disk(monitor, local_file(config))
        wait_for(lambda: monitor.errors, "words about the full disk")
        assert monitor.terminate() == 1
    assert "not everything could be written" in monitor.errors[-1]
    assert len(monitor.errors) == 2
    assert_sound(local_file(config))


def test_without_a_place_for_its_file_the_monitor_says_so_and_keeps_checks_elsewhere(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/")], localDatabase="missing/monitor.db")
    with Monitor(config, environ={"TMPDIR": str(tmp_path)}) as monitor:
        target.go_down("/")
        monitor.wait_for_announcement("alert")
        assert monitor.terminate() == 0
    (line,) = monitor.errors
    assert "missing/monitor.db" in line
    substitute = re.search(r"kept in (.*) instead", line)
    assert substitute
    assert_holds_all_asked(stored_checks(Path(substitute[1])), target)
    assert as_printed(stored_alerts(Path(substitute[1]))) == monitor.objects("alert")
