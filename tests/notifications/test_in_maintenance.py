"""Nobody is reminded of a site in maintenance: not then, and not of that moment when it is over."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.alerts.maintenance import MaintenanceCalendar
from monitoring.config.keys.maintenance import Maintenance
from monitoring.models import Window
from monitoring.units import HOUR_MS, MINUTE_MS
from tests.support.notifying import Desk, channel_config, site

SHOP, BLOG = site("shop"), site("blog")


class Hours:
    """Two sites that are down from now on, of which people are reminded each so many hours; the shop is in maintenance."""

    def __init__(self, folder: Path, reminder_h: int, from_min: int, until_min: int, *, by_hand: bool) -> None:
        self.desk = Desk(folder / "monitor.db", [SHOP, BLOG], channel_config(reminder_ms=reminder_h * HOUR_MS))
        self._began_ms = began_ms = self.desk.clock.now_ms()
        window = Window(began_ms + from_min * MINUTE_MS, began_ms + until_min * MINUTE_MS)
        planned = () if by_hand else (Maintenance(frozenset({SHOP.host}), once=window),)
        self._calendar = MaintenanceCalendar(planned, lambda: {SHOP.host: window} if by_hand else {})
        self._watch()
        self.desk.down(SHOP, BLOG)

    def _watch(self) -> None:
        sender = self.desk.sender
        sender.watched = replace(sender.watched, in_maintenance=self._calendar.at)

    def pass_until(self, minute: int) -> list[str]:
        """The titles of what has been told by then."""
        while self.desk.clock.now_ms() < self._began_ms + minute * MINUTE_MS:
            self._calendar.look(self.desk.clock.now_ms())
            self.desk.go_on(60, step_s=20)
        return self.desk.scripted.titles

    def restart(self) -> None:
        self.desk.restart()
        self._watch()


@pytest.mark.parametrize("by_hand", [False, True])
def test_reminders_of_that_time_are_left_out(tmp_path: Path, by_hand: bool) -> None:
    hours = Hours(tmp_path, 1, 50, 70, by_hand=by_hand)
    assert hours.pass_until(69) == ["DOWN: 2 of 2 sites", "STILL DOWN: blog"]
    hours.restart()
    assert hours.pass_until(119) == ["DOWN: 2 of 2 sites", "STILL DOWN: blog"]
    assert hours.pass_until(125)[2:] == ["STILL DOWN: 2 of 2 sites"]
    assert all("late" not in message.text for message in hours.desk.scripted.accepted)


@pytest.mark.parametrize("by_hand", [False, True])
def test_nor_do_they_come_hours_after_it(tmp_path: Path, by_hand: bool) -> None:
    hours = Hours(tmp_path, 12, 11 * 60, 13 * 60, by_hand=by_hand)
    told = ["DOWN: 2 of 2 sites", "STILL DOWN: blog"]
    assert hours.pass_until(20 * 60) == told
    hours.restart()
    assert hours.pass_until(23 * 60) == told
    assert hours.pass_until(24 * 60 + 5)[2:] == ["STILL DOWN: 2 of 2 sites"]
