"""Whatever happens to InfluxDB or the monitor: messages go out once each, and in the end InfluxDB has their records."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitoring.models import AlertType, Window
from tests.support.delivered import DATABASE, DELIVERED_S, assert_same_contents, remote_store
from tests.support.influxd import Influxd, free_port
from tests.support.monitor import (
    FOREVER,
    Monitor,
    local_file,
    reading,
    stored_alerts,
    stored_checks,
    undelivered,
    wait_for,
    wait_for_checks,
    write_config,
)
from tests.support.receivers import WebHook
from tests.support.target import Target

pytestmark = pytest.mark.promise

SITES = ("/one", "/two", "/three", "/four")
RUNS = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """How InfluxDB fails, and how that ends."""

    begin: Callable[[Influxd], None]
    end: Callable[[Influxd], None]


TROUBLES = {
    "hangs": Trouble(Influxd.pause, Influxd.resume),
    "is killed": Trouble(Influxd.kill, Influxd.start),
    "is stopped": Trouble(Influxd.stop, Influxd.start),
    "loses its disk": Trouble(Influxd.wipe, Influxd.start),
}


def config_for(folder: Path, target: Target, server: Influxd, port: int, paths: tuple[str, ...] = SITES) -> Path:
    websites = [{"URL": target.url(path), "name": path.strip("/")} for path in paths]
    hooks = [f"json://127.0.0.1:{port}/"]
    return write_config(folder, [], websites=websites, database=server.url(DATABASE), notifications=hooks)


def wait_until_delivered(config: Path) -> None:
    wait_for_checks(local_file(config))
    wait_for(lambda: undelivered(local_file(config)) == 0, "everything is delivered", DELIVERED_S)


def outcomes(config: Path) -> list[tuple[str, str]]:
    """What has become of each notification."""
    with reading(local_file(config)) as reader:
        return [(str(entry.event), str(entry.state)) for entry in reader.deliveries(Window(0, 1 << 60))]


def run_again(config: Path) -> None:
    """The next start tells nothing again, and delivers what the second that an end takes was too short for."""
    for _ in range(RUNS):
        with Monitor(config) as monitor:
            wait_for_checks(local_file(config), len(stored_checks(local_file(config))) + 2 * len(SITES))
            wait_until_delivered(config)
            assert monitor.terminate() == 0
        if not undelivered(local_file(config)):
            return
    raise AssertionError("the end of a run never delivers everything")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_while_influxdb_is_away_people_are_told_once_each_and_it_gets_the_records_later(
    tmp_path: Path, target: Target, own_influxd: Influxd, trouble: Trouble
) -> None:
    with WebHook() as hook:
        config = config_for(tmp_path, target, own_influxd, hook.port)
        with Monitor(config) as monitor:
            wait_until_delivered(config)
            trouble.begin(own_influxd)
            target.go_down("/one")
            wait_for(lambda: hook.titles == ["DOWN: one"], "people are told")
            target.come_back("/one")
            wait_for(lambda: hook.titles == ["DOWN: one", "UP: one"], "people are told of the end")
            assert undelivered(local_file(config)) > 0
            trouble.end(own_influxd)
            wait_until_delivered(config)
            assert monitor.terminate() == 0
        run_again(config)
        assert hook.titles == ["DOWN: one", "UP: one"]
        assert outcomes(config) == [("alert", "sent"), ("recovery", "sent")]
    found = [(alert.host.rpartition("/")[2], alert.type) for alert in stored_alerts(local_file(config))]
    assert found == [("one", AlertType.ALERT), ("one", AlertType.RECOVERY)]
    assert_same_contents(config, own_influxd)


def test_a_monitor_killed_before_it_sends_while_influxdb_hangs_tells_it_once_and_delivers_it_once(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    port = free_port()
    config = config_for(tmp_path, target, own_influxd, port)
    with Monitor(config) as monitor:
        wait_until_delivered(config)
        own_influxd.pause()
        target.go_down("/one")
        monitor.wait_for_announcement("alert")  # the web hook is not there
        monitor.kill()
    assert outcomes(config) == [("alert", "pending")]
    own_influxd.resume()
    with WebHook(port) as hook, Monitor(config) as monitor:
        wait_for(lambda: hook.titles == ["DOWN: one"], "it is told")
        target.come_back("/one")
        wait_for(lambda: hook.titles == ["DOWN: one", "UP: one"], "the end is told")
        wait_until_delivered(config)
        assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: one", "UP: one"]
    with remote_store(own_influxd) as remote:
        assert [alert.type for alert in remote.alerts(FOREVER)] == [AlertType.ALERT, AlertType.RECOVERY]


def test_thirty_sites_that_fail_at_once_are_two_messages_and_sixty_records_in_influxdb(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    paths = tuple(f"/{number}" for number in range(30))
    with WebHook() as hook:
        config = config_for(tmp_path, target, own_influxd, hook.port, paths)
        with Monitor(config) as monitor:
            wait_until_delivered(config)
            own_influxd.kill()
            for path in paths:
                target.go_down(path)
            wait_for(lambda: hook.titles, "the alert")
            for path in paths:
                target.come_back(path)
            wait_for(lambda: len(hook.titles) > 1, "the recovery")
            own_influxd.start()
            wait_until_delivered(config)
            assert monitor.terminate() == 0
        assert hook.titles == ["DOWN: 30 of 30 sites", "UP: 30 of 30 sites"]
        assert len(outcomes(config)) == 60
        assert {state for _, state in outcomes(config)} == {"sent"}
    with remote_store(own_influxd) as remote:
        assert list(remote.alerts(FOREVER)) == stored_alerts(local_file(config))
        assert len(remote.alerts(FOREVER)) == 60


def test_a_site_removed_while_it_is_down_ends_for_people_and_in_influxdb_once(
    tmp_path: Path, target: Target, own_influxd: Influxd
) -> None:
    with WebHook() as hook:
        config = config_for(tmp_path, target, own_influxd, hook.port)
        with Monitor(config) as monitor:
            wait_until_delivered(config)
            target.go_down("/one")
            wait_for(lambda: hook.titles == ["DOWN: one"], "it is down")
            settings = json.loads(config.read_text())
            settings["websites"] = settings["websites"][1:]
            config.write_text(json.dumps(settings))
            wait_for(lambda: len(hook.titles) > 1, "its end")
            wait_until_delivered(config)
            assert monitor.terminate() == 0
        run_again(config)
        assert hook.titles == ["DOWN: one", "NO LONGER WATCHED: one"]
    with remote_store(own_influxd) as remote:
        assert [(alert.type, alert.detail) for alert in remote.alerts(FOREVER)][1:] == [
            (AlertType.RECOVERY, "no longer watched")
        ]
