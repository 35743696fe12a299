"""A site is purged while it is down: a running monitor goes on as it would after a restart."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.monitor import Monitor, local_file, stored_alerts, wait_for, write_config
from tests.support.purging import purge
from tests.support.receivers import WebHook
from tests.support.target import Target, now_ms

pytestmark = pytest.mark.promise


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


def kinds(hook: WebHook) -> list[str]:
    return [title.partition(":")[0] for title in hook.titles]


def ms(date: str) -> float:
    return datetime.fromisoformat(date).timestamp() * 1_000


def test_a_site_that_is_still_down_is_alerted_anew_from_what_is_measured_after_the_purge(
    tmp_path: Path, target: Target
) -> None:
    """Whoever was told of the outage hears of the new one, which follows so soon that it is one message, and of its end."""
    site = target.url("/shop")
    target.go_down("/shop")
    with WebHook() as hook:
        config = write_config(tmp_path, [site, target.url("/blog")], notifications=[f"json://127.0.0.1:{hook.port}/"])
        with Monitor(config) as monitor:
            wait_for(lambda: kinds(hook) == ["DOWN"], "the first alert is told")
            asked_ms = now_ms()
            assert purge(config, site=site)[0] == 0
            wait_for(lambda: len(monitor.announced("alert")) == 2, "a new alert")
            wait_for(lambda: len(kinds(hook)) == 2, "it is told, too")
            target.come_back("/shop")
            monitor.wait_for_announcement("recovery")
            wait_for(lambda: len(kinds(hook)) == 3, "its end is told")
            assert monitor.terminate() == 0
        anew, recovery = monitor.announced("alert")[1], monitor.announced("recovery")[0]
        assert ms(anew["startDate"]) >= asked_ms
        assert recovery["startDate"] == anew["startDate"]
        assert [alert.start_ms for alert in stored_alerts(local_file(config))] == [ms(anew["startDate"])] * 2
        assert kinds(hook) == ["DOWN", "DOWN", "UP"]
        assert monitor.errors == []


def test_of_a_site_that_answers_again_no_recovery_is_announced_but_that_the_outage_is_gone(
    tmp_path: Path, target: Target
) -> None:
    site = target.url("/shop")
    target.go_down("/shop")
    with WebHook() as hook:
        config = write_config(
            tmp_path,
            [site],
            alerting={"threshold": 80, "window": 60, "minimumFailures": 2, "interval": 0.25},
            notifications=[f"json://127.0.0.1:{hook.port}/"],
        )
        with Monitor(config) as monitor:
            wait_for(lambda: kinds(hook) == ["DOWN"], "the alert is told")
            target.come_back("/shop")
            count = target.counts()["/shop"]
            wait_for(lambda: target.counts()["/shop"] > count + 2, "it answers again, but has not recovered yet")
            assert purge(config, site=site)[0] == 0
            wait_for(lambda: len(kinds(hook)) == 2, "it is told that it is gone")
            assert monitor.terminate() == 0
        assert kinds(hook) == ["DOWN", "HISTORY DELETED"]
        assert monitor.announced("recovery") == []
        assert stored_alerts(local_file(config)) == []


def test_with_no_monitor_the_next_one_tells_that_the_outage_is_gone(tmp_path: Path, target: Target) -> None:
    site = target.url("/shop")
    target.go_down("/shop")
    with WebHook() as hook:
        config = write_config(tmp_path, [site], notifications=[f"json://127.0.0.1:{hook.port}/"])
        with Monitor(config) as monitor:
            wait_for(lambda: kinds(hook) == ["DOWN"], "the alert is told")
            assert monitor.terminate() == 0
        target.come_back("/shop")
        assert purge(config, site=site)[0] == 0
        with Monitor(config) as monitor:
            wait_for(lambda: len(kinds(hook)) == 2, "it is told that it is gone")
            assert monitor.terminate() == 0
        assert kinds(hook) == ["DOWN", "HISTORY DELETED"]
