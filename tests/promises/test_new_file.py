"""A monitor whose local file is gone (a container without a volume, a new machine) goes on by what the database knows."""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitoring.config.tokens import Tokens
from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.storage.base import Points
from tests.support.gateway import Gateway
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import (
    Monitor,
    as_printed,
    local_file,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise

DATABASE = "monitoring"
QUIET_CHECKS = 25
"""Six seconds at four checks a second: twice the window of the rule."""

RULE = {"threshold": 80, "window": 120, "minimumFailures": 2, "interval": 0.25}
"""An alert is due after 24 s of failures."""

SECOND_MS = 1_000


@dataclass
class World:
    """Where a monitor runs whose database outlives its file."""

    server: Influxd
    target: Target
    folder: Path
    address: str

    def config(self, **settings: object) -> Path:
        return write_config(self.folder, [self.target.url("/")], database=self.address, **settings)

    def known_before(self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
        """What a monitor had delivered before its file was lost."""
        store = store_at(address_of(self.server, DATABASE))
        store.verify("the file before")
        store.write(Points(checks, alerts))
        store.close()

    def past(self, begin_s: int, end_s: int, cause: Cause | None = None) -> list[CheckResult]:
        """A check a second, from so many seconds ago on."""
        url, last_ms = self.target.url("/").rstrip("/"), now_ms()
        times = range(last_ms - begin_s * SECOND_MS, last_ms - end_s * SECOND_MS, SECOND_MS)
        return [CheckResult(url, at_ms, SECOND_MS, 0, 503 if cause else 200, 1_000, cause=cause) for at_ms in times]


@pytest.fixture(params=["influxdb", "gateway"])
def world(request: pytest.FixtureRequest, tmp_path: Path, target: Target, own_influxd: Influxd) -> Iterator[World]:
    found = World(own_influxd, target, tmp_path / "monitor", own_influxd.url(DATABASE))
    found.folder.mkdir()
    with ExitStack() as stack:
        if request.param == "gateway":
            (tmp_path / "gateway").mkdir()
            at_gateway = write_config(tmp_path / "gateway", [target.url("/")], database=found.address)
            gateway = stack.enter_context(Gateway(at_gateway, tokens=Tokens()))
            gateway.wait_until_it_serves()
            found.address = gateway.url
        yield found


def lose(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()


def own_checks(config: Path, begin_ms: int) -> list[CheckResult]:
    """Those since a monitor began: the others in its file were taken over."""
    return [check for check in stored_checks(local_file(config)) if check.time_ms >= begin_ms]


def watch_from(config: Path, begin_ms: int) -> None:
    """Wait until a monitor that begins at this moment has made enough checks of its own."""
    wait_for_checks(local_file(config))
    wait_for(lambda: len(own_checks(config, begin_ms)) > QUIET_CHECKS, f"more than {QUIET_CHECKS} checks")


def watch_on(config: Path, checks: int = QUIET_CHECKS) -> None:
    wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + checks)


def test_an_open_outage_is_not_announced_again_and_its_recovery_is_once(world: World) -> None:
    config = world.config()
    world.target.go_down("/")
    with Monitor(config) as first:
        first.wait_for_announcement("alert")
        wait_for(lambda: undelivered(local_file(config)) == 0, "everything is delivered")
        first.kill()
    (opened,) = first.announced("alert")
    lose(local_file(config))

    begin_ms = now_ms()
    with Monitor(config) as second:
        watch_from(config, begin_ms)
        assert second.objects("alert") == []
        second.kill()  # and what was taken over is in the file now
    with Monitor(config) as third:
        watch_on(config)
        world.target.come_back("/")
        back_ms = now_ms()
        third.wait_for_announcement("recovery")
        watch_on(config)
        assert third.terminate() == 0
    (recovery,) = third.objects("alert")
    assert (recovery["type"], recovery["startDate"]) == ("recovery", opened["startDate"])
    (good, *_) = [check for check in stored_checks(local_file(config)) if check.available]
    assert good.time_ms >= back_ms - SECOND_MS
    assert (
        as_printed([Alert(AlertType.RECOVERY, good.host, good.time_ms, good.time_ms, good.time_ms, 100.0, None)])[0][
            "endDate"
        ]
        == recovery["endDate"]
    )
    emptied = f"{local_file(config)} was empty: the past of its sites was taken over from the database"
    assert (second.errors, third.errors) == ([emptied], [])


def test_a_recovery_counts_from_the_first_good_check_though_that_was_in_the_lost_file(world: World) -> None:
    checks = [*world.past(100, 40, Cause.STATUS), *world.past(40, 1)]
    began_ms, good_ms = checks[0].time_ms, checks[60].time_ms
    alert = Alert(AlertType.ALERT, checks[0].host, began_ms + 30 * SECOND_MS, began_ms, None, 70.0, Cause.STATUS)
    world.known_before(checks, [alert])
    config = world.config(alerting={**RULE, "threshold": 50, "window": 45})
    with Monitor(config) as monitor:
        monitor.wait_for_announcement("recovery")
        assert monitor.terminate() == 0
    (recovery,) = monitor.objects("alert")
    wanted = Alert(AlertType.RECOVERY, alert.host, good_ms, began_ms, good_ms, 100.0, None)
    assert {key: recovery[key] for key in ("startDate", "endDate")} == {
        key: as_printed([wanted])[0][key] for key in ("startDate", "endDate")
    }


def test_an_outage_that_began_before_the_file_was_lost_is_alerted_by_the_failures_of_both(world: World) -> None:
    """20 seconds of failures are in the database, from 90 s ago on; 24 s make an alert."""
    known = [*world.past(300, 90), *world.past(90, 70, Cause.STATUS), *world.past(70, 1)]
    world.known_before(known)
    world.target.go_down("/")
    config = world.config(alerting=RULE)
    with Monitor(config) as monitor:
        monitor.wait_for_announcement("alert")
        assert monitor.terminate() == 0
    (alert,) = monitor.objects("alert")
    own = own_checks(config, known[-1].time_ms + 1)
    assert all(not check.available for check in own)
    first_failure = next(check for check in known if not check.available)
    decided_by = sum(check.covers_ms for check in own)
    assert decided_by < 24 * SECOND_MS, "its own failures alone would not have done"
    wanted = Alert(AlertType.ALERT, first_failure.host, first_failure.time_ms, first_failure.time_ms, None, 0.0, None)
    assert alert["startDate"] == as_printed([wanted])[0]["startDate"]


def test_an_outage_that_was_over_is_not_raised_again(world: World) -> None:
    """24 s of failures are in the window: one more would be too many, and they have been announced."""
    checks = [*world.past(300, 110), *world.past(110, 86, Cause.STATUS), *world.past(86, 1)]
    url, began_ms = checks[0].host, checks[190].time_ms
    ended = [
        Alert(AlertType.ALERT, url, began_ms + 25 * SECOND_MS, began_ms, None, 79.0, Cause.STATUS),
        Alert(AlertType.RECOVERY, url, began_ms + 80 * SECOND_MS, began_ms, checks[214].time_ms, 95.0, Cause.STATUS),
    ]
    world.known_before(checks, ended)
    config, begin_ms = world.config(alerting=RULE), now_ms()
    with Monitor(config) as monitor:
        watch_from(config, begin_ms)
        assert monitor.terminate() == 0
    assert monitor.objects("alert") == []


@pytest.mark.parametrize("trouble", [Influxd.pause, Influxd.kill], ids=["hangs", "is away"])
def test_a_database_that_does_not_answer_does_not_keep_the_monitor_from_starting(
    world: World, trouble: Callable[[Influxd], None]
) -> None:
    world.known_before(world.past(60, 1))
    trouble(world.server)
    config = world.config()
    with Monitor(config) as monitor:
        wait_for_checks(local_file(config), more_than=QUIET_CHECKS)
        world.server.kill()  # let go of what still waits for it
        assert monitor.terminate() == 0
    first, *rest = monitor.errors
    assert "an alert may be repeated" in first
    assert all("in the local file" in line for line in rest), "and that it is away"
    assert len(set(rest)) == len(rest), "nothing is said twice"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_monitor_that_is_about_to_start_ends_like_one_that_has_started(tmp_path: Path, number: signal.Signals) -> None:
    """It waits for a database that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        database = f"influxdb://127.0.0.1:{hangs.getsockname()[1]}/monitoring"
        with Monitor(write_config(tmp_path, ["http://127.0.0.1:9/"], database=database)) as monitor:
            connection, _ = hangs.accept()
            with connection:
                os.kill(monitor.pid, number)
                assert monitor.wait() == 0
    assert monitor.errors == []
