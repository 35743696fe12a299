"""A channel that gets levels, as an Alertmanager does: an outage that is over does not stay open there."""

from pathlib import Path

from monitoring.models import AlertType, Window
from monitoring.notifications.base import Undelivered
from monitoring.notifications.words import conditions
from monitoring.units import DAY_MS
from tests.support.notifying import Desk, ScriptedChannel, channel_config, site

SHOP = site("shop")


class LevelChannel(ScriptedChannel):
    is_level_triggered = True

    @property
    def open_now(self) -> list[bool]:
        """For each request, whether the one outage was open."""
        return [alert.type is AlertType.ALERT for level in self.levels for alert in level]


def test_a_recovery_that_was_refused_does_not_leave_the_alert_open(tmp_path: Path) -> None:
    channel = LevelChannel()
    with Desk(tmp_path / "monitor.db", [SHOP], channel=channel) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(30)
        channel.trouble = Undelivered("answers 413", is_final=True)
        desk.up(*alerts)
        desk.go_on(60)
        channel.trouble = None
        channel.levels.clear()
        desk.go_on(3_600, step_s=10)
    assert set(channel.open_now) == {False}


def test_an_outage_ends_there_too_without_recoveries_among_what_it_is_told_of(tmp_path: Path) -> None:
    channel = LevelChannel()
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(on=frozenset({"alert"})), channel) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(30)
        desk.up(*alerts)
        desk.go_on(90)
    assert channel.open_now[0] is True
    assert channel.open_now[-1] is False


def test_a_recovery_that_waited_for_long_is_sent_and_waits_no_more(tmp_path: Path) -> None:
    channel = LevelChannel()
    with Desk(tmp_path / "monitor.db", [SHOP], channel=channel) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(30)
        channel.trouble = Undelivered("it does not answer")
        desk.up(*alerts)
        desk.go_on(3_600, step_s=10)
        channel.trouble = None
        desk.go_on(600, step_s=10)
        now_ms = desk.clock.now_ms()
        assert not list(conditions(desk.store.deliveries(Window(now_ms - DAY_MS, now_ms)), ["mail"], now_ms))
    assert channel.open_now[-1] is False
