"""What one channel sends, whatever happens to it: exactly the messages that should go out, once each."""

from itertools import pairwise
from pathlib import Path

import pytest

from monitoring.models import Alert, Cause, Window
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.words import conditions
from monitoring.storage.notifications import Delivery
from tests.support.notifying import Desk, channel_config, site

SHOP, BLOG, BREAD = site("shop"), site("blog"), site("bread")
MANY = [site(f"site{number}") for number in range(30)]
AWAY, FOREVER = Undelivered("it does not answer"), Undelivered("error=404", is_final=True)
EVER = Window(0, 1 << 60)


def states(desk: Desk) -> list[str]:
    return [str(entry.state) for entry in desk.store.deliveries(EVER)]


def test_an_outage_is_one_message_and_its_end_another(desk: Desk) -> None:
    alerts = desk.down(SHOP)
    desk.go_on(10)
    desk.up(*alerts)
    desk.go_on(60)
    down, up = desk.scripted.accepted
    assert (down.title, up.title) == ("DOWN: shop", "UP: shop")
    assert "shop (https://shop.example.org) has been down since" in down.text
    assert "Cause: status: HTTP status 503" in down.text
    assert "Availability over 2 min: 75.00 % (" in down.text
    assert "an alert needs more than 20 % of 2 min)" in down.text  # of the window, as the rule has it
    assert "--explain shop" in down.text
    assert "it was down for 30 s" in up.text
    assert states(desk) == ["sent", "sent"]


def test_a_reason_that_names_its_cause_is_not_told_twice(desk: Desk) -> None:
    """As the checks word it."""
    desk.down(SHOP, detail="status 503")
    desk.go_on(10)
    assert "\nCause: status 503\n" in desk.scripted.accepted[0].text


def test_a_reason_reads_as_on_the_screen(desk: Desk) -> None:
    desk.down(SHOP, cause=Cause.TIMEOUT, detail="Operation timed out after 5001 milliseconds with 0 bytes received")
    desk.go_on(10)
    assert "\nCause: timeout: no answer within 5 s\n" in desk.scripted.accepted[0].text


def test_a_channel_that_was_away_tells_it_late(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    desk.down(SHOP)
    desk.go_on(90)
    assert desk.scripted.accepted == []
    (condition,) = conditions(desk.store.deliveries(EVER), ["mail"], desk.clock.now_ms())
    assert condition.text == "notifications by mail cannot be sent: it does not answer; 1 state change waits"
    desk.scripted.trouble = None
    desk.go_on(120)
    assert desk.scripted.titles == ["DOWN: shop"]
    assert "This message is late by" in desk.scripted.accepted[0].text
    assert states(desk) == ["late"]
    assert list(conditions(desk.store.deliveries(EVER), ["mail"], desk.clock.now_ms())) == []


def test_it_is_tried_again_at_growing_intervals(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    tries: list[float] = []
    send = desk.scripted.send
    desk.scripted.send = lambda message: (tries.append(desk.clock.now_ms() / 1_000), send(message))  # type: ignore[assignment,func-returns-value]
    desk.down(SHOP)
    desk.go_on(3_600)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert set(pauses[9:]) == {300}


def test_an_alert_and_its_recovery_that_are_both_unsent_are_one_message(desk: Desk) -> None:
    desk.outage_while_away(SHOP, lasts_s=30, back_s=30, until_s=120)
    assert desk.scripted.titles == ["UP: shop"]
    assert "was down for" in desk.scripted.accepted[0].text
    assert len(states(desk)) == 2
    assert set(states(desk)) == {"late"}


def test_what_is_refused_for_good_is_recorded_and_said_and_holds_up_nothing(desk: Desk) -> None:
    desk.scripted.trouble = FOREVER
    desk.down(SHOP)
    desk.go_on(30)
    assert states(desk) == ["failed"]
    (condition,) = conditions(desk.store.deliveries(EVER), ["mail"], desk.clock.now_ms())
    assert condition.text == "1 state change could not be sent by mail: error=404"
    desk.scripted.trouble = None
    desk.down(BLOG)
    desk.go_on(30)
    assert desk.scripted.titles == ["DOWN: blog"]


def test_a_message_that_is_never_taken_holds_up_no_other(desk: Desk) -> None:
    send = desk.scripted.send

    def refuse_one(message: Message) -> None:
        if "shop" in message.text:
            raise Undelivered("error=500")
        send(message)

    desk.watch([SHOP, BLOG, BREAD])
    desk.scripted.send = refuse_one  # type: ignore[method-assign]
    desk.down(SHOP)
    desk.go_on(60)
    desk.down(BLOG)
    desk.go_on(120)
    assert desk.scripted.titles == ["DOWN: blog"]
    assert sorted(states(desk)) == ["pending", "sent"]
    desk.go_on(1_500, step_s=5)
    desk.down(BREAD)
    desk.go_on(10)
    assert desk.scripted.titles == ["DOWN: blog", "DOWN: bread"]
    assert "late" not in desk.scripted.accepted[1].text


def test_while_a_channel_is_away_what_is_new_is_tried_once_at_once_and_then_with_the_rest(desk: Desk) -> None:
    desk.watch([SHOP, BREAD])
    desk.scripted.trouble = AWAY
    tries: list[str] = []
    send = desk.scripted.send
    desk.scripted.send = lambda message: (tries.append(message.title), send(message))  # type: ignore[assignment,func-returns-value]
    desk.down(SHOP)
    desk.go_on(1_500, step_s=5)
    tries.clear()
    desk.down(BREAD)
    desk.go_on(20)
    assert tries == ["DOWN: bread"]
    desk.scripted.trouble = None
    desk.go_on(300, step_s=5)
    assert desk.scripted.titles == ["DOWN: shop", "DOWN: bread"]


def test_after_a_day_it_is_given_up(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    desk.down(SHOP)
    desk.go_on(10)
    desk.clock.advance(86_400)
    desk.go_on(1)
    (entry,) = desk.store.deliveries(EVER)
    assert entry.state is Delivery.FAILED
    assert entry.reason == "could not be sent for a day: it does not answer"


def test_what_nobody_could_try_for_days_is_tried_before_it_is_given_up(desk: Desk) -> None:
    """The machine slept, or the monitor was off."""
    desk.down(SHOP)
    desk.clock.advance(3 * 86_400)
    desk.go_on(1)
    assert desk.scripted.titles == ["DOWN: shop"]
    assert "This message is late by 3 d." in desk.scripted.accepted[0].text


def test_what_waits_while_a_site_flaps_for_more_than_a_day_is_no_failure(desk: Desk) -> None:
    """Nobody was asked to take it: it is part of the message that says how the site stands in the end."""
    alerts = desk.down(SHOP)
    for _ in range(25 * 5):
        desk.go_on(660, step_s=330)
        desk.up(*alerts)
        desk.go_on(60, step_s=60)
        alerts = desk.down(SHOP)
    desk.up(*alerts)
    desk.go_on(3_600, step_s=600)
    assert set(states(desk)) <= {"sent", "late"}
    assert desk.scripted.titles[-1].startswith("UP")


def test_a_monitor_killed_before_it_sends_sends_at_its_next_start(desk: Desk) -> None:
    desk.down(SHOP)
    desk.restart()
    desk.go_on(10)
    assert desk.scripted.titles == ["DOWN: shop"]


def test_a_restart_in_an_outage_tells_nothing_twice_and_forgets_no_recovery(desk: Desk) -> None:
    alerts = desk.down(SHOP)
    desk.go_on(10)
    desk.restart()
    desk.go_on(60)
    desk.up(*alerts)
    desk.restart()
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]


def test_killed_between_acceptance_and_record_it_tells_it_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least once: nobody can know whether the service has it."""
    desk.down(SHOP)
    monkeypatch.setattr(desk.outbox, "record", lambda entries: None)
    desk.go_on(3)
    desk.restart()
    desk.go_on(10)
    assert desk.scripted.titles == ["DOWN: shop"] * 2


def test_sites_that_fail_together_by_one_cause_are_one_message(desk: Desk) -> None:
    desk.watch([SHOP, BLOG, *MANY])
    first = desk.down(*MANY[:15])
    desk.go_on(2)
    alerts = [*first, *desk.down(*MANY[15:])]
    desk.go_on(20)
    assert desk.scripted.titles == ["DOWN: 30 of 32 sites"]
    assert all(f"- {it.name} (" in desk.scripted.accepted[0].text for it in MANY)
    desk.up(*alerts[:20])
    desk.go_on(3)
    desk.up(*alerts[20:])
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: 30 of 32 sites", "UP: 30 of 32 sites"]


def test_other_causes_and_other_times_are_other_messages(desk: Desk) -> None:
    desk.watch([SHOP, BLOG, *MANY])
    desk.down(SHOP)
    desk.down(BLOG, cause=Cause.TLS, detail="certificate has expired")
    desk.go_on(20)
    desk.down(MANY[0])
    desk.go_on(20)
    assert desk.scripted.titles == ["DOWN: blog", "DOWN: shop", "DOWN: site0"]


def lose_the_own_network(desk: Desk) -> list[Alert]:
    """Nearly all sites fail by network causes, and no message gets out; the alerts of that."""
    desk.watch(MANY)
    desk.scripted.trouble = AWAY
    alerts = desk.down(*MANY[:10], cause=Cause.DNS, detail="")
    desk.go_on(30)
    alerts += desk.down(*MANY[10:28], cause=Cause.TIMEOUT, detail="")
    desk.go_on(300)
    return alerts


def test_when_the_own_network_is_gone_one_message_says_so_when_it_is_back(desk: Desk) -> None:
    alerts = lose_the_own_network(desk)
    desk.scripted.trouble = None
    desk.go_on(300)
    assert desk.scripted.titles == ["DOWN: 28 of 30 sites, probably on this side"]
    desk.up(*alerts)
    desk.go_on(60)
    assert desk.scripted.titles[1:] == ["UP: 28 of 30 sites"]


def test_when_the_own_network_is_back_and_all_sites_with_it_one_message_says_what_it_was(desk: Desk) -> None:
    alerts = lose_the_own_network(desk)
    desk.up(*alerts)
    desk.go_on(10)
    desk.scripted.trouble = None
    desk.go_on(300)
    assert desk.scripted.titles == ["UP: 28 of 30 sites"]
    said = "28 of 30 sites failed at once by network causes, so the trouble was probably on the monitor's side"
    assert desk.scripted.accepted[0].text.startswith(said)


def test_at_once_it_says_that_the_trouble_is_probably_here(desk: Desk) -> None:
    desk.watch(MANY)
    alerts = desk.down(*MANY[:15], cause=Cause.DNS, detail="")
    alerts += desk.down(*MANY[15:28], cause=Cause.TIMEOUT, detail="")
    desk.go_on(20)
    assert desk.scripted.titles == ["DOWN: 28 of 30 sites, probably on this side"]
    assert "so the trouble is probably on the monitor's side" in desk.scripted.accepted[0].text
    desk.up(*alerts)
    desk.go_on(60)
    assert desk.scripted.titles[1:] == ["UP: 28 of 30 sites"]


def test_a_site_that_is_removed_while_it_is_down_ends_with_a_message(desk: Desk) -> None:
    alerts = desk.down(SHOP)
    desk.go_on(10)
    desk.watch([BLOG])
    desk.up(*alerts, watched=False)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "NO LONGER WATCHED: shop"]
    assert "shop (https://shop.example.org) is no longer watched; it was down for" in desk.scripted.accepted[1].text


def test_sites_that_are_removed_are_not_counted_among_those_that_are_left(desk: Desk) -> None:
    desk.watch(MANY)
    alerts = desk.down(*MANY[:2])
    desk.go_on(10)
    desk.watch([BLOG])
    desk.up(*alerts, watched=False)
    desk.go_on(60)
    assert desk.scripted.titles[1:] == ["NO LONGER WATCHED: 2 sites"]


def test_sites_that_are_removed_while_their_alert_waits_are_not_counted_among_those_that_are_left(desk: Desk) -> None:
    desk.watch(MANY)
    desk.down(*MANY[:4])
    desk.watch([*MANY[2:4], BLOG])
    desk.go_on(20)
    assert desk.scripted.titles == ["DOWN: 4 sites"]


def test_a_site_that_is_removed_and_added_again_while_its_message_waits_is_told_as_it_stands(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    alerts = desk.down(SHOP)
    desk.go_on(10)
    desk.watch([BLOG])
    desk.up(*alerts, watched=False)
    desk.go_on(10)
    desk.watch([SHOP, BLOG])
    again = desk.down(SHOP)
    desk.go_on(30)
    desk.scripted.trouble = None
    desk.go_on(120)
    desk.up(*again)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]
    assert len(states(desk)) == 4
    assert set(states(desk)) <= {"sent", "late"}


def test_reminders_come_while_a_site_stays_down(tmp_path: Path) -> None:
    with Desk(tmp_path / "monitor.db", [SHOP], channel_config(reminder_ms=3_600_000)) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(7_300, step_s=20)
        desk.restart()
        desk.go_on(60)
        desk.up(*alerts)
        desk.go_on(4_000, step_s=20)
    assert desk.scripted.titles == ["DOWN: shop", "STILL DOWN: shop", "STILL DOWN: shop", "UP: shop"]
    assert "is still down; it has been down for 2 h" in desk.scripted.accepted[2].text


def test_a_flapping_site_is_told_as_such_and_its_recovery_when_it_holds(desk: Desk) -> None:
    for _ in range(6):
        alerts = desk.down(SHOP)
        desk.go_on(60)
        desk.up(*alerts)
        desk.go_on(180)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop", "DOWN: shop", "UP: shop", "DOWN: shop"]
    assert "3rd outage in 30 min" in desk.scripted.accepted[4].text
    desk.go_on(200)
    assert desk.scripted.titles[5:] == ["UP: shop"]
    assert "6 outages in 30 min" in desk.scripted.accepted[5].text
    assert set(states(desk)) == {"sent"}
