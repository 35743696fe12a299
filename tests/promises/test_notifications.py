"""Notifications of a real monitor: what a kill, a hung channel and a network that is away do to them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.models import Window
from tests.support.influxd import free_port
from tests.support.monitor import Monitor, local_file, reading, wait_for, write_config
from tests.support.receivers import WebHook
from tests.support.target import Target

pytestmark = pytest.mark.promise


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


def states(config: Path) -> list[str]:
    with reading(local_file(config)) as reader:
        return [str(entry.state) for entry in reader.deliveries(Window(0, 1 << 60))]


def closed_url() -> str:
    return f"http://127.0.0.1:{free_port()}/"


def test_killed_between_the_state_change_and_the_sending_it_is_told_at_the_next_start_once(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, [closed_url()], notifications=[f"json://127.0.0.1:{port}/"])
    with Monitor(config) as monitor:  # the web hook is not there
        monitor.wait_for_announcement("alert")
        monitor.kill()
    assert states(config) == ["pending"]
    with WebHook(port) as hook, Monitor(config):
        wait_for(lambda: states(config) != ["pending"], "it is told")
        assert [title.partition(":")[0] for title in hook.titles] == ["DOWN"]


def test_killed_between_acceptance_and_its_record_it_is_told_twice(tmp_path: Path) -> None:
    """The service has the message, and nobody can know it: at least once."""
    with WebHook() as hook:
        hook.hanging = threading.Event()
        config = write_config(tmp_path, [closed_url()], notifications=[f"json://127.0.0.1:{hook.port}/?rto=30"])
        with Monitor(config) as monitor:
            assert hook.asked.wait(60)
            monitor.kill()
        hook.hanging.set()
        wait_for(lambda: len(hook.titles) == 1, "the first one is accepted")
        assert states(config) == ["pending"]
        hook.hanging = None
        with Monitor(config):
            wait_for(lambda: states(config) == ["sent"] or states(config) == ["late"], "it is recorded")
        assert len(hook.titles) == 2


def test_a_channel_that_hangs_delays_neither_checks_nor_alerts_nor_other_channels(tmp_path: Path, target: Target) -> None:
    with WebHook() as hanging, WebHook() as good:
        hanging.hanging = threading.Event()
        hooks = [f"json://127.0.0.1:{hanging.port}/?rto=60", f"json://127.0.0.1:{good.port}/"]
        config = write_config(tmp_path, [target.url("/a"), closed_url()], notifications=hooks)
        with Monitor(config) as monitor:
            wait_for(lambda: good.titles, "the other channel tells it")
            before = target.counts()["/a"]
            wait_for(lambda: target.counts()["/a"] > before + 20, "checks go on")
            started = time.monotonic()
            assert monitor.terminate() == 0
            assert time.monotonic() - started < 30
        assert sorted(states(config)) == ["pending", "sent"]


def test_thirty_sites_that_fail_at_once_are_one_message_and_their_recovery_another(tmp_path: Path, target: Target) -> None:
    paths = [f"/{number}" for number in range(30)]
    with WebHook() as hook:
        config = write_config(
            tmp_path, [target.url(path) for path in paths], notifications=[f"json://127.0.0.1:{hook.port}/"]
        )
        with Monitor(config) as monitor:
            wait_for(lambda: all(target.counts()[path] for path in paths), "a check of each")
            for path in paths:
                target.go_down(path)
            wait_for(lambda: hook.titles, "the alert")
            for path in paths:
                target.come_back(path)
            wait_for(lambda: len(monitor.announced("recovery")) == 30, "all are up")
            wait_for(lambda: len(hook.titles) > 1, "the recovery")
        assert hook.titles == ["DOWN: 30 of 30 sites", "UP: 30 of 30 sites"]
