"""A purge deletes notifications, too; nobody who was told of an outage is left waiting for its end."""

import pytest

from monitoring.models import Window
from monitoring.notifications.base import Undelivered
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.forwarded import ask_purge, maintain
from tests.support.notifying import Desk, site

SHOP, BLOG = site("shop"), site("blog")
AWAY = Undelivered("it does not answer")
EVER = Window(0, 1 << 60)


def purge(desk: Desk, host: str | None = SHOP.host, *, forget: bool = True) -> None:
    ask_purge(desk.store, Request(host, desk.clock.now_ms(), forget=forget))
    maintain(desk.store, desk.clock.now_ms())


@pytest.mark.parametrize("host", [SHOP.host, None], ids=["of a site", "of everything"])
def test_whoever_was_told_of_an_open_outage_hears_that_its_history_was_deleted(desk: Desk, host: str | None) -> None:
    desk.down(SHOP)
    desk.go_on(60)
    purge(desk, host)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "HISTORY DELETED: shop"]
    assert "no longer counts as down: its history was deleted" in desk.scripted.accepted[-1].text
    desk.restart()
    desk.go_on(60)
    assert len(desk.scripted.titles) == 2


def test_an_alert_that_was_not_sent_yet_is_told_to_nobody(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    desk.down(SHOP)
    desk.down(BLOG)
    desk.go_on(60)
    purge(desk)
    desk.scripted.trouble = None
    desk.go_on(600)
    assert desk.scripted.titles == ["DOWN: blog"]


def test_an_alert_that_is_being_sent_while_it_is_purged_does_not_come_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel hangs; whatever becomes of the attempt is recorded after the purge."""
    desk.down(SHOP)

    def hang(message: object) -> None:
        purge(desk)
        raise AWAY

    with monkeypatch.context() as channel:
        channel.setattr(desk.scripted, "send", hang)
        desk.go_on(4)
    desk.go_on(600)
    assert desk.scripted.titles == []
    assert desk.store.deliveries(EVER) == []


def test_the_end_of_an_outage_that_is_still_to_be_sent_is_told_all_the_same(desk: Desk) -> None:
    alerts = desk.down(SHOP)
    desk.go_on(60)
    desk.scripted.trouble = AWAY
    desk.up(*alerts)
    desk.go_on(60)
    purge(desk)
    desk.scripted.trouble = None
    desk.go_on(600)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]


def test_who_was_told_of_an_outage_that_stays_open_hears_of_its_end(desk: Desk) -> None:
    """With `--before` an open alert stays, and with it whoever knows of it."""
    alerts = desk.down(SHOP)
    desk.go_on(60)
    purge(desk, forget=False)
    desk.up(*alerts)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]


def test_the_next_outage_is_told_as_a_new_one(desk: Desk) -> None:
    desk.down(SHOP)
    desk.go_on(60)
    purge(desk)
    desk.go_on(60)
    alerts = desk.down(SHOP)
    desk.go_on(60)
    desk.up(*alerts)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "HISTORY DELETED: shop", "DOWN: shop", "UP: shop"]


def test_an_outage_within_seconds_after_the_purge_is_told_together_with_it(desk: Desk) -> None:
    desk.down(SHOP)
    desk.go_on(60)
    purge(desk)
    desk.go_on(2)
    desk.down(SHOP)
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "DOWN: shop"]
    assert "The history of its previous outage was deleted." in desk.scripted.accepted[-1].text
