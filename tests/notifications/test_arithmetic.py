"""The numbers of a message agree: its availability is that of the decision, and its sums say of when they are."""

import pytest

from monitoring.models import Cause, CheckResult, Window
from monitoring.notifications.base import Undelivered
from monitoring.notifications.sender import Sender
from tests.support.notifying import Desk, site

SHOP = site("shop")


def check(desk: Desk, second: float, covers_s: int, cause: Cause | None = None) -> CheckResult:
    return CheckResult(SHOP.host, round(desk.clock.now_ms() + second * 1_000), covers_s * 1_000, 0, cause=cause)


@pytest.mark.parametrize(
    ("hangs", "sums"), [(False, "30 s down of 120 s measured"), (True, "40 s down of 130 s measured by now")]
)
def test_sums_that_include_a_check_that_ended_after_the_decision_say_so(desk: Desk, *, hangs: bool, sums: str) -> None:
    """It began before: that of a site that hangs ends up to a time-out later."""
    good = [check(desk, -120 + 10 * number, 10) for number in range(9)]
    failed = [check(desk, -30 + 10 * number, 10, Cause.TIMEOUT) for number in range(3)]
    desk.store.append([*good, *failed], (), desk.clock.now_ms())
    desk.down(SHOP, cause=Cause.TIMEOUT, detail="")
    if hangs:
        desk.store.append([check(desk, -1, 10, Cause.TIMEOUT)], (), desk.clock.now_ms())
    desk.go_on(10)
    (message,) = desk.scripted.accepted
    assert f"Availability over 2 min: 75.00 % ({sums}; an alert needs more than 20 % of 2 min)" in message.text


def test_a_message_is_late_by_the_age_of_what_it_tells_and_its_records_by_their_own(desk: Desk) -> None:
    """An outage that could not be told is over; the message is of the next one, which has just begun."""
    desk.scripted.trouble = Undelivered("it does not answer")
    alerts = desk.down(SHOP)
    desk.go_on(60)
    desk.up(*alerts)
    desk.go_on(120)
    desk.down(SHOP)
    desk.sender = Sender(desk.config, desk.scripted, desk.outbox, lambda: desk.store, desk.clock)  # which tries at once
    desk.watch(desk.sites)
    desk.scripted.trouble = None
    desk.go_on(10)
    (message,) = desk.scripted.accepted
    assert (message.title, "late" in message.text) == ("DOWN: shop", False)
    assert [entry.state for entry in desk.store.deliveries(Window(0, 1 << 60))] == ["late", "late", "sent"]
