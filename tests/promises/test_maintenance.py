"""Maintenance of a real monitor, begun and ended by another process: no alert, no message, also over a kill -9."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.models import CheckResult
from monitoring.storage.influxdb.points import from_rfc3339
from tests.support.monitor import Monitor, local_file, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.processes import run_program
from tests.support.receivers import WebHook
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise

IN_TIME_MS = 2_500
"""Two seconds, and half a second for a busy machine."""


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


def failed_in_maintenance(config: Path) -> list[CheckResult]:
    return [it for it in stored_checks(local_file(config)) if it.maintenance and not it.available]


def test_by_hand_on_a_running_monitor_and_over_its_restart(tmp_path: Path, target: Target) -> None:
    with WebHook() as hook:
        config = write_config(tmp_path, [target.url("/a")], notifications=[f"json://127.0.0.1:{hook.port}/"])
        nobody = run_program("--maintenance", target.url("/a"), "1h", "-c", config)
        assert (nobody.returncode, nobody.stdout) == (1, "")
        assert "no monitor has run here yet" in nobody.stderr
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config), 3)
            begun = run_program("--maintenance", target.url("/a"), "1h", "-c", config)
            begun_ms = now_ms()
            assert begun.stdout.startswith("maintenance until ")
            wait_for(lambda: any(it.maintenance for it in stored_checks(local_file(config))), "a check in maintenance")
            first = next(it for it in stored_checks(local_file(config)) if it.maintenance)
            assert first.time_ms - begun_ms < IN_TIME_MS
            target.go_down("/a")
            wait_for(lambda: len(failed_in_maintenance(config)) > 12, "three seconds of failed checks")
            monitor.kill()
        with Monitor(config) as monitor:
            wait_for(lambda: len(failed_in_maintenance(config)) > 40, "as much after the restart")
            assert not monitor.announced("alert")
            why = json.loads(run_program("--explain", target.url("/a"), "--format", "json", "-c", config).stdout)
            assert (why["state"], why["maintenance"], why["next"]) == ("maintenance", True, None)
            shown = json.loads(run_program("-p", "--once", "--format", "json", "-c", config).stdout.splitlines()[0])
            (site,) = shown["sites"]
            assert (site["state"], site["causes"], site["availability"]) == ("maintenance", {}, 100)
            assert site["maintenance"] > 8
            assert not hook.titles
            ended_ms = now_ms()
            assert run_program("--maintenance", "all", "end", "-c", config).stdout.startswith("maintenance is over")
            monitor.wait_for_announcement("alert")
            (alert,) = monitor.announced("alert")
            last = [it for it in stored_checks(local_file(config)) if it.maintenance][-1]
            assert last.time_ms < json_ms(alert["startDate"])
            assert json_ms(alert["startDate"]) >= ended_ms
            target.come_back("/a")
            monitor.wait_for_announcement("recovery")
            wait_for(lambda: len(hook.titles) == 2, "both messages")
        assert [title.partition(":")[0] for title in hook.titles] == ["DOWN", "UP"]


def test_begun_while_no_monitor_runs_it_is_known_to_the_next_one(tmp_path: Path, target: Target) -> None:
    config = write_config(tmp_path, [target.url("/a")])
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), 1)
        assert monitor.terminate() == 0
    begun = run_program("--maintenance", "all", "1h", "-c", config)
    assert (begun.returncode, begun.stdout.splitlines()[1]) == (0, "no monitor is running: this applies to the next one")
    known = len(stored_checks(local_file(config)))
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), known + 3)
    assert all(it.maintenance for it in stored_checks(local_file(config))[known:])


def json_ms(date: str) -> int:
    return from_rfc3339(date)
