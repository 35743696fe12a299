"""What waits to be sent is told once each, whatever can be written and read, and who is still there."""

from dataclasses import replace

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.models import Cause, Window
from monitoring.notifications.base import Message, Undelivered
from monitoring.notifications.sender import Sender
from monitoring.notifications.words import conditions
from monitoring.storage.notifications import Delivery
from tests.support.notifying import Desk, site

SHOP, BLOG = site("shop"), site("blog")
AWAY, REFUSED = Undelivered("it does not answer"), Undelivered("error=404", is_final=True)
EVER = Window(0, 1 << 60)


def states(desk: Desk) -> list[str]:
    return [str(entry.state) for entry in desk.store.deliveries(EVER)]


def full(*_: object) -> None:
    raise StoreUnavailable("disk full")


def test_while_the_file_cannot_be_written_messages_go_out_once_each(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as disk:
        alerts = desk.down(SHOP)
        desk.go_on(1)
        disk.setattr(desk.store, "set_delivery", full)
        desk.go_on(10)
        assert desk.scripted.titles == ["DOWN: shop"]
    recovery = desk.up(*alerts)[0]
    assert recovery in [entry.alert for entry in desk.outbox.pending("mail")]
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: shop", "UP: shop"]
    assert states(desk) == ["sent", "sent"]


def test_what_was_told_while_nothing_could_be_written_is_not_told_again_when_the_file_takes_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery may be written before the record itself is."""
    alert = desk.as_down(SHOP)
    desk.unwritten = [alert]
    with monkeypatch.context() as disk:
        disk.setattr(desk.store, "set_delivery", full)
        desk.go_on(10)
    desk.go_on(30)
    desk.unwritten = []
    desk.store.append((), [alert], desk.clock.now_ms())
    desk.go_on(30)
    assert desk.scripted.titles == ["DOWN: shop"]
    assert states(desk) == ["sent"]


def test_what_waits_in_memory_is_told_and_not_again_when_it_is_written(desk: Desk) -> None:
    alert = desk.down(BLOG)[0]
    desk.go_on(10)
    waiting = [desk.up(alert)[0]]
    desk.store.append((), (), desk.clock.now_ms())
    desk.unwritten = waiting
    desk.go_on(60)
    desk.unwritten = []
    desk.go_on(60)
    assert desk.scripted.titles == ["DOWN: blog", "UP: blog"]


def test_the_end_of_an_outage_that_could_not_be_told_yet_is_told_though_nothing_can_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the channel would tell that a site is down which is up again, and would not tell its end."""
    desk.scripted.trouble = AWAY
    (alert,) = desk.down(SHOP)
    desk.go_on(10)
    monkeypatch.setattr(desk.store, "set_delivery", full)
    desk.unwritten = [desk.as_up(alert)]
    desk.go_on(20)
    desk.scripted.trouble = None
    desk.go_on(60)
    assert desk.scripted.titles == ["UP: shop"]


def test_what_waits_for_a_channel_that_is_gone_is_given_up_and_not_sent_when_it_is_back(desk: Desk) -> None:
    desk.scripted.trouble = AWAY
    desk.down(SHOP)
    desk.go_on(10)
    desk.outbox.set_route(lambda *_: (), [], desk.clock.now_ms())
    (entry,) = desk.store.deliveries(EVER)
    assert (entry.state, entry.reason) == (Delivery.FAILED, "the channel is no longer configured")
    desk.scripted.trouble = None
    desk.watch(desk.sites)
    desk.go_on(60)
    assert desk.scripted.titles == []


def test_a_refusal_for_good_is_reported_even_if_the_next_message_is_accepted_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = desk.scripted.send

    def picky(message: Message) -> None:
        desk.clock.advance(0.01)
        if "shop" in message.title:
            raise Undelivered("error=404", is_final=True)
        send(message)

    monkeypatch.setattr(desk.scripted, "send", picky)
    desk.down(SHOP, cause=Cause.DNS)
    desk.clock.advance(0.01)
    desk.down(BLOG)
    desk.go_on(5)
    assert states(desk) == ["failed", "sent"]
    assert said(desk) == ["1 state change could not be sent by mail: error=404"]
    desk.go_on(60)
    assert said(desk) == []


def test_a_record_of_which_no_message_can_be_made_is_reported_and_holds_up_no_other(desk: Desk) -> None:
    """Such as one of a year that calendars do not have."""
    desk.store.append((), [replace(desk.as_down(SHOP), start_ms=1 << 60)], desk.clock.now_ms())
    desk.down(BLOG, cause=Cause.TLS)
    desk.go_on(30)
    assert desk.scripted.titles == ["DOWN: blog"]
    assert said(desk) == [
        "notifications by mail cannot be sent: a mistake in this program (OverflowError); 1 state change waits"
    ]


def test_a_message_is_recorded_as_late_if_it_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may take its time to answer."""
    send = desk.scripted.send
    desk.scripted.trouble = AWAY
    desk.down(SHOP)
    desk.go_on(58)

    def slow(message: Message) -> None:
        send(message)
        desk.clock.advance(10)

    desk.scripted.trouble = None
    monkeypatch.setattr(desk.scripted, "send", slow)
    desk.sender = Sender(desk.config, desk.scripted, desk.outbox, lambda: desk.store, desk.clock)  # which tries at once
    desk.sender.step()
    assert states(desk) == ["sent"]
    assert "late" not in desk.scripted.accepted[0].text


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (AWAY, "notifications by mail cannot be sent: it does not answer; 1 state change waits"),
        (REFUSED, "1 state change could not be sent by mail: error=404"),
    ],
)
@pytest.mark.parametrize("is_written", [True, False])
def test_a_channel_that_does_not_work_is_reported_though_nothing_can_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, trouble: Undelivered, sentence: str, *, is_written: bool
) -> None:
    alert = desk.as_down(SHOP)
    if is_written:
        desk.store.append((), [alert], desk.clock.now_ms())
    else:
        desk.unwritten = [alert]
    with monkeypatch.context() as disk:
        disk.setattr(desk.store, "set_delivery", full)
        desk.scripted.trouble = trouble
        desk.go_on(30)
        assert said(desk) == [sentence]
        if trouble is AWAY:
            desk.scripted.trouble = None
            desk.go_on(60)
            assert said(desk) == []
            assert desk.scripted.titles == ["DOWN: shop"]


def said(desk: Desk) -> list[str]:
    now_ms = desk.clock.now_ms()
    return [condition.text for condition in conditions(desk.outbox.deliveries(EVER), ["mail"], now_ms)]
