"""Reminders are of outages that go on: not of one that has ended, even if the channel has not said so or never will."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring.models import Alert, Window
from monitoring.notifications.base import Undelivered
from monitoring.storage.notifications import Entry, Event
from monitoring.units import HOUR_MS, MINUTE_MS
from tests.support.notifying import Desk, channel_config, site

SHOP, BLOG = site("shop"), site("blog")


def flap(desk: Desk) -> None:
    """Three outages of a minute, a minute apart."""
    for _ in range(3):
        alerts = desk.down(SHOP)
        desk.go_on(60)
        desk.up(*alerts)
        desk.go_on(60)


def test_none_while_the_recovery_of_a_flapping_site_must_still_hold(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=2 * MINUTE_MS)) as desk:
        flap(desk)
        desk.go_on(600)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop", "DOWN: shop", "UP: shop", "DOWN: shop", "UP: shop"]


def test_one_of_the_outage_that_follows_a_recovery_which_did_not_hold(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=2 * MINUTE_MS)) as desk:
        flap(desk)
        desk.down(SHOP)
        desk.go_on(130)
    assert desk.scripted.titles[5:] == ["STILL DOWN: shop"]
    assert "it has been down for 2 min 30 s" in desk.scripted.accepted[5].text
    assert "4th outage in 30 min" in desk.scripted.accepted[5].text


def test_none_when_the_channel_was_away_at_the_recovery(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=HOUR_MS)) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(3_000, step_s=20)
        desk.scripted.trouble = Undelivered("it does not answer")
        desk.up(*alerts)
        desk.go_on(1_200, step_s=20)
        desk.scripted.trouble = None
        desk.go_on(7_200, step_s=20)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]


def test_none_after_the_recovery_by_a_channel_that_wants_no_recoveries(tmp_path: Path) -> None:
    on = frozenset({"alert", "reminder"})
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=HOUR_MS, on=on)) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(3_700, step_s=20)
        desk.up(*alerts)
        desk.go_on(7_200, step_s=20)
    assert desk.scripted.titles == ["DOWN: shop", "STILL DOWN: shop"]


def test_they_give_no_availability_because_that_of_the_alert_is_old(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG], channel_config(reminder_ms=HOUR_MS)) as desk:
        desk.down(SHOP, BLOG)
        desk.go_on(3_700, step_s=20)
    down, still_down = desk.scripted.accepted
    assert down.text.count("availability 75.00 %") == 2
    assert "vailability" not in still_down.text


@pytest.mark.parametrize(("on", "end"), [(("reminder",), []), (("reminder", "recovery"), ["UP: shop"])])
def test_they_come_by_a_channel_that_wants_no_alerts(tmp_path: Path, on: Sequence[str], end: Sequence[str]) -> None:
    """Such as for those who want to know only of what lasts for an hour."""
    with Desk(tmp_path / "monitor.db", [SHOP, BLOG], channel_config(reminder_ms=HOUR_MS, on=frozenset(on))) as desk:
        (short,) = desk.down(BLOG)
        alerts = desk.down(SHOP)
        desk.go_on(1_800, step_s=20)
        desk.up(short)
        desk.go_on(3_600, step_s=20)
        desk.restart()
        desk.go_on(1_900, step_s=20)
        desk.up(*alerts)
        desk.go_on(7_200, step_s=20)
    assert desk.scripted.titles[-2 - len(end) :] == ["STILL DOWN: shop", "STILL DOWN: shop", *end]
    assert desk.scripted.titles.count("STILL DOWN: shop") == len([it for it in desk.scripted.titles if "DOWN" in it]) == 2


@pytest.mark.parametrize("is_over", [True, False])
def test_the_past_is_read_once_however_long_ago_the_outage_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """A channel that wants no recoveries has reported for ever that the site is down."""
    on, read = frozenset({"alert", "reminder"}), []
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=24 * HOUR_MS, on=on)) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(60)
        if is_over:
            desk.up(*alerts)
        desk.go_on(48 * 3_600, step_s=600)
        alerts_of = desk.store.alerts

        def noted(window: Window) -> Sequence[Alert]:
            read.append(window.length_ms)
            return alerts_of(window)

        monkeypatch.setattr(desk.store, "alerts", noted)
        desk.go_on(60)
    assert 0 < max(read) < HOUR_MS


def test_none_after_a_recovery_that_was_refused(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=HOUR_MS)) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(60)
        desk.scripted.trouble = Undelivered("error=404", is_final=True)
        desk.up(*alerts)
        desk.go_on(60)
        desk.scripted.trouble = None
        desk.go_on(7_200, step_s=20)
    assert desk.scripted.titles == ["DOWN: shop"]


def test_a_message_of_a_reminder_and_the_end_of_its_outage_says_that_it_ended(tmp_path: Path) -> None:
    """The reminder may have been written just before a recovery that was decided at an earlier moment."""
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=HOUR_MS)) as desk:
        (alert,) = desk.down(SHOP)
        desk.go_on(60)
        (ended,) = desk.up(alert)
        desk.clock.advance(0.001)
        desk.outbox.add_reminders([Entry("mail", Event.REMINDER, desk.clock.now_ms(), alert)])
        desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]
    assert ended in desk.scripted.accepted[1].alerts
