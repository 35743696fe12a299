"""A channel that reports no recoveries, and an outage that ends before its message could be sent."""

from pathlib import Path

from monitoring.notifications.base import Undelivered
from monitoring.storage.notifications import Event
from tests.support.notifying import Desk, channel_config, site

SHOP, BLOG = site("shop"), site("blog")
AWAY = Undelivered("it does not answer")


def desk_without_recoveries(path: Path, **more: object) -> Desk:
    on = frozenset({Event.ALERT, Event.REMINDER})
    return Desk(path / "monitor.db", [SHOP, BLOG], channel_config(on=on, **more))


def test_it_is_told_as_one_that_is_over(tmp_path: Path) -> None:
    with desk_without_recoveries(tmp_path) as desk:
        desk.outage_while_away(SHOP, lasts_s=20, back_s=70, until_s=400)
        (message,) = desk.scripted.accepted
    assert message.title == "WAS DOWN: shop"
    assert "shop (https://shop.example.org) was down for 40 s, from " in message.text
    assert ", and is up again.\nThe cause was: status: HTTP status 503\n" in message.text


def test_of_several_those_that_are_over_are_told_as_such(tmp_path: Path) -> None:
    with desk_without_recoveries(tmp_path) as desk:
        desk.scripted.trouble = AWAY
        shop, _ = desk.down(SHOP, BLOG)
        desk.go_on(20)
        desk.up(shop)
        desk.scripted.trouble = None
        desk.go_on(60)
        (message,) = desk.scripted.accepted
    assert message.title == "DOWN: 2 of 2 sites"
    lines = {line.split()[1]: line for line in message.text.splitlines() if line.startswith("- ")}
    assert " has been down since " in lines["blog"]
    assert " and is up again: status" in lines["shop"]


def test_a_reminder_does_not_say_that_it_is_still_down(tmp_path: Path) -> None:
    with desk_without_recoveries(tmp_path, reminder_ms=600_000) as desk:
        alerts = desk.down(SHOP)
        desk.go_on(590)
        desk.scripted.trouble = AWAY
        desk.go_on(30)
        desk.up(*alerts)
        desk.scripted.trouble = None
        desk.go_on(120)
    assert desk.scripted.titles == ["DOWN: shop", "WAS DOWN: shop"]


def test_one_that_has_begun_again_is_told_as_down(tmp_path: Path) -> None:
    with desk_without_recoveries(tmp_path) as desk:
        desk.scripted.trouble = AWAY
        desk.up(*desk.down(SHOP))
        desk.go_on(20)
        desk.down(SHOP)
        desk.scripted.trouble = None
        desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop"]


def test_one_whose_site_is_no_longer_watched_is_told_as_such(tmp_path: Path) -> None:
    with desk_without_recoveries(tmp_path) as desk:
        desk.scripted.trouble = AWAY
        alerts = desk.down(SHOP)
        desk.go_on(5)
        desk.up(*alerts, watched=False)
        desk.scripted.trouble = None
        desk.go_on(60)
        (message,) = desk.scripted.accepted
    assert message.title == "WAS DOWN: shop"
    assert "is no longer watched; it was down for " in message.text
