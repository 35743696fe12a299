"""A real monitor in maintenance while clocks are changed to or from summer time: what is due is told, once each."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from monitoring.display.words import time_text
from monitoring.models import CheckResult, Window
from monitoring.storage.influxdb.points import from_rfc3339
from tests.support.monitor import local_file, reading, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.receivers import WebHook
from tests.support.set_clock import MonitorByClock
from tests.support.target import Target

pytestmark = pytest.mark.promise

BEFORE_MS = 8_000
"""How long before clocks are changed the monitor starts, and how long before its end maintenance is looked at again."""


@dataclass(frozen=True, slots=True)
class Night:
    """When clocks are changed in Paris, what is planned there for an hour, and when that is over."""

    changed: str
    cron: str
    ends: str

    @property
    def changed_ms(self) -> int:
        return ms(self.changed)

    @property
    def ends_ms(self) -> int:
        return ms(self.ends)


NIGHTS = {
    # 02:30+02:00. It lasts until 02:30+01:00, which is 02:30 again, but no time to begin anew.
    "clocks go back": Night("2026-10-25T01:00Z", "30 2 * * 0", "2026-10-25T01:30Z"),
    # 01:30+01:00 to 03:30+02:00.
    "clocks go forward": Night("2027-03-28T01:00Z", "30 1 * * 0", "2027-03-28T01:30Z"),
    # There is no 02:30: it begins when clocks are changed.
    "clocks skip its beginning": Night("2027-03-28T01:00Z", "30 2 * * 0", "2027-03-28T02:00Z"),
}


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS.keys())
def test_what_goes_down_in_it_is_told_when_it_is_over(tmp_path: Path, night: Night) -> None:
    planned = {"cron": night.cron, "duration": "1h", "timezone": "Europe/Paris"}
    with Target() as target, WebHook() as hook:
        websites = [{"URL": target.url(f"/{name}"), "name": name} for name in ("one", "two")]
        hooks = [f"json://127.0.0.1:{hook.port}/"]
        config = write_config(tmp_path, [], websites=websites, notifications=hooks, maintenance=[planned])

        def failed() -> list[CheckResult]:
            return [it for it in stored_checks(local_file(config)) if not it.available]

        def told() -> list[tuple[str, str]]:
            with reading(local_file(config)) as reader:
                return [(str(it.event), str(it.state)) for it in reader.deliveries(Window(0, 1 << 60))]

        with MonitorByClock(config, night.changed_ms - BEFORE_MS, environ={"TZ": "Europe/Paris"}) as monitor:
            wait_for_checks(local_file(config))
            wait_for(lambda: stored_checks(local_file(config))[-1].maintenance, "maintenance")
            target.go_down("/one")
            wait_for(lambda: [it for it in failed() if it.time_ms > night.changed_ms + 2_000], "what fails after the change")
            monitor.set_clock(night.ends_ms - BEFORE_MS)
            wait_for(lambda: [it for it in failed() if it.time_ms > night.ends_ms - BEFORE_MS], "what fails at its end")
            assert not monitor.objects("alert")
            wait_for(lambda: told() == [("alert", "sent")], "it is told")
            target.come_back("/one")
            wait_for(lambda: told() == [("alert", "sent"), ("recovery", "sent")], "its end is told")
            assert monitor.terminate() == 0
            (alert, recovery) = monitor.objects("alert")
        assert (alert["type"], recovery["type"]) == ("alert", "recovery")
        assert night.ends_ms <= from_rfc3339(alert["startDate"]) < from_rfc3339(alert["time"])
        assert all(it.maintenance for it in failed() if it.time_ms < night.ends_ms)
        assert not [it for it in stored_checks(local_file(config)) if it.maintenance and it.time_ms >= night.ends_ms]
        assert hook.titles == ["DOWN: one", "UP: one"]
        assert [line for line in monitor.errors if "maintenance" in line] == [
            f"maintenance until {time_text(night.ends_ms)}: one, two",
            "maintenance is over: one, two",
        ]
