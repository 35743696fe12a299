"""A channel that gets levels, as an Alertmanager does: an outage that is over does not stay open there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from monitoring.models import Alert, AlertType, Window
from monitoring.notifications.base import Undelivered
from monitoring.notifications.words import conditions
from monitoring.units import DAY_MS
from tests.support.notifying import Desk, ScriptedChannel, channel_config, site

SHOP, BLOG, WIKI = site("shop"), site("blog"), site("wiki")
EVER = Window(0, 1 << 60)


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
        assert states(desk) == [(SHOP.host, "sent"), (SHOP.host, "late")]
        assert not list(conditions(desk.store.deliveries(Window(now_ms - DAY_MS, now_ms)), ["mail"], now_ms))
    assert channel.open_now[-1] is False


class PickyChannel(LevelChannel):
    """Refuses each request that has an alert of `refused`; `open_hosts` are those of the requests it took."""

    refused = ""

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        if any(alert.host == self.refused for alert in alerts):
            raise Undelivered("answers 400", is_final=True)
        super().send_level(alerts, names, now_ms)

    @property
    def open_hosts(self) -> set[str]:
        return {alert.host for level in self.levels for alert in level if alert.type is AlertType.ALERT}


def states(desk: Desk) -> list[tuple[str, str]]:
    return [(entry.alert.host, str(entry.state)) for entry in desk.store.deliveries(EVER)]


def test_an_alert_that_is_refused_for_good_keeps_no_other_away_and_is_reported_once(tmp_path: Path) -> None:
    channel = PickyChannel()
    channel.refused = SHOP.host
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG, WIKI], channel=channel) as desk:
        desk.down(SHOP, BLOG, WIKI)
        desk.go_on(30)
        assert sorted(states(desk)) == sorted([(SHOP.host, "failed"), (BLOG.host, "sent"), (WIKI.host, "sent")])
        (failed,) = (entry for entry in desk.store.deliveries(EVER) if entry.state == "failed")
        channel.levels.clear()
        desk.go_on(3_600, step_s=10)
        assert failed in desk.store.deliveries(EVER)
    assert channel.open_hosts == {BLOG.host, WIKI.host}


def test_an_alert_that_was_refused_is_accepted_while_its_outage_goes_on(tmp_path: Path) -> None:
    """The refusal may have been of a proxy that has been mended."""
    channel = PickyChannel()
    channel.refused = SHOP.host
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG], channel=channel) as desk:
        desk.down(SHOP, BLOG)
        desk.go_on(600, step_s=10)
        channel.refused = ""
        channel.levels.clear()
        desk.go_on(70)
        assert sorted(states(desk)) == sorted([(SHOP.host, "late"), (BLOG.host, "sent")])
    assert channel.open_hosts == {SHOP.host, BLOG.host}


def test_the_outages_after_one_that_was_refused_are_sent(tmp_path: Path) -> None:
    channel = PickyChannel()
    channel.refused = SHOP.host
    with Desk(tmp_path / "monitor.db", [SHOP], channel=channel) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(60)
        desk.up(*alerts)
        desk.go_on(60)
        channel.refused = ""
        desk.go_on(3_600, step_s=10)
        assert channel.open_hosts == set()
        desk.down(SHOP)
        desk.go_on(10)
    assert channel.open_hosts == {SHOP.host}


def test_an_outage_that_could_not_be_sent_for_a_day_is_sent_if_it_goes_on(tmp_path: Path) -> None:
    channel = LevelChannel()
    with Desk(tmp_path / "monitor.db", [SHOP], channel=channel) as desk:
        channel.trouble = Undelivered("it does not answer")
        desk.down(SHOP)
        desk.go_on(26 * 3_600, step_s=300)
        assert states(desk) == [(SHOP.host, "failed")]
        channel.trouble = None
        desk.go_on(70)
        assert states(desk) == [(SHOP.host, "late")]
    assert channel.open_now[-1] is True
